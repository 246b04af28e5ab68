package books

import (
	"encoding/json"
	"fmt"

	"haochaping/internal/rating"
)

// opened enters a visit that a box has opened. Each is opened once, so that a second record which says otherwise is a finding;
// it must not change for what, and for whom, an evaluation counts. The one that the box says it opened first holds, whichever
// comes first.
func (s *state) opened(l *log, r *record, believed bool) error {
	v, err := s.visit(l.device, r.Visit.ID)
	if err != nil {
		return err
	}
	// Also of one that does not hold: it was a box that said so.
	if err := s.visited(r.Visit, v.area, r.At, believed); err != nil {
		return err
	}
	if v.text != "" && v.text != r.text {
		if err := s.find(l.about(Reopened), r.Seq, r.Seq, fmt.Sprintf(saidReopened, v.id)); err != nil {
			return err
		}
	}
	if v.text != "" && (v.opened < r.At.Wall || v.opened == r.At.Wall && v.text <= r.text) {
		return nil
	}
	if err := s.needEvaluationsOf([]*visit{v}); err != nil {
		return err
	}
	var matters []*evaluation
	for _, e := range v.evaluations {
		if e.question.Subject == rating.MatterSubject { // the staff's item does not depend on it
			matters = append(matters, e)
			if err := s.unclaim(e); err != nil {
				return err
			}
		}
	}
	record := *r.Visit
	if record.Window.Area == "" {
		record.Window.Area = v.area
	}
	v.text, v.record, v.opened, v.moment = r.text, &record, r.At.Wall, s.received
	if believed {
		v.moment = r.At.Wall
	}
	v.row.touch()
	for _, e := range v.evaluations {
		if err := e.locate(); err != nil {
			return err
		}
		e.row.touch()
	}
	for _, e := range matters {
		s.restand[e] = true
		if err := s.claim(e); err != nil {
			return err
		}
	}
	return nil
}

// closed enters how the asking about a visit ended.
func (s *state) closed(l *log, r *record) error {
	v, err := s.visit(l.device, r.Outcome.Visit)
	if err != nil {
		return err
	}
	b, err := json.Marshal(r.Outcome)
	if err != nil {
		return err
	}
	v.closing, v.closed = string(b), s.received
	v.row.touch()
	return nil
}

func encodeWindow(w rating.Window) (string, error) {
	b, err := json.Marshal(w)
	return string(b), err
}
