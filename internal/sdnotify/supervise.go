package sdnotify

import (
	"context"
	"log/slog"
	"time"
)

// Told is a service manager as a Supervisor needs it.
type Told interface {
	Ready() error
	Status(text string) error
	Alive() error
	Stopping() error
	Watchdog() time.Duration
}

// Supervisor tells the service manager how a program is, and feeds its watchdog while the program makes progress.
type Supervisor struct {
	Manager Told
	Pause   time.Duration // between two looks; a quarter of the time that the manager bears silence, where that is less
	// Look reports whether the program makes progress. While it does not, the manager hears nothing, and starts the program anew at last.
	Look   func(ctx context.Context) bool
	Status func() string // a line for people
	Logger *slog.Logger
}

// Run says that the program is ready, looks until ctx ends, and says then that the program is stopping.
func (s Supervisor) Run(ctx context.Context) {
	s.tell(s.Manager.Status(s.Status()))
	s.tell(s.Manager.Ready())
	// Four looks in the time that the manager bears silence: one may come late, and one may find an answer just missing.
	pause := s.Pause
	if w := s.Manager.Watchdog(); w > 0 {
		pause = min(pause, w/4)
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.tell(s.Manager.Stopping())
			return
		case <-tick.C:
		}
		if s.Look(ctx) {
			s.tell(s.Manager.Alive())
			s.tell(s.Manager.Status(s.Status()))
		}
	}
}

func (s Supervisor) tell(err error) {
	if err != nil {
		s.Logger.Warn("the service manager does not hear the program", "error", err)
	}
}
