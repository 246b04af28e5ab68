package device

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// GPIOLine is a key on a GPIO line.
type GPIOLine struct {
	Code Code
	Pin  gpio.PinIn
	// Alive returns an error once the line's chip is gone, from then on for ever. Periph reads a line that is gone as low,
	// which is a pressed key on most boxes; so it is asked after each such reading. Nil for a line that cannot go.
	Alive func() error
}

// GPIOConfig names the parts of a GPIO source.
type GPIOConfig struct {
	Lines      []GPIOLine
	Debounce   time.Duration // how long a contact must be quiet; 20 ms if 0
	ActiveHigh bool          // a pressed key drives its line high; else it pulls it low, against a pull-up
	Now        func() time.Duration
	Logger     *slog.Logger
}

// GPIO reads keys on GPIO lines.
type GPIO struct{ cfg GPIOConfig }

// NewGPIO returns a source that does nothing before Run.
func NewGPIO(c GPIOConfig) *GPIO {
	if c.Debounce == 0 {
		c.Debounce = 20 * time.Millisecond
	}
	return &GPIO{c}
}

const (
	// gpioPoll is how often a line wakes though no edge was reported, for edges that were lost, and for ctx. Five lines make five
	// reads of all lines in that time.
	gpioPoll = 1900 * time.Millisecond
	// gpioInstant is what is too short for a wait that found no edge: a chip that is gone answers at once.
	gpioInstant = time.Millisecond
	// gpioGone is after how many such answers in a row the chip is taken for gone.
	gpioGone = 50
)

// ErrLineGone says that a GPIO line can no longer be read.
var ErrLineGone = errors.New("the GPIO line can no longer be read; is its chip still plugged in?")

// Run configures the lines and emits events until ctx ends, when it returns nil, or until a line fails. It returns at the
// latest two seconds after ctx. Emit is called by one goroutine at a time, with the events in the order in which the
// contacts moved.
func (g *GPIO) Run(ctx context.Context, emit func(Event)) error {
	pull := gpio.PullUp
	if g.cfg.ActiveHigh {
		pull = gpio.PullDown
	}
	s := &scanner{cfg: g.cfg, emit: emit}
	for _, l := range g.cfg.Lines {
		if err := l.Pin.In(pull, gpio.BothEdges); err != nil {
			return explainLine(string(l.Code), "", err)
		}
		s.contacts = append(s.contacts, debouncer{quiet: g.cfg.Debounce})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i, l := range g.cfg.Lines {
		wg.Go(func() {
			if err := s.watch(ctx, i); err != nil {
				cancel(explainLine(string(l.Code), "", err))
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// scanner reads all lines whenever one of them wakes it. Were each line read by itself, a key that is let go just before
// another is pressed could be seen after it, and the two be taken for pressed together.
type scanner struct {
	cfg  GPIOConfig
	emit func(Event)

	mu       sync.Mutex
	contacts []debouncer // guarded by mu; by line
	held     []Event     // guarded by mu; found and not emitted yet
}

// scan reads all lines, emits what has changed, and returns how long to wait for an edge. Moved reports whether there was an
// edge on a line since the last scan.
func (s *scanner) scan(moved func(line int) bool) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := gpioPoll
	now := s.cfg.Now()
	closing := false
	for i, l := range s.cfg.Lines {
		level := l.Pin.Read()
		down := (level == gpio.High) == s.cfg.ActiveHigh
		if level == gpio.Low && l.Alive != nil {
			if err := l.Alive(); err != nil {
				return 0, errors.Join(ErrLineGone, err)
			}
		}
		next, change, due := s.contacts[i].step(down, moved(i), now)
		s.contacts[i] = next
		closing = closing || next.closing(now)
		if change.action != 0 {
			s.held = append(s.held, Event{Source: sourceGPIO, Action: change.action, Code: l.Code, At: change.at})
		}
		if due != 0 {
			wait = min(wait, due-now)
		}
	}
	// While another contact is closing, nobody knows yet whether two keys are being pressed at once. It is known after a
	// quiet time; a contact that hums forever holds up nobody for longer than two.
	if len(s.held) == 0 {
		return max(wait, time.Millisecond), nil
	}
	if due := s.held[0].At + 2*s.cfg.Debounce; closing && now < due {
		return max(min(wait, due-now, s.cfg.Debounce), time.Millisecond), nil
	}
	for _, e := range beside(s.held, 2*s.cfg.Debounce) {
		s.emit(e)
	}
	s.held = s.held[:0]
	return max(wait, time.Millisecond), nil
}

// beside sorts events by their moments and marks the presses that began within d of another key's.
func beside(events []Event, d time.Duration) []Event {
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	for i := range events {
		for j := range events[:i] {
			a, b := &events[j], &events[i]
			if a.Action == Down && b.Action == Down && a.Code != b.Code && b.At-a.At <= d {
				a.Beside, b.Beside = true, true
			}
		}
	}
	return events
}

// watch waits for the edges of one line. Periph's waits do not know contexts, so each is short.
func (s *scanner) watch(ctx context.Context, line int) error {
	l, edge := s.cfg.Lines[line], false
	for instant := 0; ctx.Err() == nil; {
		wait, err := s.scan(func(i int) bool { return edge && i == line })
		if err != nil {
			return err
		}
		began := s.cfg.Now()
		if edge = l.Pin.WaitForEdge(wait); edge || s.cfg.Now()-began >= min(gpioInstant, wait/2) {
			instant = 0
			continue
		}
		if l.Alive != nil {
			if err := l.Alive(); err != nil {
				return errors.Join(ErrLineGone, err)
			}
		}
		if instant++; instant > gpioGone {
			return ErrLineGone
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
