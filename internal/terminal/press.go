package terminal

import (
	"slices"
	"time"

	"haochaping/internal/rating"
)

// press takes an answer or the correction of one. The screen says thanks in the Model that comes out of the Write.
func (m Model) press(e Press) Step {
	a := m.visit
	if m.explaining != nil {
		return m.reason(e)
	}
	if a == nil || !e.Level.Valid() {
		return Step{Model: m} // keys count only while a visit is being asked about (article 4)
	}
	correcting := a.answer.seq != 0
	switch {
	case a.answer.phone || m.keypadLost:
		return Step{Model: m}
	case m.tooSoon(e, a.since):
		return m.audit(e.At, rating.EventEarlyPress)
	case m.goesOn(e, a.since):
		return m.askToLetGo(e.At).audit(e.At, rating.EventEarlyPress)
	case reached(e.At, a.deadline):
		return Step{Model: m} // the Tick that ends the question is on its way
	case correcting && a.answer.level == e.Level && m.state == Correcting:
		return Step{Model: m}
	case correcting && a.answer.corrections >= maxCorrections:
		return Step{Model: m}
	}
	q := a.questions[a.step]
	bodies := []rating.Body{rating.EvaluationBody(e.At, rating.Evaluation{
		Visit: a.visit.ID, Subject: q.Subject, Case: q.Case, Level: e.Level, Channel: rating.Keypad,
		Replaces: a.answer.seq, WaitedMS: max(0, e.At.Sub(a.shown).Milliseconds()),
	})}
	var effects []Effect
	if a.unwritten {
		bodies, effects = append([]rating.Body{rating.VisitBody(e.At, a.visit)}, bodies...), []Effect{Opened{a.visit}}
	}
	s := m.writeThen(e.At, func(at rating.Stamp, first uint64) Model {
		seq := first + uint64(len(bodies)) - 1
		next := m
		next.heard = e.At
		b := a.clone()
		b.unwritten = false
		if correcting {
			b.answer.corrections++
		} else {
			b.byKey = append(b.byKey, q)
			next.answered = m.answered.With(a.visit, q)
		}
		b.answer.seq, b.answer.level, b.again, b.letGo = seq, e.Level, false, rating.Stamp{}
		b.given = append(slices.DeleteFunc(b.given, func(g given) bool { return g.question == q }), given{q, e.Level, seq})
		b.deadline = at.Add(m.timings.Thanks)
		next.visit, next.state = b, Correcting
		return next
	}, bodies, effects...)
	s.Write.press = true
	return s
}

// tooSoon reports whether nobody can have read a question of a moment when a key was pressed.
func (m Model) tooSoon(e Press, shown rating.Stamp) bool {
	return !reached(e.At, shown.Add(readingTime))
}

// goesOn reports whether a press is no answer to a question of a moment since the key was going down and up before. A finger that
// presses once more to be heard is believed, unless its first press was heard.
func (m Model) goesOn(e Press, shown rating.Stamp) bool {
	heard := m.heard.Boot == e.Again.Since.Boot && reached(m.heard, e.Again.Since)
	again := e.Again.Times > 2 || e.Again.Times == 2 && heard
	return again && m.tooSoon(Press{At: e.Again.Since}, shown)
}

// askToLetGo says for a while that a key must be let go to count. The thanks are no place for that: there a key that goes on has
// been heard. It is the same for each level.
func (m Model) askToLetGo(at rating.Stamp) Model {
	if m.visit == nil || m.state != Asking {
		return m
	}
	a := m.visit.clone()
	a.letGo = at.Add(letGoTime)
	m.visit = a
	return m
}

// together asks again. An answer that was already thanked for stands unless the next key corrects it.
func (m Model) together(at rating.Stamp) Step {
	if x := m.explaining; x != nil && !x.done() {
		next, asked := m, *x
		asked.again = true
		next.explaining = &asked
		return next.audit(at, rating.EventKeysTogether)
	}
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
