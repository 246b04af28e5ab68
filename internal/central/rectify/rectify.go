package rectify

import (
	"context"
	"embed"
	"errors"
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

// Who opens orders, in the journal, if it is no account.
const (
	Source  = "rectify" // nobody: it follows from what counts
	Citizen = "citizen" // who complains by phone
)

const (
	leaseName = "rectify"
	leaseTime = time.Minute
	every     = 5 * time.Second
	settled   = time.Minute
)

// Errors of orders.
var (
	ErrNoOrder   = errors.New("没有这份工单 · there is no such order")
	ErrMeanwhile = errors.New("这份工单刚被别人办理过，请看过最新情况后再办 · somebody else has worked on this order meanwhile; look at it again")
)

// Config names what Orders need.
type Config struct {
	Journal   *journal.Journal
	Books     *books.Books
	Directory *directory.Directory
	Terms     Terms
	Texts     bool   // citizens can be written to, as Texts does
	Holder    string // names this instance
	Now       func() time.Time
	Logger    *slog.Logger
}

// Orders is the work on bad evaluations. Its methods are safe for concurrent use.
type Orders struct {
	cfg     Config
	db      *db.DB
	drawing chan struct{} // held by whoever draws a picture anew
}

// Open brings the room's tables up to date.
func Open(ctx context.Context, c Config) (*Orders, error) {
	o := &Orders{cfg: c, db: c.Journal.DB(), drawing: make(chan struct{}, 1)}
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = o.db.Migrate(ctx, "rectify", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the orders: %w", err)
	}
	return o, nil
}

// Run follows the feed of decisions until ctx ends, in one instance at a time.
func (o *Orders) Run(ctx context.Context) error {
	known := false
	o.cfg.Books.Keep(ctx, every, func(<-chan struct{}) error {
		err := o.Once(ctx)
		if err == nil && !known { // a calendar may have become known since the last start
			known, err = o.Redue(ctx)
		}
		return err
	}, func(err error) {
		o.cfg.Logger.Error("orders on bad evaluations have to wait; it is tried again", "error", err)
	})
	return o.giveBack(ctx, leaseName)
}

// giveBack gives back a lease when ctx has ended.
func (o *Orders) giveBack(ctx context.Context, lease string) error {
	return journal.GiveBack(ctx, o.cfg.Journal, lease, o.cfg.Holder)
}

// Terms returns the clocks' settings.
func (o *Orders) Terms() Terms { return o.cfg.Terms }

// Writes reports whether citizens can be written to.
func (o *Orders) Writes() bool { return o.cfg.Texts }

func (o *Orders) now() int64 { return o.cfg.Now().UnixMilli() }

// tables are those of a backup.
func tables() []string {
	return []string{"rectify_order", "rectify_part", "rectify_act", "rectify_file", "rectify_choice", "rectify_since"}
}

// Room implements journal.Room.
func (o *Orders) Room() string { return "rectify" }

// Export writes the orders into a backup. It implements journal.Room.
func (o *Orders) Export(ctx context.Context, put func([]byte) error) error {
	return o.db.Dump(ctx, tables(), put)
}

// Import writes a row of a backup. It implements journal.Room.
func (o *Orders) Import(ctx context.Context, section []byte) error {
	return o.db.Fill(ctx, tables(), section)
}
