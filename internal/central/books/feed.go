package books

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Decision is that another evaluation counts for an item than before, or none any more. Decisions outlive the books from which they came:
// books that are made anew add what they say otherwise.
type Decision struct {
	ID         int64       `json:"id"`  // from 1, dense
	Pos        int64       `json:"pos"` // row of the journal by which it was so
	Item       rating.Item `json:"item"`
	Evaluation int64       `json:"evaluation,omitempty"` // that counts now, 0: none
	Before     int64       `json:"before,omitempty"`     // that counted before, 0: none
}

// decided notes what has changed of an item: in the feed, and as a finding where one evaluation has taken another one's place.
func (s *state) decided(i item, all []contender, counts *contender) error {
	before := s.before[i]
	var now *evaluation
	if counts != nil {
		now = counts.evaluation
	}
	if now == before {
		return nil
	}
	d := Decision{Pos: s.pos, Item: i.rating()}
	if now != nil {
		d.Evaluation = now.id
	}
	if before != nil {
		d.Before = before.id
	}
	s.decisions = append(s.decisions, d)
	if now == nil || before == nil {
		return nil
	}
	var was *contender
	for n := range all {
		if all[n].evaluation == before {
			was = &all[n]
		}
	}
	switch {
	case was == nil: // it counts for something else
	case was.overall && !counts.overall: // an answer about one matter by itself goes before one about all of them
	case corrected(all, *was) == now:
	default:
		return s.displaced(i, now, before)
	}
	return nil
}

// corrected returns the last correction of a press, itself if there is none.
func corrected(all []contender, c contender) *evaluation {
	for range all {
		next := c
		for _, o := range all {
			if o.log == c.log && c.log != nil && o.replaces == c.seq && o.seq > c.seq && o.visit == c.visit && o.question == c.question {
				next = o
			}
		}
		if next.evaluation == c.evaluation {
			break
		}
		c = next
	}
	return c.evaluation
}

// displaced notes that an evaluation counts in place of one that did.
func (s *state) displaced(i item, now, before *evaluation) error {
	what := fmt.Sprintf(saidVisit, now.visit.id)
	if i.cased != nil {
		what = fmt.Sprintf(saidCase, i.cased.project)
	}
	a, err := s.fix(now)
	if err != nil {
		return err
	}
	b, err := s.fix(before)
	if err != nil {
		return err
	}
	about, seq := about{now.visit.device.id, 0, Displaced}, uint64(0)
	if now.log != nil {
		about, seq = now.log.about(Displaced), now.seq
	}
	return s.find(about, seq, seq, fmt.Sprintf(saidDisplaced, what, now.from()+", "+day(a.Time), before.from()+", "+day(b.Time)))
}

// from says where an evaluation came from.
func (e *evaluation) from() string {
	if e.channelled() {
		return fmt.Sprintf(saidChannel, e.channel)
	}
	if e.log == nil {
		return fmt.Sprintf(saidPhone, e.visit.device.name)
	}
	return fmt.Sprintf(saidRecord, e.visit.device.name, strconv.FormatUint(e.seq, 10), e.log.epoch)
}

func day(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

func (i item) rating() rating.Item {
	if i.cased != nil {
		return rating.Item{Case: rating.ParseCaseKey(i.cased.project)}
	}
	return rating.Item{Device: i.visit.device.name, Visit: i.visit.id, Subject: i.subject}
}

// appendDecisions writes to the feed, which is one for all generations.
func appendDecisions(ctx context.Context, tx *db.Tx, all []Decision) error {
	if len(all) == 0 {
		return nil
	}
	last, err := one(ctx, tx, "SELECT coalesce(max(id), 0) FROM books_decision")
	if err != nil {
		return err
	}
	rows := make([][]any, len(all))
	for i, d := range all {
		rows[i] = []any{last + int64(i) + 1, d.Pos, d.Item.Case.String(), string(d.Item.Device), int64(d.Item.Visit),
			subjectNumber(d.Item.Subject), d.Evaluation, d.Before}
	}
	return tx.Insert(ctx, "books_decision", []string{"id", "pos", "project", "device", "visit", "subject", "evaluation", "instead"}, rows)
}

// Decisions returns up to n decisions that come after the one with the given ID, in their order.
func (b *Books) Decisions(ctx context.Context, after int64, n int) ([]Decision, error) {
	all, err := db.Query(ctx, b.cfg.DB, scanDecision, `SELECT id, pos, project, device, visit, subject, evaluation,
		instead FROM books_decision
		WHERE id > $1 ORDER BY id LIMIT $2`, after, n)
	if err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	return all, nil
}

func scanDecision(s db.Scanner) (d Decision, err error) {
	var visit, subject int64
	var project string
	err = s.Scan(&d.ID, &d.Pos, &project, &d.Item.Device, &visit, &subject, &d.Evaluation, &d.Before)
	d.Item.Case = rating.ParseCaseKey(project)
	d.Item.Visit, d.Item.Subject = rating.VisitID(visit), subjectOf(subject)
	return d, err
}
