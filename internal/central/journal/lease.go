package journal

import (
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/db"
)

// Lease takes a lease for a holder, or keeps it, for ttl by the centre's clock, and reports whether the holder has it then. What may be
// done by one instance only must not rest on it alone, since a holder that is late does not know that another has taken over.
func (j *Journal) Lease(ctx context.Context, name, holder string, ttl time.Duration) (held bool, err error) {
	err = j.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		now := j.Now()
		var now2 string
		held = false
		row := tx.QueryRowContext(ctx, `INSERT INTO lease (name, holder, until) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
			WHERE lease.holder = excluded.holder OR lease.until < $4 RETURNING holder`, name, holder, now+ttl.Milliseconds(), now)
		switch err := row.Scan(&now2); {
		case err == nil:
			held = now2 == holder
			return nil
		case isNoRows(err):
			return nil
		default:
			return err
		}
	})
	if err != nil {
		return false, fmt.Errorf("take the lease %s: %w", name, err)
	}
	return held, nil
}

// Unlease gives a lease back, so that another instance need not wait.
func (j *Journal) Unlease(ctx context.Context, name, holder string) error {
	err := j.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM lease WHERE name = $1 AND holder = $2", name, holder)
		return err
	})
	if err != nil {
		return fmt.Errorf("give back the lease %s: %w", name, err)
	}
	return nil
}
