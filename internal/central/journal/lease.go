package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/db"
)

// forgotten is how long after its end a lease is forgotten: names of instances are never used again.
const forgotten = time.Hour

// Lease takes a lease for a holder, or keeps it, for ttl by the centre's clock, and reports whether the holder has it then. What may be
// done by one instance only must not rest on it alone, since a holder that is late does not know that another has taken over.
func (j *Journal) Lease(ctx context.Context, name, holder string, ttl time.Duration) (held bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, j.cfg.Patience)
	defer cancel()
	err = j.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		now := j.Now()
		var owner string
		held = false
		if _, err := tx.ExecContext(ctx, "DELETE FROM lease WHERE until < $1", now-forgotten.Milliseconds()); err != nil {
			return err
		}
		row := tx.QueryRowContext(ctx, `INSERT INTO lease (name, holder, until) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
			WHERE lease.holder = excluded.holder OR lease.until < $4 RETURNING holder`, name, holder, now+ttl.Milliseconds(), now)
		switch err := row.Scan(&owner); {
		case err == nil:
			held = owner == holder
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

// ErrElsewhere says that another instance has a lease.
var ErrElsewhere = errors.New("another instance does it")

// leaser is what keeps leases.
type leaser interface {
	Lease(ctx context.Context, name, holder string, ttl time.Duration) (held bool, err error)
	Unlease(ctx context.Context, name, holder string) error
}

// KeepLease takes a lease or keeps it, and is ErrElsewhere if another instance has it.
func KeepLease(ctx context.Context, j leaser, name, holder string, ttl time.Duration) error {
	held, err := j.Lease(ctx, name, holder, ttl)
	if err == nil && !held {
		err = ErrElsewhere
	}
	return err
}

// GiveBack gives a lease back when ctx has ended.
func GiveBack(ctx context.Context, j leaser, name, holder string) error {
	given, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return j.Unlease(given, name, holder)
}

// Leases are the leases of one holder. They implement what ingest asks of them.
type Leases struct {
	Journal *Journal
	Holder  string
}

// Acquire takes a lease that nobody else has, or keeps it, and reports whether the holder has it then.
func (l Leases) Acquire(ctx context.Context, name string, ttl time.Duration) (held bool, err error) {
	return l.Journal.Lease(ctx, name, l.Holder, ttl)
}

// Release gives a lease back.
func (l Leases) Release(ctx context.Context, name string) error {
	return l.Journal.Unlease(ctx, name, l.Holder)
}

// ReleaseAtEnd gives a lease back when ctx has ended, so that another instance need not wait until the lease does.
func (l Leases) ReleaseAtEnd(ctx context.Context, name string) error {
	return GiveBack(ctx, l.Journal, name, l.Holder)
}

// Current returns the names of the leases with a prefix that have not ended, whoever holds them.
func (l Leases) Current(ctx context.Context, prefix string) ([]string, error) {
	all, err := db.Query(ctx, l.Journal.cfg.DB, scanText, "SELECT name FROM lease WHERE until >= $1 ORDER BY name", l.Journal.Now())
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	var some []string
	for _, name := range all {
		if strings.HasPrefix(name, prefix) {
			some = append(some, name)
		}
	}
	return some, nil
}
