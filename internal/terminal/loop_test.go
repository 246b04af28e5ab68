package terminal

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/rating"
)

// memory is a Log in memory.
type memory struct {
	mu     sync.Mutex
	bodies []rating.Body
}

func (l *memory) Append(bodies ...rating.Body) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bodies = append(l.bodies, bodies...)
	return uint64(len(l.bodies) - len(bodies) + 1), nil
}

func (l *memory) all() []rating.Body {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.bodies)
}

func (l *memory) evaluations() (levels []rating.Level) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.bodies {
		if b.Evaluation != nil {
			levels = append(levels, b.Evaluation.Level)
		}
	}
	return levels
}

// told is what a Loop has said of its visits.
type told struct {
	mu    sync.Mutex
	ended map[rating.VisitID]rating.Closing // the zero one while it is open
}

func (o *told) Opened(v rating.Visit) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended[v.ID] = rating.Closing{}
}

func (o *told) Ended(c rating.Closing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended[c.Visit] = c
}

func (o *told) outcome(id rating.VisitID) rating.Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended[id].Outcome
}

// until waits until a visit has ended.
func (o *told) until(id rating.VisitID) rating.Outcome {
	for synctest.Wait(); o.outcome(id) == ""; synctest.Wait() {
		time.Sleep(100 * time.Millisecond)
	}
	return o.outcome(id)
}

// visitsOf returns what a Loop has said of its visits.
func visitsOf(l *Loop) *told { return l.cfg.Visits.(*told) }

// running starts a Loop inside a synctest bubble and returns it with its log and a function that ends it.
func running(t *testing.T) (*Loop, *memory, func()) { return runningOn(t, new(memory)) }

// runningOn is running with a log of one's own.
func runningOn[L Log](t *testing.T, log L) (*Loop, L, func()) {
	began := time.Now()
	l := NewLoop(LoopConfig{
		Timings: Timings{Wait: 60 * time.Second, Thanks: 3 * time.Second}, Log: log, Random: rand.Reader,
		Now: func() rating.Stamp {
			return rating.Stamp{Boot: 1, Mono: 1 + time.Since(began).Milliseconds(), Wall: time.Now().UnixMilli()}
		},
		Show: func(View) {}, Visits: &told{ended: make(map[rating.VisitID]rating.Closing)}, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx, Started{At: l.cfg.Now(), Window: &window}) }()
	synctest.Wait()
	return l, log, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func visit() rating.Visit {
	return rating.Visit{Grouping: rating.Single, Subjects: []rating.Subject{staff}, Opener: rating.OpenedByPC}
}

func TestLoopRunsAVisitToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log, stop := running(t)
		id, err := l.OpenVisit(t.Context(), visit())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		l.Post(Press{At: l.cfg.Now(), Level: 4})
		synctest.Wait()
		if v := l.shown(); v.State != Correcting || v.Chosen != 4 {
			t.Errorf("view %+v after the press", v)
		}
		if o := visitsOf(l).outcome(id); o != "" {
			t.Errorf("the visit ended as %s while the citizen is thanked", o)
		}
		if o := visitsOf(l).until(id); o != rating.Rated { // waits for the three seconds
			t.Errorf("the visit ended as %s", o)
		}
		if got := log.evaluations(); len(got) != 1 || got[0] != 4 {
			t.Errorf("evaluations %v", got)
		}
		stop()
	})
}

func TestLoopTimesOutByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, stop := running(t)
		id, err := l.OpenVisit(t.Context(), visit())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if o := visitsOf(l).until(id); o != rating.TimedOut || time.Since(began) != 60*time.Second {
			t.Errorf("the visit ended as %s after %s", o, time.Since(began))
		}
		stop()
	})
}

func TestLoopCancelAndLateQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, stop := running(t)
		id, err := l.OpenVisit(t.Context(), visit())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CancelVisit(t.Context(), id); err != nil || visitsOf(l).outcome(id) != rating.Cancelled {
			t.Errorf("%v, the visit ended as %q", err, visitsOf(l).outcome(id))
		}
		if err := l.CancelVisit(t.Context(), id); !errors.Is(err, ErrNotOpen) {
			t.Errorf("second cancel: %v, want ErrNotOpen", err)
		}
		if err := l.CancelVisit(t.Context(), 12345); !errors.Is(err, ErrNotOpen) {
			t.Errorf("unknown visit: %v, want ErrNotOpen", err)
		}
		stop()
		if _, err := l.OpenVisit(t.Context(), visit()); !errors.Is(err, ErrStopped) {
			t.Errorf("after the end: %v, want ErrStopped", err)
		}
	})
}

func TestLoopStopsAnOpenVisitInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, log, stop := running(t)
		id, err := l.OpenVisit(t.Context(), visit())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(readingTime)
		l.Post(Press{At: l.cfg.Now(), Level: 2})
		stop()
		if o := visitsOf(l).outcome(id); o != rating.Rated {
			t.Errorf("the visit ended as %q", o)
		}
		last := log.bodies[len(log.bodies)-1]
		if last.Event == nil || last.Event.Name != rating.EventStopped {
			t.Errorf("last record %+v, want that of the stop", last)
		}
	})
}

// shown returns what the citizen sees.
func (l *Loop) shown() View {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.view
}
