package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/internal/windowapi"
)

// window shows the terminal to the window's PC: it can open, cancel and follow a visit, and never learns a score.
type window struct {
	loop    *terminal.Loop
	offline func() bool
}

func (w window) OpenVisit(ctx context.Context, v rating.Visit) (rating.VisitID, error) {
	v.Opener = rating.OpenedByPC
	id, err := w.loop.OpenVisit(ctx, v)
	for _, notReady := range []error{terminal.ErrNotEnrolled, terminal.ErrPaused, terminal.ErrStarting, terminal.ErrStopped} {
		if errors.Is(err, notReady) {
			return 0, fmt.Errorf("%w: %w", windowapi.ErrNotReady, err)
		}
	}
	return id, err
}

func (w window) CancelVisit(ctx context.Context, id rating.VisitID) error {
	err := w.loop.CancelVisit(ctx, id)
	if errors.Is(err, terminal.ErrNotOpen) {
		return windowapi.ErrNoVisit
	}
	return err
}

func (w window) VisitStatus(ctx context.Context, id rating.VisitID, wait time.Duration) (windowapi.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	c, open, err := w.loop.Visit(ctx, id)
	if errors.Is(err, terminal.ErrNotOpen) {
		return windowapi.Status{}, windowapi.ErrNoVisit
	}
	return windowapi.Status{Open: open, Outcome: c.Outcome, Rated: c.Rated}, err
}

func (w window) State() (state string, offline bool) {
	v := w.loop.View()
	if v.Problem != "" {
		return "fault", w.offline()
	}
	return string(v.State), w.offline()
}
