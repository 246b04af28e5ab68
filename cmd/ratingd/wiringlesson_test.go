package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"
	"pgregory.net/rapid"

	"haochaping/device/wiring"
	"haochaping/display"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// fakeWires are lines that something may hold. They are safe for concurrent use.
type fakeWires struct {
	names []string

	mu     sync.Mutex
	held   []wiring.State // guarded by mu
	up     bool           // guarded by mu
	closed bool           // guarded by mu
}

func newFakeWires(rest wiring.State, names ...string) *fakeWires {
	f := &fakeWires{names: names}
	for range names {
		f.held = append(f.held, rest)
	}
	return f
}

func (f *fakeWires) Names() []string { return f.names }

func (f *fakeWires) Pull(p gpio.Pull) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up = p == gpio.PullUp
	return nil
}

func (f *fakeWires) High() (high []bool, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.held {
		high = append(high, s == wiring.High || s == wiring.Floating && f.up)
	}
	return high, nil
}

func (f *fakeWires) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

// hold lets something hold a line.
func (f *fakeWires) hold(line int, s wiring.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[line] = s
}

// person sits before a lesson, without any clock but the lesson's.
type person struct {
	l  *wiringLesson
	f  *fakeWires
	at time.Duration
}

func newPerson(f *fakeWires) *person {
	return &person{l: newWiringLesson(f.names, time.Hour), f: f, at: time.Hour}
}

// pass lets time pass until the lesson fails or ends.
func (p *person) pass(d time.Duration) error {
	for end := p.at + d; p.at < end && p.l.stage != stageLearnt; {
		_ = p.f.Pull(map[bool]gpio.Pull{true: gpio.PullDown, false: gpio.PullUp}[p.f.up])
		p.at += pullTime
		high, _ := p.f.High()
		if err := errors.Join(p.l.look(p.f.up, high, p.at), p.l.pass(p.at)); err != nil {
			return err
		}
	}
	return nil
}

// hold lets something else hold lines for a moment.
func (p *person) hold(down wiring.State, lines ...int) error {
	was := slices.Clone(p.f.held)
	for _, i := range lines {
		p.f.held[i] = down
	}
	err := p.pass(150 * time.Millisecond)
	p.f.held = was
	return errors.Join(err, p.pass(150*time.Millisecond))
}

// sit lets a person press what press says, at most so often.
func (p *person) sit(most int, press func(level rating.Level, step display.LessonStep) error) error {
	if err := p.pass(leaveAlone + time.Second); err != nil {
		return err
	}
	for range most {
		level, step := p.l.asked()
		if level == 0 {
			return nil
		}
		if err := press(level, step); err != nil {
			return err
		}
	}
	return nil
}

// lineOf is on which line the key of a level hangs.
func lineOf(l rating.Level) int { return 2*int(rating.VerySatisfied-l) + 1 }

func elevenNames() (all []string) {
	for i := range 11 {
		all = append(all, fmt.Sprintf("GPIO%d", i+4))
	}
	return all
}

func TestWiringIsLearnt(t *testing.T) {
	for name, x := range map[string]struct {
		rest, down wiring.State
		high       bool
		words      string
	}{
		"to ground":                     {wiring.Floating, wiring.Low, false, "用内部上拉"},
		"to ground, pulled up outside":  {wiring.High, wiring.Low, false, "外部已有上拉"},
		"to power":                      {wiring.Floating, wiring.High, true, "用内部下拉"},
		"to power, pulled down outside": {wiring.Low, wiring.High, true, "外部已有下拉"},
	} {
		p := newPerson(newFakeWires(x.rest, elevenNames()...))
		if err := p.sit(15, func(l rating.Level, _ display.LessonStep) error { return p.hold(x.down, lineOf(l)) }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, ok := p.l.learnt()
		if want := [5]string{"GPIO5", "GPIO7", "GPIO9", "GPIO11", "GPIO13"}; !ok || got.codes != want || *got.activeHigh != x.high {
			t.Errorf("%s: learnt %t, %v, want %v; heard %s", name, ok, got.codes, want, strings.Join(p.l.heard, "\n"))
			continue
		}
		parts := p.l.parts()
		n := slices.IndexFunc(parts, func(q wire.Part) bool { return q.Name == wire.LinePart+"5" })
		if n < 0 || !strings.Contains(parts[n].What, x.words) {
			t.Errorf("%s: it tells %+v, want %s", name, parts, x.words)
		}
		if said := p.l.said(); !strings.Contains(said, "非常满意 GPIO5 · ") || !strings.Contains(said, "非常不满意 GPIO13") {
			t.Errorf("%s: the screen says %q", name, said)
		}
	}
}

// TestWrongStepsAreTold and what was pressed wrongly is not taken.
func TestWrongStepsAreTold(t *testing.T) {
	p := newPerson(newFakeWires(wiring.Floating, elevenNames()...))
	p.f.held[0], p.f.held[2] = wiring.High, wiring.High
	p.l.names[10] = strings.Repeat("线", 15) // the kernel's names have at most 31 bytes
	if err := p.hold(wiring.Low, 0); err != nil {
		t.Fatal(err)
	}
	told := func(what string) {
		t.Helper()
		if n := len(p.l.heard); n == 0 || !strings.Contains(p.l.heard[n-1], what) || !strings.Contains(p.l.heard[n-1], " / ") {
			t.Errorf("not told %q, but\n%s", what, strings.Join(p.l.heard, "\n"))
		}
	}
	told("没有碰键盘：GPIO4 自行变化")
	if err := p.pass(leaveAlone); err != nil {
		t.Fatal(err)
	}
	play := func(down wiring.State, level rating.Level, step display.LessonStep, lines ...int) {
		t.Helper()
		if err := p.hold(down, lines...); err != nil {
			t.Fatal(err)
		}
		if l, s := p.l.asked(); l != level || s != step {
			t.Fatalf("it asks for %s, step %d, want %s, step %d; heard\n%s", l, s, level, step, strings.Join(p.l.heard, "\n"))
		}
	}
	play(wiring.Low, 5, display.LessonFirst, 0) // moves by itself
	play(wiring.Low, 5, display.LessonFirst, 1, 3)
	told("GPIO5、GPIO7 同时变化，不采用")
	play(wiring.Low, 5, display.LessonFirst, 1, 3, 5, 10)
	told("+2")
	play(wiring.Low, 5, display.LessonSame, 1)
	play(wiring.Low, 5, display.LessonSame, 3) // another line than the first time
	play(wiring.Low, 5, display.LessonSame, 1)
	play(wiring.Low, 4, display.LessonFirst, 1)
	play(wiring.Low, 4, display.LessonFirst, 1)
	told("与前面的键相同")
	play(wiring.High, 4, display.LessonFirst, 3)
	told("与前面的键电平相反")
	play(wiring.Floating, 4, display.LessonFirst, 2)
	told("按下时断开")
	for i, line := range []int{3, 5, 7, 9} {
		level := rating.Level(4 - i)
		play(wiring.Low, level, display.LessonSame, line)
		next, step := level-1, display.LessonFirst
		if level == 1 {
			next, step = 5, display.LessonAgain
		}
		play(wiring.Low, next, step, line)
	}
	play(wiring.Low, 5, display.LessonAgain, 9) // the last one repeats
	play(wiring.Low, 5, display.LessonAgain, 10)
	told("不是五个键之一")
	play(wiring.Low, 4, display.LessonAgain, 1)
	if err := p.hold(wiring.Low, 7); err == nil {
		t.Error("another key in the second round is taken")
	}
	for _, s := range p.l.heard {
		if len(s) > wire.MaxWhat {
			t.Errorf("%d bytes are told: %s", len(s), s)
		}
	}
	if n := len(p.l.parts()); n > wire.MaxParts-6 {
		t.Errorf("%d parts are told", n)
	}
}

func TestWiringThatIsNotLearnt(t *testing.T) {
	few := newPerson(newFakeWires(wiring.Floating, "GPIO5", "GPIO6", "GPIO13", "GPIO19"))
	if err := few.pass(2 * leaveAlone); !errors.Is(err, errFewLines) {
		t.Errorf("four lines: %v", err)
	}
	stuck := newPerson(newFakeWires(wiring.Floating, elevenNames()...))
	err := stuck.sit(8, func(l rating.Level, step display.LessonStep) error {
		if l == 3 {
			stuck.f.held[lineOf(5)] = wiring.Low
			return stuck.pass(time.Minute)
		}
		return stuck.hold(wiring.Low, lineOf(l))
	})
	if !errors.Is(err, errKeyMoves) {
		t.Errorf("a key that stays pressed: %v", err)
	}
}

// TestWiringNeverTurnsLevelsRound: whatever lines move, what is learnt for a level has moved alone at least three times while the screen
// asked for it, in both rounds.
func TestWiringNeverTurnsLevelsRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := newPerson(newFakeWires(wiring.Floating, elevenNames()...))
		pressed := make(map[string]int) // by level, round and line
		key := func(l rating.Level, again bool, line string) string { return fmt.Sprintf("%d %v %s", l, again, line) }
		err := p.sit(60, func(level rating.Level, step display.LessonStep) error {
			lines := []int{lineOf(level)}
			if rapid.IntRange(0, 9).Draw(t, "right") == 0 {
				lines = []int{rapid.IntRange(0, 10).Draw(t, "line"), rapid.IntRange(0, 10).Draw(t, "other")}
			}
			if len(lines) == 1 || lines[0] == lines[1] {
				pressed[key(level, step == display.LessonAgain, p.f.names[lines[0]])]++
			}
			return p.hold(wiring.Low, lines...)
		})
		x, ok := p.l.learnt()
		if err != nil || !ok {
			return
		}
		for i, level := range rating.Levels() {
			if pressed[key(level, false, x.codes[i])] < 2 || pressed[key(level, true, x.codes[i])] < 1 {
				t.Fatalf("%v is learnt as %s; pressed were %v", level, x.codes[i], pressed)
			}
		}
	})
}
