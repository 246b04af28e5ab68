package ledger

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
)

//go:embed schema/*.sql
var schemas embed.FS

// step leads from one version of the schema to the next: a script, and what has to be done to the rows after it.
type step struct {
	script string
	after  func(context.Context, *sql.Tx) error
}

// steps are all of them. The file's user_version is the number of steps taken.
func steps() []step {
	return []step{{"schema/1.sql", nil}, {"schema/2.sql", placeAll}, {"schema/3.sql", nil}, {"schema/4.sql", standAll}, {"schema/5.sql", nil}}
}

// migrate takes the steps that the file has not taken yet.
func (l *Ledger) migrate(ctx context.Context) error {
	v, err := l.version(ctx, l.db)
	if err != nil || v == len(steps()) {
		return err // reading needs no writer's lock, so that books which are locked for a while can still be read
	}
	return l.write(ctx, func(tx *sql.Tx) error {
		v, err := l.version(ctx, tx)
		if err != nil {
			return err
		}
		for i, step := range steps()[v:] {
			script, err := schemas.ReadFile(step.script)
			if err != nil {
				return err
			}
			if _, err = tx.ExecContext(ctx, string(script)); err == nil && step.after != nil {
				err = step.after(ctx, tx)
			}
			if err != nil {
				return fmt.Errorf("make schema %d: %w", v+i+1, err)
			}
		}
		return setVersion(ctx, tx)
	})
}

func (l *Ledger) version(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (v int, err error) {
	if err := q.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return 0, err
	}
	if v > len(steps()) {
		return v, fmt.Errorf("%w: its schema is %d, this program knows %d", ErrNewer, v, len(steps()))
	}
	return v, nil
}

func setVersion(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(steps())))
	return err
}

// Check reports whether the books can be written, by committing a transaction that writes what is there. It brings a file
// that was put in the place of another to this program's schema.
func (l *Ledger) Check(ctx context.Context) error {
	err := l.migrate(ctx)
	if err == nil {
		err = l.write(ctx, func(tx *sql.Tx) error { return setVersion(ctx, tx) })
	}
	if err != nil {
		return fmt.Errorf("the books cannot be written: %w", err)
	}
	return nil
}

// Backup writes a copy of the books as they are at one moment to a file that must not exist. It may be used while they
// are written.
func (l *Ledger) Backup(ctx context.Context, path string) error {
	if _, err := l.db.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return fmt.Errorf("copy the books to %s: %w", path, err)
	}
	return nil
}
