// Package scope says which evaluations somebody may see: of one evaluation as the object of account.May, and of many as the part of a
// search of the books that reads nothing else. Both say the same; the object has the last word.
//
// An evaluation belongs to where its box stood at its moment (books.Entry.Moment), by the window and the generation that its visit's record
// names. One by a channel without a box belongs to the area of its case. What is not known to lie anywhere is the province's.
package scope

import (
	"context"
	"slices"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/rating"
)

// Directory is what is needed of the organisation.
type Directory interface {
	Atlas(ctx context.Context) (*directory.Atlas, error)
}

// Object returns what an evaluation is about, for account.May.
func Object(a *directory.Atlas, e books.Entry) account.Object {
	p, ok := e.Post()
	switch {
	case !ok:
		return account.Object{}
	case p.Area != "":
		return account.Object{Area: p.Area}
	}
	return At(a, p.Device, rating.Window{ID: p.Window, Generation: p.Generation}, e.Moment())
}

// At returns where a box stood with a window at a moment, for account.May. What the organisation does not know lies nowhere.
func At(a *directory.Atlas, device rating.DeviceID, w rating.Window, at time.Time) account.Object {
	p, ok := a.Place(device, w.ID, w.Generation, at)
	if !ok {
		return account.Object{}
	}
	return ObjectOf(p)
}

// ObjectOf returns what happens at a place is about, for account.May.
func ObjectOf(p directory.Place) account.Object {
	o := account.Object{Area: p.Area().ID, Hall: p.Hall.ID}
	for _, u := range p.Units {
		o.Units = append(o.Units, u.ID)
	}
	return o
}

// Filter narrows a search to a part of the organisation. What is empty narrows nothing.
type Filter struct {
	Area, Unit, Hall, Window string
}

// holds reports whether an object at a window is asked for.
func (f Filter) holds(o account.Object, window string) bool {
	return (f.Area == "" || o.Area != "" && account.Within(f.Area, o.Area)) && (f.Unit == "" || slices.Contains(o.Units, f.Unit)) &&
		(f.Hall == "" || o.Hall == f.Hall) && (f.Window == "" || window == f.Window)
}

// Asker is who asks: what they may do, and by which grants.
type Asker interface {
	May(account.Action, account.Object) bool
	Grants(account.Action) []account.Grant
}

// Narrow makes a search one for what somebody may do something to, in the part of the organisation that a filter says.
func Narrow(q books.Search, a *directory.Atlas, by Asker, do account.Action, f Filter) books.Search {
	all := by.May(do, account.Object{}) // also what lies nowhere
	if !all || f != (Filter{}) {
		q.Within = books.Within{Some: true, Stays: stays(a, func(o account.Object, w string) bool { return by.May(do, o) && f.holds(o, w) }),
			Areas: areas(by, do, f)}
	}
	further := q.Fits
	q.Fits = func(e books.Entry) bool {
		o := Object(a, e)
		p, _ := e.Post()
		return by.May(do, o) && f.holds(o, p.Window) && (further == nil || further(e))
	}
	return q
}

// Counted returns within what something is counted that somebody may see, and what within that is left out: a count has no last word about
// each. What lies nowhere is counted for those who see it.
func Counted(a *directory.Atlas, by Asker, do account.Action, today directory.Day) (within, but books.Within) {
	if !by.May(do, account.Object{}) {
		return books.Within{Some: true, Stays: stays(a, func(o account.Object, _ string) bool { return by.May(do, o) }),
			Areas: areas(by, do, Filter{})}, but
	}
	but.Stays = stays(a, func(o account.Object, _ string) bool { return !by.May(do, o) })
	for r := range a.Each(directory.Area, today) {
		if !by.May(do, account.Object{Area: r.ID}) {
			but.Areas = append(but.Areas, r.ID)
		}
	}
	but.Some = len(but.Stays)+len(but.Areas) > 0
	return within, but
}

// stays returns the boxes' stays at objects and windows that fit, neighbouring ones as one.
func stays(a *directory.Atlas, fits func(o account.Object, window string) bool) (all []books.Stay) {
	for _, s := range a.Stays() {
		if !fits(ObjectOf(s.Place), s.Place.Window.ID) {
			continue
		}
		next := books.Stay{Post: books.Post{Device: s.Device, Generation: s.Generation, Window: s.Place.Window.ID}, From: s.From.Start()}
		if s.To < directory.Forever {
			next.To = s.To.Start()
		}
		if n := len(all) - 1; n >= 0 && all[n].Post == next.Post && all[n].To.Equal(next.From) {
			all[n].To = next.To
			continue
		}
		all = append(all, next)
	}
	return all
}

// areas returns the areas whose cases somebody may see the evaluations of, for those that came without a box.
func areas(by Asker, do account.Action, f Filter) (all []string) {
	if f.Unit != "" || f.Hall != "" || f.Window != "" {
		return nil
	}
	for _, g := range by.Grants(do) {
		switch {
		case g.Role.Scope() != account.InArea:
		case f.Area == "" || account.Within(f.Area, g.Scope):
			all = append(all, g.Scope)
		case account.Within(g.Scope, f.Area):
			all = append(all, f.Area)
		}
	}
	return all
}
