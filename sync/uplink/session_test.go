package uplink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// wireless is a line without a network: a test reads what the loop sends and writes what it receives.
type wireless struct {
	messages chan message
	lost     chan error
	taken    chan uint64
	out      chan outgoing
	orderly  chan bool // how the loop ended it
}

func newWireless(queue int) *wireless {
	return &wireless{make(chan message, 64), make(chan error, 1), make(chan uint64, 64), make(chan outgoing, queue), make(chan bool, 1)}
}

func (w *wireless) connection() *connection {
	return &connection{messages: w.messages, lost: w.lost, taken: w.taken, out: w.out, end: func(orderly bool) { w.orderly <- orderly }}
}

// bench returns an Uplink with default times whose connections come from dial, and half as the only random number.
func bench(t *testing.T, log *memory, k keys, dial func() (*connection, error)) *Uplink {
	t.Helper()
	u, err := New(Config{
		Brokers: []string{"mqtt://mqtt.example.com"}, Key: k.box, Centre: public(k.centre), Log: log,
		Health:   func() wire.Health { return wire.Health{V: 1} },
		Presence: wire.Presence{V: 1}, Now: time.Now, Random: func() float64 { return 0.5 }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	u.dial = func(context.Context) (*connection, error) { return dial() }
	u.why = func(context.Context, string, []byte) error { return ErrNoAnswer }
	return u
}

// background runs u and returns how to end it and wait for that.
func background(t *testing.T, u *Uplink) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func sealed(t *testing.T, key ed25519.PrivateKey, p wire.Purpose, v any) []byte {
	t.Helper()
	payload, err := wire.Seal(key, p, v)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// next returns the next message on a channel that is not the health.
func (w *wireless) next() outgoing {
	for o := range w.out {
		if o.channel != wire.HealthChannel {
			return o
		}
	}
	return outgoing{}
}

func TestSilenceSendsAgainWithLessAndGivesTheConnectionUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dials := newWireless(outQueue), 0
		log := newMemory()
		log.append(10_000)
		u := bench(t, log, newKeys(t), func() (*connection, error) {
			if dials++; dials > 1 {
				return nil, errors.New("no network")
			}
			return w.connection(), nil
		})
		start := time.Now()
		stop := background(t, u)
		orderly := <-w.orderly
		if orderly {
			t.Error("a connection that was given up ended in order: the broker would not publish the will")
		}
		if got, want := time.Since(start), maxSilences*10*time.Second; got != want {
			t.Errorf("given up after %s, want %s", got, want)
		}
		var sizes []int
		for close(w.out); ; {
			o := w.next()
			if o.payload == nil {
				break
			}
			b, err := wire.DecodeBatch(o.payload)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(b.Records))
			if len(sizes) > thinFlights && b.First != 1 {
				t.Errorf("sent again from %d, want 1", b.First)
			}
		}
		if len(sizes) != thinFlights+maxSilences-1 {
			t.Fatalf("sent batches of %v records, want %d at first and one after each silence but the last", sizes, thinFlights)
		}
		if last := sizes[len(sizes)-1]; last >= sizes[0] {
			t.Errorf("batches of %v records do not become smaller", sizes)
		}
		if s := u.Stats(); s.Silences != maxSilences || s.Acks != 0 || log.Released() != 0 {
			t.Errorf("%+v, released through %d", s, log.Released())
		}
		stop()
	})
}

// TestWeeksOffline checks the waits between the tries, and that nothing grows.
func TestWeeksOffline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last time.Time
		var waits []time.Duration
		log := newMemory()
		u := bench(t, log, newKeys(t), func() (*connection, error) {
			if !last.IsZero() {
				waits = append(waits, time.Since(last))
			}
			last = time.Now()
			return nil, errors.New("no network")
		})
		var lines counter
		u.cfg.Logger = slog.New(&lines)
		stop := background(t, u)
		synctest.Wait()
		before := runtime.NumGoroutine()
		for range 21 {
			time.Sleep(24 * time.Hour)
			log.append(100)
		}
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%d goroutines after three weeks, %d before", after, before)
		}
		stop()
		for i, want := range []time.Duration{1200, 2400, 4800, 9000, 9000, 9000} {
			if waits[i] != want*time.Millisecond {
				t.Errorf("wait %d is %s, want %s", i, waits[i], want*time.Millisecond)
			}
		}
		if n, most := lines.warnings.Load(), int64(21*24*6+2); n == 0 || n > most {
			t.Errorf("%d warnings in three weeks, want 1 to %d", n, most)
		}
	})
}

// counter is a slog handler that counts warnings.
type counter struct{ warnings atomic.Int64 }

func (c *counter) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (c *counter) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		c.warnings.Add(1)
	}
	return nil
}
func (c *counter) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c *counter) WithGroup(string) slog.Handler      { return c }

func TestTheEndIsBoundedWhenNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWireless(outQueue)
		log := newMemory()
		log.append(5)
		u := bench(t, log, newKeys(t), func() (*connection, error) { return w.connection(), nil })
		stop := background(t, u)
		synctest.Wait()
		start := time.Now()
		stop()
		if got := time.Since(start); got != 4*time.Second {
			t.Errorf("ended after %s, want 2 s for the records and 2 s for the farewell", got)
		}
		if <-w.orderly {
			t.Error("ended as if the broker had taken the farewell: it would not publish the will")
		}
		if b := w.next(); b.channel != wire.RecordsChannel {
			t.Errorf("sent %s first", b.channel)
		}
		o := w.next()
		if p, err := wire.DecodePresence(o.payload); err != nil || p.Online || !o.retained || o.channel != wire.PresenceChannel {
			t.Errorf("the farewell is %+v on %s, retained %t, %v", p, o.channel, o.retained, err)
		}
	})
}

func TestALineThatTakesNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, dials := newWireless(1), 0
		log := newMemory()
		log.append(2000)
		u := bench(t, log, newKeys(t), func() (*connection, error) {
			if dials++; dials > 1 {
				return nil, errors.New("no network")
			}
			return w.connection(), nil
		})
		stop := background(t, u)
		if <-w.orderly {
			t.Error("ended in order")
		}
		stop()
	})
}

func TestHealthComesEachMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWireless(outQueue)
		u := bench(t, newMemory(), newKeys(t), func() (*connection, error) { return w.connection(), nil })
		start := time.Now()
		stop := background(t, u)
		for _, want := range []time.Duration{time.Second, 61 * time.Second, 121 * time.Second} {
			if o := <-w.out; o.channel != wire.HealthChannel || time.Since(start) != want {
				t.Errorf("%s after %s, want the health after %s", o.channel, time.Since(start), want)
			}
		}
		go func() { (<-w.out).taken <- nil }()
		stop()
		if !<-w.orderly {
			t.Error("did not end in order")
		}
	})
}

// TestAnOldAcknowledgementIsNotBelieved has a broker repeat what the centre once said.
func TestAnOldAcknowledgementIsNotBelieved(t *testing.T) {
	k, log := newKeys(t), newMemory()
	log.append(20)
	u := bench(t, log, k, nil)
	u.epoch, u.window = log.Epoch(), newWindow(0, log.Last(), wire.MaxBatchBytes)
	var heard []int64
	var kinds [][]rating.Kind
	u.cfg.OnKinds = func(k []rating.Kind) { kinds = append(kinds, k) }
	u.cfg.OnAck = func(c time.Time) { heard = append(heard, c.UnixMilli()) }
	good := wire.Ack{Device: "box-1", Epoch: 7, Through: 10, Head: rating.HashOf(log.record(10)), Time: 5000, Kinds: rating.Kinds()}
	foreign, epoch, beyond, old, clone := good, good, good, good, good
	foreign.Device, epoch.Epoch, beyond.Through, old.Time, clone.Head = "box-2", 8, 21, 1000, rating.HashOf([]byte("another"))
	old.Kinds, clone.Kinds = nil, nil
	for _, c := range []struct {
		name string
		ack  wire.Ack
		want bool
	}{{"another box", foreign, false}, {"another epoch", epoch, false}, {"never written", beyond, false}, {"of a copied card", clone, false},
		{"good", good, true}, {"again", old, false}} {
		if got := u.acknowledged(c.ack); got != c.want {
			t.Errorf("%s: released %t, want %t", c.name, got, c.want)
		}
	}
	if len(kinds) != 1 || !slices.Equal(kinds[0], rating.Kinds()) {
		t.Errorf("heard that the centre knows %v; want what the one good acknowledgement says", kinds)
	}
	if log.Released() != 10 || len(heard) != 1 || heard[0] != 5000 {
		t.Errorf("released through %d, heard the times %v; want 10 and 5000 alone", log.Released(), heard)
	}
}

// TestWhatAnEarlierRunSentIsReleased restarts a box whose acknowledgements were lost: the centre has more than this run has
// sent so far.
func TestWhatAnEarlierRunSentIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, k, log := newWireless(outQueue), newKeys(t), newMemory()
		log.append(9000)
		u := bench(t, log, k, func() (*connection, error) { return w.connection(), nil })
		stop := background(t, u)
		w.next()
		w.messages <- message{wire.AckChannel, sealed(t, k.centre, wire.AckPurpose,
			&wire.Ack{Device: "box-1", Epoch: 7, Through: 9000, Head: rating.HashOf(log.record(9000))})}
		synctest.Wait()
		if log.Released() != 9000 {
			t.Errorf("released through %d of 9000", log.Released())
		}
		stop()
	})
}

func TestCommandsAreCarriedOutOnceAndInTime(t *testing.T) {
	k := newKeys(t)
	w := newWireless(1000)
	u := bench(t, newMemory(), k, nil)
	done := make(map[string]int)
	u.cfg.OnCommand = func(c wire.Command) ([]wire.Part, error) {
		done[c.ID]++
		if c.Name == "bad" {
			return nil, errors.New(strings.Repeat("坏", 1000))
		}
		return []wire.Part{{Name: "store"}}, nil
	}
	synced := false
	u.cfg.Now, u.cfg.Synced = func() time.Time { return time.UnixMilli(5000) }, func() bool { return synced }
	c := w.connection()
	send := func(id, name string, expires int64) wire.Reply {
		t.Helper()
		u.command(c, sealed(t, k.centre, wire.CommandPurpose, &wire.Command{Device: "box-1", ID: id, Name: name, Expires: expires}))
		r, err := wire.DecodeReply((<-w.out).payload)
		if err != nil || r.ID != id {
			t.Fatalf("reply %+v, %v", r, err)
		}
		return r
	}
	if r := send("unsynced", "x", 1000); !r.OK {
		t.Errorf("a box that does not know the time refused a command: %+v", r)
	}
	u.trust.passed.Store(2000)
	if r := send("long-ago", "x", 1999); r.OK || done["long-ago"] != 0 || u.Stats().Late != 1 {
		t.Errorf("a command that ended before a time that has surely passed: %+v, carried out %d times", r, done["long-ago"])
	}
	if r := send("may-be-late", "x", 2000); !r.OK {
		t.Errorf("a box that does not know the time refused a command that may be in time: %+v", r)
	}
	synced = true
	if r := send("late", "x", 4999); r.OK || done["late"] != 0 || u.Stats().Late != 2 {
		t.Errorf("an expired command: %+v, carried out %d times", r, done["late"])
	}
	if r := send("in-time", "x", 5000); !r.OK || len(r.Parts) != 1 {
		t.Errorf("a command in time: %+v", r)
	}
	u.centre, u.centreAt = time.UnixMilli(9_000_000), time.Now()
	if r := send("late-by-the-centre", "x", 8_000_000); r.OK {
		t.Errorf("the box's clock was believed before the centre's: %+v", r)
	}
	u.centre = time.Time{}
	first, second := send("twice", "bad", 9000), send("twice", "bad", 9000)
	if !reflect.DeepEqual(first, second) || first.OK || len(first.Error) > maxReplyError || done["twice"] != 1 {
		t.Errorf("twice: %+v and %+v, carried out %d times", first, second, done["twice"])
	}
	for i := range 600 {
		send(fmt.Sprint(i), "x", 9000)
	}
	if len(u.answered.replies) != 256 {
		t.Errorf("%d replies are remembered, want 256", len(u.answered.replies))
	}
	send("599", "x", 9000)
	if done["599"] != 1 {
		t.Errorf("the last command was carried out %d times", done["599"])
	}
}

func TestOnlyANewerConfigurationIsHandedOn(t *testing.T) {
	k := newKeys(t)
	u := bench(t, newMemory(), k, nil)
	u.generation = 4
	var got []uint32
	u.cfg.OnConfig = func(c wire.Config) { got = append(got, c.Window.Generation) }
	for _, g := range []uint32{3, 4, 5, 4, 5, 6} {
		u.receive(nil, message{wire.ConfigChannel, sealed(t, k.centre, wire.ConfigPurpose,
			&wire.Config{Device: "box-1", Window: rating.Window{ID: "w", Generation: g}})})
	}
	u.receive(nil, message{wire.ConfigChannel, nil})
	if fmt.Sprint(got) != "[5 6]" {
		t.Errorf("handed on %v, want [5 6]", got)
	}
}

func TestConfigurationsRefused(t *testing.T) {
	k := newKeys(t)
	whole := func() Config {
		return Config{Brokers: []string{"mqtts://mqtt.example.com:8883"}, Key: k.box, Centre: public(k.centre), Log: newMemory(), Now: time.Now,
			Health: func() wire.Health { return wire.Health{} }, Random: func() float64 { return 0 }, Logger: slog.New(slog.DiscardHandler)}
	}
	if _, err := New(whole()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"broker": func(c *Config) { c.Brokers[0] = "http://a.example" }, "no host": func(c *Config) { c.Brokers = append(c.Brokers, "mqtt://") },
		"no broker": func(c *Config) { c.Brokers = nil }, "mode": func(c *Config) { c.AckMode = "none" },
		"key": func(c *Config) { c.Key = nil }, "centre": func(c *Config) { c.Centre = c.Centre[1:] }, "log": func(c *Config) { c.Log = nil },
		"clock": func(c *Config) { c.Now = nil }, "randomness": func(c *Config) { c.Random = nil }, "logger": func(c *Config) { c.Logger = nil },
		"health": func(c *Config) { c.Health = nil },
	} {
		c := whole()
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
