package upward

import (
	"context"
	"errors"
	"fmt"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// state is how far things were looked at.
type state struct {
	step, generation, walk, until, pos, decision int64
}

func (r *Room) state(ctx context.Context) (st state, err error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (st state, err error) {
		return st, s.Scan(&st.step, &st.generation, &st.walk, &st.until, &st.pos, &st.decision)
	}, "SELECT step, generation, walk, until, pos, decision FROM upward_state WHERE id = 1")
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%d rows of state, want one", len(all))
	}
	if err != nil {
		return st, fmt.Errorf("read how far was looked for what goes upward: %w", err)
	}
	return all[0], nil
}

// move writes a state in the place of the one that was read, which nobody else has moved.
func (st state) move(ctx context.Context, tx *db.Tx, next state) error {
	moved, err := tx.ExecContext(ctx, `UPDATE upward_state SET step = step + 1, generation = $1, walk = $2, until = $3, pos = $4, decision = $5
		WHERE id = 1 AND step = $6`, next.generation, next.walk, next.until, next.pos, next.decision, st.step)
	if err != nil {
		return err
	}
	if n, err := moved.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, journal.ErrElsewhere)
	}
	return nil
}

// Once looks at all that has changed, if this instance has the lease.
func (r *Room) Once(ctx context.Context) error {
	err := r.keep(ctx, leaseName, leaseTime)
	for err == nil {
		var more bool
		if more, err = r.further(ctx); err == nil && !more {
			return nil
		}
		if err == nil {
			err = r.keep(ctx, leaseName, leaseTime)
		}
	}
	if errors.Is(err, journal.ErrElsewhere) {
		return nil
	}
	return err
}

// further does a step of each kind, and reports false if there is none to do.
func (r *Room) further(ctx context.Context) (bool, error) {
	mark, err := r.cfg.Books.Mark(ctx)
	if err != nil {
		return false, err
	}
	st, err := r.state(ctx)
	if err != nil {
		return false, err
	}
	if st.generation != mark.Generation || st.pos > mark.Pos || st.decision > mark.Decision {
		next := state{generation: mark.Generation, walk: st.walk + 1, until: mark.Pos, decision: mark.Decision}
		return true, r.db.Write(ctx, func(tx *db.Tx) error { return st.move(ctx, tx, next) })
	}
	did := false
	for _, step := range []func(context.Context, state, books.Mark) (bool, error){r.rows, r.decisions, r.sweep} {
		if st, err = r.state(ctx); err != nil {
			return did, err
		}
		one, err := step(ctx, st, mark)
		if did = did || one; err != nil {
			return did, err
		}
	}
	return did, nil
}

// Bounds of a step: rows of the journal, decisions, and what is not in the books any more.
const (
	someRows  = 500
	someOther = 500
)

// rows looks at what the next rows of the journal name.
func (r *Room) rows(ctx context.Context, st state, mark books.Mark) (bool, error) {
	if st.pos >= mark.Pos {
		return false, nil
	}
	entries, err := r.cfg.Journal.Follow(ctx, st.pos, int(min(someRows, mark.Pos-st.pos)))
	if err != nil {
		return false, err
	}
	if len(entries) == 0 {
		return false, fmt.Errorf("the journal ends at row %d, and the books are at %d", st.pos, mark.Pos)
	}
	names, n, err := r.cfg.Books.Named(ctx, entries)
	if err != nil {
		return false, err
	}
	next := st
	next.pos = entries[n-1].Pos
	return true, r.look(ctx, st, next, names)
}

// decisions looks at what counts otherwise.
func (r *Room) decisions(ctx context.Context, st state, mark books.Mark) (bool, error) {
	if st.decision >= mark.Decision {
		return false, nil
	}
	some, err := r.cfg.Books.Decisions(ctx, st.decision, someOther)
	if err != nil || len(some) == 0 {
		return false, err
	}
	var names books.Names
	for _, d := range some {
		names.Item(d.Item)
	}
	next := st
	next.decision = some[len(some)-1].ID
	return true, r.look(ctx, st, next, names)
}

// sweep looks at what was not looked at in the walk that is whole: it is not in these books.
func (r *Room) sweep(ctx context.Context, st state, _ books.Mark) (bool, error) {
	if st.until == 0 || st.pos < st.until {
		return false, nil
	}
	left, err := r.records(ctx, "WHERE walk < $1 ORDER BY n LIMIT $2", st.walk, someOther)
	if err != nil {
		return false, err
	}
	next := st
	if len(left) == 0 {
		next.until = 0
	}
	var names books.Names
	for _, x := range left {
		k, c, visit := partsOf(x.item)
		if visit {
			c = rating.CaseKey{}
		}
		names.Item(rating.Item{Device: k.Device, Visit: k.Visit, Case: c})
	}
	return true, r.look(ctx, st, next, names)
}
