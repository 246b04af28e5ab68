package upward

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
)

//go:embed schema/*.sql
var schemas embed.FS

const (
	leaseName = "upward"
	leaseTime = time.Minute
	every     = 5 * time.Second
)

// Journal is what is needed of the journal.
type Journal interface {
	Follow(ctx context.Context, after int64, rows int) ([]journal.Entry, error)
	Text(ctx context.Context, pos int64, part int) (string, error)
	Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	Unlease(ctx context.Context, name, holder string) error
}

// Config names what a Room needs. All fields but Since are mandatory.
type Config struct {
	DB        *db.DB // the books': what follows from them lies beside them, and the journal's writer is left alone
	Journal   Journal
	Books     *books.Books
	Directory *directory.Directory
	Table     *Table
	Since     time.Time // what was served before is not said; zero: all is
	Holder    string    // names this instance
	Now       func() time.Time
	Logger    *slog.Logger
}

// Room is what goes upward. Its methods are safe for concurrent use.
type Room struct {
	cfg Config
	db  *db.DB
}

// Open brings the room's tables up to date.
func Open(ctx context.Context, c Config) (*Room, error) {
	r := &Room{cfg: c, db: c.DB}
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = r.db.Migrate(ctx, "upward", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open what goes upward: %w", err)
	}
	return r, nil
}

// Table returns the province's table.
func (r *Room) Table() *Table { return r.cfg.Table }

// Run has the records follow the books until ctx ends, in one instance at a time.
func (r *Room) Run(ctx context.Context) error {
	r.cfg.Books.Keep(ctx, every, func(<-chan struct{}) error { return r.Once(ctx) },
		func(err error) { r.cfg.Logger.Error("what goes upward has to wait; it is tried again", "error", err) })
	return r.giveBack(ctx, leaseName)
}

// giveBack gives back a lease when ctx has ended.
func (r *Room) giveBack(ctx context.Context, lease string) error {
	return journal.GiveBack(ctx, r.cfg.Journal, lease, r.cfg.Holder)
}

func (r *Room) keep(ctx context.Context, lease string, ttl time.Duration) error {
	return journal.KeepLease(ctx, r.cfg.Journal, lease, r.cfg.Holder, ttl)
}

func (r *Room) now() int64 { return r.cfg.Now().UnixMilli() }
