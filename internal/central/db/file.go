package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// ErrGone says that the database' file is no longer where it was opened. What was committed is in the file that this process
// holds open.
var ErrGone = errors.New("the database file is gone; do not stop centrald, since it may hold the last copy; put the file back")

// errReplaced says that another file stands where the database was opened, and the old one is still in use.
var errReplaced = errors.New("the database file was replaced; the old one is still being closed")

// file opens connections to the database's file, and lets none work that has another file open than the one which stands at
// the path: SQLite itself would go on writing into a file that was moved away, and its commits would be lost.
type file struct {
	driver driver.Driver
	path   string
	dsn    string // without mode

	mu   sync.Mutex
	info os.FileInfo // guarded by mu; of the file that connections are open to; nil before the first
	open int         // guarded by mu; how many connections
}

// Driver implements driver.Connector.
func (f *file) Driver() driver.Driver { return f.driver }

// Connect implements driver.Connector. Only the first connection may create the file.
func (f *file) Connect(context.Context) (driver.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dsn := f.dsn
	if f.info != nil {
		info, err := f.stat()
		if err != nil {
			return nil, err
		}
		// Two files at one path would share one write-ahead log, so the old one must be closed first.
		if f.open > 0 && !os.SameFile(info, f.info) {
			return nil, errReplaced
		}
		dsn += "&mode=rw"
	}
	c, err := f.driver.Open(dsn)
	if err != nil {
		return nil, err
	}
	full, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver's connection is a %T and lacks what is needed", c), c.Close())
	}
	info, err := f.stat()
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	f.info = info
	f.open++
	return &conn{sqliteConn: full, file: f, info: info, kept: make(map[string]*statement)}, nil
}

func (f *file) stat() (os.FileInfo, error) {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", f.path, ErrGone)
	}
	return info, err
}

// sqliteConn is what database/sql uses of a connection.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// conn is a connection that works only while its file is at its path. As any driver.Conn it is used by one goroutine at a time.
type conn struct {
	sqliteConn
	file   *file
	info   os.FileInfo           // of the file that it has open
	kept   map[string]*statement // by their texts
	inside bool                  // a transaction is open
}

// check returns driver.ErrBadConn if another file is at the path, so that database/sql drops the connection.
func (c *conn) check() error {
	info, err := c.file.stat()
	if err == nil && !os.SameFile(info, c.info) {
		return driver.ErrBadConn
	}
	return err
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	err := c.forget()
	if info, statErr := os.Stat(c.file.path); statErr != nil || !os.SameFile(info, c.info) {
		// SQLite does not empty the write-ahead log of a file that was moved, and would play it into the file that is
		// now in its place.
		_, also := c.sqliteConn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)", nil)
		err = errors.Join(err, also)
	}
	c.file.mu.Lock()
	c.file.open--
	c.file.mu.Unlock()
	return errors.Join(err, c.sqliteConn.Close())
}

// ResetSession implements driver.SessionResetter.
func (c *conn) ResetSession(ctx context.Context) error {
	if err := c.check(); errors.Is(err, driver.ErrBadConn) {
		return err
	}
	return c.sqliteConn.ResetSession(ctx)
}

// BeginTx implements driver.ConnBeginTx.
func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	tx, err := c.sqliteConn.BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	c.inside = true
	return &transaction{tx, c}, nil
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return c.prepare(ctx, query)
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(args) == 0 { // it may be several statements
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	s, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.ExecContext(ctx, args)
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(query, "SELECT ") {
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	s, err := c.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	r, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &rows{r, s}, nil
}

// transaction is a transaction whose commit counts only if the file is still at its path afterwards.
type transaction struct {
	driver.Tx
	conn *conn
}

// Commit implements driver.Tx.
func (t *transaction) Commit() error {
	t.conn.inside = false
	if err := t.Tx.Commit(); err != nil {
		return err
	}
	if err := t.conn.check(); err != nil {
		return fmt.Errorf("the file was moved during the commit: %w", errors.Join(errReplaced, err))
	}
	return nil
}

// Rollback implements driver.Tx.
func (t *transaction) Rollback() error {
	t.conn.inside = false
	return t.Tx.Rollback()
}
