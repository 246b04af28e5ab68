package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"haochaping/internal/rating"
)

// Log is where a Loop records. Append returns nil only when the bodies are on the disk.
type Log interface {
	Append(bodies ...rating.Body) (first uint64, err error)
}

// Visits is told by Run of each visit that is being asked about and of each that has ended, also of what the log could not take yet. It
// must not block.
type Visits interface {
	Opened(rating.Visit)
	Ended(rating.Closing)
}

// LoopConfig names the parts of a Loop. All are needed but for those that say otherwise.
type LoopConfig struct {
	Timings Timings
	Reasons Reasons            // the zero one never asks for reasons
	Texts   rating.ScreenTexts // empty ones are the screen's own
	Log     Log
	Visits  Visits // may be nil
	Now     func() rating.Stamp
	Random  io.Reader // for visits' IDs
	// Show is called by Run whenever the View has changed. It must not block.
	Show func(View)
	// KeepStaff is called by Run when somebody has signed in or out, so that Started can say so after a restart. It may be
	// nil. Presses wait for it.
	KeepStaff func(rating.Staff)
	Logger    *slog.Logger
}

// ErrStopped says that the Loop no longer runs.
var ErrStopped = errors.New("the box is shutting down")

// Loop owns the Model of a window. Its methods are safe for concurrent use.
type Loop struct {
	cfg      LoopConfig
	events   chan queued
	requests chan queued // of the window's PC, which wait until the events are done
	probes   chan struct{}
	stopped  chan struct{}

	mu    sync.Mutex
	view  View                            // guarded by mu
	opens map[rating.VisitID]chan<- error // guarded by mu; callers that wait for Opened or Refused
}

// queued is an event and where somebody waits for it to have happened, nil if nobody does.
type queued struct {
	event Event
	done  chan<- happened
}

// happened is what became of an event.
type happened struct {
	refused error // by the Model
	failed  error // why it is not recorded
}

// NewLoop returns a Loop that does nothing before Run.
func NewLoop(cfg LoopConfig) *Loop {
	return &Loop{
		cfg:      cfg,
		events:   make(chan queued, 256),
		requests: make(chan queued),
		probes:   make(chan struct{}),
		stopped:  make(chan struct{}),
		opens:    make(map[rating.VisitID]chan<- error),
	}
}

// Run carries out the behaviour until ctx ends, then records that the program stops. It returns nil. Call it once.
func (l *Loop) Run(ctx context.Context, start Started) error {
	defer close(l.stopped)
	m := New(l.cfg.Timings, l.cfg.Reasons)
	m.texts = l.cfg.Texts
	m, _ = l.apply(m, start)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		if due, ok := m.Deadline(); ok {
			wait = max(0, due.Sub(l.cfg.Now()))
		}
		timer.Reset(wait)
		select {
		case q := <-l.events:
			m = l.take(m, q)
		case q := <-l.requests:
			m = l.drain(m) // a press waits for one commit of the PC's at most, however many the PC wants
			m = l.take(m, q)
		case <-l.probes:
		case <-timer.C:
			m = l.drain(m) // what was pressed in time must not lose against the tick
			m, _ = l.apply(m, Tick{l.cfg.Now(), l.Fresh()})
		case <-ctx.Done():
			_, _ = l.apply(l.drain(m), Stopping{l.cfg.Now()}) // the log says why it cannot be written
			return nil
		}
	}
}

// drain applies the events that have already come.
func (l *Loop) drain(m Model) Model {
	for {
		select {
		case q := <-l.events:
			m = l.take(m, q)
		default:
			return m
		}
	}
}

func (l *Loop) take(m Model, q queued) Model {
	m, what := l.apply(m, q.event)
	if q.done != nil {
		q.done <- what
	}
	return m
}

// Fresh returns a new ID for a visit, 0 if there is no randomness, which the log then says.
func (l *Loop) Fresh() rating.VisitID {
	id, err := rating.NewVisitID(l.cfg.Random)
	if err != nil {
		l.cfg.Logger.Error("no visit can be begun", "error", err)
	}
	return id
}

func (l *Loop) apply(m Model, e Event) (Model, happened) {
	var what happened
	s := m.Step(e)
	m, effects := s.Model, s.Effects
	if s.Write != nil {
		first, err := l.cfg.Log.Append(s.Write.Bodies...)
		failed := m.storeFailed
		m, effects = s.Write.Done(l.cfg.Now(), first, err)
		what.failed = err
		if m.storeFailed != failed {
			l.logStore(err)
		}
	}
	l.mu.Lock()
	for _, effect := range effects {
		if r, ok := effect.(Refused); ok {
			what.refused = r.Err
		}
		l.carryOut(effect)
	}
	view := m.View()
	changed := view != l.view
	l.view = view
	l.mu.Unlock()
	if changed {
		l.cfg.Show(view)
	}
	for _, effect := range effects {
		if s, ok := effect.(StaffChanged); ok && l.cfg.KeepStaff != nil {
			l.cfg.KeepStaff(s.Staff)
		}
	}
	return m, what
}

func (l *Loop) logStore(err error) {
	if err != nil {
		l.cfg.Logger.Error("the store cannot be written; the keys are out of service, the QR code works", "error", err)
		return
	}
	l.cfg.Logger.Info("the store can be written again; the keys are in service")
}

// carryOut needs mu.
func (l *Loop) carryOut(e Effect) {
	switch e := e.(type) {
	case Opened:
		if l.cfg.Visits != nil { // before whoever has opened it can ask
			l.cfg.Visits.Opened(e.Visit)
		}
		l.answer(e.Visit.ID, nil)
	case Refused:
		l.answer(e.ID, e.Err)
	case Ended:
		if l.cfg.Visits != nil {
			l.cfg.Visits.Ended(e.Closing)
		}
	}
}

// answer tells the caller that waits for id. It needs mu.
func (l *Loop) answer(id rating.VisitID, err error) {
	if c, ok := l.opens[id]; ok {
		c <- err
		delete(l.opens, id)
	}
}

// Post hands an event to the Loop. It blocks while 256 events wait, and does nothing once the Loop has stopped.
func (l *Loop) Post(e Event) {
	select {
	case l.events <- queued{event: e}:
	case <-l.stopped:
	}
}

// request hands the PC's wish to the Loop when it has nothing else to do.
func (l *Loop) request(ctx context.Context, q queued) error {
	select {
	case l.requests <- q:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.stopped:
		return ErrStopped
	}
}

// do returns when what the PC wants has happened.
func (l *Loop) do(ctx context.Context, e Event) (happened, error) {
	done := make(chan happened, 1)
	if err := l.request(ctx, queued{e, done}); err != nil {
		return happened{}, err
	}
	select {
	case what := <-done:
		return what, what.refused
	case <-ctx.Done():
		return happened{}, ctx.Err()
	case <-l.stopped:
		return happened{}, ErrStopped
	}
}

// SignIn signs s in, and whoever was signed in out. A second time it does nothing. Via is "api" or "card".
func (l *Loop) SignIn(ctx context.Context, s rating.Staff, via string) error {
	_, err := l.do(ctx, SignIn{l.cfg.Now(), s, via})
	return err
}

// SignOut signs out whoever is signed in.
func (l *Loop) SignOut(ctx context.Context) error {
	_, err := l.do(ctx, SignOut{l.cfg.Now(), "api"})
	return err
}

// Pause closes the window for a while. A second time it does nothing.
func (l *Loop) Pause(ctx context.Context) error {
	_, err := l.do(ctx, Pause{l.cfg.Now()})
	return err
}

// Resume ends what Pause began.
func (l *Loop) Resume(ctx context.Context) error {
	_, err := l.do(ctx, Resume{l.cfg.Now()})
	return err
}

// Printed returns nil once it is recorded that the PC has the QR code of a visit.
func (l *Loop) Printed(ctx context.Context, id rating.VisitID) error {
	what, err := l.do(ctx, Printed{l.cfg.Now(), id})
	return errors.Join(err, what.failed)
}

// Probe returns nil once Run has answered it: a Run that hangs, for one in Log, never does. It is for a watchdog.
func (l *Loop) Probe(ctx context.Context) error {
	select {
	case l.probes <- struct{}{}:
		return nil
	case <-l.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// View returns what may be told of the window.
func (l *Loop) View() Public {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view.Public()
}

// OpenVisit opens v under a fresh ID and returns once the visit is recorded and being asked about.
func (l *Loop) OpenVisit(ctx context.Context, v rating.Visit) (rating.VisitID, error) {
	id, err := rating.NewVisitID(l.cfg.Random)
	if err != nil {
		return 0, fmt.Errorf("open a visit: %w", err)
	}
	v.ID = id
	return id, l.ask(ctx, id, OpenVisit{l.cfg.Now(), v})
}

// CancelVisit ends a visit that is being asked about, or returns ErrNotOpen.
func (l *Loop) CancelVisit(ctx context.Context, id rating.VisitID) error {
	_, err := l.do(ctx, CancelVisit{l.cfg.Now(), id})
	return err
}

func (l *Loop) ask(ctx context.Context, id rating.VisitID, e Event) error {
	reply := make(chan error, 1)
	l.mu.Lock()
	l.opens[id] = reply
	l.mu.Unlock()
	if err := l.request(ctx, queued{event: e}); err != nil {
		l.forget(id)
		return err
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		l.forget(id)
		return ctx.Err()
	case <-l.stopped:
		l.forget(id)
		return ErrStopped
	}
}

func (l *Loop) forget(id rating.VisitID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.opens, id)
}
