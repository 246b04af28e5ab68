package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// grace is how long the last batches may wait for their acknowledgements.
const grace = time.Minute

// writers is how many goroutines send; the terminals are divided among them.
const writers = 4

// load lets terminals send batches for a time and prints how the centre takes them.
func (w *world) load(ctx context.Context, o options, out io.Writer) error {
	batches := int(o.rate * o.time.Seconds())
	all, authors, err := w.prepare(ctx, o, batches)
	if err != nil {
		return err
	}
	stop, err := w.begin(ctx, o, authors)
	if err != nil {
		return err
	}
	defer stop()
	defer func() {
		for _, t := range all {
			t.close()
		}
	}()
	began := time.Now()
	if err := eachOf(len(all), 32, func(i int) error { return all[i].connect(w.address) }); err != nil {
		return err
	}
	log.Printf("%d terminals are connected after %s", len(all), time.Since(began).Round(time.Millisecond))
	return w.measure(ctx, o, all, batches, out)
}

// prepare makes terminals and signs what they will send. One more is there to find out when the centre takes something.
func (w *world) prepare(ctx context.Context, o options, batches int) ([]*terminal, []*author, error) {
	terminals := o.terminals
	all := make([]*terminal, terminals+1)
	authors := make([]*author, len(all))
	for i := range all {
		authors[i] = newAuthor(i)
	}
	began := time.Now()
	err := eachOf(len(all), runtime.NumCPU(), func(i int) (err error) {
		n := batches / terminals
		if i < batches%terminals {
			n++
		}
		if i == terminals {
			n = 1
		}
		all[i], err = newTerminal(authors[i], n, o.batch)
		return errors.Join(err, ctx.Err())
	})
	log.Printf("%d batches are signed after %s", batches, time.Since(began).Round(time.Millisecond))
	return all, authors, err
}

// eachOf calls f for the numbers below n, some at a time, until one fails.
func eachOf(n, atOnce int, f func(i int) error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make([]error, atOnce)
	for k := range atOnce {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[k] == nil; i = int(next.Add(1)) - 1 {
				errs[k] = f(i)
			}
			if errs[k] != nil {
				next.Store(int64(n))
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// measure sends the batches of terminals that are connected, each at its moment.
func (w *world) measure(ctx context.Context, o options, all []*terminal, batches int, out io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	took := make([]time.Duration, batches) // 0: not acknowledged
	index := make(map[*terminal]int, len(all))
	for i, t := range all {
		index[t] = i
	}
	a := &answers{key: w.key, failed: func(err error) { cancel(err) }}
	a.note = func(batch int, t *terminal, d time.Duration) {
		if i := index[t]; i < o.terminals {
			took[batch*o.terminals+i] = d
		}
	}
	for _, t := range all {
		go t.read(ctx, a)
	}
	if err := w.warm(ctx, all[o.terminals]); err != nil {
		return err
	}
	m := w.watch(ctx)
	again := resendAll(ctx, all, cancel)
	start := time.Now()
	w.send(ctx, o, all, batches, start, cancel)
	sent := time.Since(start)
	first := a.acked.Load()
	for end := time.Now().Add(grace); a.acked.Load() < int64(batches)+1 && time.Now().Before(end) && ctx.Err() == nil; {
		time.Sleep(10 * time.Millisecond)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	r := result{o: o, batches: batches, sent: sent, whole: time.Since(start), backlog: batches - int(first) + 1, resent: int(again.Load()),
		took: took, m: m}
	if !o.receiver {
		if err := r.awaitBooks(ctx, w); err != nil {
			return err
		}
	}
	m.stop()
	return r.print(out)
}

// warm waits until the centre acknowledges something, and a little more, since it publishes all configurations at its start.
func (w *world) warm(ctx context.Context, t *terminal) error {
	if err := t.send(time.Now()); err != nil {
		return err
	}
	return waitFor(ctx, "the first acknowledgement", func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.acked == 0 && time.Since(t.progress) > time.Second {
			t.progress = time.Now()
			_ = t.write(t.packets[0]) // it shows
		}
		return t.acked > 0
	})
}

// send sends each batch when it is due.
func (w *world) send(ctx context.Context, o options, all []*terminal, batches int, start time.Time, failed context.CancelCauseFunc) {
	var wait sync.WaitGroup
	for k := range writers {
		wait.Go(func() {
			for i := range batches {
				t := i % o.terminals
				if t%writers != k {
					continue
				}
				due := start.Add(time.Duration(float64(i) / o.rate * float64(time.Second)))
				if d := time.Until(due); d > 0 {
					time.Sleep(d)
				}
				if ctx.Err() != nil {
					return
				}
				if err := all[t].send(due); err != nil {
					failed(fmt.Errorf("%s: %w", all[t].device, err))
					return
				}
			}
		})
	}
	wait.Wait()
}

// resendAll sends again what was not acknowledged for long, until ctx ends, and counts it.
func resendAll(ctx context.Context, all []*terminal, failed context.CancelCauseFunc) *atomic.Int64 {
	n := new(atomic.Int64)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-time.After(time.Second):
				for _, t := range all {
					again, err := t.again(now)
					if n.Add(int64(again)); err != nil && ctx.Err() == nil {
						failed(err)
						return
					}
				}
			}
		}
	}()
	return n
}

// meter watches the processes.
type meter struct {
	w        *world
	resident int64 // greatest of the centre, bytes
	began    [3]time.Duration
	taken    [3]time.Duration // processor time of the centre, the broker and this program
	cancel   context.CancelFunc
	done     chan struct{}
}

func (w *world) watch(ctx context.Context) *meter {
	m := &meter{w: w, done: make(chan struct{})}
	ctx, m.cancel = context.WithCancel(ctx)
	m.began = m.cpu()
	go func() {
		defer close(m.done)
		for ctx.Err() == nil {
			m.resident = max(m.resident, w.centre.resident())
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	return m
}

func (m *meter) cpu() [3]time.Duration {
	return [3]time.Duration{m.w.centre.cpu(), m.w.broker.cpu(), cpu(os.Getpid())}
}

func (m *meter) stop() {
	m.cancel()
	<-m.done
	for i, now := range m.cpu() {
		m.taken[i] = now - m.began[i]
	}
}

// result is what load prints.
type result struct {
	o           options
	batches     int
	sent, whole time.Duration // until all were sent; until all were acknowledged or given up
	backlog     int           // batches that were not acknowledged when the last was sent
	resent      int
	behind      float64       // rows of the journal that were not in the books when the last batch was acknowledged
	caught      time.Duration // until they were
	took        []time.Duration
	m           *meter
}

// awaitBooks waits until all that was acknowledged is in the books, so that the processor's time has it all.
func (r *result) awaitBooks(ctx context.Context, w *world) (err error) {
	began := time.Now()
	if r.behind, err = w.booksBehind(); err != nil {
		return err
	}
	err = waitFor(ctx, "the books", func() bool {
		rows, err := w.booksBehind()
		return err == nil && rows == 0
	})
	r.caught = time.Since(began)
	return err
}

func (r result) print(out io.Writer) error {
	var got []time.Duration
	for _, d := range r.took {
		if d > 0 {
			got = append(got, d)
		}
	}
	if len(got) == 0 {
		return errors.New("nothing was acknowledged")
	}
	slices.Sort(got)
	quantile := func(q float64) float64 { return float64(got[int(q*float64(len(got)-1))].Microseconds()) / 1000 }
	perVisit := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(len(got)*r.o.batch) }
	for _, line := range []struct {
		name   string
		value  float64
		digits int
	}{
		{"load_terminals", float64(r.o.terminals), 0},
		{"load_rate", r.o.rate, 0},
		{"load_visits", float64(r.batches), 0},
		{"load_sent_per_s", float64(r.batches) / r.sent.Seconds(), 0},
		{"load_acknowledged_per_s", float64(len(got)) / r.whole.Seconds(), 0},
		{"load_unacknowledged", float64(r.batches - len(got)), 0},
		{"load_waiting_at_the_end", float64(r.backlog), 0},
		{"load_resent", float64(r.resent), 0},
		{"load_p50_ms", quantile(0.5), 1},
		{"load_p99_ms", quantile(0.99), 1},
		{"load_max_ms", quantile(1), 1},
		{"load_books_behind_rows", r.behind, 0},
		{"load_books_caught_up_s", r.caught.Seconds(), 1},
		{"load_centre_mb", float64(r.m.resident) / (1 << 20), 0},
		{"load_centre_us_per_visit", perVisit(r.m.taken[0]), 0},
		{"load_broker_us_per_visit", perVisit(r.m.taken[1]), 0},
		{"load_generator_us_per_visit", perVisit(r.m.taken[2]), 0},
	} {
		if _, err := fmt.Fprintf(out, "%s %.*f\n", line.name, line.digits, line.value); err != nil {
			return err
		}
	}
	return nil
}
