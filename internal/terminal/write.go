package terminal

import (
	"slices"
	"strconv"
	"unicode"

	"haochaping/internal/rating"
)

// Write is what a step has to record before the state after it may be acted upon.
type Write struct {
	// Bodies are to be appended in one transaction, in this order.
	Bodies []rating.Body

	before  Model
	next    func(at rating.Stamp, first uint64) Model
	effects []Effect
	fresh   int  // index in Bodies of the first that this step itself wrote
	press   bool // the step's own body is a press, which nobody owes
}

// write returns the step that records bodies and then goes on as next, with effects. Whatever is still owed goes first.
func (m Model) write(at rating.Stamp, next Model, bodies []rating.Body, effects ...Effect) Step {
	return m.writeThen(at, func(rating.Stamp, uint64) Model { return next }, bodies, effects...)
}

func (m Model) writeThen(at rating.Stamp, next func(rating.Stamp, uint64) Model, bodies []rating.Body, effects ...Effect) Step {
	w := &Write{before: m, next: next, effects: effects, fresh: len(m.owed)}
	w.Bodies = append(slices.Clone(m.owed), bodies...)
	if m.storeFailed {
		w.Bodies = append(w.Bodies, rating.EventBody(at, rating.EventRecovered, "part", string(StoreProblem), "error", clip(m.storeError),
			"presses_not_taken", strconv.Itoa(m.untaken), "events_dropped", strconv.Itoa(m.dropped)))
	}
	return Step{Model: m, Write: w}
}

// Done returns the Model after the Write and what is to be done now. At is when the commit ended, first the seq of the
// first body, and err why nothing was committed, if so.
func (w *Write) Done(at rating.Stamp, first uint64, err error) (Model, []Effect) {
	if err == nil {
		m := w.next(at, first+uint64(w.fresh))
		m.storeFailed, m.storeError, m.owed, m.untaken, m.dropped = false, "", nil, 0, 0
		return m, w.effects
	}
	m := w.before
	var effects []Effect
	if w.press {
		m.untaken++
	} else {
		// A visit may be asked about by phone and closed without the store; the log will tell of it later.
		m, effects = w.next(at, 0), w.effects
		own := w.Bodies[w.fresh:]
		if w.before.storeFailed {
			own = own[:len(own)-1] // the word of a recovery that did not happen
		}
		m.owed, m.dropped = owe(w.before.owed, w.before.dropped, own)
		m.untaken = w.before.untaken
	}
	if !m.storeFailed {
		m.owed, m.dropped = owe(m.owed, m.dropped, []rating.Body{
			rating.EventBody(at, rating.EventFault, "part", string(StoreProblem), "error", clip(err.Error()))})
	}
	m.storeFailed, m.storeError = true, err.Error()
	m.retryAt = at.Add(storeRetry)
	return m, effects
}

// owe appends bodies to what is owed as far as the bound allows and counts the rest. A body that no log would ever take is
// not owed: it would keep the others, and the keys, out for ever.
func owe(owed []rating.Body, dropped int, bodies []rating.Body) ([]rating.Body, int) {
	owed = slices.Clone(owed)
	for _, b := range bodies {
		if len(owed) == maxOwed || b.Check() != nil {
			dropped++
			continue
		}
		owed = append(owed, b)
	}
	return owed, dropped
}

// clip cuts an error's text to what a record may hold.
func clip(s string) string {
	r := []rune(s)
	for i, c := range r {
		if unicode.IsControl(c) || c == 0xfffd {
			r[i] = ' '
		}
	}
	return string(r[:min(len(r), 200)])
}
