package rectify

import (
	"context"
	"errors"
	"fmt"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// Redue works out anew until when everything is due that is open, as where the calendar of a year has become known, and fills in what an
// earlier version did not keep beside a part's body. It reports whether it did: another instance may have the lease.
func (o *Orders) Redue(ctx context.Context) (done bool, err error) {
	if err := o.keep(ctx); errors.Is(err, journal.ErrElsewhere) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if err := o.db.Write(ctx, func(tx *db.Tx) error { return o.redue(ctx, tx) }); err != nil {
		return false, fmt.Errorf("work out anew what is due: %w", err)
	}
	return true, nil
}

func (o *Orders) redue(ctx context.Context, tx *db.Tx) error {
	parts, err := db.Query(ctx, tx, scanKept, readKept+"WHERE due > 0 OR opened = 0")
	if err != nil {
		return err
	}
	var rows [][]any
	for _, k := range parts {
		if d, ok := o.cfg.Terms.Due(k.Body); k.opened > 0 && ok && d.At.UnixMilli() == k.Due {
			continue
		}
		row, err := o.row(k)
		if err != nil {
			return err
		}
		rows = append(rows, append(row, k.body))
	}
	// What has changed since it was read has its time by the new calendar already.
	if err := tx.Each(ctx, updatePart+" AND body = $13", rows); err != nil {
		return err
	}
	orders, err := db.Query(ctx, tx, scanOrder, "SELECT id, about FROM rectify_order WHERE label = ''")
	if err != nil {
		return err
	}
	rows = nil
	for _, x := range orders {
		rows = append(rows, []any{x.About.label(x.ID), x.ID})
	}
	return tx.Each(ctx, "UPDATE rectify_order SET label = $1 WHERE id = $2", rows)
}
