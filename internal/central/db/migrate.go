package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	"golang.org/x/sys/unix"
)

// Migrate brings a room's tables to the schema that the room's scripts make, each in a transaction of its own. The scripts are named
// 00001_name.sql and so on and written for PostgreSQL; on SQLite its BYTEA reads BLOB, and a BIGINT PRIMARY KEY is the row's number.
// A database that has more scripts than this program knows is ErrNewer.
func (d *DB) Migrate(ctx context.Context, room string, scripts fs.FS) error {
	if err := d.migrate(ctx, room, scripts); err != nil {
		return fmt.Errorf("bring the schema of %s up to date: %w", room, err)
	}
	return nil
}

func (d *DB) migrate(ctx context.Context, room string, scripts fs.FS) error {
	steps, err := d.steps(scripts)
	if err != nil {
		return err
	}
	dialect := database.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithGoMigrations(steps...)}
	if d.engine == Postgres {
		dialect = database.DialectPostgres
		one, err := lock.NewPostgresSessionLocker() // several instances start at once
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(one))
	}
	store, err := database.NewStore(dialect, "goose_"+room)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider("", d.sql, nil, append(options, goose.WithStore(store))...)
	if err != nil {
		return err
	}
	if path, ok := strings.CutPrefix(d.url, "sqlite:"); ok {
		unlock, err := lockFolder(ctx, path)
		if err != nil {
			return err
		}
		defer unlock()
	}
	have, want, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("read its version: %w", err)
	case have > want:
		return fmt.Errorf("%w: it is %d, this program knows %d", ErrNewer, have, want)
	case have == want:
		return nil // reading needs no writer's lock
	}
	if _, err = p.Up(ctx); err != nil {
		var partial *goose.PartialError
		if errors.As(err, &partial) {
			return partial.Err
		}
	}
	return err
}

// lockFolder keeps other programs from making or migrating a SQLite database meanwhile. The lock is on the folder: to close a second
// descriptor of the file itself would take SQLite's own locks away.
func lockFolder(ctx context.Context, path string) (unlock func(), err error) {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = folder.Close() }, nil // which unlocks
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock the folder: %w", err), folder.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), folder.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// steps returns a room's scripts as goose takes them.
func (d *DB) steps(scripts fs.FS) ([]*goose.Migration, error) {
	names, err := fs.Glob(scripts, "*.sql")
	if err != nil {
		return nil, err
	}
	words := strings.NewReplacer()
	if d.engine == SQLite {
		words = strings.NewReplacer("BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY", "BYTEA", "BLOB")
	}
	var all []*goose.Migration
	for _, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		v, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("script %s: %w", name, err)
		}
		text, err := fs.ReadFile(scripts, name)
		if err != nil {
			return nil, err
		}
		all = append(all, goose.NewGoMigration(v, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, words.Replace(string(text)))
			return err
		}}, nil))
	}
	return all, nil
}
