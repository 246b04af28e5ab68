package device

import (
	"context"
	"fmt"
	"time"

	"haochaping/device/evdev"
)

// InputDevice is an input device of the kernel, as evdev.Device is.
type InputDevice interface {
	Grab() error
	Held() ([]uint16, error)
	Read() ([]evdev.Event, error)
	Close() error
}

// USBConfig names the parts of a keypad that acts as a USB keyboard.
type USBConfig struct {
	Device string // a path, or "name:" and the device's name
	Now    func() time.Duration
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
	wait := minReopen
	for ctx.Err() == nil {
		err := u.session(ctx, func() {
			wait = minReopen
			if lost {
				lost = false
				emit(Event{Source: sourceUSB, Action: ActionBack, At: u.cfg.Now()})
			}
		}, emit)
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

// batch is what one read has returned.
type batch struct {
	events []evdev.Event
	at     time.Duration
	err    error
}

// session opens the keypad and reads it until it fails or ctx ends.
func (u *USB) session(ctx context.Context, opened func(), emit func(Event)) error {
	d, err := u.cfg.Open(u.cfg.Device)
	if err != nil {
		return fmt.Errorf("the USB keypad %s: %w", u.cfg.Device, err)
	}
	batches := make(chan batch)
	reading := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		_ = d.Close() // an error of a device that is gone tells nothing new
		<-reading
	}()
	if err := d.Grab(); err != nil {
		close(reading)
		return fmt.Errorf("the USB keypad %s: %w", u.cfg.Device, err)
	}
	held, err := d.Held()
	if err != nil {
		close(reading)
		return err
	}
	k := newUSBKeys(u.cfg.Chatter, held, u.cfg.Now())
	opened()
	go func() {
		defer close(reading)
		for {
			events, err := d.Read()
			select {
			case batches <- batch{events, u.cfg.Now(), err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	stuck := time.NewTimer(time.Hour)
	defer stuck.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-stuck.C:
		case b := <-batches:
			if b.err != nil {
				return b.err
			}
			for _, e := range b.events {
				if !k.step(e, b.at, emit) {
					continue
				}
				if held, err = d.Held(); err != nil {
					return err
				}
				k.resync(held, b.at, emit)
			}
		}
		stuck.Reset(k.overdue(u.cfg.Now(), emit))
	}
}
