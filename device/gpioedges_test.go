package device

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// edgeBytes is an edge as the kernel writes it.
func edgeBytes(at time.Duration, high bool, number uint32) []byte {
	id := uint32(uapiFalling)
	if high {
		id = uapiRising
	}
	b := binary.NativeEndian.AppendUint64(nil, uint64(at))
	for _, n := range []uint32{id, 17, number, number, 0, 0, 0, 0, 0, 0} {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return b
}

func TestParseEdges(t *testing.T) {
	b := append(edgeBytes(5*time.Second, true, 1), edgeBytes(6*time.Second, false, 4)...)
	got, err := parseEdges(b)
	want := []lineEdge{{5 * time.Second, true, 1}, {6 * time.Second, false, 4}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("edges %+v, error %v, want %+v", got, err, want)
	}
	for name, b := range map[string][]byte{
		"half": b[:47], "a third kind": slices.Concat(b[:8], []byte{3}, b[9:]), "kind 0": slices.Concat(b[:8], []byte{0}, b[9:]),
		"before time": slices.Concat([]byte{255, 255, 255, 255, 255, 255, 255, 255}, b[8:]),
	} {
		if got, err := parseEdges(b); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
}

// FuzzEdges lets a line write anything: what is found stays in the order of time, and a key goes up only when it was down.
func FuzzEdges(f *testing.F) {
	f.Add(slices.Concat(edgeBytes(100*ms, false, 1), edgeBytes(200*ms, true, 2), edgeBytes(90*ms, false, 9)))
	f.Fuzz(func(t *testing.T, b []byte) {
		edges, err := parseEdges(b)
		if err != nil {
			return
		}
		var now, last time.Duration
		down := false
		r, err := newEdgeReader(GPIOConfig{Lines: []GPIOLine{{Code: "a"}}, Debounce: 20 * ms, Now: func() time.Duration { return now }},
			[]edgeLine{{high: func() (bool, error) { return true, nil }}}, new(taps), func() time.Duration { return now }, func(Event) {})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range edges {
			r.take(0, e)
		}
		r.tell(never)
		for _, f := range r.contacts.until(never) {
			if f.at < last || f.action == Down && down || f.action == Rebound && down {
				t.Fatalf("found %+v after %v, while down is %t", f, last, down)
			}
			last, down = f.at, f.action != Up
		}
	})
}

var codes = []Code{"a", "b", "c", "d", "e"}

// timedEvents reads contacts until the end. The reader comes late by what late returns, each time.
func timedEvents(t *rapid.T, waves []wave, end time.Duration, late func() time.Duration, delay ...time.Duration) []Event {
	return timedFrom(t, new(taps), 0, waves, end, late, delay...)
}

// timedFrom reads contacts from a moment on, after what was pressed before.
func timedFrom(t rapid.TB, presses *taps, from time.Duration, waves []wave, end time.Duration, late func() time.Duration,
	delay ...time.Duration) []Event {
	const ahead = 1000 * time.Second // of the daemon's clock
	k := newFakeChip(t, waves)
	defer k.close()
	copy(k.delay, delay)
	k.now = from
	cfg := GPIOConfig{Debounce: 20 * ms, Now: func() time.Duration { return k.now + ahead }}
	for i := range waves {
		cfg.Lines = append(cfg.Lines, GPIOLine{Code: codes[i]})
	}
	var found []Event
	r, err := newEdgeReader(cfg, k.lines, presses, func() time.Duration { return k.now }, func(e Event) {
		e.At -= ahead
		if e.Times > 0 {
			e.Since -= ahead
		}
		found = append(found, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	for idle := true; k.now < end; {
		k.write()
		next, err := r.round(idle)
		if err != nil {
			t.Fatal(err)
		}
		idle = next <= k.next()
		k.now = max(min(next, k.next(), k.now+gpioPoll), k.now+1) + late()
	}
	return found
}

// naiveEvents says what contacts that were up at the start have done, from their whole history: a contact does something when
// it rests, each press is looked at beside each other, and nothing is known of readers.
func naiveEvents(waves []wave) []Event {
	var all []Event
	for i, w := range waves {
		state, upAt := false, -time.Hour
		longest := time.Duration(0) // between edges, since the contact has rested
		if w[0].at < 20*ms {
			longest = w[0].at
		}
		for n, e := range w {
			need := min(max(20*ms, 2*longest), 40*ms)
			if n+1 < len(w) && w[n+1].at-e.at <= need {
				if longest = max(longest, w[n+1].at-e.at); w[n+1].at-e.at == need {
					longest = 0
				}
				continue
			}
			longest = 0
			event := Event{Source: sourceGPIO, Code: codes[i], At: e.at}
			switch {
			case e.down == state:
				continue
			case !e.down:
				event.Action, upAt = Up, e.at
			case e.at-upAt < 60*ms:
				event.Action = Rebound
			default:
				event.Action = Down
			}
			state = e.down
			all = append(all, event)
		}
	}
	for i := range all {
		for _, other := range all {
			if all[i].Action == Down && other.Action == Down && all[i].Code != other.Code && (all[i].At-other.At).Abs() <= 40*ms {
				all[i].Beside = true
			}
		}
	}
	slices.SortStableFunc(all, byMoment)
	return all
}

func byMoment(a, b Event) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Code, b.Code)) }

// anyWave is a contact that does anything for some two seconds, and never stays long enough to be stuck. Numbers come from a
// seed, for rapid's own are mostly small.
func anyWave(t *rapid.T) wave {
	random := randomOf(t)
	upTo := func(d time.Duration) time.Duration { return 1 + time.Duration(random.Int64N(int64(d))) }
	var w wave
	down := false
	for at := upTo(200 * ms); at < 2*time.Second; {
		down = down != (random.IntN(10) > 0) // else two edges are told as one
		w = append(w, edge{at, down})
		at += upTo([]time.Duration{300 * time.Microsecond, 5 * ms, 19 * ms, 21 * ms, 45 * ms, 150 * ms, 300 * ms}[random.IntN(7)])
	}
	return append(w, edge{2*time.Second + upTo(200*ms), false})
}

// anyLate is how late a machine is: never, by milliseconds, by a tenth of a second, by half a second now and then.
func anyLate(t *rapid.T) func() time.Duration {
	random := randomOf(t)
	most := []time.Duration{0, 3 * ms, 10 * ms, 100 * ms, 500 * ms}[random.IntN(5)]
	return func() time.Duration { return time.Duration(random.Int64N(int64(most) + 1)) }
}

// TestLateReaderDecidesTheSame reads any contacts late and in lumps, edges being readable up to 2 ms after their times, and
// compares with the naive model.
func TestLateReaderDecidesTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var waves []wave
		var delays []time.Duration
		for range rapid.IntRange(1, 5).Draw(t, "lines") {
			waves = append(waves, anyWave(t))
			delays = append(delays, time.Duration(rapid.IntRange(0, 1999).Draw(t, "µs until an edge is readable"))*time.Microsecond)
		}
		got := timedEvents(t, waves, 6*time.Second, anyLate(t), delays...)
		if !slices.IsSortedFunc(got, func(a, b Event) int { return cmp.Compare(a.At, b.At) }) {
			t.Fatalf("not in the order in which the contacts moved: %+v", got)
		}
		slices.SortStableFunc(got, byMoment)
		var want []Event
		var presses taps
		for _, e := range naiveEvents(waves) {
			want = append(want, presses.step(e)...)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("events (-want +got):\n%s", diff)
		}
	})
}

// TestFullQueueInventsNothing is so late that the kernel throws edges away: presses may be missed, and none is invented.
func TestFullQueueInventsNothing(t *testing.T) {
	overflowed := 0
	rapid.Check(t, func(t *rapid.T) {
		waves := []wave{anyWave(t), anyWave(t)}
		for i := range waves { // and then a burst, and anything again
			at := waves[i][len(waves[i])-1].at
			for range rapid.IntRange(900, 4000).Draw(t, "closings") {
				at += 100 * time.Microsecond
				waves[i] = append(waves[i], edge{at, len(waves[i])%2 == 0})
			}
			for _, e := range anyWave(t) {
				waves[i] = append(waves[i], edge{at + e.at, e.down})
			}
		}
		random := randomOf(t)
		late := func() time.Duration { return time.Duration(random.Int64N(int64(500 * ms))) }
		want := naiveEvents(waves)
		for _, e := range timedEvents(t, waves, 9*time.Second, late) {
			e.Beside, e.Since, e.Times = false, 0, 0
			real := func(w Event) bool { w.Beside = false; return w == e }
			if e.Action == Down && !slices.ContainsFunc(want, real) {
				t.Fatalf("press %+v is invented, of %+v", e, want)
			}
		}
		overflowed++
	})
	if overflowed == 0 {
		t.Error("nothing was tried")
	}
}

// TestLostInterrupt closes a contact of which the kernel tells nothing: it is no press, and works again once it was let go.
func TestLostInterrupt(t *testing.T) {
	k := newFakeChip(t, []wave{{{3 * time.Second, true}, {3100 * ms, false}}})
	defer k.close()
	pressed := false
	k.lines[0].high = func() (bool, error) { return !k.waves[0].at(k.now) && !pressed, nil }
	var got []change
	r, err := newEdgeReader(GPIOConfig{Lines: []GPIOLine{{Code: "a"}}, Debounce: 20 * ms, Now: func() time.Duration { return k.now }},
		k.lines, new(taps), func() time.Duration { return k.now }, func(e Event) { got = append(got, change{e.Action, e.At.Truncate(100 * ms)}) })
	if err != nil {
		t.Fatal(err)
	}
	for k.now < 5*time.Second {
		pressed = k.now > 100*ms && k.now < 2*time.Second
		k.write()
		next, err := r.round(true)
		if err != nil {
			t.Fatal(err)
		}
		k.now = min(next, k.now+50*ms)
	}
	wantChanges(t, got, change{Up, 2 * time.Second}, change{Down, 3 * time.Second}, change{Up, 3100 * ms})
}

// TestEdgesOfAnotherClock has times that are an hour off: they count as of when they were read.
func TestEdgesOfAnotherClock(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		k := newFakeChip(t, []wave{{}})
		k.now = 2 * time.Hour
		var got []change
		emit := func(e Event) { got = append(got, change{e.Action, (e.At - 2*time.Hour).Round(10 * ms)}) }
		r, err := newEdgeReader(GPIOConfig{Lines: []GPIOLine{{Code: "a"}}, Debounce: 20 * ms, Now: func() time.Duration { return k.now }},
			k.lines, new(taps), func() time.Duration { return k.now }, emit)
		if err != nil {
			t.Fatal(err)
		}
		down := false
		k.lines[0].high = func() (bool, error) { return !down, nil }
		for n := range 300 {
			k.now += ms
			if n == 100 || n == 200 {
				down = n == 100
				if _, err := unix.Write(k.out[0], edgeBytes(k.now+off, !down, uint32(n/100))); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.round(false); err != nil {
				t.Fatal(err)
			}
		}
		k.close()
		wantChanges(t, got, change{Down, 100 * ms}, change{Up, 200 * ms})
	}
}

// TestEdgeReaderRuns reads real time: a press, and then the line goes away.
func TestEdgeReaderRuns(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(p[0]) }()
	cfg := NewGPIO(GPIOConfig{Lines: []GPIOLine{{Code: "a"}}, Now: monotonic}).cfg
	events, ended := make(chan Event, 10), make(chan error, 1)
	var mu sync.Mutex
	isHigh := true // guarded by mu, which is held while its edge is written
	lines := []edgeLine{{fd: p[0], high: func() (bool, error) { mu.Lock(); defer mu.Unlock(); return isHigh, nil }}}
	move := func(high bool, number uint32) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		isHigh = high
		at := monotonic()
		if _, err := unix.Write(p[1], edgeBytes(at, high, number)); err != nil {
			t.Fatal(err)
		}
		return at
	}
	r, err := newEdgeReader(cfg, lines, new(taps), monotonic, func(e Event) { events <- e })
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- r.run(t.Context()) }()
	at := move(false, 1)
	if e := wantEvent(t, events, Down, "a"); (e.At - at).Abs() > 100*ms {
		t.Errorf("pressed at %v, told as %v", at, e.At)
	}
	move(true, 2)
	wantEvent(t, events, Up, "a")
	if err := unix.Close(p[1]); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrLineGone) {
		t.Errorf("error %v, want %v", err, ErrLineGone)
	}
}

// TestEdgeReaderEnds ends a reader that waits for edges.
func TestEdgeReaderEnds(t *testing.T) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(p[0]), unix.Close(p[1]) }()
	cfg := NewGPIO(GPIOConfig{Lines: []GPIOLine{{Code: "a"}}, Now: monotonic}).cfg
	lines := []edgeLine{{fd: p[0], high: func() (bool, error) { return true, nil }}}
	r, err := newEdgeReader(cfg, lines, new(taps), monotonic, func(e Event) { t.Errorf("nothing moved: %+v", e) })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx) }()
	time.Sleep(20 * ms)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
