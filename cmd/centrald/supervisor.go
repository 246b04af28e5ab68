package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/sdnotify"
)

// supervisePause is how often at least the books are looked at and the status is told.
const supervisePause = 30 * time.Second

// supervisor tells the service manager how the centre is, and feeds its watchdog whenever the books have answered and nothing hangs.
type supervisor struct {
	manager *sdnotify.Manager
	// look asks the books for something small. An error is an answer: books that are gone for a while are waited for,
	// and starting anew would not bring them back.
	look func(ctx context.Context) error
	// hangs returns why only a new start can help, if so; the watchdog is not fed then.
	hangs  func() error
	status func() string
	logger *slog.Logger
}

// run says that the centre is ready, and looks at the books until ctx ends. It returns nil.
func (s supervisor) run(ctx context.Context) error {
	sdnotify.Supervisor{Manager: s.manager, Pause: supervisePause, Look: s.alive, Status: s.status, Logger: s.logger}.Run(ctx)
	return nil
}

// alive looks, and reports whether the watchdog is to be fed.
func (s supervisor) alive(ctx context.Context) bool {
	if err := s.look(ctx); err != nil && ctx.Err() == nil {
		s.logger.Debug("the books do not answer", "error", err)
	}
	if err := s.hangs(); err != nil {
		s.logger.Error("the watchdog is not fed any more, so that the service manager starts the centre anew", "error", err)
		return false
	}
	return true
}

// statusText says in a line what the centre does, for "systemctl status".
func statusText(since time.Time, trouble string, rate string) string {
	if since.IsZero() {
		return fmt.Sprintf("正在接收评价 / takes records; rating page on %s", rate)
	}
	return fmt.Sprintf("自 %[1]s 起无法接收评价 / nothing can be taken since %[1]s: %s", since.Format("2006-01-02 15:04:05"), trouble)
}
