package books

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// ErrStale says that the books were made by another version of this program and must be made anew before they are used.
var ErrStale = errors.New("the books were made by another version of this program; they have to be made anew (centrald rebuild)")

// Journal is what the books need of the journal.
type Journal interface {
	Read(ctx context.Context, after int64, rows int) ([]journal.Entry, error)
	Follow(ctx context.Context, after int64, rows int) ([]journal.Entry, error) // Read, perhaps from memory
	Batches(ctx context.Context, d rating.DeviceID, e rating.Epoch, first, last uint64) ([]journal.Entry, error)
	Head(ctx context.Context) (int64, error)
	Text(ctx context.Context, pos int64, part int) (string, error)
	Subscribe() (<-chan struct{}, func())
	Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	Unlease(ctx context.Context, name, holder string) error
}

// Config names what Books need. All fields are mandatory.
type Config struct {
	DB      *db.DB // in which the books are; on SQLite another file than the journal's
	Journal Journal
	Holder  string // names this instance among those that share the database
	Now     func() time.Time
	Logger  *slog.Logger
}

// Books is the open books. Its methods are safe for concurrent use.
type Books struct {
	cfg Config

	growth journal.Growth // by rows of the journal
}

// Open opens the books, and begins empty ones if there are none. Run must run for them to grow.
func Open(ctx context.Context, c Config) (*Books, error) {
	b := &Books{cfg: c}
	if err := c.DB.Write(ctx, b.begin); err != nil {
		return nil, fmt.Errorf("open the books: %w", err)
	}
	return b, nil
}

// generation is which books there are.
type generation struct {
	number, schema, rules                   int64 // that are read
	building, buildingSchema, buildingRules int64 // that are being made; 0: none
	last                                    int64
}

func scanGeneration(s db.Scanner) (g generation, err error) {
	return g, s.Scan(&g.number, &g.schema, &g.rules, &g.building, &g.buildingSchema, &g.buildingRules, &g.last)
}

func readGeneration(ctx context.Context, q db.Querier) (generation, error) {
	all, err := db.Query(ctx, q, scanGeneration, `SELECT generation, schema_version, rules, building, building_schema, building_rules, last
		FROM books_state WHERE id = 1`)
	if err != nil || len(all) != 1 {
		return generation{}, errors.Join(err, fmt.Errorf("%d rows of state, want one", len(all)))
	}
	return all[0], nil
}

// current reports whether a schema and rules are this program's.
func current(schema, rules int64) bool {
	return schema == SchemaVersion && rules == rating.RulesVersion
}

func (b *Books) begin(tx *db.Tx) error {
	ctx := context.Background()
	if b.cfg.DB.Engine() == db.Postgres { // several instances start at once
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(7213004)"); err != nil {
			return err
		}
	}
	if err := execAll(ctx, tx, newTables(b.cfg.DB.Engine(), 0).of(base)); err != nil {
		return err
	}
	n, err := one(ctx, tx, "SELECT count(*) FROM books_state")
	if err != nil || n > 0 {
		return err
	}
	if err := newTables(b.cfg.DB.Engine(), 1).create(ctx, tx); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO books_state (id, generation, schema_version, rules, building, building_schema,
		building_rules, last)
		VALUES (1, 1, $1, $2, 0, 0, 0, 1)`, SchemaVersion, rating.RulesVersion)
	return err
}

// Stale reports whether the books were made by another version of this program, so that Rebuild has to make them anew first.
func (b *Books) Stale(ctx context.Context) (bool, error) {
	g, err := readGeneration(ctx, b.cfg.DB)
	if err != nil {
		return false, fmt.Errorf("read which books there are: %w", err)
	}
	return !current(g.schema, g.rules), nil
}

// readTime is how long a page may wait for what it shows.
const readTime = 30 * time.Second

// read runs f on the books as they are at one moment.
func (b *Books) read(ctx context.Context, f func(*db.Tx, tables) error) error {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	return b.cfg.DB.Read(ctx, func(tx *db.Tx) error {
		g, err := readGeneration(ctx, tx)
		if err != nil {
			return err
		}
		if !current(g.schema, g.rules) {
			return ErrStale
		}
		return f(tx, newTables(b.cfg.DB.Engine(), g.number))
	})
}

// Position returns the row of the journal up to which the books are made.
func (b *Books) Position(ctx context.Context) (pos int64, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		pos, err = one(ctx, tx, t.of("SELECT pos FROM {position} WHERE id = 1"))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read how far the books are: %w", err)
	}
	return pos, nil
}

// Wait returns when the books hold a row of the journal, or with ctx's error.
func (b *Books) Wait(ctx context.Context, pos int64) error {
	changed, stop := b.Subscribe()
	defer stop()
	look := time.NewTicker(200 * time.Millisecond) // where nobody runs Run
	defer look.Stop()
	for {
		if b.growth.Last() >= pos {
			return nil
		}
		at, err := b.Position(ctx)
		if err != nil {
			return err
		}
		b.growth.Tell(at)
		if at >= pos {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for row %d in the books, which are at %d: %w", pos, at, ctx.Err())
		case <-changed:
		case <-look.C:
		}
	}
}

// Subscribe returns a channel that has a value when the books have changed since the last receive, here or by another
// instance, and a function that ends the subscription.
func (b *Books) Subscribe() (<-chan struct{}, func()) { return b.growth.Subscribe() }
