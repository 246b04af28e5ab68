package journal

import (
	"context"
	"fmt"

	"haochaping/internal/central/db"
)

// Written reports whether somebody has written into a database's journal. It changes nothing, and makes no tables.
func Written(ctx context.Context, d *db.DB) (yes bool, err error) {
	catalogue := "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'entry')"
	if d.Engine() == db.Postgres {
		catalogue = "SELECT to_regclass('entry') IS NOT NULL"
	}
	err = d.Read(ctx, func(tx *db.Tx) error {
		if err := tx.QueryRowContext(ctx, catalogue).Scan(&yes); err != nil || !yes {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM entry)").Scan(&yes)
	})
	if err != nil {
		return false, fmt.Errorf("look for the journal: %w", err)
	}
	return yes, nil
}
