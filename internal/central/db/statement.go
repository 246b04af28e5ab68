package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bounds of the statements that a connection to SQLite keeps prepared. Reading a statement's text costs more than most take to run.
const (
	maxKept     = 64
	maxKeptText = 1 << 10 // bytes
)

// statement is a prepared statement. Close gives it back to its connection if that keeps it.
type statement struct {
	sqliteStatement
	kept bool
	busy bool // a kept one is used by somebody
}

// sqliteStatement is what database/sql uses of a statement.
type sqliteStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// prepare returns a statement for one who closes it.
func (c *conn) prepare(ctx context.Context, text string) (*statement, error) {
	known := c.kept[text]
	if known != nil && !known.busy {
		known.busy = true
		return known, nil
	}
	p, err := c.sqliteConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	full, ok := p.(sqliteStatement)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's statement is a %T and lacks what is needed", p), p.Close())
	}
	s := &statement{sqliteStatement: full, busy: true}
	if known != nil || len(text) > maxKeptText {
		return s, nil
	}
	if len(c.kept) >= maxKept {
		if err := c.forget(); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	s.kept = true
	c.kept[text] = s
	return s, nil
}

// forget closes the statements that nobody uses. The others close when they are given back.
func (c *conn) forget() error {
	var errs []error
	for text, s := range c.kept {
		delete(c.kept, text)
		s.kept = false
		if !s.busy {
			errs = append(errs, s.sqliteStatement.Close())
		}
	}
	return errors.Join(errs...)
}

// Close implements driver.Stmt.
func (s *statement) Close() error {
	s.busy = false
	if s.kept {
		return nil
	}
	return s.sqliteStatement.Close()
}

// rows are a query's, whose statement is given back with them.
type rows struct {
	driver.Rows
	statement *statement
}

// Close implements driver.Rows.
func (r *rows) Close() error { return errors.Join(r.Rows.Close(), r.statement.Close()) }

// run runs a prepared statement once for each row of arguments, in the transaction that is open.
func (c *conn) run(ctx context.Context, text string, all [][]any) (err error) {
	if !c.inside {
		return sql.ErrTxDone // database/sql has rolled back, since a context has ended; what ran now would be committed by itself
	}
	s, err := c.prepare(ctx, unnumbered(text))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	alone := context.WithoutCancel(ctx) // the driver has a goroutine watch each statement's context else
	var args []driver.NamedValue
	for _, row := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		args = args[:0]
		for i, v := range row {
			if v, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
				return fmt.Errorf("argument %d: %w", i+1, err)
			}
			args = append(args, driver.NamedValue{Ordinal: i + 1, Value: v})
		}
		if _, err := s.ExecContext(alone, args); err != nil {
			return err
		}
	}
	return nil
}

// unnumbered returns a statement whose arguments $1, $2, … stand in this order with a question mark for each: the driver looks numbered
// ones up by their names. Any other statement is returned as it is.
func unnumbered(text string) string {
	var b strings.Builder
	rest := text
	for n := 1; ; n++ {
		before, after, ok := strings.Cut(rest, "$")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		digits := len(after) - len(strings.TrimLeft(after, "0123456789"))
		if after[:digits] != strconv.Itoa(n) {
			return text
		}
		b.WriteByte('?')
		rest = after[digits:]
	}
}
