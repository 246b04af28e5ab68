package device

import (
	"fmt"
	"strings"
	"time"

	"haochaping/device/evdev"
	"haochaping/device/keypad"
)

// OpenTyped opens a card reader that types as a USB keyboard does, by a path or by "name:" and its name, as a port that
// delivers what is typed: letters, digits and signs, and a line feed for Enter.
func OpenTyped(which string, _ keypad.Line, _ func() time.Duration) (Port, error) {
	d, err := evdev.Open(which)
	if err != nil {
		return nil, err
	}
	return newTypedPort(d)
}

// typedPort is an input device as a port.
type typedPort struct {
	device InputDevice
	typist typist
	rest   []byte // typed and not read yet
}

// newTypedPort takes the device for itself: what is typed reaches no console.
func newTypedPort(d InputDevice) (*typedPort, error) {
	if err := d.Grab(); err != nil {
		_ = d.Close() // an error of a device that is not ours tells nothing new
		return nil, fmt.Errorf("the card reader: %w", err)
	}
	return &typedPort{device: d}, nil
}

// Read returns what was typed, and 0 bytes without an error after a silence.
func (p *typedPort) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		events, err := p.device.Read(readTimeout)
		if err != nil {
			return 0, err
		}
		for _, e := range events {
			p.rest = append(p.rest, p.typist.step(e)...)
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// Write drops what is written: nobody can tell such a reader anything.
func (p *typedPort) Write(b []byte) (int, error) { return len(b), nil }

// Flush does nothing.
func (p *typedPort) Flush() error { return nil }

// Close ends a Read in progress.
func (p *typedPort) Close() error { return p.device.Close() }

// typist turns keys that go down into characters. It is a state machine without input, output or time of its own.
type typist struct {
	shift   [2]bool // the left and the right one are down
	dropped bool    // the kernel lost events; void until the next report
}

// lostKeys stands where keys may be missing. No number contains it, so that what is left of one is no other.
const lostKeys = 0

// step returns the characters that an event types, none for most.
func (t *typist) step(e evdev.Event) []byte {
	switch {
	case e.Type == evdev.TypeSync && e.Code == evdev.SyncDropped:
		t.dropped = true
	case e.Type == evdev.TypeSync && e.Code == evdev.SyncReport && t.dropped:
		*t = typist{}
		return []byte{lostKeys}
	case e.Type != evdev.TypeKey || t.dropped || e.Value == evdev.KeyRepeat:
	default:
		name := strings.TrimPrefix(evdev.KeyName(e.Code), "KEY_")
		switch name {
		case "LEFTSHIFT":
			t.shift[0] = e.Value == evdev.KeyDown
		case "RIGHTSHIFT":
			t.shift[1] = e.Value == evdev.KeyDown
		default:
			if c, ok := typed(name, t.shift[0] || t.shift[1]); ok && e.Value == evdev.KeyDown {
				return []byte{c}
			}
		}
	}
	return nil
}

// Keys whose names are not their characters, with what they type without and with Shift.
const (
	signNames = "MINUS EQUAL LEFTBRACE RIGHTBRACE ENTER SEMICOLON APOSTROPHE GRAVE BACKSLASH COMMA DOT SLASH SPACE TAB " +
		"KPASTERISK KPMINUS KPPLUS KPDOT KPSLASH KPENTER"
	signs        = "-=[]\n;'`\\,./ \t*-+./\n"
	shiftedSigns = "_+{}\n:\"~|<>? \t*-+./\n"
	shiftedRow   = ")!@#$%^&*(" // of the digits 0 to 9
)

// typed returns the character of a key on an American keyboard, which card readers pretend to be.
func typed(name string, shift bool) (byte, bool) {
	number := strings.TrimPrefix(name, "KP")
	switch {
	case len(name) == 1 && name >= "A" && name <= "Z":
		if !shift {
			name = strings.ToLower(name)
		}
		return name[0], true
	case len(number) == 1 && number >= "0" && number <= "9":
		if shift && number == name {
			return shiftedRow[number[0]-'0'], true
		}
		return number[0], true
	}
	for i, n := range strings.Fields(signNames) {
		switch {
		case n == name && shift:
			return shiftedSigns[i], true
		case n == name:
			return signs[i], true
		}
	}
	return 0, false
}
