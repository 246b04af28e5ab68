package upward

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// among returns the words and the argument by which a column is one of many values.
func (r *Room) among(column string, values []string) (string, any) {
	if r.db.Engine() == db.Postgres {
		return column + " = ANY($1)", values
	}
	list, err := json.Marshal(values)
	if err != nil {
		panic(err) // texts
	}
	return column + " IN (SELECT value FROM json_each($1))", string(list)
}

// look compares what the books say of visits and cases with their records, and writes what differs.
func (r *Room) look(ctx context.Context, st, next state, names books.Names) error {
	visits, err := r.visits(ctx, names)
	if err != nil {
		return err
	}
	now, err := r.cfg.Books.Services(ctx, visits)
	if err != nil {
		return err
	}
	cases := make(map[rating.CaseKey]bool)
	for _, k := range names.Cases {
		cases[k] = true
	}
	c := &change{places: make(map[placeKey]*place)}
	if err := r.completed(ctx, c, cases, visits, now); err != nil {
		return err
	}
	s, err := r.seer(ctx, cases, now)
	if err != nil {
		return err
	}
	items := make(map[string]bool)
	for _, k := range visits {
		s.visit(k, now[k])
		items[personItem(k)], items[matterItem(k)] = true, true
	}
	if err := r.lookAtCases(ctx, c, s, cases); err != nil {
		return err
	}
	for k := range cases {
		items[caseItem(k)] = true
	}
	where, arg := r.among("item", slices.Sorted(maps.Keys(items)))
	if c.was, err = r.records(ctx, "WHERE "+where, arg); err != nil {
		return err
	}
	c.wants = s.wants
	return r.write(ctx, st, next, c)
}

// visits returns those that are named, each once, and those whose first case is named: what is said of a case stands in their records too.
func (r *Room) visits(ctx context.Context, names books.Names) ([]books.ServiceKey, error) {
	var projects []string
	for _, k := range names.Cases {
		projects = append(projects, k.String())
	}
	all := slices.Clone(names.Services)
	if len(projects) > 0 {
		where, arg := r.among("project", projects)
		items, err := db.Query(ctx, r.db, func(s db.Scanner) (x string, err error) { return x, s.Scan(&x) },
			"SELECT item FROM upward_record WHERE kind = 1 AND "+where, arg)
		if err != nil {
			return nil, fmt.Errorf("read which visits are about cases: %w", err)
		}
		for _, item := range items {
			if k, _, ok := partsOf(item); ok {
				all = append(all, k)
			}
		}
	}
	slices.SortFunc(all, func(a, b books.ServiceKey) int {
		return cmp.Or(cmp.Compare(a.Visit, b.Visit), cmp.Compare(a.Device, b.Device))
	})
	return slices.Compact(all), nil
}

// seer reads all that is needed of what is looked at.
func (r *Room) seer(ctx context.Context, cases map[rating.CaseKey]bool, now map[books.ServiceKey]books.Service) (*seer, error) {
	s := &seer{table: r.cfg.Table, erased: make(map[int64]bool), wants: make(map[key]want)}
	if !r.cfg.Since.IsZero() {
		s.since = r.cfg.Since.UnixMilli()
	}
	var err error
	if s.atlas, err = r.cfg.Directory.Atlas(ctx); err != nil {
		return nil, err
	}
	if s.matters, err = r.cfg.Books.Matters(ctx, slices.Collect(maps.Keys(cases))); err != nil {
		return nil, err
	}
	var ids []int64
	for _, v := range now {
		for _, own := range v.Own {
			ids = append(ids, own.ID)
		}
	}
	for _, m := range s.matters {
		if m.Counts != nil {
			ids = append(ids, m.Counts.ID)
		}
	}
	if s.entries, err = r.cfg.Books.Entries(ctx, ids); err != nil {
		return nil, err
	}
	for id, e := range s.entries {
		if !e.HasText {
			continue
		}
		pos, part := e.Pos()
		if _, err := r.cfg.Journal.Text(ctx, pos, part); errors.Is(err, journal.ErrErased) {
			s.erased[id] = true
		} else if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// placeKey names a visit that has completed a case.
type placeKey struct{ project, item string }

// completed notes which visits have completed cases, and adds to the cases all that these visits are or were about.
func (r *Room) completed(ctx context.Context, c *change, cases map[rating.CaseKey]bool, visits []books.ServiceKey,
	now map[books.ServiceKey]books.Service) error {
	atlas, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return err
	}
	var items []string
	for _, k := range visits {
		items = append(items, personItem(k))
		v := now[k]
		for _, x := range v.Cases {
			cases[x] = true
		}
		if v.Visit == nil {
			continue
		}
		var at Said
		(&seer{atlas: atlas}).place(&at, v.Post, v.At, rating.PadArea(v.Visit.Window.Area))
		for _, x := range v.Visit.Cases {
			if x.Completed {
				c.places[placeKey{v.Visit.Key(x).String(), personItem(k)}] = &place{v.At.UnixMilli(), personItem(k), at.Area, at.Unit}
			}
		}
	}
	if len(items) == 0 {
		return nil
	}
	where, arg := r.among("item", items)
	old, err := db.Query(ctx, r.db, func(s db.Scanner) (k placeKey, err error) { return k, s.Scan(&k.project, &k.item) },
		"SELECT project, item FROM upward_visit WHERE "+where, arg)
	if err != nil {
		return fmt.Errorf("read which cases were completed at visits: %w", err)
	}
	for _, k := range old {
		cases[rating.ParseCaseKey(k.project)] = true
		if _, ok := c.places[k]; !ok {
			c.places[k] = nil
		}
	}
	return nil
}

// lookAtCases says what is to be said of cases, with the first visit that has completed each.
func (r *Room) lookAtCases(ctx context.Context, c *change, s *seer, cases map[rating.CaseKey]bool) error {
	if len(cases) == 0 {
		return nil
	}
	var projects []string
	for k := range cases {
		projects = append(projects, k.String())
	}
	where, arg := r.among("project", projects)
	type row struct {
		placeKey
		place
	}
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (x row, err error) {
		var body string
		if err = s.Scan(&x.project, &x.item, &body); err == nil {
			err = json.Unmarshal([]byte(body), &x.place)
		}
		x.Item = x.item
		return x, err
	}, "SELECT project, item, body FROM upward_visit WHERE "+where, arg)
	if err != nil {
		return fmt.Errorf("read which visits have completed cases: %w", err)
	}
	first := make(map[string]*place)
	note := func(project string, p place) {
		if f := first[project]; f == nil || cmp.Or(cmp.Compare(p.At, f.At), cmp.Compare(p.Item, f.Item)) < 0 {
			first[project] = &p
		}
	}
	for _, x := range all {
		if _, changed := c.places[x.placeKey]; !changed {
			note(x.project, x.place)
		}
	}
	for k, p := range c.places {
		if p != nil {
			note(k.project, *p)
		}
	}
	for k := range cases {
		if m, ok := s.matters[k]; ok {
			s.matter(m, first[k.String()])
		}
	}
	return nil
}
