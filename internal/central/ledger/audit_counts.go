package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// said is what the records of a device say of one visit: which contents the one that holds may have, and when it was opened.
type said struct {
	opened int64
	sums   [][sha256.Size]byte // of those that were opened at that moment
}

// visitSum returns the hash of what counts of a visit. The name of the PC's request does not; earlier versions did not keep it.
func visitSum(v rating.Visit) ([sha256.Size]byte, error) {
	v.Request = nil
	b, err := json.Marshal(v)
	return sha256.Sum256(b), err
}

// opened notes a record of a visit.
func (a *auditor) opened(r rating.Record) {
	sum, err := visitSum(*r.Visit)
	if err != nil {
		a.problem("record %d cannot be read or is not that record", r.Seq)
		return
	}
	known, ok := a.visits[r.Visit.ID]
	switch {
	case !ok || r.At.Wall < known.opened:
		known = said{r.At.Wall, [][sha256.Size]byte{sum}}
	case r.At.Wall == known.opened:
		known.sums = append(known.sums, sum)
	}
	a.visits[r.Visit.ID] = known
}

// shownVisits compares the visits that people look at, and by which evaluations count, with what all records of the device say.
func (a *auditor) shownVisits(ctx context.Context, tx *sql.Tx) error {
	type shown struct {
		id, text string
		opened   int64
	}
	all, err := query(ctx, tx, func(sc scanner) (s shown, err error) { return s, sc.Scan(&s.id, &s.text, &s.opened) },
		"SELECT id, visit, coalesce(opened_at, 0) FROM visit WHERE device = ? AND visit IS NOT NULL", a.Device)
	if err != nil {
		return err
	}
	found := make(map[rating.VisitID]bool, len(all))
	for _, s := range all {
		var v rating.Visit
		var sum [sha256.Size]byte
		err := json.Unmarshal([]byte(s.text), &v)
		if err == nil {
			sum, err = visitSum(v)
		}
		known := a.visits[v.ID]
		if err != nil || v.ID.String() != s.id || known.opened != s.opened || !slices.Contains(known.sums, sum) {
			a.problem("the visit %s that is shown is not what the records say", s.id)
		}
		found[v.ID] = true
	}
	for id := range a.visits {
		if !found[id] {
			a.problem("the visit %s is not shown, though there is a record of it", id)
		}
	}
	return nil
}

// counts looks whether the evaluations of an epoch, or by phone, count as the rules say: by the visits and evaluations that are
// shown, which are compared with the records elsewhere, and by the times that are kept.
func (a *auditor) counts(ctx context.Context, tx *sql.Tx, epoch string) error {
	const step = 1000
	type shown struct {
		cursor int64
		seq    uint64
		visit  string
		eval   rating.Evaluation
		status Status
	}
	for last := int64(0); ; {
		rows, err := query(ctx, tx, func(sc scanner) (s shown, err error) {
			if err = sc.Scan(&s.cursor, &s.seq, &s.visit, &s.eval.Subject, &s.eval.Case, &s.status); err == nil {
				s.eval.Visit, err = rating.ParseVisitID(s.visit)
			}
			return s, err
		}, `SELECT cursor, seq, visit, subject, project, status FROM evaluation WHERE device = ? AND epoch = ? AND cursor > ? ORDER BY cursor LIMIT ?`,
			a.Device, epoch, last, step)
		if err != nil {
			return err
		}
		for _, r := range rows {
			last = r.cursor
			right, err := standings{ctx, tx}.right(r.cursor, a.Device, r.eval, r.status)
			switch {
			case err != nil:
				return err
			case !right && r.seq > 0:
				a.problem("whether the evaluation of record %d counts is not what the rules say", r.seq)
			case !right:
				a.problem("whether the evaluation of visit %s by phone counts is not what the rules say", r.visit)
			}
		}
		if len(rows) < step {
			return nil
		}
	}
}

// right reports whether what is kept of an evaluation's standing is what follows from everything else.
func (s standings) right(cursor int64, device rating.DeviceID, e rating.Evaluation, status Status) (bool, error) {
	v, err := s.visit(device, e.Visit)
	if err != nil {
		return false, err
	}
	kept, err := query(s.ctx, s.tx, func(sc scanner) (text string, err error) {
		var item, standing string
		var overall bool
		err = sc.Scan(&item, &overall, &standing)
		return fmt.Sprintln(item, overall, standing), err
	}, "SELECT item, overall, standing FROM standing WHERE cursor = ?", cursor)
	if err != nil {
		return false, err
	}
	var want []string
	final := Unasked
	for _, i := range rating.Items(device, e, v) {
		item := itemKey(i)
		standing, err := s.contest(item, cursor)
		if err != nil {
			return false, err
		}
		want = append(want, fmt.Sprintln(item, v != nil && v.Overall(e.Question()), standing))
		if rank := []Status{Unasked, Later, Replaced, Counted}; slices.Index(rank, standing) > slices.Index(rank, final) {
			final = standing
		}
	}
	slices.Sort(kept)
	slices.Sort(want)
	return slices.Equal(kept, want) && status == final, nil
}

// contest returns what becomes of one evaluation of an item.
func (s standings) contest(item string, cursor int64) (Status, error) {
	all, err := query(s.ctx, s.tx, scanContender, contenders, item)
	if err != nil {
		return "", err
	}
	rated := make([]rating.Contender, len(all))
	for i, c := range all {
		rated[i] = c.Contender
	}
	winner, replaced := rating.Contest(rated)
	for i, c := range all {
		switch {
		case c.cursor != cursor:
		case i == winner:
			return Counted, nil
		case replaced[i]:
			return Replaced, nil
		}
	}
	return Later, nil
}
