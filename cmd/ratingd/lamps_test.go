package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

func TestLamps(t *testing.T) {
	order := [5]rating.Level{1, 2, 3, 4, 5} // worst first, as some keypads are
	all := [5]bool{true, true, true, true, true}
	for name, c := range map[string]struct {
		view  terminal.View
		shown time.Duration
		want  lit
		next  time.Duration
	}{
		"starting":          {terminal.View{State: terminal.Starting}, 0, lit{backlight: true}, 0},
		"idle":              {terminal.View{State: terminal.Idle}, time.Minute, lit{backlight: true}, 9 * time.Minute},
		"idle for long":     {terminal.View{State: terminal.Idle}, time.Hour, lit{}, 0},
		"asking":            {terminal.View{State: terminal.Asking}, time.Minute, lit{keys: all, backlight: true}, 0},
		"reasons":           {terminal.View{State: terminal.Explaining, Chosen: 2}, time.Minute, lit{keys: all, backlight: true}, 0},
		"reasons, all said": {terminal.View{State: terminal.Explaining}, time.Second, lit{keys: all, backlight: true}, 0},
		"thanks": {terminal.View{State: terminal.Correcting, Chosen: 2}, 0, lit{keys: [5]bool{1: true}, buzzer: true, backlight: true},
			buzzerTime},
		"thanks, later":   {terminal.View{State: terminal.Correcting, Chosen: 2}, time.Second, lit{keys: [5]bool{1: true}, backlight: true}, 0},
		"thanks by phone": {terminal.View{State: terminal.Correcting}, 0, lit{backlight: true}, 0},
		"paused":          {terminal.View{State: terminal.Paused}, 0, lit{backlight: true}, 0},
		"broken": {terminal.View{State: terminal.Asking, Problem: terminal.StoreProblem}, 1100 * time.Millisecond,
			lit{keys: all, backlight: true}, 400 * time.Millisecond},
		"broken, dark half": {terminal.View{State: terminal.Idle, Problem: terminal.KeypadProblem}, 600 * time.Millisecond, lit{backlight: true},
			400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			got, next := lamps(c.view, order, c.shown, 10*time.Minute)
			if got != c.want || next != c.next {
				t.Errorf("%+v until %v, want %+v until %v", got, next, c.want, c.next)
			}
		})
	}
}

// fakeOutputs notes what it is told; it fails while broken.
type fakeOutputs struct {
	mu     sync.Mutex
	set    [][]bool // guarded by mu, like all that follow
	opened int
	closed int
	broken bool
}

func (o *fakeOutputs) Set(on []bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken {
		return errors.New("no such device")
	}
	o.set = append(o.set, on)
	return nil
}

func (o *fakeOutputs) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed++
	return nil
}

// after lets time pass and looks at what has happened by then.
func (o *fakeOutputs) after(d time.Duration, look func()) {
	time.Sleep(d)
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	look()
}

func TestLampPanel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &fakeOutputs{}
		began := time.Now()
		p := lampPanel{
			cfg:   boxconfig.Lamps{Keys: []string{"a", "b", "c", "d", "e"}, Buzzer: "f", BacklightOff: boxconfig.Duration(time.Minute)},
			order: [5]rating.Level{5, 4, 3, 2, 1}, now: func() time.Duration { return time.Since(began) },
			open: func(refs []string, low bool) (outputs, error) {
				o.mu.Lock()
				defer o.mu.Unlock()
				if o.opened++; o.opened == 1 {
					return nil, errors.New("busy")
				}
				if len(refs) != 6 || low {
					t.Errorf("opened %v, %t", refs, low)
				}
				return o, nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		shown := newLatest(glimpse{View: terminal.View{State: terminal.Asking}})
		var told []bool
		x := &extras{mono: p.now, noticed: func() {}, log: slog.New(slog.DiscardHandler),
			record: func(_ string, why error) { told = append(told, why == nil) }}
		e := x.add("lamps", "lamps.failed", func(ctx context.Context, report func(error)) error { return p.run(ctx, shown, report) })
		go func() { done <- e.supervise(ctx) }()
		show := func(v terminal.View) { shown.update(func(old *glimpse) { old.View = v }) }
		time.Sleep(extraFirstPause + time.Second)
		show(terminal.View{State: terminal.Correcting, Chosen: 4})
		asking := []bool{true, true, true, true, true, false}
		want := [][]bool{asking, asking, {false, true, false, false, false, true}, {false, true, false, false, false, false}}
		o.after(time.Second, func() {
			if diff := cmp.Diff(want, o.set); diff != "" {
				t.Errorf("outputs (-want +got):\n%s", diff)
			}
			o.broken = true
		})
		show(terminal.View{State: terminal.Asking})
		o.after(500*time.Millisecond, func() { o.broken = false })
		o.after(extraFirstPause, func() {
			if n := len(o.set); o.opened != 3 || o.closed != 1 || !o.set[n-1][0] {
				t.Errorf("after a failure: opened %d times, closed %d times, shows %v", o.opened, o.closed, o.set[n-1])
			}
		})
		cancel()
		if err := <-done; err != nil || o.closed != 2 {
			t.Errorf("at the end: closed %d times, error %v", o.closed, err)
		}
		// The second failure came too soon for a record of its own.
		if diff := cmp.Diff([]bool{false, true}, told); diff != "" {
			t.Errorf("recorded that they work (-want +got):\n%s", diff)
		}
	})
}
