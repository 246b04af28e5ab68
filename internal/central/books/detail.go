package books

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Detail is what the books know of one evaluation, but for its text.
type Detail struct {
	Entry
	Stamp      rating.Stamp // as the box's clock had it
	Believed   bool         // Stamp's wall time is the time
	Replaces   uint64       // seq of what it corrects, 0: nothing
	Visit      *rating.Visit
	Closed     *rating.Closing // nil while the visit's outcome has not arrived
	ClosedAt   time.Time       // when that arrived
	Contests   []Contest
	MoreToShow bool // there is more than Contests and their Others have
}

// Contest is what an evaluation may count for, with all that may.
type Contest struct {
	Item     rating.Item
	Standing rating.Standing // of the evaluation, for this
	File     *Case           // nil where it is no case, or nobody has told of it
	Others   []Rival         // by arrival
}

// Rival is another evaluation that may count for the same.
type Rival struct {
	Entry
	Standing rating.Standing // for this
	Overall  bool            // it is about all matters of a theme at once
}

// mostRivals bounds the contests of a Detail, and the rivals of each: a box may send many about one visit.
const mostRivals = 50

// Evaluation returns what the books know of an evaluation at one moment, and whether there is one.
func (b *Books) Evaluation(ctx context.Context, id int64) (Detail, bool, error) {
	return b.detail(ctx, id, mostRivals, mostRivals)
}

// Counted returns an evaluation like Evaluation, with all that it may count for, however much that is, and without rivals.
func (b *Books) Counted(ctx context.Context, id int64) (Detail, bool, error) {
	return b.detail(ctx, id, math.MaxInt, 0)
}

func (b *Books) detail(ctx context.Context, id int64, contests, rivals int) (d Detail, found bool, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		all, err := db.Query(ctx, tx, scanEntry, t.of(readEntries+"WHERE e.id = $1"), id)
		if err != nil || len(all) != 1 {
			return err
		}
		found, d = true, Detail{Entry: all[0]}
		s := newState(counters{})
		s.ctx, s.load = ctx, reader{tx, t, b.cfg.Journal}
		return d.fill(s, id, contests, rivals)
	})
	if err != nil {
		return Detail{}, false, fmt.Errorf("read evaluation %d: %w", id, err)
	}
	return d, found, nil
}

// Entry returns an evaluation without its text, and whether there is one.
func (b *Books) Entry(ctx context.Context, id int64) (e Entry, found bool, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		all, err := db.Query(ctx, tx, scanEntry, t.of(readEntries+"WHERE e.id = $1"), id)
		if err == nil && len(all) == 1 {
			e, found = all[0], true
		}
		return err
	})
	if err != nil {
		return Entry{}, false, fmt.Errorf("read evaluation %d: %w", id, err)
	}
	return e, found, nil
}

// Entries returns evaluations without their texts; of those that are not in the books, nothing.
func (b *Books) Entries(ctx context.Context, ids []int64) (map[int64]Entry, error) {
	out := make(map[int64]Entry, len(ids))
	err := b.read(ctx, func(tx *db.Tx, t tables) error {
		all, err := some(ctx, reader{tx, t, b.cfg.Journal}, scanEntry, readEntries, "e.id", ids)
		for _, e := range all {
			out[e.Cursor] = e
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read evaluations: %w", err)
	}
	return out, nil
}

// fill reads an evaluation with so many contests, and rivals in each, with the same eyes as the projector, which changes nothing here.
func (d *Detail) fill(s *state, id int64, contests, rivals int) (err error) {
	if err := s.needEvaluations([]int64{id}); err != nil {
		return err
	}
	e := s.evaluations[id]
	d.Stamp, d.Believed, d.Replaces = e.at, e.believed, e.replaces
	if d.Visit, err = e.visit.read(); err != nil {
		return err
	}
	if e.visit.closing != "" {
		if err := json.Unmarshal([]byte(e.visit.closing), &d.Closed); err != nil {
			return err
		}
		d.ClosedAt = time.UnixMilli(e.visit.closed)
	}
	items, err := s.itemsOf(e)
	if err != nil {
		return err
	}
	for _, i := range items {
		if len(d.Contests) == contests {
			d.MoreToShow = true
			break
		}
		c, err := s.contestOf(i, e, rivals, &d.MoreToShow)
		if err != nil {
			return err
		}
		d.Contests = append(d.Contests, c)
	}
	return nil
}

// contestOf returns what of an item people read, and notes where that is not all.
func (s *state) contestOf(i item, e *evaluation, rivals int, more *bool) (Contest, error) {
	out := Contest{Item: i.rating(), Standing: rating.Later} // where there was no room for it
	if e.standing == rating.Crowded {
		out.Standing = e.standing
	}
	if i.cased != nil && i.cased.file != nil {
		view := loadedFile{file: i.cased.file, project: i.cased.project}.view()
		out.File = &view
	}
	for _, c := range i.contenders() {
		if c.evaluation == e {
			out.Standing = *c.standing
			continue
		}
		if len(out.Others) == rivals {
			*more = true
			continue // its own standing may be behind
		}
		if _, err := c.visit.read(); err != nil {
			return out, err
		}
		entry, err := s.entryOf(c.evaluation)
		if err != nil {
			return out, err
		}
		out.Others = append(out.Others, Rival{Entry: entry, Standing: *c.standing, Overall: c.overall})
	}
	return out, nil
}

// Bad returns which of some evaluations are bad ones (article 10) that have come since a moment, milliseconds since 1970-01-01 UTC.
func (b *Books) Bad(ctx context.Context, ids []int64, since int64) (bad []int64, err error) {
	type told struct{ id, level, received int64 }
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		bad = nil
		all, err := some(ctx, reader{tx, t, b.cfg.Journal},
			func(s db.Scanner) (x told, err error) { return x, s.Scan(&x.id, &x.level, &x.received) },
			"SELECT id, level, received_at FROM {evaluation}", "id", ids)
		for _, x := range all {
			if rating.Level(x.level).Bad() && x.received >= since {
				bad = append(bad, x.id)
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which evaluations are bad: %w", err)
	}
	return bad, nil
}
