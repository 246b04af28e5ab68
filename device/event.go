package device

import (
	"fmt"
	"strings"
	"time"

	"haochaping/internal/rating"
)

// Code names a key as its source reads it: a GPIO line ("GPIO17", "pinctrl-bcm2711:17"), a key of a USB keypad ("KEY_KP1"),
// or what a serial keypad's profile makes of its frame: a byte ("0x31"), a line of text, a grade ("0" to "4").
type Code string

// What is no key is told under names that keys.map cannot have.
const (
	noiseName  = "noise: "   // bytes that may have been keys, among others
	unreadName = "unread: "  // bytes that the profile does not describe
	breakName  = " (BREAK?)" // a byte that a BREAK reads as
)

// IsNoKey reports whether this is the name of something that is no key at all, whatever keys.map says.
func (c Code) IsNoKey() bool {
	return strings.HasPrefix(string(c), noiseName) || strings.HasPrefix(string(c), unreadName) || strings.HasSuffix(string(c), breakName)
}

// Action says what happened to a key, or to the keypad as a whole.
type Action uint8

// The actions.
const (
	Down       Action = iota + 1
	Up                // from a serial keypad only of a stuck key, once it is silent
	HeldStuck         // down for too long, or repeating for too long
	ActionLost        // the keypad cannot be read; Err says why
	ActionBack        // it can be read again
	Rebound           // the contact has closed again too soon for a finger: the last press goes on
	GoesOn            // the code has come again too soon to be a press of its own; told now and then while it does
)

// Event is what a source has noticed.
type Event struct {
	Source string // gpio, serial, usb or simulated
	Action Action
	Code   Code
	At     time.Duration // since the machine started, of the moment when the contact moved
	Err    error
	Since  time.Duration // with Down, if the keypad says when a key is let go: the first of the presses that it goes on with, or its own
	Times  int           // how many these are with it; 0 if nobody can know
	Lasts  bool          // with Down of a serial keypad: it says when the key is let go
	Beside bool          // with Down: another key went down so close to it, or is down as well, that nobody can say which was meant
}

// Binding says which level a key means.
type Binding struct {
	Code  Code
	Level rating.Level
}

// Map is the mandatory map from keys to levels.
type Map struct{ keys [5]Binding }

// NewMap returns the map of five keys, given from left to right as they stand before the citizen. Each key and each level
// occurs once.
func NewMap(keys []Binding) (Map, error) {
	var m Map
	if len(keys) != len(m.keys) {
		return Map{}, fmt.Errorf("map of keys: %d keys, want %d", len(keys), len(m.keys))
	}
	for i, k := range keys {
		if k.Code == "" || !k.Level.Valid() {
			return Map{}, fmt.Errorf("map of keys: key %q with level %d: incomplete", k.Code, k.Level)
		}
		for _, other := range keys[:i] {
			if other.Code == k.Code || other.Level == k.Level {
				return Map{}, fmt.Errorf("map of keys: key %q with level %d: one of them occurs twice", k.Code, k.Level)
			}
		}
		m.keys[i] = k
	}
	return m, nil
}

// Level returns the level of a key, or false: an unknown key is never a level.
func (m Map) Level(c Code) (rating.Level, bool) {
	for _, k := range m.keys {
		if k.Code == c && c != "" {
			return k.Level, true
		}
	}
	return 0, false
}

// Order returns the levels from left to right.
func (m Map) Order() [5]rating.Level {
	var o [5]rating.Level
	for i, k := range m.keys {
		o[i] = k.Level
	}
	return o
}

// SignalKind says what a Signal means.
type SignalKind uint8

// The kinds of signals.
const (
	Press    SignalKind = iota + 1 // of Level
	Together                       // two keys were down at once
	Unknown                        // a key without a level, Code
	Stuck                          // a key that is down for too long, Code
	Released                       // that key was let go, Code
	Lost                           // the keypad cannot be read, Err
	Back                           // it can be read again
	StaffKey                       // the staff's own key went down
	NoPress                        // one of the five came again too soon to be another press
)

// Signal is what the keypad says.
type Signal struct {
	Kind  SignalKind
	Level rating.Level
	Code  Code
	At    time.Duration // since the machine started
	Since time.Duration // with Press: as that of the event
	Times int           // the same
	Err   error
}

// Interpreter turns Events into Signals. It is not safe for concurrent use.
type Interpreter struct {
	keys  Map
	staff Code // empty for none
	down  map[Code]time.Duration
	stuck map[Code]bool
	again time.Duration // when the citizen was last told to press one key only
	asked bool          // that has happened
}

// NewInterpreter returns an Interpreter for a map, and for the staff's own key if that is not empty: it is none of the five
// and never a level.
func NewInterpreter(m Map, staff Code) *Interpreter {
	return &Interpreter{keys: m, staff: staff, down: make(map[Code]time.Duration), stuck: make(map[Code]bool)}
}

// Step returns what an event means.
//
// Keys that go down within 40 ms of each other are no press of any (Event.Beside). A second key while the first is still down
// means that nobody can say which one was meant, and the citizen is asked again; an answer that was given by the first stands
// until another key corrects it. A stuck key does not get in the way of the others.
func (i *Interpreter) Step(e Event) []Signal {
	s := Signal{Code: e.Code, At: e.At, Since: e.Since, Times: e.Times, Err: e.Err}
	switch e.Action {
	case Down:
		if s.Kind, s.Level = i.pressed(e); s.Kind == 0 {
			return nil
		}
	case Rebound:
		if !i.stuck[e.Code] {
			i.down[e.Code] = e.At
		}
		return nil
	case Up:
		delete(i.down, e.Code)
		if !i.stuck[e.Code] {
			return nil
		}
		delete(i.stuck, e.Code)
		s.Kind = Released
	case HeldStuck:
		delete(i.down, e.Code)
		if !i.known(e.Code) {
			return nil // it was reported as a key without a level, and is in nobody's way
		}
		i.stuck[e.Code] = true
		s.Kind = Stuck
	case ActionLost:
		clear(i.down)
		clear(i.stuck)
		s.Kind = Lost
	case GoesOn:
		if _, ok := i.keys.Level(e.Code); !ok {
			return nil
		}
		s.Kind = NoPress
	case ActionBack:
		s.Kind = Back
	default:
		return nil
	}
	return []Signal{s}
}

// known reports whether a key has a level or is the staff's own.
func (i *Interpreter) known(c Code) bool {
	_, ok := i.keys.Level(c)
	return ok || c == i.staff && c != ""
}

func (i *Interpreter) pressed(e Event) (SignalKind, rating.Level) {
	if !i.known(e.Code) {
		return Unknown, 0
	}
	level, ok := i.keys.Level(e.Code)
	if !ok {
		return StaffKey, 0
	}
	others := len(i.down)
	if e.Source != sourceSerial || e.Lasts {
		i.down[e.Code] = e.At
	}
	switch {
	case !e.Beside && others == 0:
		return Press, level
	case e.Beside && i.asked && e.At-i.again <= togetherWithin:
		return 0, 0 // said at the first of them
	}
	i.again, i.asked = e.At, true
	return Together, 0
}

// The names of the sources.
const (
	sourceGPIO      = "gpio"
	sourceSerial    = "serial"
	sourceUSB       = "usb"
	sourceSimulated = "simulated"
)
