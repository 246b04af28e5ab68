package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"haochaping/device"
	"haochaping/device/wiring"
	"haochaping/display"
	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/sync/wire"
)

// wiringBox is a box whose lines are fakes, in a bubble of time.
type wiringBox struct {
	t       *testing.T
	teacher *teacher
	wires   *fakeWires
	views   *audience
	edges   bool // the chip tells edges

	mu      sync.Mutex
	but     []string       // guarded by mu; lines that were not to be looked at
	opened  [][]string     // guarded by mu; lines that were opened as keys
	answers []wire.Part    // guarded by mu
	failed  error          // guarded by mu
	told    []device.Event // guarded by mu; what the keys do, by the wiring that is configured
	starts  int
}

// answered reports whether the box has answered.
func (b *wiringBox) answered() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.answers != nil || b.failed != nil
}

func newWiringBox(t *testing.T, cfg boxconfig.Config) *wiringBox {
	began := time.Now()
	now := func() time.Duration { return time.Since(began) }
	b := &wiringBox{t: t, wires: newFakeWires(wiring.Floating, elevenNames()...), views: newAudience(nil, func() {}), edges: true}
	env := environment{mono: now, openGPIO: b.open}
	source, log := lent(func(ctx context.Context, emit func(device.Event)) error {
		return runGPIO(ctx, cfg.Keys, env, emit, slog.New(slog.DiscardHandler))
	}, env), slog.New(slog.DiscardHandler)
	source.watch = newKeyWatch(now)
	source.watch.view(terminal.View{State: terminal.Paused})
	b.teacher = newTeacher(cfg, source, nil, b.views, now, func() { b.starts++ }, log)
	b.teacher.gpio = boardLines{open: b.open, free: func(but []string) (freeLines, error) {
		if b.wires == nil {
			return nil, errors.New("none is free")
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.but = but
		return b.wires, nil
	}}
	b.teacher.answer = func(_ string, parts []wire.Part, err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.answers, b.failed = parts, err
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() {
		ended <- source.run(ctx, func(e device.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.told = append(b.told, e)
		})
	}()
	go func() { ended <- b.teacher.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return b
}

func (b *wiringBox) open(refs []string) (all []device.GPIOLine, _ io.Closer, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened = append(b.opened, refs)
	for _, ref := range refs {
		p := &gpiotest.Pin{N: ref, L: gpio.High}
		if b.edges {
			p.EdgesChan = make(chan gpio.Level, 1)
		}
		all = append(all, device.GPIOLine{Code: device.Code(ref), Pin: p})
	}
	return all, io.NopCloser(nil), nil
}

// learn asks for a lesson.
func (b *wiringBox) learn(args map[string]string) {
	b.t.Helper()
	b.mu.Lock()
	b.answers, b.failed = nil, nil
	b.mu.Unlock()
	_ = b.teacher.begin(wire.Command{ID: "c1", Name: wire.CommandLearnKeys, Args: args}) // it is answered later
	synctest.Wait()
}

// sit presses what the screen asks for, until the box has answered.
func (b *wiringBox) sit() {
	b.t.Helper()
	for n := 0; !b.answered(); n++ {
		if n > 100 {
			b.t.Fatalf("no answer; the screen shows %+v", b.views.lesson())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		v := b.views.lesson()
		if !v.on || v.level == 0 || v.step == display.LessonUntouched {
			continue
		}
		b.wires.hold(lineOf(v.level), wiring.Low)
		time.Sleep(200 * time.Millisecond)
		b.wires.hold(lineOf(v.level), wiring.Floating)
		synctest.Wait()
	}
	synctest.Wait()
}

// TestABoxLearnsItsLines of which nothing is configured, and keeps them only when they are confirmed.
func TestABoxLearnsItsLines(t *testing.T) {
	state := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		cfg := boxconfig.Default()
		cfg.State, cfg.Keys.Staff, cfg.Lamps.Buzzer = state, "GPIO20", "GPIO21"
		b := newWiringBox(t, cfg)
		if len(b.told) != 1 || !errors.Is(b.told[0].Err, errUnwired) {
			t.Errorf("without lines the keys tell %+v", b.told)
		}
		b.learn(nil)
		b.sit()
		want := [5]string{"GPIO5", "GPIO7", "GPIO9", "GPIO11", "GPIO13"}
		if b.failed != nil || len(b.answers) < 11 || b.answers[0].Name != wire.PressedPart || b.answers[1].What != want[0] {
			t.Fatalf("the box answers %+v, %v", b.answers, b.failed)
		}
		if !slices.Contains(b.but, "GPIO20") || !slices.Contains(b.but, "GPIO21") || !b.wires.closed {
			t.Errorf("lines that are not looked at: %v; given back: %t", b.but, b.wires.closed)
		}
		if v := b.views.lesson(); v.level != 0 || !strings.Contains(v.said, "非常满意 GPIO5") {
			t.Errorf("the screen shows %+v", v)
		}
		file := filepath.Join(state, boxconfig.LearntFile)
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("before it is confirmed something is kept: %v", err)
		}
		args := map[string]string{}
		for i, code := range want {
			args[wire.KeyPart+string('5'-rune(i))] = code
		}
		wrong := map[string]string{"key_5": "GPIO7", "key_4": "GPIO5", "key_3": "GPIO9", "key_2": "GPIO11", "key_1": "GPIO13"}
		if err := b.teacher.keep(wire.Command{Args: wrong}); !errors.Is(err, errOtherKeys) {
			t.Errorf("other keys are confirmed: %v", err)
		}
		if err := b.teacher.keep(wire.Command{Args: args}); err != nil || b.starts != 1 {
			t.Errorf("confirmed: %v, starts again %d times", err, b.starts)
		}
		kept, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(kept), "keys.active_high = false") || !strings.Contains(string(kept), `"GPIO5", level = 5`) {
			t.Errorf("kept is %s, %v", kept, err)
		}
	})
}

// TestLinesThatAreWrong are noticed when nobody is heard on them for a minute, and what was learnt before nobody confirmed is gone.
func TestLinesThatAreWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := boxconfig.Default()
		cfg.State = "/there/is/none"
		for i, level := range []int{5, 4, 3, 2, 1} {
			cfg.Keys.Map = append(cfg.Keys.Map, boxconfig.KeyLevel{Key: "GPIO" + string('1'+rune(i)), Level: rating.Level(level)})
		}
		b := newWiringBox(t, cfg)
		b.learn(nil)
		if v := b.views.lesson(); v.level != 5 || v.step != display.LessonFirst {
			t.Errorf("the screen shows %+v", v)
		}
		time.Sleep(longSilence + 3*time.Second) // lines are looked at every two seconds
		synctest.Wait()
		if v := b.views.lesson(); v.level != 5 || v.step != display.LessonUntouched {
			t.Errorf("after a minute without a press the screen shows %+v", v)
		}
		b.sit()
		if b.failed != nil || len(b.answers) == 0 {
			t.Fatalf("the box answers %+v, %v", b.answers, b.failed)
		}
		time.Sleep(wire.LessonLife)
		synctest.Wait()
		if err := b.teacher.keep(wire.Command{}); !errors.Is(err, errNoLesson) {
			t.Errorf("what was learnt long ago is kept: %v", err)
		}
		if b.views.lesson().on {
			t.Error("the lesson never ends")
		}
		if last := b.opened[len(b.opened)-1]; last[0] != "GPIO1" {
			t.Errorf("after the lesson the box reads %v", last)
		}
	})
}

// TestWiringThatCannotBeLearnt says why, and what moved.
func TestWiringThatCannotBeLearnt(t *testing.T) {
	lines := map[string]string{wire.LinesArg: "1"}
	for name, x := range map[string]struct {
		change func(*wiringBox)
		want   string
	}{
		"no free line":  {func(b *wiringBox) { b.wires = nil }, "none is free"},
		"without edges": {func(b *wiringBox) { b.edges = false }, "EdgesChan"},
		"nobody presses": {func(b *wiringBox) {
			time.AfterFunc(wire.LessonLife-time.Second, func() { b.wires.hold(3, wiring.Low) })
		},
			"五分钟内没有按完五个键"},
		"a keypad on a serial line": {func(b *wiringBox) { b.teacher.cfg.Keys.Source = boxconfig.Serial }, "keys.source 不是 gpio"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newWiringBox(t, boxconfig.Default())
				x.change(b)
				b.learn(lines)
				if name == "nobody presses" {
					time.Sleep(wire.LessonLife)
					synctest.Wait()
				} else {
					b.sit()
				}
				if b.failed == nil || !strings.Contains(b.failed.Error(), x.want) || !strings.Contains(b.failed.Error(), " / ") {
					t.Errorf("the box answers %v, want %s", b.failed, x.want)
				}
			})
		})
	}
}
