package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/ingest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/ops"
	"haochaping/internal/central/web/live"
	"haochaping/internal/central/web/seal"
)

// maxUnsealed is how long the journal may stand under no signed head. One is signed each minute.
const maxUnsealed = 5 * time.Minute

// watched is how the parts of the centre are found out.
type watched struct {
	rooms   *rooms
	trouble func() live.Trouble
	books   *lag
	seal    *lag
	checks  *seal.Pages // of the seal
}

// sealed returns how many rows the last signed head covers.
func (x *rooms) sealed(ctx context.Context) (int64, error) {
	c, err := x.journal.LastCheckpoint(ctx)
	if errors.Is(err, journal.ErrNoEntry) {
		return 0, nil
	}
	return c.Size, err
}

// ready reports why this instance cannot answer people: the journal takes nothing, or the books cannot be read.
func (x *rooms) ready(ctx context.Context) error {
	if err := x.journal.Check(ctx); err != nil {
		return err
	}
	_, err := x.books.Position(ctx)
	return err
}

// look returns how the centre is.
func (w watched) look(ctx context.Context) ops.Status {
	s := ops.Status{Version: version()}
	part := func(name string, err error) {
		p := ops.Part{Name: name, OK: err == nil}
		if err != nil {
			p.What = err.Error()
		}
		s.Parts = append(s.Parts, p)
	}
	part("journal", w.rooms.journal.Check(ctx))
	w.books.look(ctx)
	w.seal.look(ctx)
	_, err := w.rooms.books.Position(ctx)
	if err == nil {
		err = w.books.late()
	}
	part("books", err)
	t := w.trouble()
	if err = nil; !t.Since.IsZero() {
		err = fmt.Errorf("nothing is taken since %s: %w", t.Since.UTC().Format(time.RFC3339), t.Err)
	}
	part("broker", err)
	behind, age, err := w.seal.far()
	if err == nil && age >= maxUnsealed {
		err = fmt.Errorf("no head that was signed covers what the journal had %s ago; the log says why", age.Round(time.Second))
	}
	part("seal", err)
	ended, _ := w.rooms.shown.trouble(time.Time{})
	part("certificates", ended)
	if err == nil {
		s.Unsealed, s.SealAge = &behind, &age
	}
	w.figures(ctx, &s)
	return s
}

// figures fills in what can be read at present.
func (w watched) figures(ctx context.Context, s *ops.Status) {
	if n, err := w.rooms.journal.Head(ctx); err == nil {
		s.Rows = &n
	}
	if behind, age, err := w.books.far(); err == nil {
		s.Behind, s.Age = &behind, &age
	}
	if open, _, err := w.rooms.books.FindingCounts(ctx); err == nil {
		s.Findings = &open
	}
	if up := w.rooms.upward; up != nil && w.rooms.cfg.Upward.URL != "" {
		if f, err := up.Figures(ctx); err == nil {
			s.Upward = &ops.Upward{Waiting: f.Waiting, Refused: f.Refused, Age: f.Age}
		}
	}
	if f, err := w.rooms.people.Figures(ctx); err == nil {
		s.Sessions, s.Waiting = &f.Sessions, &f.Delayed
	}
	if open, err := w.rooms.fleet.OpenAlerts(ctx); err == nil {
		for _, n := range open {
			s.Alerts = append(s.Alerts, ops.Alerts{Hall: n.Hall, Kind: string(n.Kind), Open: n.Open})
		}
	}
	if boxes, err := w.rooms.states(ctx); err == nil {
		if a, err := w.rooms.directory.Atlas(ctx); err == nil {
			s.Halls = halls(a, boxes, directory.DayOf(time.UnixMilli(w.rooms.journal.Now())))
		}
	}
}

// halls sums up what boxes have said. Those at windows that the organisation does not know are in a hall without an id.
func halls(a *directory.Atlas, boxes []fleet.State, day directory.Day) (all []ops.Hall) {
	byID := make(map[string]ops.Hall)
	for _, b := range boxes {
		if !b.Enrolled {
			continue
		}
		var h ops.Hall
		if p, ok := a.Window(b.Window.ID, day); ok {
			h = ops.Hall{ID: p.Hall.ID, Area: p.Hall.Area, Name: p.Hall.Name}
		}
		if known, ok := byID[h.ID]; ok {
			h = known
		}
		h.Boxes++
		if b.Presence != nil && b.Presence.Online {
			h.Online++
		}
		if ill(b) {
			h.Ill++
		}
		if b.Health != nil {
			h.Pending += b.Health.Pending
		}
		byID[h.ID] = h
	}
	for _, h := range byID {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b ops.Hall) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// ill reports whether a box says of a trouble, or is not believed.
func ill(b fleet.State) bool {
	h := b.Health
	return b.Says() == "refused" || h != nil && (!h.KeysOK || !h.StoreOK || h.Stuck != nil || len(h.Troubles) > 0)
}

// counting is a fleet of which it is counted what was not believed.
type counting struct {
	ingest.Fleet
	metrics *ops.Metrics
}

// Note implements ingest.Fleet.
func (c counting) Note(ctx context.Context, notes []fleet.Note) error {
	err := c.Fleet.Note(ctx, notes)
	if err == nil { // else they are noted again
		c.metrics.Unbelieved(notes)
	}
	return err
}

// opsSite returns the listener of those who run the centre.
func (c *command) opsSite(cfg opsConfig, w watched, m *ops.Metrics, log *slog.Logger) (site, error) {
	x := ops.Config{Metrics: m, Look: w.look, Ready: w.rooms.ready, Now: c.env.now, Logger: log}
	if cfg.TokensFile != "" {
		known := tokens{cfg.TokensFile, log}
		if _, err := known.read(); err != nil {
			return site{}, fmt.Errorf("ops.tokens_file: %w", err)
		}
		x.Known = known.knows
	}
	s := site{handler: ops.Handler(x), logger: log}
	var err error
	if s.listener, err = w.rooms.shown.listen("ops.cert_file", string(cfg.Listen), cfg.CertFile, cfg.KeyFile); err != nil {
		return site{}, fmt.Errorf("ops.listen: %w", err)
	}
	return s, nil
}
