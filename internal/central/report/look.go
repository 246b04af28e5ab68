package report

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// written is a fact as the table has it.
type written struct {
	fact
	text string
}

// facts reads facts by their items.
func (r *Reports) facts(ctx context.Context, where string, args ...any) (map[string]written, error) {
	type row struct{ item, text string }
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (x row, err error) { return x, s.Scan(&x.item, &x.text) },
		"SELECT item, body FROM report_fact "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read what is counted: %w", err)
	}
	out := make(map[string]written, len(all))
	for _, x := range all {
		w := written{text: x.text}
		if err := json.Unmarshal([]byte(x.text), &w.fact); err != nil {
			return nil, fmt.Errorf("read what is counted of %s: %w", x.item, err)
		}
		out[x.item] = w
	}
	return out, nil
}

// among returns the words and the argument by which a column is one of many values.
func (r *Reports) among(column string, values any) (string, any) {
	if r.db.Engine() == db.Postgres {
		return column + " = ANY($1)", values
	}
	list, err := json.Marshal(values)
	if err != nil {
		panic(err) // texts and numbers
	}
	return column + " IN (SELECT value FROM json_each($1))", string(list)
}

func (r *Reports) factsAmong(ctx context.Context, items []string) (map[string]written, error) {
	where, arg := r.among("item", items)
	return r.facts(ctx, "WHERE "+where, arg)
}

// Names of items: the person's of a visit, the matter's of one whose record has not come, and a case.
func personItem(k books.ServiceKey) string { return "v " + k.String() }
func matterItem(k books.ServiceKey) string { return "w " + k.String() }
func caseItem(k string) string             { return "c " + k }

// look compares what the books say of visits and cases with what the aggregates have of them, and writes what differs.
func (r *Reports) look(ctx context.Context, st, next state, names books.Names) error {
	c := newChange()
	cases, err := r.lookAtServices(ctx, c, names.Services)
	if err != nil {
		return err
	}
	for _, k := range names.Cases {
		cases[k.String()] = true
	}
	if err := r.lookAtCases(ctx, c, cases); err != nil {
		return err
	}
	orders, err := r.ordersOf(ctx, c.bad)
	if err == nil {
		err = r.lookAtOrders(ctx, c, orders)
	}
	if err != nil {
		return err
	}
	return r.write(ctx, st, next, c)
}

// lookAtServices looks at visits, and returns the cases that these and their answers are or were about.
func (r *Reports) lookAtServices(ctx context.Context, c *change, named []books.ServiceKey) (map[string]bool, error) {
	cases, once := make(map[string]bool), make(map[books.ServiceKey]bool)
	var keys []books.ServiceKey
	for _, k := range named { // each once, since what a change takes out it takes out once
		if !once[k] {
			once[k] = true
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return cases, nil
	}
	now, err := r.cfg.Books.Services(ctx, keys)
	if err != nil {
		return nil, err
	}
	var items []string
	for _, k := range keys {
		items = append(items, personItem(k), matterItem(k))
	}
	before, err := r.factsAmong(ctx, items)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		s := now[k]
		person, matter, name := factsOf(s, k)
		for _, own := range s.Own {
			c.rated(own)
		}
		item := personItem(k)
		old := at(before, item)
		c.fact(item, old, person)
		c.fact(matterItem(k), at(before, matterItem(k)), matter)
		for id, words := range name {
			c.name(ByStaff, id, words, s.At.UnixMilli())
		}
		for _, x := range s.Cases {
			cases[x.String()] = true
		}
		if old != nil {
			for _, x := range old.Cases {
				cases[x] = true
				c.unsee(x, item)
			}
		}
		if person != nil {
			for _, x := range person.Cases {
				cases[x] = true
				c.see(x, seen{At: s.At.UnixMilli(), Item: item, Post: person.Post, Staff: person.Staff})
			}
		}
	}
	return cases, nil
}

func at(all map[string]written, item string) *written {
	if w, ok := all[item]; ok {
		return &w
	}
	return nil
}

// lookAtCases looks at cases, with the visits that have completed them.
func (r *Reports) lookAtCases(ctx context.Context, c *change, cases map[string]bool) error {
	if len(cases) == 0 {
		return nil
	}
	var keys []rating.CaseKey
	var items, projects []string
	for k := range cases {
		keys, items, projects = append(keys, rating.ParseCaseKey(k)), append(items, caseItem(k)), append(projects, k)
	}
	now, err := r.cfg.Books.Matters(ctx, keys)
	if err != nil {
		return err
	}
	before, err := r.factsAmong(ctx, items)
	if err != nil {
		return err
	}
	visits, err := r.seen(ctx, projects)
	if err != nil {
		return err
	}
	for _, k := range keys {
		item := caseItem(k.String())
		var f *fact
		if m, ok := now[k]; ok {
			if m.Counts != nil {
				c.rated(*m.Counts)
			}
			f = factOf(m, c.first(k.String(), visits[k.String()]))
			if f != nil && f.Task != "" && m.TaskName != "" {
				c.name(ByMatter, f.Task, m.TaskName, m.AsOf)
			}
		}
		c.fact(item, at(before, item), f)
	}
	return nil
}

// seen reads which visits have completed cases.
func (r *Reports) seen(ctx context.Context, projects []string) (map[string][]seen, error) {
	type row struct {
		project string
		seen
	}
	where, arg := r.among("project", projects)
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (x row, err error) {
		var body string
		if err = s.Scan(&x.project, &x.Item, &body); err == nil {
			err = json.Unmarshal([]byte(body), &x.seen)
		}
		return x, err
	}, "SELECT project, item, body FROM report_seen WHERE "+where, arg)
	if err != nil {
		return nil, fmt.Errorf("read which visits have completed cases: %w", err)
	}
	out := make(map[string][]seen)
	for _, x := range all {
		out[x.project] = append(out[x.project], x.seen)
	}
	return out, nil
}

// first returns the first visit that has completed a case, of those that are written and those of this change, nil if none has.
func (c *change) first(project string, written []seen) *seen {
	all := slices.DeleteFunc(written, func(s seen) bool { _, changed := c.visits[place{project, s.Item}]; return changed })
	for k, s := range c.visits {
		if k.project == project && s != nil {
			all = append(all, *s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	s := slices.MinFunc(all, earlier)
	return &s
}
