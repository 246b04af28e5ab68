package main

import (
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// tail is the part of the store that reads backwards.
type tail interface {
	Tail(yield func(seq uint64, raw []byte) bool) error
}

// openVisit finds the visit that was being asked about when the box went down: the newest one, if no outcome follows it.
// Rated are its subjects that a key had answered.
func openVisit(log tail) (open *rating.Visit, rated []rating.Subject, err error) {
	var broken error
	err = log.Tail(func(seq uint64, raw []byte) bool {
		r, err := rating.DecodeRecord(raw)
		if err != nil {
			broken = fmt.Errorf("record %d: %w", seq, err)
			return false
		}
		switch r.Kind {
		case rating.KindOutcome:
			return false
		case rating.KindVisit:
			open = r.Visit
			return false
		case rating.KindEvaluation:
			if !slices.Contains(rated, r.Evaluation.Subject) {
				rated = append(rated, r.Evaluation.Subject)
			}
		}
		return true
	})
	if err == nil {
		err = broken
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look for a visit that was open: %w", err)
	}
	if open == nil {
		return nil, nil, nil
	}
	slices.SortFunc(rated, func(a, b rating.Subject) int {
		return slices.Index(open.Subjects, a) - slices.Index(open.Subjects, b)
	})
	return open, rated, nil
}
