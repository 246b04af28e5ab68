package report

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// state is how far things were looked at.
type state struct {
	step, generation, walk, until, pos, decision, act int64
}

func (r *Reports) state(ctx context.Context) (st state, err error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (st state, err error) {
		return st, s.Scan(&st.step, &st.generation, &st.walk, &st.until, &st.pos, &st.decision, &st.act)
	}, "SELECT step, generation, walk, until, pos, decision, act FROM report_state WHERE id = 1")
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%d rows of state, want one", len(all))
	}
	if err != nil {
		return st, fmt.Errorf("read how far the figures are: %w", err)
	}
	return all[0], nil
}

// move writes a state in the place of the one that was read, which nobody else has moved.
func (st state) move(ctx context.Context, tx *db.Tx, next state) error {
	moved, err := tx.ExecContext(ctx, `UPDATE report_state SET step = step + 1, generation = $1, walk = $2, until = $3, pos = $4,
		decision = $5, act = $6
		WHERE id = 1 AND step = $7`, next.generation, next.walk, next.until, next.pos, next.decision, next.act, st.step)
	if err != nil {
		return err
	}
	if n, err := moved.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, journal.ErrElsewhere)
	}
	return nil
}

func (r *Reports) keep(ctx context.Context) error {
	return journal.KeepLease(ctx, r.cfg.Journal, leaseName, r.cfg.Holder, leaseTime)
}

// Once looks at all that has changed, if this instance has the lease.
func (r *Reports) Once(ctx context.Context) error { return r.steps(ctx, func(time.Duration) {}) }

// steps is Once with a rest after each step, which is told how long that took.
func (r *Reports) steps(ctx context.Context, rest func(took time.Duration)) error {
	err := r.keep(ctx)
	for err == nil {
		var more bool
		began := r.cfg.Now()
		if more, err = r.further(ctx); err == nil && !more {
			return nil
		}
		if err == nil {
			rest(r.cfg.Now().Sub(began))
			err = r.keep(ctx)
		}
	}
	if errors.Is(err, journal.ErrElsewhere) {
		return nil
	}
	return err
}

// further does a step of each kind, and reports false if there is none to do.
func (r *Reports) further(ctx context.Context) (bool, error) {
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
		return true, r.write(ctx, st, next, newChange())
	}
	did := false
	// where one never ends the others go on
	for _, step := range []func(context.Context, state, books.Mark) (bool, error){r.rows, r.decisions, r.acts, r.sweep} {
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

// Bounds of a step: rows of the journal, and decisions or acts.
const (
	someRows  = 500
	someOther = 500
)

// rows looks at what the next rows of the journal name.
func (r *Reports) rows(ctx context.Context, st state, mark books.Mark) (bool, error) {
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
func (r *Reports) decisions(ctx context.Context, st state, mark books.Mark) (bool, error) {
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

// sweep takes out what was not looked at in the walk that is whole: it is not in these books.
func (r *Reports) sweep(ctx context.Context, st state, _ books.Mark) (bool, error) {
	if st.until == 0 || st.pos < st.until {
		return false, nil
	}
	gone, err := r.facts(ctx, "WHERE walk < $1 LIMIT 1000", st.walk)
	if err != nil {
		return false, err
	}
	c, next, cases := newChange(), st, make(map[string]bool)
	for item, old := range gone {
		c.fact(item, &old, nil)
		for _, x := range old.Cases {
			c.unsee(x, item)
			cases[x] = true
		}
	}
	for item := range gone {
		delete(cases, strings.TrimPrefix(item, caseItem("")))
	}
	if err := r.lookAtCases(ctx, c, cases); err != nil {
		return false, err
	}
	if len(gone) == 0 {
		next.until = 0
	}
	return true, r.write(ctx, st, next, c)
}

// Rebuild empties the aggregates and makes them anew from the books and the orders; where another instance makes them, that one does.
// Meanwhile the figures are those of what was looked at again.
func (r *Reports) Rebuild(ctx context.Context) error {
	err := journal.ErrElsewhere
	for n := 0; n < 100 && errors.Is(err, journal.ErrElsewhere); n++ { // whoever follows goes on meanwhile
		err = r.empty(ctx)
	}
	if err == nil {
		err = r.Once(ctx)
	}
	if err != nil {
		return fmt.Errorf("make the figures anew: %w", err)
	}
	return nil
}

func (r *Reports) empty(ctx context.Context) error {
	st, err := r.state(ctx)
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(tx *db.Tx) error {
		if err := st.move(ctx, tx, state{walk: st.walk}); err != nil {
			return err
		}
		for _, table := range []string{"report_fact", "report_seen", "report_count", "report_bundle", "report_order", "report_name"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		return nil
	})
}

// Progress says up to which row of the journal the figures are made, how far the books are, and whether all is being looked at anew.
type Progress struct {
	Pos, Books int64
	Counting   bool
}

// Progress returns how far the figures are.
func (r *Reports) Progress(ctx context.Context) (Progress, error) {
	mark, err := r.cfg.Books.Mark(ctx)
	if err != nil {
		return Progress{}, err
	}
	st, err := r.state(ctx)
	return Progress{st.pos, max(st.pos, mark.Pos), st.until != 0 || st.generation != mark.Generation}, err
}
