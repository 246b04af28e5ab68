package device

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"
)

// errNoEdges says that a chip cannot tell when a line moves.
var errNoEdges = errors.New("its chip tells no edges (it has no interrupts), so that a key on it cannot be read; choose a line of " +
	"another chip")

// errNotRequested says that In was not called, or Close was.
var errNotRequested = errors.New("the GPIO line is not in use")

// Pin is a line of a kernel's GPIO chip as one of periph's pins. It is an input only, and not safe for concurrent use. Between
// In and Close the line is ours. GPIO reads its edges with the kernel's times; whoever does not know these reads it like any
// other pin.
type Pin struct {
	chip     *chip
	offset   int
	name     string
	consumer string // who is said to use the line
	fd       int    // of the line, -1 while it is not ours
	pull     gpio.Pull
}

// In requests the line anew, with what it shall tell. Edges that came before are gone.
func (p *Pin) In(pull gpio.Pull, edge gpio.Edge) error {
	flags := map[gpio.Pull]uint64{gpio.PullUp: uapiPullUp, gpio.PullDown: uapiPullDown, gpio.Float: uapiNoPull}[pull] |
		map[gpio.Edge]uint64{gpio.RisingEdge: uapiRisingEdges, gpio.FallingEdge: uapiFallingEdges,
			gpio.BothEdges: uapiRisingEdges | uapiFallingEdges}[edge]
	if err := p.Close(); err != nil {
		return err
	}
	var fd int
	err := p.chip.do(func(chip int) (err error) { fd, err = requestInput(chip, p.offset, p.consumer, flags); return err })
	if edge != gpio.NoEdge && isAny(err, unix.ENODEV, unix.ENXIO, unix.EOPNOTSUPP) && p.chip.alive() == nil {
		return fmt.Errorf("%w: %w", errNoEdges, err)
	}
	if err != nil {
		return err
	}
	p.fd, p.pull = fd, pull
	return nil
}

func isAny(err error, numbers ...unix.Errno) bool {
	for _, n := range numbers {
		if errors.Is(err, n) {
			return true
		}
	}
	return false
}

// Read returns the level, or Low if it cannot be read.
func (p *Pin) Read() gpio.Level {
	high, err := lineHigh(p.fd)
	return gpio.Level(high && err == nil)
}

// WaitForEdge waits for one edge, for ever if the timeout is negative.
func (p *Pin) WaitForEdge(timeout time.Duration) bool {
	began := time.Now()
	for {
		wait := -1
		if timeout >= 0 {
			wait = int(max(timeout-time.Since(began), 0) / time.Millisecond)
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, wait)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return false
		}
		n, err = unix.Read(p.fd, make([]byte, uapiEventSize))
		return n == uapiEventSize && err == nil
	}
}

// Close gives the line back. It may be called more than once.
func (p *Pin) Close() error {
	if p.fd < 0 {
		return nil
	}
	fd := p.fd
	p.fd = -1
	return unix.Close(fd)
}

// edges returns where the line's edges are read, and its level.
func (p *Pin) edges() (edgeLine, error) {
	if p.fd < 0 {
		return edgeLine{}, errNotRequested
	}
	fd := p.fd
	return edgeLine{fd: fd, high: func() (bool, error) { return lineHigh(fd) }}, nil
}

// Halt does nothing: who waits for an edge goes on waiting.
func (p *Pin) Halt() error { return nil }

// String returns the line's name, or its number if it has none.
func (p *Pin) String() string {
	if p.name == "" {
		return fmt.Sprintf("GPIO line %d", p.offset)
	}
	return p.name
}

// Name returns the line's name, which may be empty.
func (p *Pin) Name() string { return p.name }

// Number returns the line's offset on its chip.
func (p *Pin) Number() int { return p.offset }

// Function returns what the line is now.
func (p *Pin) Function() string {
	if p.fd < 0 {
		return ""
	}
	return "In/" + p.Read().String()
}

// Pull returns what the last In has asked for.
func (p *Pin) Pull() gpio.Pull { return p.pull }

// DefaultPull returns that nobody knows.
func (p *Pin) DefaultPull() gpio.Pull { return gpio.PullNoChange }
