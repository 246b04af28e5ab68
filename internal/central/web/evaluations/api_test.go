package evaluations_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
)

// program asks by a token, and remembers the answers.
type program struct {
	*world
	*webtest.Program
}

// program returns a program of somebody with a grant, bounded to an area if that is not empty.
func (w *world) program(g account.Grant, area string) *program {
	w.t.Helper()
	return &program{w, w.Program(w.site, g, area, account.SeeEvaluations)}
}

func (p *program) ask(path, rest string) *httptest.ResponseRecorder {
	const root = "/api/v1/evaluations"
	return p.Get(root+path, root+rest)
}

// all returns the numbers of what a list has, read by parts.
func (p *program) all(query string) (ids []int64) {
	p.t.Helper()
	for _, x := range webtest.All[struct{ Cursor int64 }](p.t, p.Program, "/api/v1/evaluations", query) {
		ids = append(ids, x.Cursor)
	}
	slices.Sort(ids)
	return ids
}

// TestAPI reads by tokens what the pages show: each has what its owner sees, within its area, and no text. Each answer is as the
// description has it.
func TestAPI(t *testing.T) {
	w := newWorld(t)
	w.fill()
	city, county := webtest.Grant(account.City, "629900000000", "629900000000"), webtest.Grant(account.County, "629901000000", "629901000000")
	unit := webtest.Grant(account.Unit, "116299002MB002222J", "629900000000")
	var answers []descriptions.Answer
	for _, x := range []struct {
		grant account.Grant
		bound string
		with  account.Grant // what the bound comes to
	}{{city, "", city}, {county, "", county}, {unit, "", unit}, {city, "629901000000", county}} {
		p := w.program(x.grant, x.bound)
		var want, bad []int64
		outside := int64(0)
		for _, g := range w.given {
			switch {
			case !sees(x.with, g):
				outside = g.id
				continue
			case g.level == 1:
				bad = append(bad, g.id)
			}
			want = append(want, g.id)
		}
		slices.Sort(want)
		slices.Sort(bad)
		if got := p.all(""); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s of %s within %q has %d evaluations, want %d", x.grant.Role, x.grant.Scope, x.bound, len(got), len(want))
		}
		if got := p.all("&level=1"); len(bad) == 0 || !slices.Equal(got, bad) {
			t.Errorf("of level 1 there are %d, want %d", len(got), len(bad))
		}
		for i, id := range want {
			if i%5 > 0 && i < len(want)-4 { // the last ones came by channels without a box
				continue
			}
			webtest.Want(t, p.ask("/{evaluation}", fmt.Sprint("/", id)), 200, `"entry": {`, "!等得太久了", "!热线转来", "!13900000031")
		}
		there, missing := p.ask("/{evaluation}", fmt.Sprint("/", outside)), p.ask("/{evaluation}", "/999999999")
		if webtest.Want(t, there, 404); there.Body.String() != missing.Body.String() {
			t.Errorf("what lies outside is answered with %s, nothing with %s", there.Body, missing.Body)
		}
		webtest.Want(t, p.ask("/{evaluation}/proof", fmt.Sprint("/", outside, "/proof")), 404)
		webtest.Want(t, p.ask("/{evaluation}/proof", fmt.Sprint("/", want[0], "/proof")), 409, `"code": "changed"`)
		for _, query := range []string{"?level=6", "?level=1&level=2", "?levels=1", "?text=yes", "?cursor=x", "?status=good", "?channel=fax",
			"?subject=hall",
			"?from=2026-03-02&to=2026-03-01", "?limit=0"} {
			webtest.Want(t, p.ask("", query), 400, `"code": "invalid"`)
		}
		answers = append(answers, p.Answers...)
	}
	descriptions.Want(t, "../api/openapi.yaml", answers)
}
