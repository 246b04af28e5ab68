package books

import (
	"encoding/json"
	"slices"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// refusedOnly is what counts for a case for which nothing does since a review has refused it.
const refusedOnly int64 = -1

// refusedFor reports whether a review has refused an evaluation for an item.
func (e *evaluation) refusedFor(i item) bool {
	if e.refused == nil {
		return false
	}
	key := ""
	if i.cased != nil {
		key = i.cased.project
	}
	return e.refused.About(key)
}

// refusedText returns the refusal as the table keeps it.
func (e *evaluation) refusedText() string {
	if e.refused == nil {
		return ""
	}
	b, err := json.Marshal(e.refused)
	if err != nil {
		panic(err) // strings alone
	}
	return string(b)
}

// adopt enters what a review has found about an evaluation. The last word holds; of parts of a theme's order each has its own.
func (s *state) adopt(a journal.Adoption) error {
	if s.evaluations[a.Evaluation] == nil {
		there, err := s.load.evaluations(s.ctx, []int64{a.Evaluation})
		if err == nil {
			err = s.addEvaluations(there)
		}
		if err != nil {
			return err
		}
	}
	e := s.evaluations[a.Evaluation]
	if e == nil || e.standing == rating.Crowded {
		return nil // nobody could have reviewed it
	}
	items, err := s.itemsOf(e)
	if err != nil {
		return err
	}
	for _, i := range items {
		s.touch(i)
	}
	e.judge(a)
	e.row.touch()
	s.restand[e] = true
	return s.decide()
}

// judge notes what a review has found.
func (e *evaluation) judge(a journal.Adoption) {
	switch {
	case a.Adopted && (e.refused == nil || len(a.Cases) == 0 || len(e.refused.Cases) == 0):
		e.refused = nil
	case a.Adopted:
		left := slices.DeleteFunc(slices.Clone(e.refused.Cases), func(k string) bool { return slices.Contains(a.Cases, k) })
		e.refused = &rating.Refusal{Cases: left}
		if len(left) == 0 {
			e.refused = nil
		}
	case e.refused != nil && (len(e.refused.Cases) == 0 || len(a.Cases) == 0):
		e.refused = &rating.Refusal{}
	case e.refused != nil:
		all := append(slices.Clone(e.refused.Cases), a.Cases...)
		slices.Sort(all)
		e.refused = &rating.Refusal{Cases: slices.Compact(all)}
	default:
		e.refused = &rating.Refusal{Cases: a.Cases}
	}
}
