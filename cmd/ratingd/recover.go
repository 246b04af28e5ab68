package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// tail is the part of the store that reads backwards.
type tail interface {
	Tail(yield func(seq uint64, raw []byte) bool) error
}

// backwards decodes records, newest first, until visit returns false or limit records were read.
func backwards(log tail, limit int, visit func(rating.Record) bool) error {
	var broken error
	err := log.Tail(func(seq uint64, raw []byte) bool {
		r, err := rating.DecodeRecord(raw)
		if err != nil {
			broken = fmt.Errorf("record %d: %w", seq, err)
			return false
		}
		limit--
		return visit(r) && limit > 0
	})
	if err != nil {
		return err
	}
	return broken
}

// Bounds of the search for a visit that has no outcome. After it stand few visits: walk-up ones that were rated by phone
// meanwhile, of which the terminal remembers 16. Of other records there can be thousands: a PC may print its code ten times a second.
const (
	openLimit  = 100_000
	openVisits = 32
)

// openVisit finds the visit that was being asked about when the box went down: the newest one that no outcome follows. Rated
// are its questions that a key had answered.
func openVisit(log tail) (open *rating.Visit, rated []rating.Question, err error) {
	closed := make(map[rating.VisitID]bool)
	var answers []rating.Evaluation
	visits := 0
	err = backwards(log, openLimit, func(r rating.Record) bool {
		switch r.Kind {
		case rating.KindOutcome:
			closed[r.Outcome.Visit] = true
		case rating.KindVisit:
			if !closed[r.Visit.ID] {
				open = r.Visit
				return false
			}
			// Only walk-up visits, which are recorded when they are over, can stand after one that is open.
			visits++
			return r.Visit.Opener == rating.OpenedByWalkUp && visits < openVisits
		case rating.KindEvaluation:
			answers = append(answers, *r.Evaluation)
		}
		return true
	})
	if err != nil {
		return nil, nil, fmt.Errorf("look for a visit that was open: %w", err)
	}
	if open == nil {
		return nil, nil, nil
	}
	for _, q := range open.Questions() {
		if slices.ContainsFunc(answers, func(e rating.Evaluation) bool { return e.Visit == open.ID && e.Question() == q }) {
			rated = append(rated, q)
		}
	}
	return open, rated, nil
}

// answeredLimit is how many records are searched for cases that were rated. What is older the centre knows.
const answeredLimit = 4000

// answered returns which cases' matters were rated at this window, as far as the log's end tells.
func answered(log tail) (rating.Answered, error) {
	visits := make(map[rating.VisitID]rating.Visit)
	type answer struct {
		visit    rating.VisitID
		question rating.Question
	}
	var answers []answer
	err := backwards(log, answeredLimit, func(r rating.Record) bool {
		switch r.Kind {
		case rating.KindVisit:
			visits[r.Visit.ID] = *r.Visit
		case rating.KindEvaluation:
			answers = append(answers, answer{r.Evaluation.Visit, r.Evaluation.Question()})
		case rating.KindOutcome: // of what was rated by phone it is all that the log knows
			for _, project := range r.Outcome.RatedCases {
				answers = append(answers, answer{r.Outcome.Visit, rating.Question{Subject: rating.MatterSubject, Case: project}})
			}
			if len(r.Outcome.RatedCases) == 0 && slices.Contains(r.Outcome.Rated, rating.MatterSubject) {
				answers = append(answers, answer{r.Outcome.Visit, rating.Question{Subject: rating.MatterSubject}})
			}
		}
		return true
	})
	var all rating.Answered
	for _, a := range slices.Backward(answers) {
		if v, ok := visits[a.visit]; ok {
			all = all.With(v, a.question)
		}
	}
	if err != nil {
		return all, fmt.Errorf("look for cases that were rated: %w", err)
	}
	return all, nil
}

// pausedLimit is how many records are searched for a pause. While a window is paused few are written.
const pausedLimit = 4000

// wasPaused reports whether the window was paused when the box went down.
func wasPaused(log tail) (paused bool, err error) {
	err = backwards(log, pausedLimit, func(r rating.Record) bool {
		switch {
		case r.Kind == rating.KindEvent && r.Event.Name == rating.EventPaused:
			paused = true
			return false
		case r.Kind == rating.KindEvent && r.Event.Name == rating.EventResumed:
			return false
		}
		// A paused window opens no visit; but a walk-up visit from before can be rated by phone.
		return r.Kind != rating.KindVisit || r.Visit.Opener == rating.OpenedByWalkUp
	})
	if err != nil {
		return false, fmt.Errorf("look for a pause: %w", err)
	}
	return paused, nil
}

// staffNote is the name under which the store keeps who is signed in.
const staffNote = "staff"

// keptStaff returns who was signed in when the box went down, empty if nobody was.
func keptStaff(n notes) (rating.Staff, error) {
	var s rating.Staff
	b := n.Note(staffNote)
	if b == nil {
		return s, nil
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return rating.Staff{}, fmt.Errorf("read who was signed in: %w", err)
	}
	return s, nil
}

func keepStaff(n notes, s rating.Staff) error {
	if s == (rating.Staff{}) {
		if n.Note(staffNote) == nil {
			return nil
		}
		return n.SetNote(staffNote, nil)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keep who is signed in: %w", err)
	}
	if bytes.Equal(n.Note(staffNote), b) { // a PC may sign in whoever is signed in at each of its pages
		return nil
	}
	return n.SetNote(staffNote, b)
}
