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
		Show: func(View) {}, Logger: slog.New(slog.DiscardHandler),
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
		c, open, err := l.Visit(t.Context(), id) // waits for the three seconds
		if err != nil || open || c.Outcome != rating.Rated {
			t.Errorf("closing %+v, open %t, error %v", c, open, err)
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
		c, open, err := l.Visit(t.Context(), id)
		if err != nil || open || c.Outcome != rating.TimedOut || time.Since(began) != 60*time.Second {
			t.Errorf("closing %+v, open %t, error %v after %s", c, open, err, time.Since(began))
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
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, open, err := l.Visit(short, id); !open || err != nil {
			t.Errorf("after a second: open %t, error %v", open, err)
		}
		if err := l.CancelVisit(t.Context(), id); err != nil {
			t.Error(err)
		}
		if err := l.CancelVisit(t.Context(), id); !errors.Is(err, ErrNotOpen) {
			t.Errorf("second cancel: %v, want ErrNotOpen", err)
		}
		if _, _, err := l.Visit(t.Context(), 12345); !errors.Is(err, ErrNotOpen) {
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
		if c, open, err := l.Visit(t.Context(), id); open || err != nil || c.Outcome != rating.Rated {
			t.Errorf("closing %+v, open %t, error %v", c, open, err)
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
