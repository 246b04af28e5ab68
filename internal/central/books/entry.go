package books

import (
	"fmt"
	"strconv"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// partBits is how many bits of a place name the part of a row. A row has fewer parts: wire.MaxBatchRecords, and less by phone.
const partBits = 9

// placeOf names a part of a row of the journal: evaluations have their record's, so that they sort as they came.
func placeOf(pos int64, part int) int64 { return pos<<partBits | int64(part) }

// Places returns the first and the last place that evaluations of a row of the journal can have.
func Places(pos int64) (first, last int64) { return placeOf(pos, 0), placeOf(pos, 1<<partBits-1) }

// project takes the next row of the journal.
func (s *state) project(d decoded) error {
	s.entry = entry{pos: d.Pos, received: d.Received, before: make(map[item]*evaluation), restand: make(map[*evaluation]bool)}
	var err error
	switch d.Kind {
	case journal.Batch:
		err = s.batch(d)
	case journal.Phone:
		err = s.phone(d)
	case journal.Device:
		err = s.enrol(d.device)
	case journal.Cases:
		err = s.tell(d)
	case journal.Answered:
		err = s.answered(d)
	case journal.Deadlines:
		err = s.passed(d)
	case journal.Reminded:
		err = s.reminded(d)
	case journal.Acted:
		if d.adoption != nil {
			err = s.adopt(*d.adoption)
		}
	}
	if err != nil {
		return fmt.Errorf("row %d of the journal: %w", d.Pos, err)
	}
	return nil
}

func (s *state) enrol(e journal.Enrolment) error {
	d, err := s.device(e.Device)
	if err != nil {
		return err
	}
	window, err := encodeWindow(e.Window)
	if err != nil {
		return err
	}
	d.row.touch()
	d.window, d.generation = window, e.Window.Generation
	if d.enrolled == 0 {
		d.enrolled = e.EnrolledAt
	}
	s.touchDevice(d)
	return nil
}

func (s *state) phone(d decoded) error {
	box, err := s.device(rating.DeviceID(d.Source))
	if err != nil {
		return err
	}
	seen := make(map[rating.Question]bool)
	for i, a := range d.answers {
		q := a.Evaluation.Question()
		if d.failed[i] != "" {
			if err := s.find(about{box.id, 0, Quarantine}, 0, 0, d.failed[i]); err != nil {
				return err
			}
			continue
		}
		if seen[q] {
			continue // a form asks each question once
		}
		seen[q] = true
		e := &evaluation{id: placeOf(d.Pos, i), at: rating.Stamp{Wall: d.Received, Synced: true}, believed: true, submission: d.Name,
			texts: len(a.Text) > 0}
		if err := s.evaluated(box, e, a.Evaluation); err != nil {
			return err
		}
	}
	return s.decide()
}

// batch takes a batch: each record, then the times that they change, what counts, and how far the log is here.
func (s *state) batch(d decoded) error {
	l, err := s.log(rating.DeviceID(d.Source), d.Epoch)
	if err != nil {
		return err
	}
	s.outer, s.outerLast = l, d.First+uint64(len(d.records))-1
	l.entries++
	for i := range d.records {
		if err := s.add(l, d.First+uint64(i), &d.records[i], placeOf(d.Pos, i)); err != nil {
			return fmt.Errorf("record %d: %w", d.First+uint64(i), err)
		}
	}
	if err := s.advance(l, d.Released); err != nil {
		return err
	}
	return s.decide()
}

// add takes one record, unless it is known.
func (s *state) add(l *log, seq uint64, r *record, place int64) error {
	s.touchedLogs[l] = true
	if err := l.runs.ensure(s.ctx, seq, 1, 1, s.readRuns(l)); err != nil {
		return fmt.Errorf("read runs: %w", err)
	}
	if l.holds(seq) {
		return s.again(l, seq, r, place)
	}
	l.records++
	l.row.touch()
	if r.reason != "" {
		l.quarantined++
		if err := s.find(l.about(Quarantine), seq, seq, r.reason); err != nil {
			return err
		}
	}
	if err := s.link(l, seq, r); err != nil {
		return err
	}
	if l.forks > 0 {
		if err := s.closeForkGap(l, seq, r.hash); err != nil {
			return err
		}
	}
	if r.reason != "" {
		return nil
	}
	believed, err := s.stamp(l, r.At)
	if err != nil {
		return err
	}
	return s.materialise(l, r, place, believed)
}

// materialise enters what a record says.
func (s *state) materialise(l *log, r *record, place int64, believed bool) error {
	switch r.Kind {
	case rating.KindVisit:
		return s.opened(l, r, believed)
	case rating.KindOutcome:
		return s.closed(l, r)
	case rating.KindEvent:
		return s.event(l, r)
	case rating.KindSalvaged:
		inner, err := s.log(l.device.name, r.inner.Epoch)
		if err != nil {
			return err
		}
		if err := s.add(inner, r.inner.Seq, r.inner, place); err != nil {
			return fmt.Errorf("salvaged record %d: %w", r.inner.Seq, err)
		}
		s.salvaged = append(s.salvaged, salvaged{inner.id, r.inner.Seq, place, r.inner.hash})
		return s.resolveGaps(inner)
	case rating.KindReason:
		s.reasons = append(s.reasons, reason{place, l, r.Seq, *r.Reason})
	case rating.KindEvaluation:
		e := &evaluation{id: place, log: l, seq: r.Seq, at: r.At, believed: believed}
		return s.evaluated(l.device, e, *r.Evaluation)
	}
	return nil
}

// event notes what a box says of a damaged file: that there was one, and, once it has read that to its end, which
// records are not in the books after all.
func (s *state) event(l *log, r *record) error {
	detail := r.Event.Detail
	switch r.Event.Name {
	case rating.EventDamage:
		return s.find(l.about(Damage), r.Seq, r.Seq, fmt.Sprintf(saidDamaged, detail["file"], detail["reason"]))
	case rating.EventSalvage:
		epoch, err := rating.ParseEpoch(detail["epoch"])
		first, err1 := strconv.ParseUint(detail["first"], 10, 53)
		last, err2 := strconv.ParseUint(detail["last"], 10, 53)
		if err != nil || err1 != nil || err2 != nil || first == 0 || last < first || epoch == l.epoch {
			return nil // the box does not know what the file held
		}
		inner, err := s.log(l.device.name, epoch)
		if err != nil {
			return err
		}
		return s.findGaps(inner, first, last, saidLost)
	}
	return nil
}
