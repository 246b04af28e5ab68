package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/unix"
	"periph.io/x/host/v3/gpioioctl"
)

// openChip is periph's own way to open one chip. Periph exports only its driver's Init, which finds chips once in a
// program's life, so that an expander that is plugged in anew stays unknown; and which on a Raspberry Pi, where
// /dev/gpiochip4 is a link, closes file descriptor 0 and another one twice. The version of periph is pinned in go.mod, and
// TestOpenChip calls this.
//
//go:linkname openChip periph.io/x/host/v3/gpioioctl.newGPIOChip
func openChip(path string) (*gpioioctl.GPIOChip, error)

// Chips finds the kernel's GPIO chips, again at each call, so that a chip that was unplugged and plugged in anew is found.
// It is safe for concurrent use. A program needs one of them and keeps it as long as it lives.
type Chips struct {
	glob string

	mu    sync.Mutex
	known []chip
	// gone are chips that were unplugged. Periph closes a chip's descriptor twice, the second time perhaps another's, also
	// when the garbage collector does it; so they are kept, at one descriptor for each time that a chip is unplugged.
	gone []chip
}

// chip is a chip that was found, and a descriptor of ours for what periph cannot ask.
type chip struct {
	*gpioioctl.GPIOChip
	path string
	rdev uint64
	fd   int
}

// NewChips returns Chips that look for /dev/gpiochip*.
func NewChips() *Chips { return &Chips{glob: "/dev/gpiochip*"} }

// Open finds lines by name ("GPIO17") or by chip and offset ("pinctrl-bcm2711:17", "gpiochip0:17") that nothing else uses.
// Close of the second result frees them. The error says for people what is wrong with the wiring or the permissions, and
// what there is instead.
func (c *Chips) Open(refs []string) ([]GPIOLine, io.Closer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.find(); err != nil {
		return nil, nil, err
	}
	var lines []GPIOLine
	var open closers
	var errs []error
	for _, ref := range refs {
		chip, offset, err := c.line(ref)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		l := chip.ByNumber(offset)
		lines = append(lines, GPIOLine{Code: Code(ref), Pin: l, Alive: func() error { return chipAlive(chip.fd) }})
		open = append(open, l)
	}
	if len(errs) > 0 {
		return nil, nil, errors.Join(append(errs, open.Close())...)
	}
	return lines, open, nil
}

// find brings c.known up to date.
func (c *Chips) find() error {
	c.known = slices.DeleteFunc(c.known, func(k chip) bool {
		if chipAlive(k.fd) == nil {
			return false
		}
		_ = unix.Close(k.fd)
		c.gone = append(c.gone, k)
		return true
	})
	paths, err := filepath.Glob(c.glob)
	if err != nil {
		return fmt.Errorf("find the GPIO chips: %w", err)
	}
	var errs []error
	for _, path := range paths {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			continue // unplugged just now, or a link to what was
		}
		if slices.ContainsFunc(c.known, func(k chip) bool { return k.rdev == uint64(st.Rdev) }) {
			continue // known, or the link of the Raspberry Pi
		}
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			errs = append(errs, explainChip(path, err))
			continue
		}
		found, err := openChip(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("GPIO chip %s: %w", path, err), unix.Close(fd))
			continue
		}
		c.known = append(c.known, chip{found, path, uint64(st.Rdev), fd})
	}
	if len(c.known) > 0 {
		return nil // a chip that cannot be opened matters only if a line is missed, which is then said
	}
	if len(errs) == 0 {
		return fmt.Errorf("this machine has no GPIO chip: nothing is called %s. Is the driver loaded, the expander plugged in?", c.glob)
	}
	return errors.Join(errs...)
}

// line finds a line that nothing else uses.
func (c *Chips) line(ref string) (chip, int, error) {
	chipName, offset, byOffset := strings.Cut(ref, ":")
	if !byOffset {
		return c.named(ref)
	}
	n, err := strconv.Atoi(offset)
	if err != nil {
		return chip{}, 0, fmt.Errorf("GPIO line %q: %q is no offset; write chip:offset, as \"gpiochip0:17\"", ref, offset)
	}
	var labels []string
	for _, k := range c.known {
		if k.Label() == chipName || k.Name() == chipName || k.path == "/dev/"+chipName {
			if n < 0 || n >= k.LineCount() {
				return chip{}, 0, fmt.Errorf("GPIO line %q: chip %s has the offsets 0 to %d", ref, chipName, k.LineCount()-1)
			}
			return k, n, free(ref, k, n)
		}
		labels = append(labels, k.Label()+" ("+k.Name()+")")
	}
	return chip{}, 0, fmt.Errorf("GPIO line %q: there is no chip %s; there are %s", ref, chipName, strings.Join(labels, ", "))
}

func (c *Chips) named(ref string) (chip, int, error) {
	var found []chip
	var offset int
	var names []string
	for _, k := range c.known {
		for _, l := range k.Lines() {
			if l.Name() == ref && ref != "" {
				found, offset = append(found, k), l.Number()
			}
			if l.Name() != "" && l.Name() != "-" && l.Name() != "_" {
				names = append(names, l.Name())
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], offset, free(ref, found[0], offset)
	case len(found) > 1:
		return chip{}, 0, fmt.Errorf("GPIO line %q stands %d times, on the chips %s and %s; write chip:offset, as \"%s:%d\"",
			ref, len(found), found[0].Label(), found[1].Label(), found[len(found)-1].Label(), offset)
	case len(names) == 0:
		return chip{}, 0, fmt.Errorf("there is no GPIO line named %q: no line of this machine has a name. Write chip:offset, as \"%s:0\"",
			ref, c.known[0].Label())
	}
	hint := "."
	if near := nearest(ref, names); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return chip{}, 0, fmt.Errorf("there is no GPIO line named %q%s There are %s", ref, hint, strings.Join(names, ", "))
}

// free returns an error if something else uses a line.
func free(ref string, k chip, offset int) error {
	user, used, err := lineConsumer(k.fd, offset)
	switch {
	case err != nil:
		return explainLine(ref, k.path, err)
	case !used:
		return nil
	case user == "":
		user = "the kernel"
	}
	return fmt.Errorf("GPIO line %s (%s:%d) is in use by %q: choose another line, or stop what uses it (a program, or an overlay or "+
		"driver of the device tree)", ref, k.Label(), offset, user)
}

// closers closes lines.
type closers []*gpioioctl.GPIOLine

func (c closers) Close() error {
	for _, l := range c {
		l.Close()
	}
	return nil
}

// explainLine says for people what is wrong with a line. Periph's errors have lost their number and keep its text.
func explainLine(ref, path string, err error) error {
	is := func(errno unix.Errno) bool {
		return errors.Is(err, errno) || strings.Contains(err.Error(), errno.Error())
	}
	switch {
	case is(unix.EACCES), is(unix.EPERM), errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("GPIO line %s: %w", ref, explainChip(path, err))
	case is(unix.EBUSY):
		return fmt.Errorf("GPIO line %s was taken by something else just now: %w", ref, err)
	case is(unix.ENODEV):
		return fmt.Errorf("GPIO line %s: %w: %w", ref, ErrLineGone, err)
	}
	return fmt.Errorf("GPIO line %s: %w", ref, err)
}
