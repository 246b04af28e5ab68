package integrity

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
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/report"
)

//go:embed schema/*.sql
var schemas embed.FS

const (
	leaseName = "integrity"
	leaseTime = time.Minute
	every     = 5 * time.Second
	// While rows come it rests between two steps restFactor times as long as the last one took, and no longer than maxRest: signs may wait for
	// who acknowledges.
	restFactor = 9
	maxRest    = 5 * time.Second
)

// Journal is what is needed of the journal.
type Journal interface {
	Head(ctx context.Context) (int64, error)
	Follow(ctx context.Context, after int64, rows int) ([]journal.Entry, error)
	Lease(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	Unlease(ctx context.Context, name, holder string) error
}

// Books is what is needed of the books.
type Books interface {
	Findings(context.Context, books.Filter) ([]books.Finding, error)
}

// Reports is what is needed of the figures.
type Reports interface {
	Sum(context.Context, report.Ask) (report.Table, error)
	Progress(context.Context) (report.Progress, error)
}

// Directory is what is needed of the organisation.
type Directory interface {
	Atlas(context.Context) (*directory.Atlas, error)
}

// Config names what the room needs. All fields are mandatory.
type Config struct {
	DB        *db.DB // the books'
	Journal   Journal
	Books     Books
	Reports   Reports
	Directory Directory
	Dossiers  *dossier.Dossiers
	// Closes returns when each hall closes, in minutes after midnight in Asia/Shanghai, and when one does that is not named.
	Closes func(context.Context) (halls map[string]int, usual int, err error)
	// Served returns the windows that have a box, and since when that has been enrolled.
	Served func(context.Context) (map[string]time.Time, error)
	Secret []byte // the tags of phones are made with it
	Salt   func() string
	Holder string // names this instance
	Now    func() time.Time
	Logger *slog.Logger
}

// Room looks for signs. Its methods are safe for concurrent use.
type Room struct {
	cfg Config
	db  *db.DB
}

// Open brings the room's tables up to date.
func Open(ctx context.Context, c Config) (*Room, error) {
	r := &Room{c, c.DB}
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = r.db.Migrate(ctx, "integrity", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open what signs are found by: %w", err)
	}
	return r, nil
}

// Run follows the journal until ctx ends, in one instance at a time, and compares the windows once a day.
func (r *Room) Run(ctx context.Context) error {
	said, forgotten := "", directory.Day(0)
	for ctx.Err() == nil {
		wrong := r.forget(ctx, &forgotten)
		err := r.steps(ctx, func(took time.Duration) {
			select {
			case <-ctx.Done():
			case <-time.After(min(restFactor*took, maxRest)):
			}
		})
		if err == nil {
			err = r.daily(ctx)
		}
		if wrong != nil {
			err = wrong
		}
		switch {
		case err == nil || errors.Is(err, journal.ErrElsewhere):
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			r.cfg.Logger.Error("the search for signs has to wait; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
	return journal.GiveBack(ctx, r.cfg.Journal, leaseName, r.cfg.Holder)
}
