package wiring

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// tick is how long a pull has to move a line.
const tick = 15 * time.Millisecond

// bench is a board whose lines hang on what the test says.
type bench struct {
	lines []State
	w     *Watcher
	at    time.Duration
	up    bool
	found []Found
}

func newBench(lines ...State) *bench { return &bench{lines: lines, w: NewWatcher(len(lines))} }

// pass lets time pass.
func (b *bench) pass(d time.Duration) {
	for end := b.at + d; b.at < end; b.at += tick {
		b.look()
	}
}

func (b *bench) look() {
	b.up = !b.up
	var high []bool
	for _, s := range b.lines {
		high = append(high, s == High || s == Floating && b.up)
	}
	b.found = append(b.found, b.w.Look(b.up, high, b.at)...)
}

// rest says that nobody has pressed up to now.
func (b *bench) rest() {
	b.pass(time.Second)
	b.found = append(b.found, b.w.Rested(b.at)...)
}

// press lets something else hold a line for some time.
func (b *bench) press(i int, down State, d time.Duration) {
	was := b.lines[i]
	b.lines[i] = down
	b.pass(d)
	b.lines[i] = was
	b.pass(200 * time.Millisecond)
}

func (b *bench) want(t *testing.T, what string, want ...Found) {
	t.Helper()
	if !slices.EqualFunc(b.found, want, func(x, y Found) bool {
		return x.Kind == y.Kind && slices.Equal(x.Lines, y.Lines) && x.Rest == y.Rest && x.Down == y.Down
	}) {
		t.Errorf("%s: found %+v, want %+v", what, b.found, want)
	}
	b.found = nil
}

func TestPresses(t *testing.T) {
	b := newBench(Floating, High, Low, Floating, Low)
	b.rest()
	b.want(t, "at rest")
	for i, down := range []State{Low, Low, High, High, Floating} {
		rest := b.lines[i]
		b.press(i, down, 120*time.Millisecond)
		b.want(t, "a press", Found{Press, []int{i}, rest, down})
	}
	b.press(0, Low, 20*time.Millisecond)
	b.want(t, "a spark")
	for range 8 { // a contact that bounces
		b.lines[0] = Low
		b.look()
		b.lines[0] = Floating
		b.look()
		b.at += 2 * time.Millisecond
	}
	b.press(0, Low, 120*time.Millisecond)
	b.want(t, "a bouncing press", Found{Press, []int{0}, Floating, Low})
}

func TestWhatIsNoPress(t *testing.T) {
	b := newBench(Floating, Floating, Floating)
	b.rest()
	b.lines[0] = Low
	b.pass(100 * time.Millisecond)
	b.press(1, Low, 100*time.Millisecond)
	b.want(t, "before all are let go")
	b.lines[0] = Floating
	b.pass(100 * time.Millisecond)
	b.want(t, "two at once", Found{Kind: Together, Lines: []int{0, 1}})
	b.press(2, Low, 15*time.Second)
	b.want(t, "held", Found{Kind: Stuck, Lines: []int{2}})
	b.press(2, Low, time.Second)
	b.want(t, "left out")
	b.press(1, Low, time.Second)
	b.want(t, "another afterwards", Found{Press, []int{1}, Floating, Low})
	if n := b.w.Usable(); n != 2 {
		t.Errorf("%d lines are looked at, want 2", n)
	}
}

func TestLinesThatMoveByThemselves(t *testing.T) {
	b := newBench(High, High, High)
	b.pass(time.Second)
	b.press(1, Low, 200*time.Millisecond)
	b.rest()
	b.want(t, "before anybody presses", Found{Kind: ByItself, Lines: []int{1}})
	for i := range 100 { // without a rest
		if b.lines[0] = High; i/2%2 == 0 {
			b.lines[0] = Low
		}
		b.look()
		b.at += tick
	}
	b.want(t, "a hum", Found{Kind: ByItself, Lines: []int{0}})
	b.press(2, Low, 200*time.Millisecond)
	b.want(t, "a press beside it", Found{Press, []int{2}, High, Low})
}

// TestOnlyOneLineIsAPress: whatever lines do, a press is of a line that was away while all others were at rest.
func TestOnlyOneLineIsAPress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(Floating, High, Low, Floating)
		b.rest()
		rest := slices.Clone(b.lines)
		away := make(map[int]bool) // since the last finding
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, 3).Draw(t, "line")
			b.lines[i] = []State{rest[i], Low, High}[rapid.IntRange(0, 2).Draw(t, "state")]
			if b.lines[i] != rest[i] {
				away[i] = true
			}
			b.pass(time.Duration(rapid.IntRange(15, 300).Draw(t, "ms")) * time.Millisecond)
			for _, f := range b.found {
				if f.Kind == Press && (len(f.Lines) != 1 || !away[f.Lines[0]] || f.Rest != rest[f.Lines[0]] || f.Down == f.Rest) {
					t.Fatalf("found %+v; away were %v", f, away)
				}
			}
			b.found = nil
		}
	})
}
