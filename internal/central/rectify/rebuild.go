package rectify

import (
	"context"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// did is a row of the journal that is about orders.
type did struct {
	pos int64
	act journal.Act
}

// Rebuild makes the orders anew from the journal's acts, and enters who did that and why. Nothing can be done about orders meanwhile.
func (o *Orders) Rebuild(ctx context.Context, by By, reason string, progress func(done, all int64)) error {
	head, err := o.cfg.Journal.Head(ctx)
	if err != nil {
		return err
	}
	all, err := o.acts(ctx, 0, head, progress)
	if err != nil {
		return err
	}
	a := journal.Act{Do: "orders.rebuild", By: by.Session, Reason: reason}
	_, err = o.cfg.Journal.Do(ctx, by.Account, "", a, func(ctx context.Context, tx *db.Tx, pos int64) error {
		more, err := o.acts(ctx, head, pos-1, func(int64, int64) {}) // what has come meanwhile; nothing comes now
		if err != nil {
			return err
		}
		for _, t := range []string{"rectify_order", "rectify_part", "rectify_act", "rectify_file", "rectify_choice"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+t); err != nil {
				return err
			}
		}
		for _, x := range append(all[:len(all):len(all)], more...) {
			if err := o.enter(ctx, tx, x.pos, x.act); err != nil {
				return fmt.Errorf("row %d of the journal: %w", x.pos, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make the orders anew: %w", err)
	}
	return nil
}

// acts reads the acts about orders from after a row to another.
func (o *Orders) acts(ctx context.Context, after, last int64, progress func(done, all int64)) (all []did, err error) {
	for after < last {
		some, err := o.cfg.Journal.Read(ctx, after, 1000)
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			return nil, fmt.Errorf("the journal ends at row %d, not at %d", after, last)
		}
		for _, e := range some {
			if after = e.Pos; after > last {
				break
			}
			if e.Kind != journal.Acted {
				continue
			}
			a, err := e.Act()
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(a.Do, prefix) {
				a.Text = nil // which may be a file, and changes no table
				all = append(all, did{e.Pos, a})
			}
		}
		progress(min(after, last), last)
	}
	return all, nil
}
