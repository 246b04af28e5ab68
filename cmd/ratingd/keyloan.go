package main

import (
	"context"
	"time"

	"haochaping/device"
	"haochaping/internal/crash"
)

// portLoan lends the port of a serial keypad, or the lines of keys, to whoever has to look at them itself. Meanwhile the keypad is not
// read. It is safe for concurrent use.
type portLoan struct {
	now   func() time.Duration
	asked chan borrowed
}

// borrowed is the port as long as use runs.
type borrowed struct {
	use  func() error
	done chan error
}

func newPortLoan(now func() time.Duration) *portLoan {
	return &portLoan{now: now, asked: make(chan borrowed)}
}

// lend calls use while nobody else has the port open, and returns its error. A fault of use ends no reading.
func (p *portLoan) lend(ctx context.Context, use func() error) error {
	x := borrowed{use, make(chan error, 1)}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case p.asked <- x:
		return <-x.done
	}
}

// run reads the keypad by read, again after each loan, until ctx ends. A keypad that was lost is told to be back before a loan: the next
// reading says anew whether it is.
func (p *portLoan) run(ctx context.Context, read func(context.Context, func(device.Event)) error, emit func(device.Event)) error {
	for {
		reading, stop := context.WithCancel(ctx)
		ended, lost := make(chan error, 1), false
		go func() {
			ended <- read(reading, func(e device.Event) {
				if e.Action == device.ActionLost || e.Action == device.ActionBack {
					lost = e.Action == device.ActionLost
				}
				emit(e)
			})
		}()
		select {
		case err := <-ended:
			stop()
			return err
		case x := <-p.asked:
			stop()
			if err := <-ended; err != nil {
				x.done <- err
				return err
			}
			if lost {
				emit(device.Event{Action: device.ActionBack, At: p.now()})
			}
			x.done <- crash.Contain(x.use)
		}
	}
}
