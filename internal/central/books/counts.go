package books

import (
	"context"
	"fmt"

	"haochaping/internal/central/db"
)

// FindingCounts returns how many rows of findings stand and how many are resolved.
func (b *Books) FindingCounts(ctx context.Context) (open, resolved int64, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		if open, err = one(ctx, tx, t.of("SELECT count(*) FROM {finding} WHERE resolved_at IS NULL")); err != nil {
			return err
		}
		resolved, err = one(ctx, tx, t.of("SELECT count(*) FROM {finding} WHERE resolved_at IS NOT NULL"))
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count the findings: %w", err)
	}
	return open, resolved, nil
}
