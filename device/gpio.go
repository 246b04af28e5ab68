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
	// gpioPoll is how often a line is read though no edge was reported, for edges that were lost. Five lines make five
	// reads of all lines in that time.
	gpioPoll = 1250 * time.Millisecond
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
			return explainLine(string(l.Code), err)
		}
		s.contacts = append(s.contacts, debouncer{quiet: g.cfg.Debounce})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, l := range g.cfg.Lines {
		wg.Go(func() {
			if err := s.watch(ctx, l); err != nil {
				cancel(explainLine(string(l.Code), err))
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
}

// scan reads all lines, emits what has changed, and returns how long to wait for an edge.
func (s *scanner) scan() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := gpioPoll
	var found []Event
	now := s.cfg.Now()
	for i, l := range s.cfg.Lines {
		down := (l.Pin.Read() == gpio.High) == s.cfg.ActiveHigh
		next, change, due := s.contacts[i].step(down, now)
		s.contacts[i] = next
		if change.action != 0 {
			found = append(found, Event{Source: sourceGPIO, Action: change.action, Code: l.Code, At: change.at})
		}
		if due != 0 {
			wait = min(wait, due-now)
		}
	}
	slices.SortStableFunc(found, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	for _, e := range found {
		s.emit(e)
	}
	return max(wait, time.Millisecond)
}

// watch waits for the edges of one line. Periph's waits do not know contexts, so each is short.
func (s *scanner) watch(ctx context.Context, l GPIOLine) error {
	for instant := 0; ctx.Err() == nil; {
		wait := s.scan()
		began := s.cfg.Now()
		if l.Pin.WaitForEdge(wait) || s.cfg.Now()-began >= min(gpioInstant, wait/2) {
			instant = 0
			continue
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
