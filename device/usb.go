package device

import (
	"context"
	"fmt"
	"slices"
	"time"

	"haochaping/device/evdev"
)

// InputDevice is an input device of the kernel, as evdev.Device is.
type InputDevice interface {
	Grab() error
	Held() ([]uint16, error)
	Read(wait time.Duration) ([]evdev.Event, error) // none after the wait; at 0 what is there
	Close() error
}

// USBConfig names the parts of a keypad that acts as a USB keyboard.
type USBConfig struct {
	Device string // a path, or "name:" and the device's name
	// Keys are those that a citizen presses, all if empty. What else is typed with them, as an Enter after a digit, is told and is
	// together with none.
	Keys []Code
	Now  func() time.Duration // of the kernel's clock since the machine started, which events carry
	// Chatter is how soon after its release a key that goes down again is the same contact still bouncing; 30 ms if 0.
	Chatter time.Duration
	// Open opens the device; the kernel's if nil.
	Open func(which string) (InputDevice, error)
}

// USB reads a keypad that acts as a USB keyboard.
type USB struct{ cfg USBConfig }

// NewUSB returns a source that does nothing before Run.
func NewUSB(c USBConfig) *USB {
	if c.Open == nil {
		c.Open = func(which string) (InputDevice, error) { return evdev.Open(which) }
	}
	if c.Chatter == 0 {
		c.Chatter = 30 * time.Millisecond
	}
	return &USB{c}
}

// Run emits events until ctx ends. A keypad that is not there, or is unplugged, is reported once and opened again as soon as
// it is back. Keys that are down when it is opened are ignored until they are let go.
func (u *USB) Run(ctx context.Context, emit func(Event)) error {
	lost := false
	var presses taps
	wait := minReopen
	for ctx.Err() == nil {
		err := u.session(ctx, func() {
			wait = minReopen
			presses.open(u.cfg.Now())
			if lost {
				lost = false
				emit(Event{Source: sourceUSB, Action: ActionBack, At: u.cfg.Now()})
			}
		}, &presses, emit)
		presses.lose()
		if ctx.Err() != nil {
			return nil
		}
		if !lost {
			lost = true
			emit(Event{Source: sourceUSB, Action: ActionLost, At: u.cfg.Now(), Err: err})
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, maxReopen)
	}
	return nil
}

// session opens the keypad and reads it until it fails or ctx ends.
func (u *USB) session(ctx context.Context, opened func(), presses *taps, emit func(Event)) (err error) {
	d, err := u.cfg.Open(u.cfg.Device)
	if err != nil {
		return fmt.Errorf("the USB keypad %s: %w", u.cfg.Device, err)
	}
	ended := context.AfterFunc(ctx, func() { _ = d.Close() }) // which ends a Read
	defer func() {
		if ended() {
			_ = d.Close() // an error of a device that is gone tells nothing new
		}
	}()
	if err := d.Grab(); err != nil {
		return fmt.Errorf("the USB keypad %s: %w", u.cfg.Device, err)
	}
	down, err := d.Held()
	if err != nil {
		return err
	}
	k := newUSBKeys(u.cfg.Chatter, down, u.cfg.Now())
	opened()
	var held together
	add := func(e Event) {
		if len(u.cfg.Keys) == 0 || slices.Contains(u.cfg.Keys, e.Code) {
			held.add(e)
			return
		}
		emit(e)
	}
	for next := u.cfg.Now(); ; {
		now := u.cfg.Now()
		events, err := d.Read(next - now)
		if err != nil {
			return err
		}
		if len(events) == 0 && next <= now { // all that happened up to now has been read
			next = k.overdue(now, add)
			for _, e := range held.pass(now) {
				emitAll(presses.step(e), emit)
			}
			emitAll(presses.pass(held.told(now)), emit)
		}
		for _, e := range events {
			at := min(e.At, u.cfg.Now())
			if at == 0 {
				at = now
			}
			if !k.step(e, at, add) {
				continue
			}
			if down, err = d.Held(); err != nil {
				return err
			}
			k.resync(down, at, add)
		}
		if due, ok := held.due(); ok {
			next = min(next, due)
		} else if due, ok := presses.due(); ok {
			next = min(next, due)
		}
	}
}

func emitAll(events []Event, emit func(Event)) {
	for _, e := range events {
		emit(e)
	}
}
