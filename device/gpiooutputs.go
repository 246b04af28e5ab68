package device

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Outputs are GPIO lines that switch lamps, a buzzer or a backlight. They are not safe for concurrent use.
//
// Each line is requested together with its first value, off, so that the kernel never drives it on, not even where off is
// high. Close switches all off before it frees them. When the program dies without that, the kernel frees the lines: most
// drivers then leave them as they were, the Raspberry Pi's makes them inputs (unless its module was told
// persist_gpio_outputs). A resistor that pulls each line to off makes that the resting state in both cases and during the
// boot; the next start switches everything off.
type Outputs struct {
	refs []string
	fds  []int
	on   []bool
}

// OpenOutputs requests lines, named as for Open, as outputs that are off. ActiveLow: a line is on when it is low.
func (c *Chips) OpenOutputs(refs []string, activeLow bool) (*Outputs, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.find(); err != nil {
		return nil, err
	}
	o := &Outputs{refs: refs, on: make([]bool, len(refs))}
	for _, ref := range refs {
		chip, offset, err := c.line(ref)
		if err == nil {
			var fd int
			err = chip.do(func(k int) (err error) { fd, err = requestOutput(k, offset, activeLow); return err })
			if err == nil {
				o.fds = append(o.fds, fd)
				continue
			}
			err = explainLine(ref, chip.path, err)
		}
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// Set switches the outputs, in the order in which they were named. Those that are as wanted are not touched.
func (o *Outputs) Set(on []bool) error {
	for i, want := range on {
		if i >= len(o.fds) || o.on[i] == want {
			continue
		}
		if err := setOutput(o.fds[i], want); err != nil {
			return fmt.Errorf("switch GPIO line %s: %w", o.refs[i], err)
		}
		o.on[i] = want
	}
	return nil
}

// Close switches all outputs off and frees the lines.
func (o *Outputs) Close() error {
	err := o.Set(make([]bool, len(o.fds)))
	for _, fd := range o.fds {
		err = errors.Join(err, unix.Close(fd))
	}
	o.fds = nil
	return err
}
