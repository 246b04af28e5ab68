package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sys/unix"
)

// postgresIdle is how many connections are kept that nobody uses.
const postgresIdle = 6

// distrust closes the connections that nobody uses, after one of them has not answered in time: the others may be dead in the same way, and
// each would cost the next one its patience.
func (d *DB) distrust() {
	d.sql.SetMaxIdleConns(0)
	d.sql.SetMaxIdleConns(postgresIdle)
}

// openPostgres returns a pool on a server. With several hosts in the URL the one that takes writes is found.
func openPostgres(url string) (*sql.DB, error) {
	cfg, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	pool := stdlib.OpenDB(*cfg)
	pool.SetMaxOpenConns(12)
	pool.SetMaxIdleConns(postgresIdle)
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
	for name, value := range sessionSettings() {
		if cfg.RuntimeParams[name] == "" {
			cfg.RuntimeParams[name] = value
		}
	}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer().DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &patient{Conn: c}, nil
	}
	return cfg, nil
}

// sessionSettings are what a session asks of its server, unless the URL says otherwise: above all that the locks of an instance that
// hangs, or whose machine has lost its power, do not stop the others.
func sessionSettings() map[string]string {
	return map[string]string{"application_name": "centrald", "idle_in_transaction_session_timeout": "60s",
		"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3", "tcp_user_timeout": "20s"}
}

// unanswered is how long a server's machine may leave what was sent to it unanswered before the connection is given up.
const unanswered = 20 * time.Second

// dialer connects so that the end of a server's machine is noticed, also while nothing is sent and while an answer is waited for.
func dialer() *net.Dialer {
	return &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: unanswered / 2, Interval: unanswered / 4, Count: 3},
		Control: func(network, _ string, c syscall.RawConn) (err error) {
			if !strings.HasPrefix(network, "tcp") {
				return nil
			}
			e := c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(unanswered.Milliseconds()))
			})
			return errors.Join(e, err)
		},
	}
}

// silence is how long a statement may take until the server's next byte, the longest one of large books included. It is for a server that
// is no more behind something which still answers for it, as a proxy does. Whoever cannot wait as long sets a deadline.
const silence = 15 * time.Minute

var errSilent = fmt.Errorf("the server has said nothing for %s", silence)

// patient is a connection whose reads end after the silence, unless a deadline was set.
type patient struct {
	net.Conn
	mu    sync.Mutex
	bound bool // guarded by mu; by a deadline
}

// SetDeadline implements net.Conn.
func (p *patient) SetDeadline(t time.Time) error { return p.bind(t, p.Conn.SetDeadline) }

// SetReadDeadline implements net.Conn.
func (p *patient) SetReadDeadline(t time.Time) error { return p.bind(t, p.Conn.SetReadDeadline) }

func (p *patient) bind(t time.Time, set func(time.Time) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bound = !t.IsZero()
	return set(t)
}

// await sets the deadline of the next read, unless one was set, and reports whether it did.
func (p *patient) await() (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bound {
		return false, nil
	}
	return true, p.Conn.SetReadDeadline(time.Now().Add(silence))
}

// Read implements net.Conn.
func (p *patient) Read(b []byte) (int, error) {
	own, err := p.await()
	if err != nil {
		return 0, err
	}
	n, err := p.Conn.Read(b)
	if own && errors.Is(err, os.ErrDeadlineExceeded) {
		if own, _ = p.await(); own { // none was set meanwhile
			err = errSilent // which is the connection's end
		}
	}
	return n, err
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
		if err := d.notified(ctx, conn); err != nil {
			return err
		}
	}
}

// listenPause is how long nothing is heard until the server is asked whether it is still there.
const listenPause = 20 * time.Second

// notified waits for a notification, and asks now and then whether the server is still there: a connection that is dead behind a proxy
// would be listened to for ever.
func (d *DB) notified(ctx context.Context, conn *pgx.Conn) error {
	for {
		wait, cancel := context.WithTimeout(ctx, listenPause)
		_, err := conn.WaitForNotification(wait)
		cancel()
		if err == nil || ctx.Err() != nil || wait.Err() == nil || conn.IsClosed() {
			return err
		}
		ask, cancel := context.WithTimeout(ctx, checkTime)
		err = conn.Ping(ask)
		cancel()
		if err != nil {
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

// lost reports whether a connection to PostgreSQL, on which something has failed, is of no more use: it has ended, or its server has
// stopped or has become a standby.
func lost(conn *sql.Conn, err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		switch e.Code {
		case "25006", "57P01", "57P02", "57P03": // read_only_sql_transaction, admin_shutdown, crash_shutdown, cannot_connect_now
			return true
		}
	}
	closed := false
	err = conn.Raw(func(c any) error {
		s, ok := c.(*stdlib.Conn)
		closed = ok && s.Conn().IsClosed()
		return nil
	})
	return closed || err != nil
}
