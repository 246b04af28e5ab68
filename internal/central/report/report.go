package report

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
)

//go:embed schema/*.sql
var schemas embed.FS

const (
	leaseName = "report"
	leaseTime = time.Minute
	every     = 5 * time.Second
	// While evaluations come it rests between two steps restFactor times as long as the last one took, and no longer than maxRest: figures
	// may wait for who acknowledges.
	restFactor = 9
	maxRest    = 5 * time.Second
)

// Journal is what is needed of the journal.
type Journal interface {
	Read(ctx context.Context, after int64, rows int) ([]journal.Entry, error)
	Follow(ctx context.Context, after int64, rows int) ([]journal.Entry, error) // Read, perhaps from memory
	Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	Unlease(ctx context.Context, name, holder string) error
}

// Config names what Reports need. All fields are mandatory.
type Config struct {
	DB        *db.DB // the books': what follows from them lies beside them, and the journal's writer is left alone
	Journal   Journal
	Books     *books.Books
	Orders    *rectify.Orders
	Directory *directory.Directory
	Holder    string // names this instance
	Now       func() time.Time
	Logger    *slog.Logger
}

// Reports is the aggregates. Its methods are safe for concurrent use.
type Reports struct {
	cfg Config
	db  *db.DB

	mu      sync.Mutex
	posts   []kept // guarded by mu; by their numbers, which stay
	postsAt int64  // guarded by mu; state.step after which they are so, -1: none were read
	stood   *stood // guarded by mu; where boxes stood, as the organisation last had it
	// Numbers of posts, of which rows are written: of nobody else's as long as nobody else has gone on.
	numbers   map[Post]numbered // guarded by mu
	numbersAt int64             // guarded by mu; state.step after which they are so
}

// Open brings the room's tables up to date.
func Open(ctx context.Context, c Config) (*Reports, error) {
	r := &Reports{cfg: c, db: c.DB, postsAt: -1}
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = r.db.Migrate(ctx, "report", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the aggregates: %w", err)
	}
	return r, nil
}

// Run has the aggregates follow until ctx ends, in one instance at a time.
func (r *Reports) Run(ctx context.Context) error {
	looked := false
	var bundle time.Time // when posts are bundled next
	r.cfg.Books.Keep(ctx, every, func(changed <-chan struct{}) error {
		err := r.steps(ctx, func(took time.Duration) {
			select {
			case <-changed: // evaluations come; a step follows, and sees them
				pause(ctx, min(restFactor*took, maxRest))
			default:
			}
		})
		if err == nil && !looked {
			err = r.redue(ctx)
			looked = err == nil
		}
		if now := r.cfg.Now(); err == nil && !now.Before(bundle) {
			bundle = now.Add(bundleEvery)
			err = r.Bundle(ctx)
		}
		return err
	}, func(err error) { r.cfg.Logger.Error("the figures have to wait; it is tried again", "error", err) })
	return journal.GiveBack(ctx, r.cfg.Journal, leaseName, r.cfg.Holder)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func timeOf(ms int64) time.Time { return time.UnixMilli(ms) }
