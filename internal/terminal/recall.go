package terminal

import (
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// Tail is a log that is read backwards, newest record first, until yield returns false.
type Tail interface {
	Tail(yield func(seq uint64, raw []byte) bool) error
}

// Bounds of what is read of the log's end. After a visit that has no outcome stand few others: walk-up ones that were rated by phone
// meanwhile, which the Model remembers. Of other records there can be thousands: a PC may print its code ten times a second.
const (
	openLimit     = 100_000
	openVisits    = 2 * maxPassed
	answeredLimit = 4000 // what is older the centre knows
	pausedLimit   = 4000 // while a window is paused few are written
)

// Recall fills in what the end of the log tells of what was going on when the box went down: Open, Rated, Answered and Paused. It reads
// the log once. With an error it says what stands before the record that cannot be read.
func (s Started) Recall(log Tail) (Started, error) {
	visit, cases, pause := &openSearch{closed: make(map[rating.VisitID]bool)}, &answerSearch{visits: make(map[rating.VisitID]rating.Visit)},
		new(pauseSearch)
	searches := []search{{openLimit, visit.take}, {answeredLimit, cases.take}, {pausedLimit, pause.take}}
	var broken error
	err := log.Tail(func(seq uint64, raw []byte) bool {
		r, err := rating.DecodeRecord(raw)
		if err != nil {
			broken = fmt.Errorf("record %d: %w", seq, err)
			return false
		}
		searches = slices.DeleteFunc(searches, func(s search) bool { return !s.take(r) })
		for i := range searches {
			searches[i].left--
		}
		searches = slices.DeleteFunc(searches, func(s search) bool { return s.left == 0 })
		return len(searches) > 0
	})
	if err == nil {
		err = broken
	}
	s.Open, s.Rated = visit.found()
	s.Answered, s.Paused = cases.found(), pause.paused
	if err != nil {
		return s, fmt.Errorf("read the log's end: %w", err)
	}
	return s, nil
}

// search looks for one thing in the log's end. It takes records, newest first, and says whether it wants more, at most left.
type search struct {
	left int
	take func(rating.Record) bool
}

// openSearch finds the visit that was being asked about: the newest one that no outcome follows.
type openSearch struct {
	closed  map[rating.VisitID]bool
	answers []rating.Evaluation
	visits  int
	open    *rating.Visit
}

func (o *openSearch) take(r rating.Record) bool {
	switch r.Kind {
	case rating.KindOutcome:
		o.closed[r.Outcome.Visit] = true
	case rating.KindVisit:
		if !o.closed[r.Visit.ID] {
			o.open = r.Visit
			return false
		}
		// Only walk-up visits, which are recorded when they are over, can stand after one that is open.
		o.visits++
		return r.Visit.Opener == rating.OpenedByWalkUp && o.visits < openVisits
	case rating.KindEvaluation:
		o.answers = append(o.answers, *r.Evaluation)
	}
	return true
}

// found returns the visit, and its questions that a key had answered.
func (o *openSearch) found() (open *rating.Visit, done []rating.Question) {
	if o.open == nil {
		return nil, nil
	}
	for _, q := range o.open.Questions() {
		if slices.ContainsFunc(o.answers, func(e rating.Evaluation) bool { return e.Visit == o.open.ID && e.Question() == q }) {
			done = append(done, q)
		}
	}
	return o.open, done
}

// answerSearch finds which cases' matters were rated at this window.
type answerSearch struct {
	visits  map[rating.VisitID]rating.Visit
	answers []rated
}

// rated is a question of a visit that was answered.
type rated struct {
	visit    rating.VisitID
	question rating.Question
}

func (a *answerSearch) take(r rating.Record) bool {
	matter := func(project string) rated {
		return rated{r.Outcome.Visit, rating.Question{Subject: rating.MatterSubject, Case: project}}
	}
	switch r.Kind {
	case rating.KindVisit:
		a.visits[r.Visit.ID] = *r.Visit
	case rating.KindEvaluation:
		a.answers = append(a.answers, rated{r.Evaluation.Visit, r.Evaluation.Question()})
	case rating.KindOutcome: // of what was rated by phone it is all that the log knows
		for _, project := range r.Outcome.RatedCases {
			a.answers = append(a.answers, matter(project))
		}
		if len(r.Outcome.RatedCases) == 0 && slices.Contains(r.Outcome.Rated, rating.MatterSubject) {
			a.answers = append(a.answers, matter(""))
		}
	}
	return true
}

func (a *answerSearch) found() (all rating.Answered) {
	for _, r := range slices.Backward(a.answers) {
		if v, ok := a.visits[r.visit]; ok {
			all = all.With(v, r.question)
		}
	}
	return all
}

// pauseSearch finds whether the window was paused.
type pauseSearch struct{ paused bool }

func (p *pauseSearch) take(r rating.Record) bool {
	if r.Kind == rating.KindEvent && (r.Event.Name == rating.EventPaused || r.Event.Name == rating.EventResumed) {
		p.paused = r.Event.Name == rating.EventPaused
		return false
	}
	// A paused window opens no visit; but a walk-up visit from before can be rated by phone.
	return r.Kind != rating.KindVisit || r.Visit.Opener == rating.OpenedByWalkUp
}
