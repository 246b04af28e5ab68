package terminal

import (
	"slices"
	"strconv"

	"haochaping/internal/rating"
)

// stepStarting refuses what cannot be done before the log is read.
func (m Model) stepStarting(e Event) Step {
	switch e := e.(type) {
	case OpenVisit:
		return Step{Model: m, Effects: []Effect{Refused{e.Visit.ID, ErrStarting}}}
	case CancelVisit:
		return Step{Model: m, Effects: []Effect{Refused{e.ID, ErrStarting}}}
	case KeypadLost:
		m.keypadLost = true
	case KeypadBack:
		m.keypadLost = false
	case SignIn, SignOut, Pause, Resume, Printed:
		return Step{Model: m, Effects: []Effect{Refused{Err: ErrStarting}}}
	}
	return Step{Model: m}
}

func (m Model) start(e Started) Step {
	next := m
	next.window, next.signed, next.answered = e.Window, e.Staff, e.Answered
	next.accepted, next.barred = slices.Contains(e.Kinds, rating.KindReason), e.Barred
	next = next.resting(e.At)
	if e.Paused && !next.outside() {
		next.state = Paused
	}
	var bodies []rating.Body
	var effects []Effect
	if e.Open != nil {
		c := closingOf(e.Open.ID, rating.Interrupted, e.Rated)
		bodies = append(bodies, rating.OutcomeBody(e.At, c))
		effects = append(effects, Ended{c})
	}
	bodies = append(bodies, rating.EventBody(e.At, rating.EventStarted, "version", clip(e.Version)))
	return m.write(e.At, next, bodies, effects...)
}

func (m Model) stop(at rating.Stamp) Step {
	bodies, effects := m.closeVisit(at, rating.Interrupted)
	return m.write(at, m.resting(at), append(bodies, rating.EventBody(at, rating.EventStopped)), effects...)
}

func (m Model) configure(e Configured) Step {
	if m.window != nil && e.Window.Generation <= m.window.Generation {
		return Step{Model: m} // the broker keeps and repeats configurations
	}
	next := m
	next.window = &e.Window
	if e.Manner != nil {
		next.timings, next.reasons, next.texts = e.Manner.Timings, e.Manner.Reasons, e.Manner.Texts
	}
	bodies := []rating.Body{rating.EventBody(e.At, rating.EventConfigured,
		"window", e.Window.ID, "generation", strconv.FormatUint(uint64(e.Window.Generation), 10))}
	var effects []Effect
	if m.signed != (rating.Staff{}) && m.window != nil && otherStaff(*m.window, e.Window) {
		next.signed = rating.Staff{}
		bodies, effects = append(bodies, signedOut(e.At, m.signed, "assignment")), append(effects, StaffChanged{})
	}
	if m.visit == nil && m.state != Paused || m.visit != nil && m.visit.unwritten {
		next = next.resting(e.At)
	}
	return m.write(e.At, next, bodies, effects...)
}

// outside reports whether the centre has no window for the box, or does not let it in.
func (m Model) outside() bool { return m.window == nil || m.barred }

// bar ends what is asked when the centre does not let the box in any more, and goes on when it does again.
func (m Model) bar(e Barred) Step {
	if m.barred == e.Yes {
		return Step{Model: m}
	}
	next := m
	next.barred = e.Yes
	next = next.resting(e.At)
	bodies, effects := m.closeVisit(e.At, rating.Cancelled)
	if len(bodies) == 0 {
		return Step{Model: next, Effects: effects}
	}
	return m.write(e.At, next, bodies, effects...)
}

// otherStaff reports whether whoever is signed in at a window cannot be taken to serve after a new assignment of the box: it
// stands elsewhere, or who serves there is said in another way.
func otherStaff(before, after rating.Window) bool {
	return before.ID != after.ID || before.Hall != after.Hall || before.SignIn != after.SignIn || before.Staff != after.Staff
}
