package device

import (
	"cmp"
	"math/rand/v2"
	"slices"
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
	down := false
	for _, e := range w {
		if e.at > t {
			break
		}
		down = e.down
	}
	return down
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

// signals runs the scanner over contacts until the end and returns what the keypad says. The scanner is run up to late
// after an edge or after the moment that it asked for, as on a busy machine.
func signals(t *rapid.T, waves []wave, end, late time.Duration) []Signal {
	var now time.Duration
	var found []Signal
	codes := []Code{"a", "b", "c", "d", "e"}
	m, err := NewMap([]Binding{{"a", 5}, {"b", 4}, {"c", 3}, {"d", 2}, {"e", 1}})
	if err != nil {
		t.Fatal(err)
	}
	in := NewInterpreter(m, "")
	s := &scanner{cfg: NewGPIO(GPIOConfig{Now: func() time.Duration { return now }}).cfg, emit: func(e Event) { found = append(found, in.Step(e)...) }}
	var moments []time.Duration
	for i, w := range waves {
		s.cfg.Lines = append(s.cfg.Lines, GPIOLine{Code: codes[i], Pin: &wavePin{wave: w, now: &now}})
		s.contacts = append(s.contacts, debouncer{quiet: s.cfg.Debounce})
		for _, e := range w {
			moments = append(moments, e.at)
		}
	}
	slices.SortFunc(moments, cmp.Compare)
	delay := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
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
			next += time.Duration(delay.Int64N(int64(late)))
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
			bounce := draw(t, 1, 10, "ms of bounce")
			if rapid.Bool().Draw(t, "worn") {
				bounce = 50 * ms
			}
			at = waves[k].settle(t, at, bounce, true) + draw(t, 60, 400, "ms held")
			at = waves[k].settle(t, at, bounce, false) + draw(t, 80, 500, "ms until the next")
			want = append(want, Code(rune('a'+k)))
			if rapid.Bool().Draw(t, "hum") {
				end := at + 200*ms
				waves[rapid.IntRange(0, 4).Draw(t, "humming")].hum(t, at, end)
				at = end + 50*ms
			}
		}
		got := signals(t, waves, at+time.Second, 10*ms)
		var pressed []Code
		for _, s := range got {
			if s.Kind != Press {
				t.Fatalf("signal %+v, want presses only", s)
			}
			pressed = append(pressed, s.Code)
		}
		if !slices.Equal(pressed, want) {
			t.Fatalf("pressed %v, want %v", pressed, want)
		}
	})
}

// TestTwoKeysAtOnce presses two keys within 20 ms of each other: at most one of them counts and the citizen is asked again;
// within 10 ms none counts.
func TestTwoKeysAtOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		waves := make([]wave, 2)
		apart := draw(t, 0, 20, "ms apart")
		first := waves[0].settle(t, 100*ms, 10*ms, true) + draw(t, 80, 300, "ms held")
		waves[0].settle(t, first, 10*ms, false)
		second := waves[1].settle(t, 100*ms+apart, 10*ms, true) + draw(t, 80, 300, "ms held")
		waves[1].settle(t, second, 10*ms, false)
		got := signals(t, waves, 2*time.Second, 0)
		presses, again := count(got, Press), count(got, Together)
		if again != 1 || presses > 1 || apart < 10*ms && presses > 0 {
			t.Fatalf("%v apart: %d presses, %d times asked again: %+v", apart, presses, again, got)
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
		if got := signals(t, []wave{w}, at+time.Second, 5*ms); count(got, Press) != 1 || len(got) != 1 {
			t.Fatalf("signals %+v, want one press", got)
		}
	})
}
