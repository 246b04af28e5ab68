package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// openPostgres returns a pool on a server. With several hosts in the URL the one that takes writes is found.
func openPostgres(url string) (*sql.DB, error) {
	cfg, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*cfg)
	pool.SetMaxOpenConns(12)
	pool.SetMaxIdleConns(6)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	return pool, nil
}

func parsePostgres(url string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		// The parser's error repeats the URL without its password.
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if cfg.ValidateConnect == nil {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "centrald"
	}
	return cfg, nil
}

// Notify tells those who Listen on a channel that the transaction has committed something. On SQLite it does nothing.
func (t *Tx) Notify(ctx context.Context, channel string) error {
	if t.engine != Postgres {
		return nil
	}
	_, err := t.ExecContext(ctx, "SELECT pg_notify($1, '')", channel)
	return err
}

// Listen calls heard after each Notify on a channel by any program, and once whenever a connection has begun, until ctx ends. On
// SQLite, which tells nothing, it calls heard each half second.
func (d *DB) Listen(ctx context.Context, channel string, heard func()) {
	for pause := time.Duration(0); ctx.Err() == nil; {
		if d.engine == Postgres && pause == 0 {
			_ = d.listen(ctx, channel, heard) // whatever ended it, polling goes on until a new connection stands
		}
		pause = 500 * time.Millisecond
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		heard()
		if d.engine == Postgres {
			pause = 0
		}
	}
}

func (d *DB) listen(ctx context.Context, channel string, heard func()) (err error) {
	cfg, err := parsePostgres(d.url)
	if err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	for {
		heard()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}

// again reports whether PostgreSQL has undone a transaction that may succeed when it is tried again. SQLite undoes none: who waits for its
// lock has waited as long as it is set to.
func again(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	return e.Code == "40001" || e.Code == "40P01" // serialization_failure, deadlock_detected
}

// lostPostgres reports whether a connection is of no more use: its server has stopped or has become a standby.
func lostPostgres(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "25006", "57P01", "57P02", "57P03": // read_only_sql_transaction, admin_shutdown, crash_shutdown, cannot_connect_now
		return true
	}
	return false
}
