package rectify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// Who is told of acts, as rectify_told has them.
const (
	byHook = 1 // the province's own system
	byText = 2 // citizens

	byQuestion = 3 // whoever waits for replies of citizens
)

const (
	tellLease  = 5 * time.Minute
	tellAtOnce = 200
)

// untold is an act that was not told of.
type untold struct{ pos, order, part int64 }

// tellEach calls tell with each act that somebody was not told of, in order, if no other instance does, while ready says so. Tell notes it:
// first, if it is told once at most, or when it was told. The first time nothing is told that is there.
func (o *Orders) tellEach(ctx context.Context, lease string, who int, ready func() bool,
	tell func(ctx context.Context, u untold, noted func() error) error) error {
	if held, err := o.cfg.Journal.Lease(ctx, lease, o.cfg.Holder, tellLease); err != nil || !held {
		return err
	}
	after, err := o.told(ctx, who)
	if err != nil {
		return err
	}
	all, err := db.Query(ctx, o.db, func(s db.Scanner) (u untold, err error) { return u, s.Scan(&u.pos, &u.order, &u.part) },
		fmt.Sprintf("SELECT pos, order_id, part FROM rectify_act a WHERE pos > $1 AND "+noFile+" ORDER BY pos LIMIT %d", tellAtOnce), after)
	if err != nil {
		return fmt.Errorf("read what was not told: %w", err)
	}
	for _, u := range all {
		if !ready() {
			return nil
		}
		// A server that does not answer takes longer than the lease for all of them.
		if held, err := o.cfg.Journal.Lease(ctx, lease, o.cfg.Holder, tellLease); err != nil || !held {
			return err
		}
		err := tell(ctx, u, func() error { return o.note(ctx, who, u.pos) })
		if errors.Is(err, journal.ErrElsewhere) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// note notes through which row somebody was told. It is journal.ErrElsewhere if another instance was faster, whose lease ours was not any
// more.
func (o *Orders) note(ctx context.Context, who int, pos int64) error {
	return o.further(ctx, "pos = $1", who, pos)
}

// noteSending notes that a message about a row is being sent from now on: if what becomes of it is lost, lost finds it.
func (o *Orders) noteSending(ctx context.Context, pos int64) error {
	return o.further(ctx, "pos = $1, sending = $1, since = $3", byText, pos, o.now())
}

func (o *Orders) further(ctx context.Context, set string, who int, pos int64, more ...any) error {
	return o.db.Write(ctx, func(tx *db.Tx) error {
		r, err := tx.ExecContext(ctx, "UPDATE rectify_told SET "+set+" WHERE id = $2 AND pos < $1",
			append([]any{pos, who}, more...)...)
		if err != nil {
			return fmt.Errorf("note what was told: %w", err)
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, journal.ErrElsewhere)
		}
		return nil
	})
}

// notSending notes that what became of a message about a row is known.
func (o *Orders) notSending(ctx context.Context, pos int64) error {
	return o.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE rectify_told SET sending = 0 WHERE id = $1 AND sending = $2", byText, pos)
		if err != nil {
			return fmt.Errorf("note what became of a message: %w", err)
		}
		return nil
	})
}

// sending returns about which row a message was being sent, 0 if about none, and since when: 0, if an earlier version did.
func (o *Orders) sending(ctx context.Context) (pos, since int64, err error) {
	type at struct{ pos, since int64 }
	all, err := db.Query(ctx, o.db, func(s db.Scanner) (a at, err error) { return a, s.Scan(&a.pos, &a.since) },
		"SELECT sending, since FROM rectify_told WHERE id = $1 AND sending > 0", byText)
	if err != nil || len(all) == 0 {
		return 0, 0, err
	}
	return all[0].pos, all[0].since, nil
}

// told returns through which row somebody was told. The first time that is what is there.
func (o *Orders) told(ctx context.Context, who int) (pos int64, err error) {
	err = o.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO rectify_told (id, pos) SELECT CAST($1 AS BIGINT), coalesce(max(pos), 0)
			FROM rectify_act WHERE pos > 0 ON CONFLICT (id) DO NOTHING`, who)
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT pos FROM rectify_told WHERE id = $1", who).Scan(&pos)
	})
	if err != nil {
		return 0, fmt.Errorf("look what was told: %w", err)
	}
	return pos, nil
}
