package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"haochaping/device"
	"haochaping/internal/cli"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// keyWatch tells an administrator what the keys do, without taking a press from anybody. It can disclose no answer: a press that
// began while a citizen was asked is not told, and neither is what comes of it later. It is safe for concurrent use.
type keyWatch struct {
	now   func() time.Duration // since the machine started
	notes notes                // keep that the window is paused for this; nil: nothing does

	mu       sync.Mutex
	asking   bool                          // guarded by mu; a visit is on the screen
	walkUp   bool                          // guarded by mu; the visit is one that the window asks about by itself, and nobody has answered
	served   bool                          // guarded by mu; the window serves somebody, or could
	free     time.Duration                 // guarded by mu; since when none is
	told     map[device.Code]bool          // guarded by mu; keys whose press was told
	watchers map[chan opsapi.KeyEvent]bool // guarded by mu
}

func newKeyWatch(now func() time.Duration) *keyWatch {
	return &keyWatch{now: now, asking: true, told: make(map[device.Code]bool), watchers: make(map[chan opsapi.KeyEvent]bool)}
}

// view takes what the screen shows.
func (k *keyWatch) view(v terminal.View) {
	k.mu.Lock()
	defer k.mu.Unlock()
	asking := v.Visit != nil || !restful(v.State)
	k.walkUp = v.State == terminal.Asking && v.Visit != nil && v.Visit.Opener == rating.OpenedByWalkUp
	k.served = v.State == terminal.Idle || k.walkUp
	if asking == k.asking {
		return
	}
	k.asking = asking
	if !asking {
		k.free = k.now()
	}
	k.send(k.state())
}

// restful reports whether a window in a state asks nobody anything.
func restful(s terminal.State) bool {
	return s == terminal.Idle || s == terminal.Paused || s == terminal.Closed || s == terminal.Enrolling
}

// state says whether keys are told of. It needs mu.
func (k *keyWatch) state() opsapi.KeyEvent {
	e := opsapi.KeyEvent{At: k.now().Milliseconds(), What: opsapi.KeyShown}
	if k.asking {
		e.What = opsapi.KeyHidden
	}
	return e
}

// event takes what a key did.
func (k *keyWatch) event(e device.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := opsapi.KeyEvent{At: e.At.Milliseconds(), Code: string(e.Code)}
	switch e.Action {
	case device.Down:
		out.What = opsapi.KeyDown
		if e.Beside {
			out.What = opsapi.KeyTogether
		}
		if k.told[e.Code] = !k.asking && e.At > k.free; !k.told[e.Code] {
			return
		}
	case device.HeldStuck, device.Up:
		out.What = opsapi.KeyStuck
		if e.Action == device.Up {
			out.What = opsapi.KeyReleased
		}
		if !k.told[e.Code] || k.asking {
			return
		}
	case device.ActionLost:
		out.What = opsapi.KeypadLost
		if e.Err != nil {
			out.Why = e.Err.Error()
		}
	case device.ActionBack:
		out.What = opsapi.KeypadBack
	default:
		return
	}
	k.send(out)
}

// send needs mu. A watcher that does not read misses events, and holds up no key.
func (k *keyWatch) send(e opsapi.KeyEvent) {
	for w := range k.watchers {
		select {
		case w <- e:
		default:
		}
	}
}

// watch tells of keys until ctx ends or tell fails.
func (k *keyWatch) watch(ctx context.Context, tell func(opsapi.KeyEvent) error) error {
	events := make(chan opsapi.KeyEvent, 64)
	k.mu.Lock()
	events <- k.state()
	k.watchers[events] = true
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		delete(k.watchers, events)
		k.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			if err := tell(e); err != nil {
				return err
			}
		}
	}
}

// errAsked says that the window cannot be paused to look at its keys.
var errAsked = cli.Error("正在请市民评价，请稍后再试", "a citizen is being asked; try again when the visit is over")

// paused is watch while the window is paused.
func (k *keyWatch) paused(ctx context.Context, loop *terminal.Loop, tell func(opsapi.KeyEvent) error) error {
	return k.whilePaused(ctx, loop, func() error { return k.watch(ctx, tell) })
}

// whilePaused does something while the window is paused, which its screen says. It goes on as before afterwards.
func (k *keyWatch) whilePaused(ctx context.Context, loop *terminal.Loop, do func() error) error {
	k.mu.Lock()
	served, asked := k.served, k.asking && !k.walkUp
	k.mu.Unlock()
	switch {
	case asked:
		return errAsked
	case !served:
		return do() // nobody is served anyway
	}
	if err := k.keep(true); err != nil {
		return err
	}
	if err := loop.Pause(ctx); err != nil {
		return errors.Join(fmt.Errorf("pause the window: %w", err), k.keep(false))
	}
	return errors.Join(do(), loop.Resume(context.WithoutCancel(ctx)), k.keep(false))
}

// watchNote is the name under which the store keeps that the window is paused for an administrator.
const watchNote = "watch"

// keep notes whether the window is paused for an administrator, which a power cut is to end.
func (k *keyWatch) keep(paused bool) error {
	if k.notes == nil {
		return nil
	}
	var value []byte
	if paused {
		value = []byte("paused")
	}
	if err := k.notes.SetNote(watchNote, value); err != nil {
		return fmt.Errorf("note that the window is paused to look at its keys: %w", err)
	}
	return nil
}

// restore ends a pause for an administrator that a power cut has cut short. Any other pause goes on.
func (k *keyWatch) restore(ctx context.Context, loop *terminal.Loop) error {
	if k.notes == nil || len(k.notes.Note(watchNote)) == 0 {
		return nil
	}
	if err := loop.Resume(ctx); err != nil {
		return fmt.Errorf("end the pause of a look at the keys that was cut short: %w", err)
	}
	return k.keep(false)
}

// keys returns what the operations' interface tells of the keys.
func (k *keyWatch) keys(loop *terminal.Loop) opsapi.Keys {
	return func(ctx context.Context, pause bool, tell func(opsapi.KeyEvent) error) error {
		if pause {
			return k.paused(ctx, loop, tell)
		}
		return k.watch(ctx, tell)
	}
}
