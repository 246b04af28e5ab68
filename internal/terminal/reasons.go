package terminal

import (
	"slices"
	"time"

	"haochaping/internal/rating"
)

// Reasons says how the box asks why a citizen has answered so. The zero Reasons never asks.
type Reasons struct {
	Catalogue rating.Catalogue // the zero one: that of CatalogueRead
	Order     [5]rating.Level  // what the keys mean, from the left
	Time      time.Duration    // for each answer
}

// given is an answer that a key gave and that nothing corrects any more.
type given struct {
	question rating.Question
	level    rating.Level
	seq      uint64
}

// explaining asks for the reasons of a visit that has ended. Its length is the same whatever is pressed: the time of each answer,
// added up. Who has said all sees the thanks until then, so that nobody else can tell what was said, or whether.
type explaining struct {
	visit    rating.Visit
	answers  []given
	step     int // index into answers; their number once all are done
	shown    rating.Stamp
	deadline rating.Stamp // of the present step
	end      rating.Stamp // of all
	again    bool         // two keys were down at once
	silent   int          // steps in a row that nobody has answered
}

// maxSilent is after how many such steps the reasons of other answers are not shown any more: who gave them has left, and the next
// citizen is not to read them.
const maxSilent = 2

// catalogueRead returns the Model with a catalogue of the box's own, if it has none.
func (m Model) catalogueRead(c rating.Catalogue) Model {
	if m.own.Version == 0 {
		m.own = c
	}
	return m
}

// catalogue returns the catalogue that holds, the zero one for none.
func (m Model) catalogue() rating.Catalogue {
	if m.reasons.Catalogue.Version != 0 {
		return m.reasons.Catalogue
	}
	return m.own
}

// explain begins to ask for the reasons of a visit's answers, if this window does and a key has given any. The visit has ended,
// and the next one does not wait.
func (m Model) explain(at rating.Stamp, a *asking) Model {
	if m.state != Idle || !m.accepted || m.reasons.Time <= 0 || m.catalogue().Version == 0 || m.keypadLost || len(a.given) == 0 {
		return m
	}
	x := &explaining{visit: a.visit, answers: a.given, shown: at, deadline: at.Add(m.reasons.Time)}
	x.end = at.Add(time.Duration(len(a.given)) * m.reasons.Time)
	m.state, m.explaining = Explaining, x
	return m
}

// next returns x with the step after the present one, which is shown at a moment and due at another.
func (x explaining) next(at, due rating.Stamp) *explaining {
	x.step, x.shown, x.again, x.deadline = x.step+1, at, false, due
	if x.done() || reached(due, x.end) {
		x.deadline = x.end
	}
	return &x
}

// done reports whether all has been said.
func (x explaining) done() bool { return x.step == len(x.answers) }

// said returns the Model after a key has ended the present step.
func (m Model) said(at rating.Stamp) Model {
	m.explaining = m.explaining.next(at, at.Add(m.reasons.Time))
	m.explaining.silent = 0
	return m
}

// explainTick ends what has run out of time.
func (m Model) explainTick(at rating.Stamp) Model {
	if x := m.explaining; !reached(at, x.end) {
		next := x.next(at, x.deadline.Add(m.reasons.Time))
		if next.silent = x.silent + 1; next.silent == maxSilent {
			next.step, next.deadline = len(x.answers), x.end
		}
		m.explaining = next
		return m
	}
	again := m.walkUpAt
	m = m.resting(at)
	if m.state == Idle && !reached(at, again) {
		m.walkUpAt = again
	}
	return m
}

// reason takes a key as the reason of the present answer, or as the wish to say none. Only the first counts.
func (m Model) reason(e Press) Step {
	x := m.explaining
	place := slices.Index(m.reasons.Order[:], e.Level)
	switch {
	case x.done() || place < 0 || m.keypadLost || reached(e.At, x.deadline):
		return Step{Model: m}
	case m.tooSoon(e, x.shown) || m.goesOn(e, x.shown):
		return m.audit(e.At, rating.EventEarlyPress)
	case place == rating.KeyReasons:
		return Step{Model: m.said(e.At)}
	}
	a := x.answers[x.step]
	r := rating.Reason{
		Visit: x.visit.ID, Subject: a.question.Subject, Case: a.question.Case, Of: a.seq,
		Code: m.catalogue().OnKeys(a.level)[place].Code, Catalogue: m.catalogue().Version,
	}
	s := m.writeThen(e.At, func(at rating.Stamp, _ uint64) Model { return m.said(at) }, []rating.Body{rating.ReasonBody(e.At, r)})
	s.Write.press = true
	return s
}

// explainView fills in what the screen shows while reasons are asked for.
func (m Model) explainView(v *View) {
	x := m.explaining
	v.Ended, v.AskAgain, v.Steps = &x.visit, x.again, len(x.answers)
	if x.done() {
		return
	}
	a := x.answers[x.step]
	v.Subject, v.Case, v.Step, v.Chosen = a.question.Subject, a.question.Case, x.step+1, a.level
	v.Reasons = m.catalogue().OnKeys(a.level)
}
