package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Bounds of a SQLite database.
const (
	sqliteCache = -3 << 10 // KiB of page cache a connection, negative as SQLite wants it
	sqliteWAL   = 64 << 20 // bytes to which the write-ahead log is cut back after a checkpoint
)

// openSQLite opens a file. Writers queue for its lock for up to twenty seconds.
func openSQLite(ctx context.Context, path string) (*sql.DB, error) {
	if path == "" {
		return nil, errors.New("sqlite: no path")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, err
	}
	q := url.Values{}
	for _, p := range []string{
		"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(20000)", "foreign_keys(1)",
		"secure_delete(1)", // a key that was destroyed must not stand in a free page
		fmt.Sprintf("cache_size(%d)", sqliteCache), fmt.Sprintf("journal_size_limit(%d)", sqliteWAL),
	} {
		q.Add("_pragma", p)
	}
	q.Set("_txlock", "immediate")
	// The driver's name leads to its Driver only; the file makes the connections.
	named, err := sql.Open("sqlite", "")
	if err != nil {
		return nil, err
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
	pool := sql.OpenDB(&file{driver: named.Driver(), path: path, dsn: dsn})
	pool.SetMaxOpenConns(4)
	pool.SetMaxIdleConns(2) // as many as database/sql tries before it connects anew: of a file that was replaced none is left then
	// The first connection makes the file one with a write-ahead log, for whose lock SQLite does not wait.
	unlock, err := lockFolder(ctx, path)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	defer unlock()
	if err := pool.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", path, errors.Join(err, pool.Close()))
	}
	return pool, nil
}
