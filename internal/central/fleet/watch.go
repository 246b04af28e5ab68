package fleet

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

const (
	// watchPause is how often the boxes are looked at.
	watchPause = 20 * time.Second
	// watchLease is how long an instance that was looking is waited for.
	watchLease = time.Minute
)

// Leases gives what only one instance may do at a time.
type Leases interface {
	Acquire(ctx context.Context, name string, ttl time.Duration) (held bool, err error)
	ReleaseAtEnd(ctx context.Context, name string) error
}

// Organisation says where windows are.
type Organisation interface {
	Atlas(ctx context.Context) (*directory.Atlas, error)
}

// WatchConfig holds what a Watch needs.
type WatchConfig struct {
	Fleet        *Fleet
	Organisation Organisation
	Leases       Leases
	Days         rating.Calendar
	Hears        func() bool // whether this instance hears the boxes
	Now          func() time.Time
	Random       io.Reader
	Logger       *slog.Logger
}

// Watch looks at what boxes say of themselves, writes what changes, and opens and ends alerts. What a box says costs nothing by it. One
// instance watches at a time: the lease says which, and a row that moves by compare-and-set makes sure of it.
type Watch struct {
	cfg    WatchConfig
	looked int64                           // when this instance looked last; what follows is as of then
	boxes  map[rating.DeviceID]*watchedBox // as the table has them, and what they may become
}

// NewWatch returns a watch that does nothing before Run.
func NewWatch(c WatchConfig) *Watch { return &Watch{cfg: c} }

// watchLeaseName is the lease of the instance that looks.
const watchLeaseName = "fleet watch"

// Run looks until ctx ends, and gives back the lease.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	for failing := ""; ; {
		err := w.Look(ctx)
		switch {
		case ctx.Err() != nil:
			return w.cfg.Leases.ReleaseAtEnd(ctx, watchLeaseName)
		case err == nil:
			failing = ""
		case err.Error() != failing:
			failing = err.Error()
			w.cfg.Logger.Error("the boxes cannot be watched at present; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return w.cfg.Leases.ReleaseAtEnd(ctx, watchLeaseName)
		case <-tick.C:
		}
	}
}

// errTaken says that another instance has looked meanwhile.
var errTaken = errors.New("another instance watches the boxes")

// Look looks once, if this instance hears the boxes and no other one watches.
func (w *Watch) Look(ctx context.Context) error {
	if !w.cfg.Hears() {
		return nil // what was heard is old
	}
	held, err := w.cfg.Leases.Acquire(ctx, watchLeaseName, watchLease)
	if err != nil || !held {
		return err
	}
	err = w.look(ctx)
	if err != nil {
		w.boxes = nil // they are read anew
	}
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}

func (w *Watch) look(ctx context.Context) error {
	f := w.cfg.Fleet
	atlas, err := w.cfg.Organisation.Atlas(ctx)
	if err != nil {
		return err
	}
	hours, err := f.Hours(ctx)
	if err != nil {
		return err
	}
	before, err := f.looked(ctx)
	if err != nil {
		return err
	}
	if w.boxes == nil || w.looked != before {
		if w.boxes, err = f.readSeen(ctx); err != nil {
			return err
		}
	}
	now := w.cfg.Now()
	l := newLook(now, w.cfg.Days, hours)
	changes, err := w.all(ctx, l, atlas)
	if err != nil {
		return err
	}
	at := now.UnixMilli()
	if at <= before { // the clock was set back
		at = before + 1
	}
	err = f.db.Write(ctx, func(tx *db.Tx) error {
		r, err := tx.ExecContext(ctx, "UPDATE fleet_watch SET looked = $1 WHERE id = 1 AND looked = $2", at, before)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, errTaken)
		}
		if err := writeChanges(ctx, tx, changes); err != nil {
			return err
		}
		return w.decide(ctx, tx, l, now.Sub(moment(before)) > lookGap)
	})
	w.looked = at
	return err
}

// decide writes what becomes of the alerts.
func (w *Watch) decide(ctx context.Context, tx *db.Tx, l *look, blind bool) error {
	open, err := db.Query(ctx, tx, scanAlert, readAlerts+"WHERE ended IS NULL ORDER BY id")
	if err != nil {
		return err
	}
	once := *l
	once.all = maps.Clone(l.all) // the transaction may be repeated
	changed, forgotten := once.judge(open, blind)
	for i, a := range changed {
		if a.ID != "" {
			continue
		}
		var id [12]byte
		if _, err := io.ReadFull(w.cfg.Random, id[:]); err != nil {
			return fmt.Errorf("name an alert: %w", err)
		}
		changed[i].ID = hex.EncodeToString(id[:])
	}
	return writeAlerts(ctx, tx, changed, forgotten, l.now)
}

// all looks at all boxes, and returns what has changed of them.
func (w *Watch) all(ctx context.Context, l *look, atlas *directory.Atlas) (changes []boxChanges, err error) {
	const step = 1000
	for after := rating.DeviceID(""); ; {
		some, err := w.cfg.Fleet.States(ctx, after, step)
		if err != nil {
			return nil, err
		}
		for _, s := range some {
			after = s.ID
			if !s.Enrolled || s.Retired {
				continue
			}
			p := place{window: s.Window.Name}
			if at, ok := atlas.Place(s.ID, s.Window.ID, s.Window.Generation, l.now); ok {
				p = place{at.Window.Name, at.Hall.ID, at.Hall.Name, at.Hall.Area}
			}
			l.box(s, p)
			b := w.boxes[s.ID]
			if b == nil {
				if s.Standing(l.now) == Never {
					continue
				}
				b = &watchedBox{}
				w.boxes[s.ID] = b
			}
			if all := b.step(s.seen(l.now), l.now); len(all) > 0 {
				b.count += int64(len(all))
				changes = append(changes, boxChanges{s.ID, *b, all})
			}
		}
		if len(some) < step {
			return changes, nil
		}
	}
}

// looked returns when the boxes were looked at last, in ms.
func (f *Fleet) looked(ctx context.Context) (at int64, err error) {
	err = f.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT looked FROM fleet_watch WHERE id = 1").Scan(&at)
	})
	if err != nil {
		return 0, fmt.Errorf("read when the boxes were looked at: %w", err)
	}
	return at, nil
}
