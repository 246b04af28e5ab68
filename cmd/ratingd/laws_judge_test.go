package main

import (
	"context"
	"slices"

	"pgregory.net/rapid"

	"haochaping/internal/central/books"
	"haochaping/internal/rating"
)

// caseLaw is what the books say of a case.
type caseLaw struct {
	visits  map[rating.VisitID]bool // at which it was rated
	counted bool
	alone   int // evaluations that are about this case only and count
}

func (c *caseLaw) add(v rating.VisitID, counted, alone bool) {
	if c.visits == nil {
		c.visits = make(map[rating.VisitID]bool)
	}
	c.visits[v] = true
	c.counted = c.counted || counted
	if counted && alone {
		c.alone++
	}
}

// judge holds the laws against the books.
func (l *laws) judge(t *rapid.T) {
	ctx := context.Background()
	entries, err := l.books.Entries(ctx)
	if err != nil {
		t.Fatal(err)
	}
	counted, kept := make(map[asked]rating.Level), make(map[asked]map[rating.Level]bool)
	cases := make(map[string]*caseLaw)
	for _, e := range entries {
		q := asked{e.Visit, rating.Question{Subject: e.Subject, Case: e.Case}}
		if kept[q] == nil {
			kept[q] = make(map[rating.Level]bool)
		}
		kept[q][e.Level] = true
		covers := l.opened[e.Visit].Covers(q.question)
		for _, project := range covers {
			if cases[project] == nil {
				cases[project] = new(caseLaw)
			}
			cases[project].add(q.visit, e.Status == rating.Counted, len(covers) == 1)
		}
		times, ok := l.pressed[q][e.Level]
		if !ok {
			t.Fatalf("the books hold %s for visit %s, which nobody pressed", e.Level, e.Visit)
		}
		l.happened[string(e.Quality)]++
		for _, code := range e.Reasons {
			if r, ok := l.catalogue.Find(code); !ok || r.Level != e.Level || len(e.Reasons) > 1 || e.Channel != rating.Keypad {
				t.Fatalf("%s of visit %s is explained by %v", e.Level, e.Visit, e.Reasons)
			}
			l.happened["explained"]++
		}
		if within := func(at int64) bool { return at >= e.Earliest.UnixMilli() && at <= e.Latest.UnixMilli() }; e.Channel == rating.Keypad &&
			!slices.ContainsFunc(times, within) {
			t.Fatalf("visit %s was rated at %v, the books say %s from %d to %d", e.Visit, times, e.Quality, e.Earliest.UnixMilli(),
				e.Latest.UnixMilli())
		}
		if e.Status != rating.Counted {
			continue
		}
		if _, twice := counted[q]; twice {
			t.Fatalf("%v counts twice", q)
		}
		counted[q] = e.Level
	}
	for project, c := range cases {
		if !c.counted || c.alone > 1 {
			t.Fatalf("of case %s %d evaluations of its own count, any does: %t", project, c.alone, c.counted)
		}
		if len(c.visits) > 1 {
			l.happened["rated again"]++
		}
	}
	for q, level := range l.thanked {
		got, ok := counted[q]
		if q.question.Subject == rating.MatterSubject {
			ok = kept[q][level] // another visit or a phone may have been first
		}
		if !ok || q.question.Subject == rating.StaffSubject && got != level && !l.phoned[q] && len(l.pressed[q]) == 1 {
			t.Fatalf("%v was thanked for %s and counts as %s (%t)", q, level, got, ok)
		}
	}
	answered := make(map[rating.VisitID]bool)
	for q := range l.pressed {
		answered[q.visit] = true
	}
	for v := range l.opened {
		view, err := l.books.Books.Visit(ctx, "law-box", v)
		if err != nil {
			t.Fatal(err)
		}
		if silent := !answered[v]; silent && view.Closed != nil &&
			(view.Closed.Outcome == rating.Rated || view.Closed.Outcome == rating.RatedByPhone) {
			t.Fatalf("visit %s was not answered and ended as %s", v, view.Closed.Outcome)
		}
	}
	findings, err := l.books.Findings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		// A phone, or a press that the centre heard of later, may have been first.
		if f.Kind != books.Damage && f.Kind != books.Displaced && f.Resolved.IsZero() {
			t.Fatalf("finding %+v", f)
		}
	}
	logs, err := l.books.Logs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		if log.Err != nil || log.Forks > 0 {
			t.Fatalf("the log is %+v", log)
		}
	}
}
