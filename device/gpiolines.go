package device

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"haochaping/internal/cli"
)

// errOldKernel says that the kernel does not speak the interface that keys on GPIO lines need.
var errOldKernel = errors.New("this kernel is too old for keys on GPIO lines: they need Linux 5.10 or later")

// errNoChip says that there are no GPIO lines at all.
var errNoChip = errors.New("this machine has no GPIO chip")

// Chips finds the kernel's GPIO chips, again at each call, so that a chip that was unplugged and plugged in anew is found.
// It is safe for concurrent use. A program needs one of them and keeps it as long as it lives.
type Chips struct {
	glob string

	mu    sync.Mutex
	known []*chip // guarded by mu
}

// chip is a chip that was found.
type chip struct {
	path, name, label string
	rdev              uint64
	file              *os.File
	lines             []string // names, some of them empty
}

// do calls f with the chip's descriptor, which nobody closes meanwhile.
func (k *chip) do(f func(fd int) error) error { return control(k.file, f) }

// alive returns an error once the chip is gone.
func (k *chip) alive() error {
	return k.do(func(fd int) error { _, _, _, err := chipInfo(fd); return err })
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
		p := &Pin{chip: chip, offset: offset, name: chip.lines[offset], consumer: consumer(), fd: -1}
		lines = append(lines, GPIOLine{Code: Code(ref), Pin: p})
		open = append(open, p)
	}
	if len(errs) > 0 {
		return nil, nil, errors.Join(errs...)
	}
	return lines, open, nil
}

// Lacking returns why lines, named as for Open, cannot be used, and nil if another process of this program uses them. Where there is no
// chip at all one may be plugged in later, and nothing is lacking.
func (c *Chips) Lacking(refs []string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.find(); errors.Is(err, errNoChip) {
		return nil
	} else if err != nil {
		return err
	}
	var errs []error
	for _, ref := range refs {
		chip, offset, err := c.lookUp(ref)
		if err == nil && !strings.HasPrefix(holder(chip, offset), consumerName()) {
			err = free(ref, chip, offset)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// consumer is what others are told of who uses a line.
func consumer() string { return fmt.Sprintf("%s%d", consumerName(), os.Getpid()) }

// consumerName is what that begins with for all processes of this program.
func consumerName() string { return filepath.Base(os.Args[0]) + "@" }

// find brings c.known up to date.
func (c *Chips) find() error {
	c.known = slices.DeleteFunc(c.known, func(k *chip) bool {
		if k.alive() == nil {
			return false
		}
		_ = k.file.Close() // what it had is gone
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
		if slices.ContainsFunc(c.known, func(k *chip) bool { return k.rdev == uint64(st.Rdev) }) {
			continue // known, or the link of the Raspberry Pi
		}
		k, err := openChip(path, uint64(st.Rdev))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.known = append(c.known, k)
	}
	if len(c.known) > 0 {
		return nil // a chip that cannot be opened matters only if a line is missed, which is then said
	}
	if len(errs) == 0 {
		return fmt.Errorf("%w: nothing is called %s. Is the driver loaded, the expander plugged in?", errNoChip, c.glob)
	}
	return errors.Join(errs...)
}

// openChip opens a chip and asks it for the names of its lines.
func openChip(path string, rdev uint64) (*chip, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, explainChip(path, err)
	}
	k := &chip{path: path, rdev: rdev, file: f}
	if err := k.do(k.ask); err != nil {
		return nil, errors.Join(fmt.Errorf("GPIO chip %s: %w", path, err), f.Close())
	}
	return k, nil
}

// ask asks the kernel for names.
func (k *chip) ask(fd int) error {
	name, label, n, err := chipInfo(fd)
	if err != nil {
		return err
	}
	k.name, k.label = name, cmp.Or(label, name)
	for offset := range n {
		line, _, _, err := lineInfo(fd, offset)
		if isAny(err, unix.EINVAL, unix.ENOTTY) {
			err = fmt.Errorf("%w: %w", errOldKernel, err)
		}
		if err != nil {
			return fmt.Errorf("ask for the name of line %d: %w", offset, err)
		}
		k.lines = append(k.lines, line)
	}
	return nil
}

// line finds a line that nothing else uses.
func (c *Chips) line(ref string) (*chip, int, error) {
	k, offset, err := c.lookUp(ref)
	if err == nil {
		err = free(ref, k, offset)
	}
	return k, offset, err
}

// lookUp finds a line, whoever uses it.
func (c *Chips) lookUp(ref string) (*chip, int, error) {
	chipName, offset, byOffset := strings.Cut(ref, ":")
	if !byOffset {
		return c.named(ref)
	}
	n, err := strconv.Atoi(offset)
	if err != nil {
		return nil, 0, cli.Errorf("GPIO 线路 %q：%q 不是编号；请写 芯片:编号，如 \"gpiochip0:17\"",
			"GPIO line %q: %q is no offset; write chip:offset, as \"gpiochip0:17\"", ref, offset)
	}
	var labels []string
	for _, k := range c.known {
		if k.label == chipName || k.name == chipName || k.path == "/dev/"+chipName {
			if n < 0 || n >= len(k.lines) {
				return nil, 0, cli.Errorf("GPIO 线路 %q：没有这个编号；芯片 %s 有 0 至 %d", "GPIO line %q: there is no such offset; chip %s has 0 to %d", ref,
					chipName,
					len(k.lines)-1)
			}
			return k, n, nil
		}
		labels = append(labels, k.label+" ("+k.name+")")
	}
	return nil, 0, cli.Errorf("GPIO 线路 %q：没有芯片 %s；有 %s", "GPIO line %q: there is no chip %s; there are %s", ref, chipName,
		strings.Join(labels, ", "))
}

func (c *Chips) named(ref string) (*chip, int, error) {
	var found []*chip
	var offset int
	var names []string
	for _, k := range c.known {
		for n, name := range k.lines {
			if name == ref && ref != "" {
				found, offset = append(found, k), n
			}
			if name != "" && name != "-" && name != "_" {
				names = append(names, name)
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], offset, nil
	case len(found) > 1:
		return nil, 0, cli.Errorf("GPIO 线路 %q 有 %d 条，在芯片 %s 和 %s 上；请写 芯片:编号，如 \"%s:%d\"",
			"GPIO line %q stands %d times, on the chips %s and %s; write chip:offset, as \"%s:%d\"",
			ref, len(found), found[0].label, found[1].label, found[len(found)-1].label, offset)
	case len(names) == 0:
		return nil, 0, cli.Errorf("没有名为 %q 的 GPIO 线路，本机的线路都没有名称；请写 芯片:编号，如 \"%s:0\"",
			"there is no GPIO line named %q: no line of this machine has a name; write chip:offset, as \"%s:0\"",
			ref, c.known[0].label)
	}
	all := strings.Join(names, ", ")
	if near := nearest(ref, names); near != "" {
		return nil, 0, cli.Errorf("没有名为 %q 的 GPIO 线路；是不是 %s？有 %s", "there is no GPIO line named %q; did you mean %s? There are %s", ref, near,
			all)
	}
	return nil, 0, cli.Errorf("没有名为 %q 的 GPIO 线路；有 %s", "there is no GPIO line named %q; there are %s", ref, all)
}

// holder returns who uses a line, empty if nobody does or that cannot be asked.
func holder(k *chip, offset int) (user string) {
	_ = k.do(func(fd int) (err error) { _, user, _, err = lineInfo(fd, offset); return err })
	return user
}

// free returns an error if something else uses a line.
func free(ref string, k *chip, offset int) error {
	var user string
	var used bool
	err := k.do(func(fd int) (err error) { _, user, used, err = lineInfo(fd, offset); return err })
	switch {
	case err != nil:
		return explainLine(ref, k.path, err)
	case !used:
		return nil
	case user == "":
		user = "the kernel"
	}
	return fmt.Errorf("GPIO line %s (%s:%d) is in use by %q: choose another line, or stop what uses it (a program, or an overlay or "+
		"driver of the device tree)", ref, k.label, offset, user)
}

// closers gives lines back.
type closers []*Pin

func (c closers) Close() error {
	var errs []error
	for _, p := range c {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// explainLine says for people what is wrong with a line.
func explainLine(ref, path string, err error) error {
	switch {
	case isAny(err, unix.EACCES, unix.EPERM):
		return fmt.Errorf("GPIO line %s: %w", ref, explainChip(path, err))
	case isAny(err, unix.EBUSY):
		return fmt.Errorf("GPIO line %s was taken by something else just now: %w", ref, err)
	case isAny(err, unix.ENODEV) && !errors.Is(err, errNoEdges):
		return fmt.Errorf("GPIO line %s: %w: %w", ref, ErrLineGone, err)
	}
	return fmt.Errorf("GPIO line %s: %w", ref, err)
}
