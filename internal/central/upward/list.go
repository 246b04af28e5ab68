package upward

import (
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/db"
)

// Count is how many records of an area are how.
type Count struct {
	Area  string
	Kind  Kind
	State State
	N     int64
}

// Counts counts the records. Those that were accepted, of which there are more each day, are what is left of all.
func (r *Room) Counts(ctx context.Context) (all []Count, err error) {
	scan := func(s db.Scanner) (c Count, err error) { return c, s.Scan(&c.Area, &c.Kind, &c.State, &c.N) }
	err = r.db.Read(ctx, func(tx *db.Tx) error {
		open, err := db.Query(ctx, tx, scan, "SELECT area, kind, state, count(*) FROM upward_record WHERE state <> 1 GROUP BY area, kind, state")
		if err != nil {
			return err
		}
		totals, err := db.Query(ctx, tx, scan, "SELECT area, kind, 1, n FROM upward_total ORDER BY area, kind")
		if err != nil {
			return err
		}
		all = open
		for _, t := range totals {
			for _, c := range open {
				if c.Area == t.Area && c.Kind == t.Kind {
					t.N -= c.N
				}
			}
			if t.N != 0 {
				all = append(all, t)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count what goes upward: %w", err)
	}
	return all, nil
}

// Feed returns up to n records that have changed after a place in the feed, in its order. Each record has one place, that of its last
// change, so that whoever follows misses nothing and may find a record again.
func (r *Room) Feed(ctx context.Context, after int64, n int) ([]Record, error) {
	return r.records(ctx, "WHERE change > $1 ORDER BY change LIMIT $2", after, n)
}

// Refused returns up to n refused records that come before a place in the feed, the last changed first; 0: from the last on.
func (r *Room) Refused(ctx context.Context, before int64, n int) ([]Record, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	return r.records(ctx, "WHERE state = 2 AND change < $1 ORDER BY change DESC LIMIT $2", before, n)
}

// Fields returns a record in the province's fields, without what a citizen has written.
func (r *Room) Fields(x Record) map[string]string { return r.cfg.Table.fields(x, "") }

// Again has records sent again that were refused, by their places in the feed, and returns how many that are: one that has changed or was
// accepted meanwhile is none.
func (r *Room) Again(ctx context.Context, changes []int64) (n int64, err error) {
	err = r.db.Write(ctx, func(tx *db.Tx) error {
		n = 0
		for _, c := range changes {
			done, err := tx.ExecContext(ctx, "UPDATE upward_record SET state = 0, due = 0, tries = 0 WHERE state = 2 AND change = $1", c)
			if err != nil {
				return err
			}
			one, err := done.RowsAffected()
			if err != nil {
				return err
			}
			n += one
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("have records sent again: %w", err)
	}
	return n, nil
}

// Way is how the way to the superior system is.
type Way struct {
	Heard time.Time // when it has last answered as agreed, zero: never
	Since time.Time // since when it does not, zero: it does
	Words string    // why not
}

// Way returns how the way is, as whoever sends has found it last.
func (r *Room) Way(ctx context.Context) (w Way, err error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (w Way, err error) {
		var heard, since int64
		err = s.Scan(&heard, &since, &w.Words)
		if heard > 0 {
			w.Heard = time.UnixMilli(heard)
		}
		if since > 0 {
			w.Since = time.UnixMilli(since)
		}
		return w, err
	}, "SELECT heard, since, words FROM upward_way WHERE id = 1")
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%d rows, want one", len(all))
	}
	if err != nil {
		return w, fmt.Errorf("read how the way upward is: %w", err)
	}
	return all[0], nil
}

// Figures are what those who run the centre look at.
type Figures struct {
	Waiting int64         // records that could go now, and do not
	Refused int64         // that people have to look at
	Age     time.Duration // for how long the oldest of Waiting has been so
}

// Figures returns how what goes upward stands.
func (r *Room) Figures(ctx context.Context) (f Figures, err error) {
	now := r.now()
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (f Figures, err error) {
		var since int64
		if err = s.Scan(&f.Waiting, &since, &f.Refused); err == nil && f.Waiting > 0 {
			f.Age = max(0, time.Duration(now-since)*time.Millisecond)
		}
		return f, err
	}, `SELECT w.n, w.since, (SELECT count(*) FROM upward_record WHERE state = 2) FROM
		(SELECT count(*) AS n, coalesce(min(CASE WHEN tries = 0 AND due > version THEN due ELSE version END), 0) AS since FROM upward_record
		WHERE state = 0 AND (due <= $1 OR tries > 0)) w`, now)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%d rows, want one", len(all))
	}
	if err != nil {
		return f, fmt.Errorf("count what waits to go upward: %w", err)
	}
	return all[0], nil
}
