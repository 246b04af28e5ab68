package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// table is the leases of all instances, in memory.
type table struct {
	now func() time.Time

	mu   sync.Mutex
	rows map[string]lease
}

type lease struct {
	holder string
	until  time.Time
}

// of returns the leases as one instance sees them. While down is set it cannot reach them.
func (t *table) of(holder string, down *bool) Leases { return holderLeases{t, holder, down} }

type holderLeases struct {
	*table
	holder string
	down   *bool
}

var errDown = errors.New("the database cannot be reached")

func (l holderLeases) Acquire(_ context.Context, name string, ttl time.Duration) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *l.down {
		return false, errDown
	}
	now := l.now()
	if r, ok := l.rows[name]; ok && r.holder != l.holder && now.Before(r.until) {
		return false, nil
	}
	l.rows[name] = lease{l.holder, now.Add(ttl)}
	return true, nil
}

func (l holderLeases) Release(_ context.Context, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *l.down {
		return errDown
	}
	if l.rows[name].holder == l.holder {
		delete(l.rows, name)
	}
	return nil
}

func (l holderLeases) Current(_ context.Context, prefix string) (names []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if *l.down {
		return nil, errDown
	}
	for name, r := range l.rows {
		if strings.HasPrefix(name, prefix) && l.now().Before(r.until) {
			names = append(names, name)
		}
	}
	return names, nil
}

// instance is one of those that share the partitions.
type instance struct {
	*Partitions
	down bool // it does not reach the database
	dead bool // it does nothing any more, and did not say so

	mu    sync.Mutex
	reads map[int]bool // what it has subscribed; guarded by mu
}

func (i *instance) set(n int, reads bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if delete(i.reads, n); reads {
		i.reads[n] = true
	}
}

func (i *instance) now() map[int]bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.reads)
}

func newInstance(t *table, name string, count int) *instance {
	i := &instance{reads: make(map[int]bool)}
	i.Partitions = NewPartitions(PartitionsConfig{
		Count: count, Instance: name, Leases: t.of(name, &i.down), Now: t.now, Logger: slog.New(slog.DiscardHandler),
		Take:  func(n int) error { i.set(n, true); return nil },
		Leave: func(n int) { i.set(n, false) },
	})
	return i
}

// readers returns who reads each partition, of those that live.
func readers(all []*instance) map[int][]string {
	out := make(map[int][]string)
	for _, i := range all {
		if !i.dead {
			for n := range i.now() {
				out[n] = append(out[n], i.cfg.Instance)
			}
		}
	}
	return out
}

// Whatever instances come, go, die or lose the database, no two read one partition, and once it is quiet each is read by one,
// in equal numbers.
func TestPartitionsAreSharedWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, 0)
		leases := &table{now: func() time.Time { return now }, rows: make(map[string]lease)}
		count := rapid.IntRange(1, 16).Draw(t, "partitions")
		var all []*instance
		some := func(t *rapid.T) *instance {
			if len(all) == 0 {
				return nil
			}
			return all[rapid.IntRange(0, len(all)-1).Draw(t, "instance")]
		}
		step := func(t *rapid.T, i *instance) {
			if err := i.step(context.Background()); err != nil && !i.down {
				t.Fatalf("step: %v", err)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				if len(all) < 6 {
					all = append(all, newInstance(leases, fmt.Sprint("i", len(all)), count))
				}
			},
			"die": func(t *rapid.T) {
				if i := some(t); i != nil {
					i.dead = true
				}
			},
			"end": func(t *rapid.T) {
				if i := some(t); i != nil && !i.dead {
					i.leaveAll(context.Background())
					i.dead = true
				}
			},
			"database": func(t *rapid.T) {
				if i := some(t); i != nil {
					i.down = !i.down
				}
			},
			"step": func(t *rapid.T) {
				if i := some(t); i != nil && !i.dead {
					step(t, i)
				}
			},
			"round": func(t *rapid.T) { // as time passes, each that lives has its step
				now = now.Add(partitionStep)
				for _, i := range all {
					if !i.dead {
						step(t, i)
					}
				}
			},
			"": func(t *rapid.T) {
				for n, who := range readers(all) {
					if len(who) > 1 {
						t.Fatalf("partition %d is read by %v", n, who)
					}
				}
			},
		})
		all = append(all, newInstance(leases, "last", count))
		for range 8 { // 12 s
			now = now.Add(partitionStep)
			for _, i := range all {
				if i.down = false; !i.dead {
					step(t, i)
				}
			}
		}
		who := readers(all)
		if len(who) != count {
			t.Fatalf("%d of %d partitions are read: %v", len(who), count, who)
		}
		var numbers []int
		for _, i := range all {
			if !i.dead {
				numbers = append(numbers, len(i.now()))
			}
		}
		if slices.Max(numbers)-slices.Min(numbers) > 1 {
			t.Fatalf("the instances read %v partitions", numbers)
		}
	})
}

// When one dies without a word the others have its partitions within ten seconds; when one ends in order, within two steps.
func TestPartitionsOfTheDeadAreTakenOver(t *testing.T) {
	for name, c := range map[string]struct {
		dies   bool
		within time.Duration
	}{"dies": {true, 10 * time.Second}, "ends": {false, 2*partitionStep + time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const count = 12
				leases := &table{now: time.Now, rows: make(map[string]lease)}
				var all []*instance
				var stops []func()
				for i := range 3 {
					in := newInstance(leases, fmt.Sprint("i", i), count)
					ctx, cancel := context.WithCancel(t.Context())
					done := make(chan error, 1)
					go func() { done <- in.Run(ctx) }()
					all = append(all, in)
					stops = append(stops, sync.OnceFunc(func() {
						cancel()
						if err := <-done; err != nil {
							t.Error(err)
						}
					}))
					time.Sleep(137 * time.Millisecond)
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if who := readers(all); len(who) != count || len(all[0].now()) != 4 || len(all[1].now()) != 4 || len(all[2].now()) != 4 {
					t.Fatalf("three share %v", who)
				}
				before := all[0].now()
				if c.dies {
					leases.mu.Lock()
					all[1].down, all[1].dead = true, true
					leases.mu.Unlock()
				} else {
					stops[1]()
					all[1].dead = true
				}
				began := time.Now()
				for len(readers(all)) < count && time.Since(began) < time.Minute {
					time.Sleep(10 * time.Millisecond)
					synctest.Wait()
				}
				took := time.Since(began)
				t.Logf("taken over after %s", took)
				if took > c.within {
					t.Errorf("taken over after %s, want at most %s", took, c.within)
				}
				for n := range before {
					if !all[0].now()[n] {
						t.Errorf("partition %d moved without need", n)
					}
				}
				for _, stop := range stops {
					stop()
				}
			})
		})
	}
}

// A partition that cannot be read ends the session, so that it is tried anew, and is not kept from the others.
func TestAPartitionThatCannotBeReadIsGivenBack(t *testing.T) {
	leases := &table{now: time.Now, rows: make(map[string]lease)}
	in := newInstance(leases, "i", 4)
	refused := errors.New("refused")
	in.cfg.Take = func(n int) error {
		if n == 2 {
			return refused
		}
		in.set(n, true)
		return nil
	}
	if err := in.Run(t.Context()); !errors.Is(err, refused) {
		t.Errorf("Run returned %v", err)
	}
	if len(in.now()) > 0 || len(leases.rows) > 0 {
		t.Errorf("%v are read and %v held after the end", in.now(), leases.rows)
	}
}

func TestTrimPartition(t *testing.T) {
	for in, want := range map[string]string{
		"hcp/1/box-1/records/3": "hcp/1/box-1/records", "hcp/1/box-1/records/11": "hcp/1/box-1/records",
		"hcp/1/box-1/records":  "hcp/1/box-1/records",
		"hcp/1/box-1/records/": "hcp/1/box-1/records/", "hcp/1/box-1/records/x1": "hcp/1/box-1/records/x1", "records": "records", "": "",
	} {
		if got := trimPartition(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
