package books

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"haochaping/internal/rating"
)

// What is decided together is bounded, since a box could else make one row of the journal take without end: rating's bounds hold, and what
// came first has the room. What has none stands in the tables all the same, and is a finding.

// maxContested bounds the evaluations of one start of a box that are decided anew when more is known of its time.
const maxContested = 10_000

// full reports whether as many of a device's answers contend for a case as may.
func (c *cased) full(d *device) bool {
	n := 0
	for _, x := range c.claims {
		if x.evaluation.visit.device == d {
			n++
		}
	}
	return n >= rating.MaxContenders
}

// crowd notes that there is no room for an evaluation.
func (s *state) crowd(e *evaluation, where string) {
	if s.crowds == nil {
		s.crowds = make(map[*evaluation]string)
	}
	if _, known := s.crowds[e]; !known {
		s.crowds[e] = where
	}
}

// tellCrowds makes findings of what this row of the journal has brought too much of.
func (s *state) tellCrowds() error {
	all := make([]*evaluation, 0, len(s.crowds))
	for e := range s.crowds {
		all = append(all, e)
	}
	slices.SortFunc(all, byEvaluation)
	for _, e := range all {
		about, seq := about{e.visit.device.id, 0, Crowd}, uint64(e.id)
		if e.log != nil {
			about, seq = e.log.about(Crowd), e.seq
		}
		if err := s.find(about, seq, seq, fmt.Sprintf(saidCrowded, s.crowds[e])); err != nil {
			return err
		}
	}
	return nil
}

// joined returns the file of a case without a batch or theme that has too many cases before, which is a finding.
func (s *state) joined(d decoded, part int, c *cased, next rating.CaseFile) (rating.CaseFile, error) {
	var errs []error
	next, full := c.file.Join(next, func(key string) int {
		g, err := s.grouped(key)
		if err != nil {
			errs = append(errs, err)
			return 0
		}
		return len(g.members)
	})
	for _, key := range full {
		errs = append(errs, s.findOf(d, Crowd, part, fmt.Sprintf(saidTogether, c.project, strconv.Quote(key),
			strconv.Itoa(rating.MaxTogether))))
	}
	return next, errors.Join(errs...)
}

func byEvaluation(a, b *evaluation) int { return cmp.Compare(a.id, b.id) }
