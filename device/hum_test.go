//go:build !race

package device

// What only computes, on one goroutine, runs without the race detector, which finds nothing in it: make test runs such files by themselves.

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/proof/simulation"
)

// TestHumIsNeverAPress hums on five lines at once with 50 Hz for up to ten seconds, each closed for 80 to 100 % of the time and
// open between, on a machine that is late, and that takes an edge's time up to 10 ms late too, once the hum is known.
func TestHumIsNeverAPress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := randomOf(t)
		var waves []wave
		for range 5 {
			var w wave
			at := time.Duration(1 + random.Int64N(int64(20*ms)))
			for n := range rapid.IntRange(1, 500).Draw(t, "periods") {
				closed := 16*ms + time.Duration(random.Int64N(int64(4*ms)))
				if n > 0 && random.IntN(10) == 0 {
					closed += time.Duration(random.Int64N(int64(10 * ms)))
				}
				w = append(w, edge{at, true}, edge{at + closed, false})
				at += max(20*ms, closed+100*time.Microsecond)
			}
			waves = append(waves, w)
		}
		if got := interpret(t, timedEvents(t, waves, 16*time.Second, anyLate(t))); len(got) > 0 {
			t.Fatalf("hum is %+v", got)
		}
	})
}

// TestHumThatIsToldLate hums like that, and the kernel hands each edge over later than it should.
func TestHumThatIsToldLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := randomOf(t)
		var waves []wave
		var delays []time.Duration
		for range 5 {
			var w wave
			for at := time.Duration(1 + random.Int64N(int64(20*ms))); at < 2*time.Second; at += 20 * ms {
				w = append(w, edge{at, true}, edge{at + 16*ms + time.Duration(random.Int64N(int64(3*ms))), false})
			}
			waves, delays = append(waves, w), append(delays, 2*ms+time.Duration(random.Int64N(int64(18*ms))))
		}
		late := func() time.Duration { return time.Duration(random.Int64N(int64(5 * ms))) }
		if got := timedEvents(t, waves, 3*time.Second, late, delays...); len(got) > 0 {
			t.Fatalf("hum is %+v", got)
		}
	})
}

// TestBurstIsNeverAPress sends bursts of 5 kHz to five lines at once, each closing 0.1 to 0.4 ms long, on a machine that is late.
func TestBurstIsNeverAPress(t *testing.T) {
	simulation.Check(t, func(t *rapid.T) {
		random := randomOf(t)
		waves := make([]wave, 5)
		for i := range waves {
			at := draw(t, 1, 50, "ms")
			for range rapid.IntRange(1, 3).Draw(t, "bursts") {
				for range rapid.IntRange(1, 1500).Draw(t, "closings") {
					closed := 100*time.Microsecond + time.Duration(random.Int64N(int64(300*time.Microsecond)))
					waves[i] = append(waves[i], edge{at, true}, edge{at + closed, false})
					at += max(200*time.Microsecond, closed+time.Microsecond)
				}
				at += draw(t, 1, 300, "ms of silence")
			}
		}
		if got := interpret(t, timedEvents(t, waves, 3*time.Second, anyLate(t))); len(got) > 0 {
			t.Fatalf("a burst is %+v", got)
		}
	})
}

// TestTap taps with contacts that do not bounce: what rests for more than 20 ms is a press, however late the machine is.
func TestTap(t *testing.T) {
	for _, tap := range []struct {
		closed time.Duration
		want   int
	}{{15 * ms, 0}, {19 * ms, 0}, {21 * ms, 100}, {25 * ms, 100}, {40 * ms, 100}, {60 * ms, 100}} {
		for _, late := range []time.Duration{0, 10 * ms, 100 * ms, time.Second} {
			simulation.Check(t, func(t *rapid.T) {
				if seen := tapping(t, tap.closed, late); seen != tap.want {
					t.Errorf("taps of %v on a machine that is up to %v late: %d of 100 are presses, want %d", tap.closed, late, seen, tap.want)
				}
			})
		}
	}
}

// tapping taps one key after the other, 100 times, and returns how many presses that is.
func tapping(t *rapid.T, closed, late time.Duration) int {
	random := randomOf(t)
	waves := make([]wave, 5)
	at := 100 * ms
	for n := range 100 {
		waves[n%5] = append(waves[n%5], edge{at, true}, edge{at + closed, false})
		at += closed + 100*ms + time.Duration(random.Int64N(int64(300*ms)))
	}
	got := interpret(t, timedEvents(t, waves, at+2*time.Second, func() time.Duration { return time.Duration(random.Int64N(int64(late) + 1)) }))
	if count(got, Press) != len(got) {
		t.Fatalf("taps are %+v", got)
	}
	return len(got)
}
