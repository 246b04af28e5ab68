package main

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"haochaping/internal/central/assess"
	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/integrity"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// openIntegrity opens what looks for signs that ratings are not genuine. Its tables lie in the books' database.
func (c *command) openIntegrity(ctx context.Context, x *rooms, d *db.DB, log *slog.Logger) (*integrity.Room, error) {
	secret, err := hkdf.Key(sha256.New, x.key.Seed(), nil, "haochaping tags of phones", 32)
	if err != nil {
		return nil, err
	}
	return integrity.Open(ctx, integrity.Config{DB: d, Journal: x.journal, Books: x.books, Reports: x.reports, Directory: x.directory,
		Dossiers: x.dossiers, Closes: x.closes, Served: x.served, Secret: secret, Salt: rand.Text, Holder: x.holder, Now: c.env.now, Logger: log})
}

// closes returns when halls close, in minutes after midnight, and when one does that has not said so.
func (x *rooms) closes(ctx context.Context) (map[string]int, int, error) {
	all, err := x.fleet.Hours(ctx)
	out := make(map[string]int, len(all))
	for hall, h := range all {
		out[hall] = h.Closes
	}
	return out, fleet.UsualHours().Closes, err
}

// served returns the windows that have a box, and since when that has been enrolled.
func (x *rooms) served(ctx context.Context) (map[string]time.Time, error) {
	const step = 500
	out := make(map[string]time.Time)
	for after := int64(0); ; {
		some, err := x.fleet.Changed(ctx, after, step)
		if err != nil {
			return nil, err
		}
		for _, d := range some {
			after = d.Changed
			if d.Retired == nil && d.Follows && d.Window.ID != "" {
				out[d.Window.ID] = d.EnrolledAt
			}
		}
		if len(some) < step {
			return out, nil
		}
	}
}

// phoned returns what notes from where a phone has rated. A citizen does not wait for it for long, and never hears of it.
func (x *rooms) phoned(log *slog.Logger) func(*http.Request, rating.DeviceID, rating.VisitID, int64) {
	proxies, err := x.cfg.Admin.proxies()
	if err != nil {
		log.Error("the proxies cannot be read; phones behind them are not told apart", "error", err)
	}
	const patience = time.Second
	return func(r *http.Request, d rating.DeviceID, v rating.VisitID, pos int64) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
		defer cancel()
		from := integrity.From{Device: d, Visit: v, Pos: pos, Address: web.Address(r, proxies).String(), Agent: r.UserAgent()}
		if err := x.integrity.Phoned(ctx, from); err != nil {
			log.Warn("where a phone has rated from is not known for the search for signs", "error", err)
		}
	}
}

// proposals returns what proposes orders to mend and tasks until its context ends.
func (c *command) proposals(x *rooms, log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		room, err := c.assessor(x, log)
		if err != nil {
			return err
		}
		return room.Run(ctx)
	}
}

// assessor opens what proposes orders to mend and tasks.
func (c *command) assessor(x *rooms, log *slog.Logger) (*assess.Room, error) {
	reasons, err := x.cfg.reasons()
	if err != nil {
		return nil, fmt.Errorf("rate.catalogue: %w", err)
	}
	return assess.New(assess.Config{Reports: x.reports, Directory: x.directory, Dossiers: x.dossiers, Now: c.env.now, Logger: log,
		Ranked: x.cfg.Figures.Ranked, Cause: func(cause string) string { words, _ := causeWords(reasons)(cause); return words }}), nil
}
