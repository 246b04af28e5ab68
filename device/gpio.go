package device

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"periph.io/x/conn/v3/gpio"
)

// GPIOLine is a key on a GPIO line.
type GPIOLine struct {
	Code Code
	// Pin is read by the kernel's times of its edges if it is a *Pin, and by looking at its level if it is any other of periph's.
	Pin gpio.PinIn
	// Alive returns an error once the line's chip is gone, from then on for ever. Periph reads a line that is gone as low,
	// which is a pressed key on most boxes; so it is asked after each such reading. Nil for a *Pin, and for a line that cannot go.
	Alive func() error
}

// GPIOConfig names the parts of a GPIO source.
type GPIOConfig struct {
	Lines      []GPIOLine
	Debounce   time.Duration // how long a contact must be quiet; 20 ms if 0
	ActiveHigh bool          // a pressed key drives its line high; else it pulls it low, against a pull-up
	Now        func() time.Duration
	Logger     *slog.Logger
	Opened     func() // is called by Run once the lines can be read; nil if nobody asks
}

// GPIO reads keys on GPIO lines. It remembers keys that go up and down from one Run to the next.
type GPIO struct {
	cfg     GPIOConfig
	presses taps
}

// NewGPIO returns a source that does nothing before Run.
func NewGPIO(c GPIOConfig) *GPIO {
	if c.Debounce == 0 {
		c.Debounce = 20 * time.Millisecond
	}
	if c.Opened == nil {
		c.Opened = func() {}
	}
	return &GPIO{cfg: c}
}

// Use gives the source its lines, which were lost and found anew. It must not be called during Run.
func (g *GPIO) Use(lines []GPIOLine) { g.cfg.Lines = lines }

const (
	// gpioPoll is how often lines are looked at though no edge was reported: for edges that were lost, for a chip that is gone,
	// and for ctx.
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
	defer g.presses.lose()
	pull := gpio.PullUp
	if g.cfg.ActiveHigh {
		pull = gpio.PullDown
	}
	for _, l := range g.cfg.Lines {
		if err := l.Pin.In(pull, gpio.BothEdges); err != nil {
			return explainLine(string(l.Code), "", err)
		}
	}
	lines, err := g.timed()
	switch {
	case err != nil:
		return err
	case lines == nil:
		g.cfg.Opened()
		return newScanner(g.cfg, &g.presses, emit).run(ctx)
	}
	r, err := newEdgeReader(g.cfg, lines, &g.presses, monotonic, emit)
	if err != nil {
		return err
	}
	g.cfg.Opened()
	return r.run(ctx)
}

// event returns what was found of a line.
func (c GPIOConfig) event(f found) Event {
	return Event{Source: sourceGPIO, Action: f.action, Code: c.Lines[f.line].Code, At: f.at, Beside: f.beside}
}

// timed returns where the edges of the lines are read, nil if not all have times.
func (g *GPIO) timed() (lines []edgeLine, err error) {
	for _, l := range g.cfg.Lines {
		p, ok := l.Pin.(*Pin)
		if !ok {
			return nil, nil
		}
		e, err := p.edges()
		if err != nil {
			return nil, explainLine(string(l.Code), "", err)
		}
		lines = append(lines, e)
	}
	return lines, nil
}

// scanner reads all lines whenever one of them wakes it. Were each line read by itself, a key that is let go just before
// another is pressed could be seen after it, and the two be taken for pressed together. It knows a contact's moments only as
// well as it gets to look: it is for pins whose edges have no times.
type scanner struct {
	cfg  GPIOConfig
	emit func(Event)

	mu       sync.Mutex
	contacts *contacts // guarded by mu; nil before the first scan
	presses  *taps     // guarded by mu
}

func newScanner(cfg GPIOConfig, presses *taps, emit func(Event)) *scanner {
	return &scanner{cfg: cfg, emit: emit, presses: presses}
}

// run watches all lines until ctx ends or one fails.
func (s *scanner) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i, l := range s.cfg.Lines {
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

// scan reads all lines, emits what has changed, and returns how long to wait for an edge. Moved reports whether there was an
// edge on a line since the last scan.
func (s *scanner) scan(moved func(line int) bool) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	var down []bool
	for _, l := range s.cfg.Lines {
		level := l.Pin.Read()
		if level == gpio.Low && l.Alive != nil {
			if err := l.Alive(); err != nil {
				return 0, errors.Join(ErrLineGone, err)
			}
		}
		down = append(down, (level == gpio.High) == s.cfg.ActiveHigh)
	}
	if s.contacts == nil {
		s.contacts = newContacts(s.cfg.Debounce, down, now)
		s.presses.open(now)
	}
	for i, d := range down {
		s.contacts.sample(i, d, moved(i), now)
	}
	for _, f := range s.contacts.until(now) {
		emitAll(s.presses.step(s.cfg.event(f)), s.emit)
	}
	emitAll(s.presses.pass(s.contacts.told()), s.emit)
	next := s.contacts.due()
	if due, ok := s.presses.due(); ok && len(s.contacts.held) == 0 {
		next = min(next, due+2*s.cfg.Debounce)
	}
	return max(min(next-now, gpioPoll), time.Millisecond), nil
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
