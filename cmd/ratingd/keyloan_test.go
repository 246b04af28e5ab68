package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/device"
	"haochaping/internal/boxconfig"
	"haochaping/internal/crash"
	"haochaping/internal/opsapi"
	"haochaping/sync/wire"
)

// TestAPortIsLent while nobody reads it, also after the keypad was lost, and is read again afterwards.
func TestAPortIsLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		p := newPortLoan(func() time.Duration { return time.Second })
		reading, readings := false, 0
		var told []device.Action
		done := make(chan error, 1)
		go func() {
			done <- p.run(ctx, func(ctx context.Context, emit func(device.Event)) error {
				reading, readings = true, readings+1
				emit(device.Event{Action: device.ActionLost})
				<-ctx.Done()
				reading = false
				return nil
			}, func(e device.Event) { told = append(told, e.Action) })
		}()
		why := errors.New("nothing was learnt")
		if err := p.lend(ctx, func() error {
			if reading {
				t.Error("the port is lent while it is read")
			}
			return why
		}); !errors.Is(err, why) {
			t.Errorf("the loan ends with %v", err)
		}
		synctest.Wait()
		want := []device.Action{device.ActionLost, device.ActionBack, device.ActionLost}
		if !reading || readings != 2 || !slices.Equal(told, want) {
			t.Errorf("after the loan it is read %v, %d times, and told were %v", reading, readings, told)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := p.lend(ctx, func() error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("a loan after the end: %v", err)
		}
	})
}

// TestAFaultOfWhoBorrowsIsTheirs: the keypad is read again, and whoever has borrowed it hears of it.
func TestAFaultOfWhoBorrowsIsTheirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		p := newPortLoan(func() time.Duration { return time.Second })
		readings := 0
		done := make(chan error, 1)
		go func() {
			done <- crash.Contain(func() error {
				return p.run(ctx, func(ctx context.Context, _ func(device.Event)) error {
					readings++
					<-ctx.Done()
					return nil
				}, func(device.Event) {})
			})
		}()
		lending, end := context.WithTimeout(ctx, time.Minute)
		defer end()
		err := crash.Contain(func() error {
			answered := make(chan error, 1)
			go func() { answered <- p.lend(lending, func() error { panic("a frame of another keypad") }) }()
			select {
			case err := <-answered:
				return err
			case <-time.After(time.Hour):
				return errors.New("whoever has borrowed it waits for ever")
			}
		})
		if crash.StackOf(err) == "" {
			t.Errorf("the loan ends with %v", err)
		}
		synctest.Wait()
		if readings != 2 {
			t.Errorf("the keypad is read %d times, want 2", readings)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestWhatIsStrange counts nothing of a keypad that sends no frames.
func TestWhatIsStrange(t *testing.T) {
	serial := &teacher{cfg: boxconfig.Config{Keys: boxconfig.Keys{Source: boxconfig.Serial}}}
	for name, x := range map[string]struct {
		of   *teacher
		e    opsapi.KeyEvent
		want int
	}{
		"a key":                 {serial, opsapi.KeyEvent{What: opsapi.KeyDown, Code: "0x31"}, 0},
		"what is no key":        {serial, opsapi.KeyEvent{What: opsapi.KeyDown, Code: "unread: aa 05"}, mostStrange},
		"several at once":       {serial, opsapi.KeyEvent{What: opsapi.KeyTogether, Code: "0x31"}, 1},
		"a key that is let go":  {serial, opsapi.KeyEvent{What: opsapi.KeyReleased, Code: "0x31"}, 0},
		"two lines of contacts": {&teacher{}, opsapi.KeyEvent{What: opsapi.KeyTogether, Code: "L1"}, 0},
	} {
		if got := x.of.strange(x.e); got != x.want {
			t.Errorf("%s: %d, want %d", name, got, x.want)
		}
	}
	if _, _, err := (&teacher{}).teachFrames(t.Context(), wire.Command{}); !errors.Is(err, errNoSerial) {
		t.Errorf("a keypad on another source: %v", err)
	}
}

// TestALessonsLine is set as the profile says, else as the configuration, else as somebody has said.
func TestALessonsLine(t *testing.T) {
	k := boxconfig.Keys{Serial: boxconfig.SerialKeys{Profile: "/there/is/none.toml"}}
	for _, x := range []struct {
		configured int
		said       string
		want       int
		fails      bool
	}{{0, "", 9600, false}, {4800, "", 4800, false}, {4800, "19200", 19200, false}, {0, "12345", 0, true}, {0, "x", 0, true}} {
		k.Serial.Baud = x.configured
		if line, err := lessonLine(k, x.said); (err != nil) != x.fails || err == nil && line.Baud != x.want {
			t.Errorf("configured %d, said %q: %+v, %v", x.configured, x.said, line, err)
		}
	}
}
