package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// SerialConfig names the parts of a serial keypad.
type SerialConfig struct {
	Port   string
	Baud   int
	Codec  Codec
	Now    func() time.Duration
	Logger *slog.Logger
	// Repeat is within which time the same key again is taken for the keypad repeating itself, as some do when its
	// answer was lost; 300 ms if 0.
	Repeat time.Duration
	// Open opens the port; the real one if nil.
	Open func(name string, baud int, now func() time.Duration) (io.ReadWriteCloser, error)
}

// Serial reads a keypad on a serial line. Such keypads tell presses only: there is no Up and nothing can be stuck.
type Serial struct{ cfg SerialConfig }

// NewSerial returns a source that does nothing before Run.
func NewSerial(c SerialConfig) *Serial {
	if c.Open == nil {
		c.Open = openPort
	}
	if c.Repeat == 0 {
		c.Repeat = 300 * time.Millisecond
	}
	return &Serial{c}
}

// Bounds of the wait before the port is opened again.
const (
	minReopen = 100 * time.Millisecond
	maxReopen = time.Second
)

// Run emits events until ctx ends. A port that is not there, or goes away, is reported once and opened again as soon as it
// is back.
func (s *Serial) Run(ctx context.Context, emit func(Event)) error {
	lost := false
	wait := minReopen
	for ctx.Err() == nil {
		err := s.session(ctx, func() {
			wait = minReopen
			if lost {
				lost = false
				emit(Event{Source: sourceSerial, Action: ActionBack, At: s.cfg.Now()})
			}
		}, emit)
		if ctx.Err() != nil {
			break
		}
		if !lost {
			lost = true
			emit(Event{Source: sourceSerial, Action: ActionLost, At: s.cfg.Now(), Err: err})
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, maxReopen)
	}
	return nil
}

// session opens the port and reads it until it fails or ctx ends.
func (s *Serial) session(ctx context.Context, opened func(), emit func(Event)) (err error) {
	p, err := s.cfg.Open(s.cfg.Port, s.cfg.Baud, s.cfg.Now)
	if err != nil {
		return fmt.Errorf("open the keypad's port %s: %w", s.cfg.Port, err)
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	opened()
	var last Code
	var lastAt time.Duration
	buf := make([]byte, 64)
	for ctx.Err() == nil {
		n, err := p.Read(buf)
		if err != nil {
			return fmt.Errorf("read the keypad on %s: %w", s.cfg.Port, err)
		}
		at := s.cfg.Now()
		for _, f := range s.cfg.Codec.Feed(buf[:n]) {
			if f.Answer != nil {
				if _, err := p.Write(f.Answer); err != nil {
					return fmt.Errorf("answer the keypad on %s: %w", s.cfg.Port, err)
				}
			}
			if f.Code == last && at-lastAt < s.cfg.Repeat {
				continue
			}
			last, lastAt = f.Code, at
			emit(Event{Source: sourceSerial, Action: Down, Code: f.Code, At: at})
		}
	}
	return nil
}
