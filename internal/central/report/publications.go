package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
)

// ErrStale says that something was published since a draft was counted.
var ErrStale = errors.New("起草之后又发布了时间重叠的结果，请作废本稿、重新起草 · " +
	"another result about these days was published since this was drafted; drop it and draft it anew")

// Publications are results as dossiers: drafted, edited, approved by somebody else, and published.
type Publications struct {
	Reports  *Reports
	Dossiers *dossier.Dossiers
}

// ReleaseOf returns what a dossier publishes.
func ReleaseOf(k dossier.Kept) (r Release, err error) {
	if err = json.Unmarshal(k.Found, &r); err != nil {
		return r, fmt.Errorf("dossier %d: %w", k.ID, err)
	}
	return r, nil
}

// Published returns what was published, the oldest first.
func (p Publications) Published(ctx context.Context) (all []Earlier, err error) {
	some, err := p.Dossiers.Begun(ctx, dossier.Publication, "")
	if err != nil {
		return nil, err
	}
	for _, k := range some {
		if k.State != dossier.Published {
			continue
		}
		whole, err := p.Dossiers.Dossier(ctx, k.ID)
		if err != nil {
			return nil, err
		}
		r, err := ReleaseOf(whole)
		if err != nil {
			return nil, err
		}
		all = append(all, Earlier{k.ID, r})
	}
	return all, nil
}

// Draft opens a dossier with a result of an area. A draft that somebody has begun is that one; one that was dropped is drafted anew.
func (p Publications) Draft(ctx context.Context, by dossier.By, area string, days directory.Period) (id int64, err error) {
	earlier, err := p.Published(ctx)
	if err != nil {
		return 0, err
	}
	r, err := p.Reports.Draft(ctx, area, days, earlier)
	if err != nil {
		return 0, err
	}
	found, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	d := dossier.Dossier{Kind: dossier.Publication, Name: r.Key(), Title: r.Title(), Area: area, Found: found}
	for n := 1; ; n++ {
		if n > 1 {
			d.Name = fmt.Sprintf("%s draft %d", r.Key(), n)
		}
		known, err := p.Dossiers.Named(ctx, dossier.Publication, d.Name)
		switch {
		case errors.Is(err, dossier.ErrNone):
			id, _, err = p.Dossiers.Add(ctx, by, d)
			return id, err
		case err != nil:
			return 0, err
		case known.State != dossier.Closed:
			return known.ID, nil
		}
	}
}

// Check returns ErrStale if something else was published about a draft's days since it was counted.
func (p Publications) Check(ctx context.Context, k dossier.Kept) error {
	r, err := ReleaseOf(k)
	if err != nil {
		return err
	}
	earlier, err := p.Published(ctx)
	if err != nil {
		return err
	}
	for _, e := range earlier {
		if _, meets := e.Days.Meet(r.Days); meets && e.shares(r.Whole) && !slices.Contains(r.Beside, e.ID) {
			return ErrStale
		}
	}
	return nil
}
