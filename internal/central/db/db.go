package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Engine is a kind of database.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// ErrNewer says that a newer version of this program has written the database.
var ErrNewer = errors.New("the database was written by a newer version of this program")

// ErrLost says that a server could not be reached for a transaction, or was lost during one: whether that is committed is not known.
var ErrLost = errors.New("there is no connection to the database server")

// DB is an open database. Its methods are safe for concurrent use.
type DB struct {
	engine Engine
	sql    *sql.DB
	url    string
}

// Open opens a database: sqlite:PATH creates the file and its folder if they are missing, postgres:// connects when it is first
// used and takes several hosts. The password of a PostgreSQL URL stays out of all errors.
func Open(ctx context.Context, url string) (*DB, error) {
	d := &DB{url: url}
	var err error
	switch {
	case strings.HasPrefix(url, "sqlite:"):
		d.engine = SQLite
		d.sql, err = openSQLite(ctx, strings.TrimPrefix(url, "sqlite:"))
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		d.engine = Postgres
		d.sql, err = openPostgres(url)
	default:
		err = errors.New("want sqlite:/path/to/file or postgres://user@host/database")
	}
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return d, nil
}

// Engine returns which engine it is.
func (d *DB) Engine() Engine { return d.engine }

// Close closes all connections.
func (d *DB) Close() error { return d.sql.Close() }

// checkTime is how long a database that is well may take for next to nothing.
const checkTime = 10 * time.Second

// Check reports whether the database can be written, by committing a transaction that has taken the writer's lock. It takes checkTime at
// most.
func (d *DB) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	err := d.Write(ctx, func(t *Tx) error {
		if d.engine == SQLite {
			// The header's version field is written as it is, so that a full or read-only disk shows.
			var v int
			if err := t.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
				return err
			}
			_, err := t.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", v))
			return err
		}
		var standby, readOnly bool
		err := t.QueryRowContext(ctx, "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'").Scan(&standby, &readOnly)
		if err == nil && (standby || readOnly) {
			err = errors.New("the server takes no writes; it is a standby or read-only")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the database cannot be written: %w", err)
	}
	return nil
}

// Querier is a database or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
}

// QueryContext implements Querier, outside of any transaction.
func (d *DB) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return d.sql.QueryContext(ctx, text, args...)
}

// Scanner is a row.
type Scanner interface{ Scan(to ...any) error }

// Query returns all rows of a query.
func Query[T any](ctx context.Context, q Querier, scan func(Scanner) (T, error), text string, args ...any) (all []T, err error) {
	rows, err := q.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// scrubTime is how long Scrub waits for those who read.
const scrubTime = 30 * time.Second

// Scrub removes what was deleted from a table from the database's files too. The name is the program's own. It waits for transactions that
// still read what was there before.
func (d *DB) Scrub(ctx context.Context, table string) error {
	ctx, cancel := context.WithTimeout(ctx, scrubTime)
	defer cancel()
	if d.engine == Postgres {
		if _, err := d.sql.ExecContext(ctx, "VACUUM "+table); err != nil {
			return fmt.Errorf("remove what was deleted for good: %w", err)
		}
		return nil
	}
	for {
		var busy, pages, moved int // the pages were overwritten by secure_delete; the write-ahead log still has them as they were
		err := d.sql.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
		if err == nil && busy == 0 {
			return nil
		}
		if err == nil {
			err = errors.New("somebody reads the database without an end")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("what was deleted cannot be read any more, and the write-ahead log still has it; do it again: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
