package account

import (
	"slices"
	"strings"
	"time"
)

// Grant is an appointment: a role, for what, and when.
type Grant struct {
	ID      string `json:"id"`
	Account string `json:"account"`
	Role    Role   `json:"role"`
	Scope   string `json:"scope"` // id of an area, unit, hall or staff member, by the role
	Area    string `json:"area"`  // 12 digits: where the scope lies
	From    int64  `json:"from"`  // milliseconds since 1970-01-01 UTC
	To      int64  `json:"to"`    // when it ends, 0: not yet known
}

// Holds reports whether the grant is valid at a time.
func (g Grant) Holds(at int64) bool { return g.From <= at && (g.To == 0 || at < g.To) }

// Person is who asks, as known at one moment.
type Person struct {
	Account string
	Login   string
	Name    string
	Grants  []Grant
	At      int64  // milliseconds since 1970-01-01 UTC
	By      string // the session or token, as a name that opens nothing
	Second  bool   // a second factor was shown
	// Token says that a program asks; it may do what Only names, and never what is not for tokens.
	Token bool
	Only  []Action
	// Bound is the area outside of which a token does nothing, empty for none.
	Bound string
}

// Roles returns the roles that the person has at present, each once.
func (p Person) Roles() []Role {
	var all []Role
	for _, g := range p.Grants {
		if g.Holds(p.At) && !slices.Contains(all, g.Role) {
			all = append(all, g.Role)
		}
	}
	return all
}

// NeedsSecond reports whether the person has a role that needs a second factor.
func (p Person) NeedsSecond() bool { return slices.ContainsFunc(p.Roles(), Role.NeedsSecond) }

// Subtracts reports whether a person can see, or could, both the figures of a hall and their own, of a month that closed at a time: what
// the two differ by would tell how colleagues were rated, and by whom.
func (p Person) Subtracts(closed time.Time) bool {
	could := func(r Role) bool {
		return slices.ContainsFunc(p.Grants, func(g Grant) bool {
			return g.Role == r && g.From <= p.At && (g.To == 0 || g.To > max(g.From, closed.UnixMilli()))
		})
	}
	return could(Hall) && could(Staff)
}

// Object is what an action is done to, by where it lies. What is empty is not known, and lets nobody in by it.
type Object struct {
	Account string   // whose it is, for what belongs to an account
	Area    string   // 12 digits
	Units   []string // the unit whose business it is, and those above it
	Hall    string
	Staff   string // whose counts these are
	Closed  bool   // the counts are of a month that is over
	Counted int    // how many evaluations the counts are made of
}

// May reports whether a person may do something to an object. It is the only rule of access: pages, lists, exports and the API ask it.
func May(p Person, a Action, o Object) bool {
	rule, ok := RuleOf(a)
	if !ok || p.Account == "" || p.Token && (!rule.ForTokens() || !slices.Contains(p.Only, a)) {
		return false
	}
	if p.NeedsSecond() && !p.Second && a != UseOwn {
		return false
	}
	if a == Start || a == UseOwn {
		return o.Account == p.Account
	}
	if p.Bound != "" && !Within(p.Bound, o.Area) {
		return false
	}
	return slices.ContainsFunc(p.Grants, func(g Grant) bool { return g.Holds(p.At) && reaches(rule.Reach[g.Role], g, o) })
}

// reaches reports whether an object lies within a grant.
func reaches(r Reach, g Grant, o Object) bool {
	if g.Scope == "" {
		return false
	}
	switch r {
	case InArea:
		return Within(g.Scope, o.Area)
	case InUnit:
		return slices.Contains(o.Units, g.Scope)
	case InHall:
		return o.Hall == g.Scope
	case OfStaff:
		return o.Staff == g.Scope && o.Closed && o.Counted >= LeastCounted
	}
	return false
}

// Ever reports whether a person may do something to any object at all, for navigation and for lists that then ask for each object.
func Ever(p Person, a Action) bool {
	if a == Start || a == UseOwn {
		return May(p, a, Object{Account: p.Account})
	}
	return len(Grants(p, a)) > 0
}

// Grants returns the grants by which a person may do something, so that a list can ask its table for no more than these.
func Grants(p Person, a Action) []Grant {
	var all []Grant
	rule, _ := RuleOf(a)
	for _, g := range p.Grants {
		one := p
		one.Grants = []Grant{g}
		// The second factor is owed for all grants together.
		if p.NeedsSecond() && !p.Second || rule.Reach[g.Role] == Nowhere {
			continue
		}
		if May(one, a, typical(g, p.Bound)) {
			all = append(all, g)
		}
	}
	return all
}

// typical returns an object that lies within a grant, and within an area if that is not empty and both have something in common.
func typical(g Grant, area string) Object {
	switch g.Role.Scope() {
	case InUnit:
		return Object{Units: []string{g.Scope}, Area: area}
	case InHall:
		return Object{Hall: g.Scope, Area: area}
	case OfStaff:
		return Object{Staff: g.Scope, Closed: true, Counted: LeastCounted, Area: area}
	}
	if area != "" && Within(g.Scope, area) {
		return Object{Area: area}
	}
	return Object{Area: g.Scope}
}

// AreaDigits is how many digits an area's code has.
const AreaDigits = 12

// Within reports whether an area is another one or lies under it. The code's pairs and triples of digits are province, city, county,
// township and village; zeros end it. What has no area yet lies in the province, and nowhere in it.
func Within(outer, area string) bool {
	if !IsArea(outer) || area != "" && !IsArea(area) {
		return false
	}
	significant := stem(outer) // empty for the whole country
	return area == "" && len(significant) <= 2 || area != "" && strings.HasPrefix(area, significant)
}

// stem returns the digits of an area that are not filled up with zeros.
func stem(area string) string {
	for _, n := range []int{0, 2, 4, 6, 9} {
		if strings.Trim(area[n:], "0") == "" {
			return area[:n]
		}
	}
	return area
}

// Codes returns the least and the greatest code of an area and of those under it.
func Codes(area string) (first, last string) {
	significant := stem(area)
	fill := AreaDigits - len(significant)
	return significant + strings.Repeat("0", fill), significant + strings.Repeat("9", fill)
}

// IsArea reports whether a text is an area's code of 12 digits.
func IsArea(s string) bool { return len(s) == AreaDigits && strings.Trim(s, "0123456789") == "" }
