package account

import (
	"context"
	"fmt"

	"haochaping/internal/central/db"
)

// Figures are numbers about accounts that name nobody.
type Figures struct {
	Sessions int64 // of people who are signed in
	Delayed  int64 // accounts, browsers and addresses that must wait, since they have failed too often
}

// Figures counts, for whoever runs the centre.
func (a *Accounts) Figures(ctx context.Context) (f Figures, err error) {
	at := a.now()
	err = a.db.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT count(*) FROM account_session WHERE stage = $1 AND ends_at > $2 AND seen_at > $3",
			string(IsOpen), at, at-SessionIdle.Milliseconds()).Scan(&f.Sessions)
		if err == nil {
			err = tx.QueryRowContext(ctx, "SELECT count(*) FROM account_failure WHERE until > $1", at).Scan(&f.Delayed)
		}
		return err
	})
	if err != nil {
		return f, fmt.Errorf("count sessions and failures: %w", err)
	}
	return f, nil
}
