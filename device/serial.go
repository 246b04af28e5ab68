package device

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"haochaping/device/keypad"
)

// SerialConfig names the parts of a serial keypad or card reader.
type SerialConfig struct {
	Port    string
	Profile *keypad.Profile
	Keys    []Code // that mean something, all if empty
	Baud    int    // instead of the profile's, in bits per second; 0 for the profile's
	Now     func() time.Duration
	Logger  *slog.Logger
	// Repeat is the silence after which the same card counts again; 300 ms if 0.
	Repeat time.Duration
	// AtOnce tells a key that comes right after the port was opened at once: nobody is asked, and no answer can come of a key that
	// was down before.
	AtOnce bool
	// Open opens the port; OpenPort if nil.
	Open PortOpener
}

// Serial reads a keypad on a serial line. Where its profile knows no release, a code that comes again soon is the same press, and
// one that goes on coming is a stuck key.
type Serial struct {
	cfg     SerialConfig
	current atomic.Pointer[keypad.Prompt]
	changed chan struct{} // current is to be sent; holds one
}

// NewSerial returns a source that does nothing before Run.
func NewSerial(c SerialConfig) *Serial {
	return &Serial{cfg: c.withDefaults(), changed: make(chan struct{}, 1)}
}

func (c SerialConfig) withDefaults() SerialConfig {
	if c.Open == nil {
		c.Open = OpenPort
	}
	if c.Repeat == 0 {
		c.Repeat = 300 * time.Millisecond
	}
	return c
}

// doubt returns for how long after the opening a key may be one that was down before, and after how long of silence it was not: a
// keypad of which it is known how it repeats is waited for no longer than that takes, with its jitter.
func (c SerialConfig) doubt() time.Duration {
	switch repeat := c.Profile.Repeat; {
	case c.AtOnce:
		return 0
	case repeat > 0:
		return min(3*repeat/2, regularWithin)
	}
	return regularWithin
}

// Prompt lets the keypad light up or speak as its profile says, if it says so. It returns at once and is safe for concurrent
// use; of several prompts that the keypad has not taken yet the newest is sent. It is sent again when the keypad is back.
func (s *Serial) Prompt(p keypad.Prompt) {
	if before := s.current.Swap(&p); before != nil && *before == p {
		return
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// presses decides what is a press from the times at which codes came.
type presses interface {
	open(at time.Duration)
	lose()
	read(r keypad.Read, at time.Duration)
	noise(r keypad.Read, at time.Duration) // a frame came among noise
	spoilt(at time.Duration)               // something came that cannot be read
	pass(upTo time.Duration) []Event
	due() (time.Duration, bool)
}

// presses returns what decides for the profile.
func (c SerialConfig) presses() presses {
	if c.Profile.HasReleases() {
		return &holds{doubt: c.doubt()}
	}
	return &strokes{doubt: c.doubt(), five: c.Keys}
}

// unreadTimes is after how many times in a row that nothing was understood it is the keypad or its profile, and not noise.
const unreadTimes = 3

// Bounds of the wait before the port is opened again.
const (
	minReopen = 100 * time.Millisecond
	maxReopen = time.Second
)

// Run emits events until ctx ends. A port that is not there, goes away, or babbles, is reported once, and so is its return.
func (s *Serial) Run(ctx context.Context, emit func(Event)) error {
	prompt := func() []byte {
		if p := s.current.Load(); p != nil {
			return s.cfg.Profile.Prompt(*p)
		}
		return nil
	}
	lost := false
	keys := s.cfg.presses()
	return runLine(ctx, s.cfg, lineUser{
		prompt: prompt, changed: s.changed,
		read: keys.read, noise: keys.noise, spoilt: keys.spoilt,
		unread: func(head []byte, at time.Duration, times int) {
			if s.cfg.AtOnce || times == unreadTimes { // once of a keypad that is never understood, also if it is a noisy line at night
				emit(Event{Source: sourceSerial, Action: Down, Code: Code(fmt.Sprintf("%s% x", unreadName, head)), At: at})
			}
		},
		passed: func(upTo time.Duration) (time.Duration, bool) {
			for _, e := range keys.pass(upTo) {
				emit(e)
			}
			return keys.due()
		},
		state: func(err error) {
			if err == nil {
				keys.open(s.cfg.Now())
			} else {
				keys.lose()
			}
			switch {
			case err != nil && !lost:
				lost = true
				emit(Event{Source: sourceSerial, Action: ActionLost, At: s.cfg.Now(), Err: err})
			case err == nil && lost:
				lost = false
				emit(Event{Source: sourceSerial, Action: ActionBack, At: s.cfg.Now()})
			}
		},
	})
}
