package figures

import (
	"slices"
	"strings"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
)

// viewer is who looks at figures. Whoever has a role that sees evaluations looks with that; guarded is who has none, and so must not be
// able to tell from figures who rated how.
type viewer struct {
	person  account.Person
	guarded bool
	known   map[string]bool // what of, by where it lies
}

func viewerOf(c *web.Call) *viewer {
	free := c.Person
	free.Grants = slices.DeleteFunc(slices.Clone(free.Grants), func(g account.Grant) bool { return g.Role == account.Hall })
	v := &viewer{c.Person, true, make(map[string]bool)}
	if len(account.Grants(free, account.SeeFigures)) > 0 {
		v.person, v.guarded = free, false
	}
	return v
}

// may reports whether figures of a place are for the viewer.
func (v *viewer) may(w report.Where) bool {
	key := w.Area + " " + w.Hall + " " + strings.Join(w.Units, " ")
	ok, known := v.known[key]
	if !known {
		ok = account.May(v.person, account.SeeFigures, account.Object{Area: w.Area, Units: w.Units, Hall: w.Hall})
		v.known[key] = ok
	}
	return ok
}

// base returns the area by whose parts the viewer's figures stand: that of their first grant by area, empty for the whole country, and
// false if they have none.
func (v *viewer) base() (string, bool) {
	for _, g := range account.Grants(v.person, account.SeeFigures) {
		if g.Role.Scope() == account.InArea {
			if v.person.Bound != "" && account.Within(g.Scope, v.person.Bound) {
				return v.person.Bound, true
			}
			return g.Scope, true
		}
	}
	return "", false
}
