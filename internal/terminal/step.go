package terminal

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	case OpenVisit:
		return m.open(e)
	case CancelVisit:
		if m.visit == nil || m.visit.visit.ID != e.ID {
			return Step{Model: m, Effects: []Effect{Refused{e.ID, ErrNotOpen}}}
		}
		return m.end(e.At, rating.Cancelled, m.resting())
	case Press:
		return m.press(e)
	case KeysTogether:
		return m.together(e.At)
	case KeyTrouble:
		return m.audit(e.At, e.Name, "key", clip(e.Key))
	case KeypadLost:
		return m.keypad(e.At, true, e.Err)
	case KeypadBack:
		return m.keypad(e.At, false, "")
	case PhoneRated:
		return m.phone(e)
	case ClockSet:
		return m.write(e.At, m, []rating.Body{rating.EventBody(e.At, rating.EventClock, "before", clockText(e.Before), "after", clockText(e.At))})
	case Pause:
		return m.pause(e.At)
	case Resume:
		return m.resume(e.At)
	case Tick:
		return m.tick(e.At)
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
	}
	return Step{Model: m}
}

// resting returns the Model without a visit, in the state that it then rests in.
func (m Model) resting() Model {
	m.visit = nil
	m.state = Idle
	if m.window == nil {
		m.state = Enrolling
	}
	return m
}

func (m Model) start(e Started) Step {
	next := m
	next.window = e.Window
	next = next.resting()
	var bodies []rating.Body
	var effects []Effect
	if e.Open != nil {
		c := rating.Closing{Visit: e.Open.ID, Outcome: rating.Interrupted, Rated: e.Rated}
		bodies = append(bodies, rating.OutcomeBody(e.At, c))
		effects = append(effects, Ended{c})
	}
	bodies = append(bodies, rating.EventBody(e.At, rating.EventStarted, "version", clip(e.Version)))
	return m.write(e.At, next, bodies, effects...)
}

func (m Model) stop(at rating.Stamp) Step {
	next := m.resting()
	var bodies []rating.Body
	var effects []Effect
	if m.visit != nil {
		c := m.visit.closing(rating.Interrupted)
		bodies = append(bodies, rating.OutcomeBody(at, c))
		effects = append(effects, Ended{c})
	}
	return m.write(at, next, append(bodies, rating.EventBody(at, rating.EventStopped)), effects...)
}

func (m Model) configure(e Configured) Step {
	if m.window != nil && e.Window.Generation <= m.window.Generation {
		return Step{Model: m} // the broker keeps and repeats configurations
	}
	next := m
	next.window = &e.Window
	if m.state == Enrolling {
		next.state = Idle
	}
	return m.write(e.At, next, []rating.Body{rating.EventBody(e.At, rating.EventConfigured,
		"window", e.Window.ID, "generation", strconv.FormatUint(uint64(e.Window.Generation), 10))})
}

// open begins to ask about a visit. An open one is superseded: both are recorded, in one transaction.
func (m Model) open(e OpenVisit) Step {
	refuse := func(err error) Step { return Step{Model: m, Effects: []Effect{Refused{e.Visit.ID, err}}} }
	switch {
	case m.window == nil:
		return refuse(ErrNotEnrolled)
	case m.state == Paused:
		return refuse(ErrPaused)
	}
	v := e.Visit
	v.Window = *m.window
	v.Window.Staff = rating.Staff{} // said by v.Staff
	if v.Staff == (rating.Staff{}) {
		v.Staff = m.window.Staff
	}
	if v.WaitSec == 0 {
		v.WaitSec = int(m.timings.Wait / time.Second)
	}
	if err := v.Check(); err != nil {
		return refuse(err)
	}
	// The staff is asked first, then the matter.
	v.Subjects = slices.Clone(v.Subjects)
	slices.SortFunc(v.Subjects, func(a, b rating.Subject) int {
		return slices.Index(askOrder[:], a) - slices.Index(askOrder[:], b)
	})
	var bodies []rating.Body
	var effects []Effect
	if m.visit != nil {
		c := m.visit.closing(rating.Superseded)
		bodies = append(bodies, rating.OutcomeBody(e.At, c))
		effects = append(effects, Ended{c})
	}
	bodies = append(bodies, rating.VisitBody(e.At, v))
	return m.writeThen(e.At, func(at rating.Stamp, _ uint64) Model {
		next := m
		next.visit = &asking{visit: v}
		return next.ask(at, 0)
	}, bodies, append(effects, Opened{v})...)
}

var askOrder = [...]rating.Subject{rating.StaffSubject, rating.MatterSubject}

// ask shows the question of a step. Presses that began before count for nothing.
func (m Model) ask(at rating.Stamp, step int) Model {
	a := m.visit.clone()
	a.step, a.answer, a.again = step, answer{}, false
	a.shown = at
	a.deadline = at.Add(time.Duration(a.visit.WaitSec) * time.Second)
	m.visit, m.state = a, Asking
	return m
}

// press takes an answer or the correction of one. The screen says thanks in the Model that comes out of the Write.
func (m Model) press(e Press) Step {
	a := m.visit
	if a == nil || !e.Level.Valid() {
		return Step{Model: m} // keys count only while a visit is being asked about (article 4)
	}
	correcting := a.answer.seq != 0
	switch {
	case a.answer.phone || m.keypadLost:
		return Step{Model: m}
	case e.At.Boot == a.shown.Boot && e.At.Mono < a.shown.Mono:
		return m.audit(e.At, rating.EventEarlyPress)
	case reached(e.At, a.deadline):
		return Step{Model: m} // the Tick that ends the question is on its way
	case correcting && a.answer.level == e.Level && m.state == Correcting:
		return Step{Model: m}
	case correcting && a.answer.corrections >= maxCorrections:
		return Step{Model: m}
	}
	body := rating.EvaluationBody(e.At, rating.Evaluation{
		Visit: a.visit.ID, Subject: a.visit.Subjects[a.step], Level: e.Level, Channel: rating.Keypad,
		Replaces: a.answer.seq, WaitedMS: e.At.Sub(a.shown).Milliseconds(),
	})
	s := m.writeThen(e.At, func(at rating.Stamp, seq uint64) Model {
		next := m
		b := a.clone()
		if correcting {
			b.answer.corrections++
		} else {
			b.byKey = append(b.byKey, b.visit.Subjects[b.step])
		}
		b.answer.seq, b.answer.level, b.again = seq, e.Level, false
		b.deadline = at.Add(m.timings.Thanks)
		next.visit, next.state = b, Correcting
		return next
	}, []rating.Body{body})
	s.Write.press = true
	return s
}

// together asks again. An answer that was already thanked for stands unless the next key corrects it.
func (m Model) together(at rating.Stamp) Step {
	if m.visit == nil || m.visit.answer.phone {
		return Step{Model: m}
	}
	next := m
	a := m.visit.clone()
	a.again = true
	if m.state == Correcting {
		a.deadline = at.Add(time.Duration(a.visit.WaitSec) * time.Second)
	}
	next.visit, next.state = a, Asking
	return next.audit(at, rating.EventKeysTogether)
}

// phone takes the centre's word that a subject of the open visit was rated by phone.
func (m Model) phone(e PhoneRated) Step {
	a := m.visit
	if a == nil || a.visit.ID != e.Visit || slices.Contains(a.byPhone, e.Subject) || !slices.Contains(a.visit.Subjects, e.Subject) {
		return Step{Model: m}
	}
	next := m
	b := a.clone()
	b.byPhone = append(b.byPhone, e.Subject)
	if b.visit.Subjects[b.step] == e.Subject && b.answer.seq == 0 {
		b.answer = answer{phone: true}
		b.deadline = e.At.Add(m.timings.Thanks)
		b.again = false
		next.state = Correcting
	}
	next.visit = b
	return Step{Model: next}
}

func (m Model) pause(at rating.Stamp) Step {
	if m.state == Paused || m.window == nil {
		return Step{Model: m}
	}
	next := m.resting()
	next.state = Paused
	var bodies []rating.Body
	var effects []Effect
	if m.visit != nil {
		c := m.visit.closing(rating.Cancelled)
		bodies = append(bodies, rating.OutcomeBody(at, c))
		effects = append(effects, Ended{c})
	}
	return m.write(at, next, append(bodies, rating.EventBody(at, rating.EventPaused)), effects...)
}

func (m Model) resume(at rating.Stamp) Step {
	if m.state != Paused {
		return Step{Model: m}
	}
	return m.write(at, m.resting(), []rating.Body{rating.EventBody(at, rating.EventResumed)})
}

func (m Model) keypad(at rating.Stamp, lost bool, why string) Step {
	if m.keypadLost == lost {
		return Step{Model: m}
	}
	next := m
	next.keypadLost = lost
	body := rating.EventBody(at, rating.EventRecovered, "part", string(KeypadProblem))
	if lost {
		body = rating.EventBody(at, rating.EventFault, "part", string(KeypadProblem), "error", clip(why))
	}
	return m.write(at, next, []rating.Body{body})
}

// tick ends what has run out of time and tries a failed store again.
func (m Model) tick(at rating.Stamp) Step {
	a := m.visit
	switch {
	case a != nil && reached(at, a.deadline) && (m.state == Correcting || a.answer.seq != 0):
		for step := a.step + 1; step < len(a.visit.Subjects); step++ {
			if !slices.Contains(a.byPhone, a.visit.Subjects[step]) {
				return Step{Model: m.ask(at, step)}
			}
		}
		return m.end(at, rating.Rated, m.resting())
	case a != nil && reached(at, a.deadline):
		return m.end(at, rating.TimedOut, m.resting())
	case m.storeFailed && reached(at, m.retryAt):
		return m.write(at, m, nil)
	}
	return Step{Model: m}
}

// end records how the asking ended and goes on as next.
func (m Model) end(at rating.Stamp, o rating.Outcome, next Model) Step {
	c := m.visit.closing(o)
	return m.write(at, next, []rating.Body{rating.OutcomeBody(at, c)}, Ended{c})
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
