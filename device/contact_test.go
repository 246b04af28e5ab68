package device

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
	"pgregory.net/rapid"
)

// wave is what one contact does: its edges in the order of time.
type wave []edge

// at returns whether the contact is down at a moment.
func (w wave) at(t time.Duration) bool {
	n := sort.Search(len(w), func(i int) bool { return w[i].at > t })
	return n > 0 && w[n-1].down
}

// settle moves a contact to down within at most the given time, with bounces in between, and returns when it rests.
func (w *wave) settle(t *rapid.T, at, atMost time.Duration, down bool) time.Duration {
	end := at + time.Duration(rapid.Int64Range(0, int64(atMost/time.Microsecond)).Draw(t, "µs of bounce"))*time.Microsecond
	*w = append(*w, edge{at, down})
	cuts := rapid.SliceOfN(rapid.Int64Range(0, int64(end-at)), 0, 12).Draw(t, "bounces")
	slices.Sort(cuts)
	for i, c := range cuts {
		*w = append(*w, edge{at + time.Duration(c), down == (i%2 != 0)})
	}
	*w = append(*w, edge{end, down})
	return end
}

// hum adds what a wire catches from the mains: 50 Hz, down for at most nine tenths of each period.
func (w *wave) hum(t *rapid.T, at, end time.Duration) {
	down := time.Duration(rapid.IntRange(1, 18).Draw(t, "ms of hum")) * ms
	for ; at+20*ms < end; at += 20 * ms {
		*w = append(*w, edge{at, true}, edge{at + down, false})
	}
}

// wavePin is a line whose contact follows a wave.
type wavePin struct {
	gpiotest.Pin
	wave wave
	now  *time.Duration
}

func (p *wavePin) Read() gpio.Level { return gpio.Level(!p.wave.at(*p.now)) }

// interpret returns what the keypad says of events.
func interpret(t *rapid.T, events []Event) (all []Signal) {
	m, err := NewMap([]Binding{{"a", 5}, {"b", 4}, {"c", 3}, {"d", 2}, {"e", 1}})
	if err != nil {
		t.Fatal(err)
	}
	in := NewInterpreter(m, "")
	for _, e := range events {
		all = append(all, in.Step(e)...)
	}
	return all
}

// randomOf returns a source of numbers that rapid may shrink.
func randomOf(t *rapid.T) *rand.Rand { return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)) }

// signals reads contacts in both ways, by the times of their edges and by looking at them, and returns what the keypad says.
// The reader is run up to late after an edge or after the moment that it asked for, as on a busy machine; by the times of the
// edges it is a tenth of a second later than that.
func signals(t *rapid.T, waves []wave, end, late time.Duration) map[string][]Signal {
	random := randomOf(t)
	delay := func() time.Duration { return time.Duration(random.Int64N(int64(late + 100*ms))) }
	return map[string][]Signal{
		"timed":   interpret(t, timedEvents(t, waves, end+time.Second, delay)),
		"sampled": interpret(t, sampledEvents(t, waves, end, late)),
	}
}

// sampledEvents reads contacts by looking at them.
func sampledEvents(t *rapid.T, waves []wave, end, late time.Duration) []Event {
	return sampledFrom(t, new(taps), 0, waves, end, late, randomOf(t))
}

// sampledFrom looks at contacts from a moment on, after what was pressed before.
func sampledFrom(t rapid.TB, presses *taps, from time.Duration, waves []wave, end, late time.Duration, random *rand.Rand) []Event {
	now := from
	var found []Event
	s := newScanner(NewGPIO(GPIOConfig{Now: func() time.Duration { return now }}).cfg, presses, func(e Event) { found = append(found, e) })
	var moments []time.Duration
	for i, w := range waves {
		s.cfg.Lines = append(s.cfg.Lines, GPIOLine{Code: codes[i], Pin: &wavePin{wave: w, now: &now}})
		for _, e := range w {
			moments = append(moments, e.at)
		}
	}
	slices.SortFunc(moments, cmp.Compare)
	for last := time.Duration(-1); now < end; {
		wait, err := s.scan(func(i int) bool {
			return slices.ContainsFunc(waves[i], func(e edge) bool { return e.at > last && e.at <= now })
		})
		if err != nil {
			t.Fatal(err)
		}
		last = now
		next := now + wait
		for len(moments) > 0 && moments[0] <= now {
			moments = moments[1:]
		}
		if len(moments) > 0 {
			next = min(next, moments[0])
		}
		if late > 0 {
			next += time.Duration(random.Int64N(int64(late)))
		}
		now = next
	}
	return found
}

func count(all []Signal, k SignalKind) int {
	n := 0
	for _, s := range all {
		if s.Kind == k {
			n++
		}
	}
	return n
}

func draw(t *rapid.T, low, high int, what string) time.Duration {
	return time.Duration(rapid.IntRange(low, high).Draw(t, what)) * ms
}

// TestEachPressCountsOnce presses one key after the other, new and worn, with hum in between, on a machine that is up to
// 10 ms late: each press is one, of the right key.
func TestEachPressCountsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		waves := make([]wave, 5)
		at := 100 * ms
		var want []Code
		for range rapid.IntRange(0, 6).Draw(t, "presses") {
			k := rapid.IntRange(0, 4).Draw(t, "key")
			if n := len(want); n > 1 && want[n-1] == codes[k] && want[n-2] == codes[k] { // sooner it would only go on
				at += regularWithin
			}
			bounce := draw(t, 1, 10, "ms of bounce")
			if rapid.Bool().Draw(t, "worn") {
				bounce = 50 * ms
			}
			at = waves[k].settle(t, at, bounce, true) + draw(t, 60, 400, "ms held")
			at = waves[k].settle(t, at, bounce, false) + draw(t, 80, 500, "ms until the next")
			want = append(want, codes[k])
			if rapid.Bool().Draw(t, "hum") {
				end := at + 200*ms
				waves[rapid.IntRange(0, 4).Draw(t, "humming")].hum(t, at, end)
				at = end + 50*ms
			}
		}
		for how, got := range signals(t, waves, at+time.Second, 10*ms) {
			var pressed []Code
			for _, s := range got {
				if s.Kind != Press {
					t.Fatalf("%s: signal %+v, want presses only", how, s)
				}
				pressed = append(pressed, s.Code)
			}
			if !slices.Equal(pressed, want) {
				t.Fatalf("%s: pressed %v, want %v", how, pressed, want)
			}
		}
	})
}

// TestTwoKeysAtOnce presses two keys whose contacts come to rest less than 40 ms apart, and holds both: none counts and the
// citizen is asked again.
func TestTwoKeysAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		waves := make([]wave, 2)
		apart := time.Duration(rapid.IntRange(0, 39_999).Draw(t, "µs apart")) * time.Microsecond
		rests := []time.Duration{200 * ms, 200*ms + apart}
		for i, at := range rests {
			waves[i].settle(t, at-15*ms, 10*ms, true)
			waves[i] = append(waves[i], edge{at - ms, false}, edge{at, true})
			waves[i].settle(t, at+draw(t, 80, 300, "ms held"), 10*ms, false)
		}
		for how, got := range signals(t, waves, 2*time.Second, 0) {
			if again := count(got, Together); again == 0 || count(got, Press) > 0 || again != len(got) {
				t.Fatalf("%s, %v apart: %+v, want that the citizen is asked again", how, apart, got)
			}
		}
	})
}

// TestSecondKeyWhileTheFirstIsHeld presses a second key more than 40 ms after the first: the first counts, and the citizen is
// asked again.
func TestSecondKeyWhileTheFirstIsHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		apart := draw(t, 41, 300, "ms apart")
		waves := []wave{{{100 * ms, true}, {time.Second, false}}, {{100*ms + apart, true}, {100*ms + apart + 90*ms, false}}}
		for how, got := range signals(t, waves, 2*time.Second, 0) {
			if len(got) != 2 || got[0].Kind != Press || got[0].Code != "a" || got[1].Kind != Together {
				t.Fatalf("%s, %v apart: %+v, want a press and that the citizen is asked again", how, apart, got)
			}
		}
	})
}

// TestKeyHeldThroughTheStartIsNoPress holds a key from before the start for up to 9 s; the next press of it counts.
func TestKeyHeldThroughTheStartIsNoPress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := wave{{0, true}}
		at := w.settle(t, draw(t, 1, 9000, "ms held"), 40*ms, false) + 300*ms
		at = w.settle(t, at, 40*ms, true) + 100*ms
		at = w.settle(t, at, 40*ms, false)
		for how, got := range signals(t, []wave{w}, at+time.Second, 5*ms) {
			if count(got, Press) != 1 || len(got) != 1 {
				t.Fatalf("%s: signals %+v, want one press", how, got)
			}
		}
	})
}
