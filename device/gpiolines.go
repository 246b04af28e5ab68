package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/host/v3/gpioioctl"
)

// OpenGPIO finds lines of the kernel's GPIO chips by name ("GPIO17") or by chip and offset ("pinctrl-bcm2711:17",
// "gpiochip0:17"). Close of the second result frees them.
func OpenGPIO(refs []string) ([]GPIOLine, io.Closer, error) {
	// Periph's Init closes file descriptor 0 where /dev/gpiochip4 is a link. Holding it keeps it from becoming another's.
	hold, err := syscall.Dup(0)
	if err == nil {
		defer func() { _ = syscall.Dup3(hold, 0, 0); _ = syscall.Close(hold) }()
	}
	if _, err := driverreg.Init(); err != nil {
		return nil, nil, fmt.Errorf("find the GPIO chips: %w", err)
	}
	if len(gpioioctl.Chips) == 0 {
		return nil, nil, noChips()
	}
	var lines []GPIOLine
	var open closers
	for _, ref := range refs {
		l, err := findLine(ref)
		if err != nil {
			return nil, nil, errors.Join(err, open.Close())
		}
		lines = append(lines, GPIOLine{Code: Code(ref), Pin: l})
		open = append(open, l)
	}
	return lines, open, nil
}

// noChips says why no chip was found.
func noChips() error {
	f, err := os.Open("/dev/gpiochip0")
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission for /dev/gpiochip0: add the user to the group of that file, usually gpio: %w", err)
	case err != nil:
		return fmt.Errorf("this machine has no GPIO chip (/dev/gpiochip0): %w", err)
	}
	return errors.Join(errors.New("no GPIO chip can be used"), f.Close())
}

func findLine(ref string) (*gpioioctl.GPIOLine, error) {
	chipName, offset, byOffset := strings.Cut(ref, ":")
	if !byOffset {
		for _, c := range gpioioctl.Chips {
			if l := c.ByName(ref); l != nil {
				return free(ref, l)
			}
		}
		return nil, fmt.Errorf("there is no GPIO line named %q; there are %s", ref, lineNames())
	}
	n, err := strconv.Atoi(offset)
	if err != nil {
		return nil, fmt.Errorf("GPIO line %q: want chip:offset", ref)
	}
	for _, c := range gpioioctl.Chips {
		if c.Label() == chipName || c.Name() == chipName || c.Name() == "/dev/"+chipName {
			if n < 0 || n >= c.LineCount() {
				return nil, fmt.Errorf("GPIO line %q: chip %s has the offsets 0 to %d", ref, chipName, c.LineCount()-1)
			}
			return free(ref, c.ByNumber(n))
		}
	}
	var chips []string
	for _, c := range gpioioctl.Chips {
		chips = append(chips, c.Label())
	}
	return nil, fmt.Errorf("GPIO line %q: there is no chip %s; there are %s", ref, chipName, strings.Join(chips, ", "))
}

// free returns the line unless something else uses it.
func free(ref string, l *gpioioctl.GPIOLine) (*gpioioctl.GPIOLine, error) {
	if used := l.Consumer(); used != "" {
		return nil, fmt.Errorf("GPIO line %s is in use by %q; choose another, or stop that", ref, used)
	}
	return l, nil
}

func lineNames() string {
	var names []string
	for _, c := range gpioioctl.Chips {
		for _, l := range c.Lines() {
			if l.Name() != "" {
				names = append(names, l.Name())
			}
		}
	}
	if len(names) == 0 {
		return "none with a name: use chip:offset"
	}
	return strings.Join(names, ", ")
}

// explainLine says for people what is wrong with a line.
func explainLine(ref string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("GPIO line %s: no permission; add the user to the group gpio: %w", ref, err)
	case errors.Is(err, syscall.EBUSY):
		return fmt.Errorf("GPIO line %s is in use by something else: %w", ref, err)
	}
	return fmt.Errorf("GPIO line %s: %w", ref, err)
}

// closers closes lines.
type closers []*gpioioctl.GPIOLine

func (c closers) Close() error {
	for _, l := range c {
		l.Close()
	}
	return nil
}
