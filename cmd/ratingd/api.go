package main

import (
	"context"
	"errors"
	"fmt"

	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/internal/windowapi"
	"haochaping/qrcode"
)

// window shows the terminal to the window's PC: it can open, cancel and follow a visit, and never learns a score.
type window struct {
	loop    *terminal.Loop
	offline func() bool
	links   *linkBook
	staff   *roster
}

// OpenVisit opens v.
func (w window) OpenVisit(ctx context.Context, v rating.Visit) (rating.VisitID, error) {
	v.Staff = w.staff.complete(v.Staff)
	id, err := w.loop.OpenVisit(ctx, v)
	return id, notReady(err)
}

// notReady says in the API's words why the window cannot do now what it is asked to.
func notReady(err error) error {
	for cause, state := range map[error]string{
		terminal.ErrNotEnrolled: windowapi.StateEnrolling, terminal.ErrPaused: windowapi.StatePaused, terminal.ErrClosed: windowapi.StateClosed,
		terminal.ErrStarting: windowapi.StateStarting, terminal.ErrStopped: windowapi.StateStopping,
	} {
		if errors.Is(err, cause) {
			return &windowapi.NotReadyError{State: state}
		}
	}
	return err
}

// CancelVisit ends a visit.
func (w window) CancelVisit(ctx context.Context, id rating.VisitID) error {
	err := w.loop.CancelVisit(ctx, id)
	if errors.Is(err, terminal.ErrNotOpen) {
		return windowapi.ErrNoVisit
	}
	return notReady(err)
}

// Window says what the window is doing. Of the thanks and the reasons it says nothing.
func (w window) Window() windowapi.Window {
	v := w.loop.View()
	return windowapi.Window{State: v.Word(), Offline: w.offline(), Staff: v.Staff, Visit: v.Visit}
}

// SignIn returns when it is recorded, or owed to a log that cannot be written; so do SignOut, Pause and Resume.
func (w window) SignIn(ctx context.Context, s rating.Staff) error {
	return notReady(w.loop.SignIn(ctx, w.staff.complete(s), "api"))
}

// SignOut signs out whoever is signed in.
func (w window) SignOut(ctx context.Context) error { return notReady(w.loop.SignOut(ctx)) }

// Pause closes the window for a while.
func (w window) Pause(ctx context.Context) error { return notReady(w.loop.Pause(ctx)) }

// Resume ends what Pause began.
func (w window) Resume(ctx context.Context) error { return notReady(w.loop.Resume(ctx)) }

// printScale is the size in pixels of a module of a QR code that is printed: 0.5 mm or more on a receipt printer of 203 dpi.
const printScale = 8

// Print returns the code that was on the screen, once it is recorded that the PC has it.
func (w window) Print(ctx context.Context, v rating.Visit, opened rating.Stamp) ([]byte, error) {
	link, err := w.links.again(v, opened)
	if err != nil {
		return nil, fmt.Errorf("print the code of visit %s: %w", v.ID, err)
	}
	png, err := qrcode.PNG(link, printScale)
	if err != nil {
		return nil, fmt.Errorf("print the code of visit %s: %w", v.ID, err)
	}
	return png, notReady(w.loop.Printed(ctx, v.ID))
}

// journalled is the log that tells a journal of what it has committed.
type journalled struct {
	log     terminal.Log
	epoch   func() rating.Epoch
	journal *windowapi.Journal
}

// Append gives the bodies the next places in the log.
func (j journalled) Append(bodies ...rating.Body) (first uint64, err error) {
	if first, err = j.log.Append(bodies...); err == nil {
		j.journal.Record(j.epoch(), first, bodies)
	}
	return first, err
}
