package ledger

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"haochaping/internal/rating"
)

// Errors of the ledger.
var (
	ErrNoDevice   = errors.New("the device is not enrolled")
	ErrGeneration = errors.New("the window's generation must grow with each change")
	ErrNewer      = errors.New("the ledger was written by a newer version of this program")
)

// Ledger is the open books. Its methods are safe for concurrent use.
type Ledger struct {
	db *sql.DB

	mu          sync.Mutex
	subscribers map[chan struct{}]bool // guarded by mu
}

// Open opens the books and creates them if there is no file.
func Open(ctx context.Context, path string) (*Ledger, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	q := url.Values{}
	for _, p := range []string{"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "foreign_keys(1)"} {
		q.Add("_pragma", p)
	}
	q.Set("_txlock", "immediate")
	// The driver's name leads to its Driver only; the file makes the connections.
	named, err := sql.Open("sqlite", "")
	if err != nil {
		return nil, fmt.Errorf("open the ledger %s: %w", path, err)
	}
	db := sql.OpenDB(&file{driver: named.Driver(), path: path, dsn: "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()})
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(2) // as many as database/sql tries before it connects anew: of a file that was replaced none is left then
	l := &Ledger{db: db, subscribers: make(map[chan struct{}]bool)}
	if err := l.migrate(ctx); err != nil {
		return nil, fmt.Errorf("open the ledger %s: %w", path, errors.Join(err, db.Close()))
	}
	return l, nil
}

// Close closes the books.
func (l *Ledger) Close() error { return l.db.Close() }

// write runs f in a transaction that takes the writer's lock at its beginning.
func (l *Ledger) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Subscribe returns a channel that has a value when the books have changed since the last receive, and a function that
// ends the subscription.
func (l *Ledger) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subscribers[c] = true
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.subscribers, c)
	}
}

func (l *Ledger) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.subscribers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Device is an enrolled box and the window that it serves.
type Device struct {
	ID         rating.DeviceID
	Key        ed25519.PublicKey
	Window     rating.Window
	Roster     []rating.Member // who may sign in there; it changes with the window's generation
	EnrolledAt time.Time
}

// assignment is what the books keep of a device's window.
type assignment struct {
	rating.Window
	Roster []rating.Member `json:"roster,omitempty"`
}

// PutDevice enrols a device, or changes its key or window. A change needs a greater generation, since boxes ignore a
// configuration that is not newer.
func (l *Ledger) PutDevice(ctx context.Context, d Device) error {
	if err := d.Window.Check(); err != nil {
		return fmt.Errorf("enrol %s: %w", d.ID, err)
	}
	if _, err := rating.ParseDeviceID(string(d.ID)); err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	if len(d.Key) != ed25519.PublicKeySize {
		return fmt.Errorf("enrol %s: the key has %d bytes, want %d", d.ID, len(d.Key), ed25519.PublicKeySize)
	}
	if err := rating.CheckRoster(d.Roster); err != nil {
		return fmt.Errorf("enrol %s: %w", d.ID, err)
	}
	window, err := json.Marshal(assignment{d.Window, d.Roster})
	if err != nil {
		return fmt.Errorf("enrol %s: %w", d.ID, err)
	}
	err = l.write(ctx, func(tx *sql.Tx) error {
		var old string
		var generation uint32
		err := tx.QueryRowContext(ctx, "SELECT window, generation FROM device WHERE id = ?", d.ID).Scan(&old, &generation)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && old != string(window) && d.Window.Generation <= generation {
			return fmt.Errorf("%w: it is %d, write %d or more", ErrGeneration, generation, generation+1)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO device (id, key, window, generation, enrolled_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET key = excluded.key, window = excluded.window, generation = excluded.generation`,
			d.ID, []byte(d.Key), string(window), d.Window.Generation, d.EnrolledAt.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("enrol %s: %w", d.ID, err)
	}
	l.changed()
	return nil
}

// Device returns an enrolled device, or ErrNoDevice.
func (l *Ledger) Device(ctx context.Context, id rating.DeviceID) (Device, error) {
	d, err := scanDevice(l.db.QueryRowContext(ctx, "SELECT id, key, window, enrolled_at FROM device WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Device{}, fmt.Errorf("device %s: %w", id, ErrNoDevice)
	}
	if err != nil {
		return Device{}, fmt.Errorf("device %s: %w", id, err)
	}
	return d, nil
}

// Devices returns all enrolled devices by their IDs.
func (l *Ledger) Devices(ctx context.Context) ([]Device, error) {
	return query(ctx, l.db, scanDevice, "SELECT id, key, window, enrolled_at FROM device ORDER BY id")
}

type scanner interface{ Scan(...any) error }

func scanDevice(row scanner) (Device, error) {
	var d Device
	var key []byte
	var window string
	var at int64
	if err := row.Scan(&d.ID, &key, &window, &at); err != nil {
		return Device{}, err
	}
	d.Key, d.EnrolledAt = key, time.UnixMilli(at)
	var a assignment
	err := json.Unmarshal([]byte(window), &a)
	d.Window, d.Roster = a.Window, a.Roster
	return d, err
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// query returns all rows of a query.
func query[T any](ctx context.Context, q querier, scan func(scanner) (T, error), text string, args ...any) (all []T, err error) {
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
