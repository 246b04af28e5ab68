package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Tx is a transaction. It belongs to one goroutine.
type Tx struct {
	*sql.Tx
	conn   *sql.Conn
	engine Engine
}

// Engine returns the database's engine.
func (t *Tx) Engine() Engine { return t.engine }

// attempts is how often a transaction is tried that the engine has undone.
const attempts = 10

// Write runs f in a transaction and commits it. On SQLite the transaction holds the writer's lock from its beginning; on
// PostgreSQL it is READ COMMITTED. F is run again if the engine asks for that, so it must be repeatable.
func (d *DB) Write(ctx context.Context, f func(*Tx) error) error {
	for n := 1; ; n++ {
		err := d.once(ctx, &sql.TxOptions{}, f)
		if err == nil || n == attempts || ctx.Err() != nil || !again(err) {
			return err
		}
		pause := time.Duration(n) * time.Duration(rand.Int64N(int64(10*time.Millisecond)))
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// Read runs f in a transaction that sees one moment and changes nothing.
func (d *DB) Read(ctx context.Context, f func(*Tx) error) error {
	opts := &sql.TxOptions{ReadOnly: true} // only a transaction that is called read-only leaves SQLite's writer alone
	if d.engine == Postgres {
		opts.Isolation = sql.LevelRepeatableRead
	}
	return d.once(ctx, opts, f)
}

// once runs one transaction on a connection that is given up if its server has gone.
func (d *DB) once(ctx context.Context, opts *sql.TxOptions, f func(*Tx) error) (err error) {
	conn, err := d.sql.Conn(ctx)
	if err != nil && d.engine == Postgres && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && d.engine == Postgres && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			defer d.distrust()
		}
		if err != nil && d.engine == Postgres && ctx.Err() == nil && lost(conn, err) {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // which says that the pool must not keep it
			err = fmt.Errorf("%w: %w", ErrLost, err)
		}
		if e := conn.Close(); e != nil && !errors.Is(e, sql.ErrConnDone) {
			err = errors.Join(err, e)
		}
	}()
	tx, err := conn.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	if err := f(&Tx{tx, conn, d.engine}); err != nil {
		if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", err, ctx.Err()) // why database/sql has rolled back
		}
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	if opts.ReadOnly {
		return ignoreDone(tx.Rollback())
	}
	return tx.Commit()
}

// ignoreDone makes a transaction that its context has ended already no second failure.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// Insert writes rows into a table: by COPY on PostgreSQL, by one prepared statement on SQLite. The names are the program's own.
func (t *Tx) Insert(ctx context.Context, table string, columns []string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if t.engine == Postgres {
		return t.raw(func(c *pgx.Conn) error {
			_, err := c.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
			if err != nil {
				return fmt.Errorf("copy into %s: %w", table, err)
			}
			return nil
		})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO %s (%s) VALUES (", table, strings.Join(columns, ", "))
	for i := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteString(")")
	return t.Each(ctx, b.String(), rows)
}

// Each runs a statement once for each row of arguments: prepared on SQLite, all in one round trip on PostgreSQL.
func (t *Tx) Each(ctx context.Context, text string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	if t.engine == SQLite {
		return t.conn.Raw(func(c any) error {
			s, ok := c.(*conn)
			if !ok {
				return fmt.Errorf("the connection is a %T", c)
			}
			return s.run(ctx, text, rows)
		})
	}
	return t.raw(func(c *pgx.Conn) error {
		var batch pgx.Batch
		for _, r := range rows {
			batch.Queue(text, r...)
		}
		return c.SendBatch(ctx, &batch).Close()
	})
}

// raw runs f on the transaction's own connection to PostgreSQL.
func (t *Tx) raw(f func(*pgx.Conn) error) error {
	return t.conn.Raw(func(c any) error {
		s, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T", c)
		}
		if s.Conn().PgConn().TxStatus() == 'I' {
			return sql.ErrTxDone // database/sql has rolled back, since a context has ended; what ran now would be committed by itself
		}
		return f(s.Conn())
	})
}
