package terminal

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"haochaping/internal/rating"
)

// Step is what follows from an event. If Write is nil, Model is the state after it and Effects is what is to be done. If
// not, the state after it is what Write.Done returns.
type Step struct {
	Model   Model
	Write   *Write
	Effects []Effect
}

// Step returns what follows from e. Events must come in the order in which they were noticed; a press may carry an
// earlier time.
func (m Model) Step(e Event) Step {
	if _, ok := e.(Started); !ok && m.state == Starting {
		return m.stepStarting(e)
	}
	switch e := e.(type) {
	case Started:
		return m.start(e)
	case Stopping:
		return m.stop(e.At)
	case Configured:
		return m.configure(e)
	case Barred:
		return m.bar(e)
	case OpenVisit:
		return m.open(e)
	case CancelVisit:
		if m.visit == nil || m.visit.visit.ID != e.ID || m.visit.unwritten {
			return Step{Model: m, Effects: []Effect{Refused{e.ID, ErrNotOpen}}}
		}
		return m.end(e.At, rating.Cancelled)
	case Press:
		return m.press(e)
	case KeysTogether:
		return m.together(e.At)
	case NoPress:
		return Step{Model: m.askToLetGo(e.At)}
	case KeyTrouble:
		return m.keyTrouble(e)
	case KeypadLost:
		return m.keypad(e.At, true, e.Err)
	case KeypadBack:
		return m.keypad(e.At, false, "")
	case PartTrouble:
		body := rating.EventBody(e.At, rating.EventRecovered, "part", e.Part)
		if e.Err != "" {
			body = rating.EventBody(e.At, rating.EventFault, "part", e.Part, "error", clip(e.Err))
		}
		return m.write(e.At, m, []rating.Body{body})
	case PhoneRated:
		return m.phone(e)
	case StaffKey:
		return m.staffKey(e)
	case SignIn:
		return m.signIn(e)
	case SignOut:
		return m.signOut(e)
	case UnknownCard:
		if e.Unread {
			return m.audit(e.At, rating.EventUnknownCard, "read", "no")
		}
		return m.audit(e.At, rating.EventUnknownCard)
	case Printed:
		return m.write(e.At, m, []rating.Body{rating.EventBody(e.At, rating.EventPrinted, "visit", e.ID.String())})
	case ClockSet:
		return m.write(e.At, m, []rating.Body{rating.EventBody(e.At, rating.EventClock, "before", clockText(e.Before), "after", clockText(e.At))})
	case KindsKnown:
		m.accepted = slices.Contains(e.Kinds, rating.KindReason)
		return Step{Model: m}
	case CatalogueRead:
		return Step{Model: m.catalogueRead(e.Catalogue)}
	case Pause:
		return m.pause(e.At)
	case Resume:
		return m.resume(e.At)
	case Tick:
		return m.tick(e)
	}
	return Step{Model: m}
}

// clockText returns what the wall clock says, for people.
func clockText(s rating.Stamp) string {
	text := s.Time().UTC().Format("2006-01-02T15:04:05.000Z")
	if !s.Synced {
		text += " (not synchronised)"
	}
	return text
}

// resting returns the Model without a visit, in the state that it then rests in.
func (m Model) resting(at rating.Stamp) Model {
	m = m.withPassed()
	m.visit, m.explaining = nil, nil
	switch {
	case m.outside():
		m.state = Enrolling
	case m.window.SignIn && m.serving() == (rating.Staff{}):
		m.state = Closed
	default:
		m.state, m.walkUpAt = Idle, at
	}
	return m
}

// closeVisit returns what is to be recorded and told when the open visit ends otherwise than by itself, nothing if there is
// none or nothing to tell of it.
func (m Model) closeVisit(at rating.Stamp, o rating.Outcome) ([]rating.Body, []Effect) {
	if m.visit == nil || m.visit.unwritten {
		return nil, nil
	}
	c := m.visit.closing(o)
	return []rating.Body{rating.OutcomeBody(at, c)}, []Effect{Ended{c}}
}

// open begins to ask about a visit. An open one is superseded: both are recorded, in one transaction.
func (m Model) open(e OpenVisit) Step {
	refuse := func(err error) Step { return Step{Model: m, Effects: []Effect{Refused{e.Visit.ID, err}}} }
	switch {
	case m.outside():
		return refuse(ErrNotEnrolled)
	case m.state == Paused:
		return refuse(ErrPaused)
	case m.state == Closed:
		return refuse(ErrClosed)
	}
	v := e.Visit
	v.Window = m.window.AtVisit()
	if v.Staff == (rating.Staff{}) {
		v.Staff = m.serving()
	}
	if v.WaitSec == 0 {
		v.WaitSec = m.window.WaitSec
	}
	if v.WaitSec == 0 {
		v.WaitSec = int(m.timings.Wait / time.Second)
	}
	v.WaitSec = m.timings.Bounds.Within(v.WaitSec)
	// The staff is asked first, then the matter.
	v.Subjects = slices.Clone(v.Subjects)
	slices.SortStableFunc(v.Subjects, func(a, b rating.Subject) int {
		return slices.Index(askOrder[:], a) - slices.Index(askOrder[:], b)
	})
	// The rules first: they say more than that a record would be refused.
	if err := rating.CheckVisit(v); err != nil {
		return refuse(err)
	}
	if err := v.Check(); err != nil {
		return refuse(err)
	}
	if err := m.answered.CheckOpen(v); err != nil {
		return refuse(err)
	}
	bodies, effects := m.closeVisit(e.At, rating.Superseded)
	bodies = append(bodies, rating.VisitBody(e.At, v))
	return m.writeThen(e.At, func(at rating.Stamp, _ uint64) Model {
		next := m.withPassed()
		next.explaining = nil // the next citizen waits for nobody
		next.visit = &asking{visit: v, questions: v.Questions()}
		return next.ask(at, 0)
	}, bodies, append(effects, Opened{v})...)
}

var askOrder = [...]rating.Subject{rating.StaffSubject, rating.MatterSubject}

// ask shows the question of a step. Presses that began before count for nothing.
func (m Model) ask(at rating.Stamp, step int) Model {
	a := m.visit.clone()
	a.step, a.answer, a.again, a.letGo = step, answer{}, false, rating.Stamp{}
	a.shown, a.since = at, at
	a.deadline = at.Add(time.Duration(a.visit.WaitSec) * time.Second)
	m.visit, m.state = a, Asking
	return m
}

// phone takes the centre's word that a question of the open visit was rated by phone.
func (m Model) phone(e PhoneRated) Step {
	q := rating.Question{Subject: e.Subject, Case: e.Case}
	a := m.visit
	if a == nil || a.visit.ID != e.Visit {
		return m.phonePassed(e)
	}
	if a.ratedByPhone(q) || !a.visit.Asks(e.Subject) || e.Case != "" && !slices.Contains(a.questions, q) {
		return Step{Model: m}
	}
	next := m
	b := a.clone()
	b.byPhone = append(b.byPhone, q)
	b.unwritten = false
	next.answered = m.answered.With(a.visit, q)
	if b.ratedByPhone(b.questions[b.step]) && b.answer.seq == 0 {
		b.answer = answer{phone: true}
		b.deadline = e.At.Add(m.timings.Thanks)
		b.again, b.letGo = false, rating.Stamp{}
		next.state = Correcting
	}
	next.visit = b
	if a.unwritten {
		return m.write(e.At, next, []rating.Body{rating.VisitBody(e.At, a.visit)}, Opened{a.visit})
	}
	return Step{Model: next}
}

func (m Model) pause(at rating.Stamp) Step {
	switch {
	case m.outside():
		return Step{Model: m, Effects: []Effect{Refused{Err: ErrNotEnrolled}}}
	case m.state == Paused:
		return Step{Model: m}
	}
	next := m.resting(at)
	next.state = Paused
	bodies, effects := m.closeVisit(at, rating.Cancelled)
	return m.write(at, next, append(bodies, rating.EventBody(at, rating.EventPaused)), effects...)
}

func (m Model) resume(at rating.Stamp) Step {
	if m.state != Paused {
		return Step{Model: m}
	}
	return m.write(at, m.resting(at), []rating.Body{rating.EventBody(at, rating.EventResumed)})
}

// keyTrouble records what a key did that is no press, and remembers which keys are stuck.
func (m Model) keyTrouble(e KeyTrouble) Step {
	switch {
	case e.Name == rating.EventStuckKey && !slices.Contains(m.stuck, e.Key):
		m.stuck = append(slices.Clone(m.stuck), e.Key)
	case e.Name == rating.EventReleasedKey:
		m.stuck = slices.DeleteFunc(slices.Clone(m.stuck), func(k string) bool { return k == e.Key })
	}
	return m.audit(e.At, e.Name, "key", clip(e.Key))
}

func (m Model) keypad(at rating.Stamp, lost bool, why string) Step {
	if m.keypadLost == lost {
		return Step{Model: m}
	}
	next := m
	next.keypadLost, next.stuck = lost, nil
	body := rating.EventBody(at, rating.EventRecovered, "part", string(KeypadProblem))
	if lost {
		body = rating.EventBody(at, rating.EventFault, "part", string(KeypadProblem), "error", clip(why))
	}
	return m.write(at, next, []rating.Body{body})
}

// tick ends what has run out of time and tries a failed store again.
func (m Model) tick(e Tick) Step {
	a, at := m.visit, e.At
	switch {
	case a != nil && a.letGo != (rating.Stamp{}) && reached(at, a.letGo):
		b := a.clone()
		b.letGo, m.visit = rating.Stamp{}, b
		return Step{Model: m}
	case m.explaining != nil && reached(at, m.explaining.deadline):
		return Step{Model: m.explainTick(at)}
	case a != nil && reached(at, a.deadline) && (m.state == Correcting || a.answer.seq != 0):
		for step := a.step + 1; step < len(a.questions); step++ {
			if !a.ratedByPhone(a.questions[step]) {
				return Step{Model: m.ask(at, step)}
			}
		}
		return m.end(at, rating.Rated)
	case a != nil && reached(at, a.deadline) && a.unwritten:
		return Step{Model: m.walkUp(at, e.Fresh)}
	case a != nil && reached(at, a.deadline):
		return m.end(at, rating.TimedOut)
	case m.state == Idle && m.window.WalkUp != nil && reached(at, m.walkUpAt):
		return Step{Model: m.walkUp(at, e.Fresh)}
	case m.storeFailed && reached(at, m.retryAt):
		return m.write(at, m, nil)
	}
	return Step{Model: m}
}

// end records how the asking ended.
func (m Model) end(at rating.Stamp, o rating.Outcome) Step {
	c := m.visit.closing(o)
	next := m.resting(at)
	if m.window.WalkUp != nil {
		next.walkUpAt = at.Add(time.Duration(m.window.WalkUp.PauseSec) * time.Second)
	}
	return m.writeThen(at, func(at rating.Stamp, _ uint64) Model {
		if o != rating.Rated {
			return next // nobody stands there, or the PC has gone on
		}
		return next.explain(at, m.visit)
	}, []rating.Body{rating.OutcomeBody(at, c)}, Ended{c})
}

// audit records an audit event, though not the same one over and over: a keypad gone mad must not fill the disk.
func (m Model) audit(at rating.Stamp, name string, pairs ...string) Step {
	t, seen := m.audits[name]
	next := m
	next.audits = maps.Clone(m.audits)
	if next.audits == nil {
		next.audits = make(map[string]audit)
	}
	if seen && t.last.Boot == at.Boot && at.Sub(t.last) < auditPause {
		next.audits[name] = audit{t.last, t.swallowed + 1}
		return Step{Model: next}
	}
	next.audits[name] = audit{last: at}
	if t.swallowed > 0 {
		pairs = append(pairs, "swallowed", fmt.Sprint(t.swallowed))
	}
	return m.writeThen(at, func(rating.Stamp, uint64) Model { return next }, []rating.Body{rating.EventBody(at, name, pairs...)})
}
