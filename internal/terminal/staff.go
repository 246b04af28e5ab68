package terminal

import (
	"slices"

	"haochaping/internal/rating"
)

// staffKey opens a visit about the person at the window, where no business system does. While the citizen is asked it does
// nothing: a key that is held or pressed again must not take the question away.
func (m Model) staffKey(e StaffKey) Step {
	if m.visit != nil && !m.visit.unwritten {
		return Step{Model: m}
	}
	return m.open(OpenVisit{e.At, rating.Visit{
		ID: e.ID, Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByStaffKey,
	}})
}

// signIn records who serves from now on. A visit that is being asked about was another's.
func (m Model) signIn(e SignIn) Step {
	if samePerson(m.signed, e.Staff) {
		next := m
		next.signed = e.Staff
		return Step{Model: next, Effects: []Effect{StaffChanged{e.Staff}}}
	}
	bodies, effects := m.closeVisit(e.At, rating.Cancelled)
	if m.signed != (rating.Staff{}) {
		bodies = append(bodies, signedOut(e.At, m.signed, e.Via))
	}
	next := m
	next.signed = e.Staff
	bodies = append(bodies, rating.EventBody(e.At, rating.EventSignedIn, "staff", e.Staff.ID, "via", e.Via))
	return m.write(e.At, next.rest(e.At), bodies, append(effects, StaffChanged{e.Staff})...)
}

// samePerson reports whether two are one by their number, which a record names them by. Their name and department may have
// been written otherwise by a PC, by the centre, or by a later list of the window's staff.
func samePerson(a, b rating.Staff) bool { return a == b || a.ID != "" && a.ID == b.ID }

func (m Model) signOut(e SignOut) Step {
	if m.signed == (rating.Staff{}) {
		return Step{Model: m, Effects: []Effect{StaffChanged{}}}
	}
	bodies, effects := m.closeVisit(e.At, rating.Cancelled)
	next := m
	next.signed = rating.Staff{}
	bodies = append(bodies, signedOut(e.At, m.signed, e.Via))
	return m.write(e.At, next.rest(e.At), bodies, append(effects, StaffChanged{})...)
}

func signedOut(at rating.Stamp, s rating.Staff, via string) rating.Body {
	return rating.EventBody(at, rating.EventSignedOut, "staff", s.ID, "via", via)
}

// rest is resting, but a pause lasts until somebody ends it.
func (m Model) rest(at rating.Stamp) Model {
	paused := m.state == Paused
	m = m.resting(at)
	if paused {
		m.state = Paused
	}
	return m
}

// maxPassed is how many walk-up visits without an answer are remembered for an answer by phone, of which a box that is offline hears when
// it is back: those of a day, at a link each five minutes.
const maxPassed = 288

// walkUp asks whoever stands there, under a fresh visit and so a fresh link. Nothing is recorded before somebody answers:
// a night would else be a thousand records that say nothing.
func (m Model) walkUp(at rating.Stamp, fresh rating.VisitID) Model {
	since := at
	if m.visit != nil {
		since = m.visit.since // the question has been on the screen all the time
	}
	m = m.withPassed()
	if fresh == 0 {
		m = m.resting(at)
		m.walkUpAt = at.Add(storeRetry)
		return m
	}
	v := rating.Visit{
		ID: fresh, Window: m.window.AtVisit(), Staff: m.serving(), Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject},
		Opener: rating.OpenedByWalkUp, WaitSec: m.window.WalkUp.LinkSec,
	}
	m.visit = &asking{visit: v, questions: v.Questions(), unwritten: true}
	m = m.ask(at, 0)
	m.visit.since = since
	return m
}

// withPassed remembers the visit that is shown, if nothing is recorded of it.
func (m Model) withPassed() Model {
	if m.visit != nil && m.visit.unwritten {
		m.passed = append(slices.Clone(m.passed[max(0, len(m.passed)-maxPassed+1):]), *m.visit)
		m.visit = nil
	}
	return m
}

// phonePassed takes the centre's word about a walk-up visit that is no longer shown: now there is something to tell of it.
func (m Model) phonePassed(e PhoneRated) Step {
	i := slices.IndexFunc(m.passed, func(a asking) bool { return a.visit.ID == e.Visit && a.visit.Asks(e.Subject) })
	if i < 0 {
		return Step{Model: m}
	}
	a := m.passed[i]
	next := m
	next.passed = slices.Delete(slices.Clone(m.passed), i, i+1)
	c := closingOf(a.visit.ID, rating.RatedByPhone, []rating.Question{{Subject: e.Subject}})
	return m.write(e.At, next, []rating.Body{rating.VisitBody(e.At, a.visit), rating.OutcomeBody(e.At, c)}, Opened{a.visit}, Ended{c})
}
