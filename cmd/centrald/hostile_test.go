package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/cases"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
)

// walk is a centre with an organisation, and somebody who has every role, so that what refuses a request is never the role.
type walk struct {
	*rooms
	site   *web.Site
	routes []web.Route
	secret string
}

func newWalk(t *testing.T) walk {
	t.Helper()
	x, site := pagesOf(t)
	directorytest.Enter(t, x.directory, "../ratingctl/organisation.csv")
	w := walk{rooms: x, site: site}
	var grants []account.Grant
	for _, r := range account.Roles() {
		grants = append(grants, grantOf(r, 0))
	}
	a, err := x.people.Add(t.Context(), operator(), "everything", "测试", "620000000000", grants...)
	if err != nil {
		t.Fatal(err)
	}
	link, err := x.people.Link(t.Context(), operator(), a, account.SignsIn)
	if err != nil {
		t.Fatal(err)
	}
	e, err := x.people.EnterByLink(t.Context(), link, account.Browser{})
	if err != nil {
		t.Fatal(err)
	}
	w.secret = e.Secret
	for _, r := range site.Routes() {
		if r.Path != "/live/events" { // which never ends
			w.routes = append(w.routes, r)
		}
	}
	return w
}

// braces are the parts of a route's path.
func braces() *regexp.Regexp { return regexp.MustCompile(`\{[a-z]+\}`) }

// address returns a route's address with parts that exist where the test knows one, else with one that does not.
func (w walk) address(r web.Route) string {
	known := map[string]string{"{kind}": "hall", "{id}": "SL-H2"}
	return braces().ReplaceAllStringFunc(strings.TrimSuffix(r.Path, "{$}"), func(s string) string {
		if v, ok := known[s]; ok {
			return v
		}
		return "a-none"
	})
}

func (w walk) do(method, address, kind string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, body)
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:40000"
	r.Header.Set("Accept", "text/html")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.AddCookie(&http.Cookie{Name: "hcp", Value: w.secret})
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return webtest.Do(w.site, r)
}

// still checks that a hostile request has entered nothing.
func (w walk) still(t *testing.T, what string, do func()) {
	t.Helper()
	before, err := w.journal.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	do()
	after, err := w.journal.Head(t.Context())
	if err != nil || after != before {
		t.Errorf("%s enters %d rows, %v", what, after-before, err)
	}
}

func changing(r web.Route) bool { return r.Method != http.MethodGet }

// No page of another site does anything, whatever the browser says of it.
func TestHostileOrigins(t *testing.T) {
	w := newWalk(t)
	for _, r := range w.routes {
		if !changing(r) {
			continue
		}
		for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example.com"}, {"Origin", "null"},
			{"Origin", "http://localhost.evil.example.com"}} {
			what := fmt.Sprint(r.Method, " ", r.Path, " of ", headers)
			w.still(t, what, func() {
				if got := w.do(r.Method, w.address(r), "application/x-www-form-urlencoded", strings.NewReader("reason=forged"), headers...); got.Code != http.StatusForbidden {
					t.Errorf("%s: %d", what, got.Code)
				}
			})
		}
	}
}

// What an address is not registered for does nothing, and no header or field makes one method another.
func TestHostileMethods(t *testing.T) {
	w := newWalk(t)
	has := make(map[string][]string)
	for _, r := range w.routes {
		has[r.Path] = append(has[r.Path], r.Method)
	}
	for _, r := range w.routes {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"} {
			if slices.Contains(has[r.Path], method) {
				continue
			}
			what := fmt.Sprint(method, " ", r.Path)
			w.still(t, what, func() {
				if got := w.do(method, w.address(r), "", nil); got.Code != http.StatusNotFound && got.Code != http.StatusMethodNotAllowed {
					t.Errorf("%s: %d", what, got.Code)
				}
			})
		}
		if changing(r) {
			what := "a GET that would be " + r.Method + " " + r.Path
			w.still(t, what, func() {
				got := w.do("GET", w.address(r)+"?_method="+r.Method, "", nil, "X-HTTP-Method-Override", r.Method, "X-HTTP-Method", r.Method)
				if !slices.Contains(has[r.Path], "GET") && got.Code != http.StatusNotFound {
					t.Errorf("%s: %d", what, got.Code)
				}
			})
		}
	}
}

// A body that is too large is refused whatever it is, also by a route that reads none, and one of a wrong kind does nothing that a program means.
func TestHostileBodies(t *testing.T) {
	w := newWalk(t)
	for _, r := range w.routes {
		if !changing(r) {
			continue
		}
		limit := r.MaxBody
		if limit == 0 {
			limit = 64 << 10
		}
		large := bytes.Repeat([]byte("a"), int(limit)+1)
		what := r.Method + " " + r.Path
		w.still(t, what+" of a large body", func() {
			if got := w.do(r.Method, w.address(r), "application/x-www-form-urlencoded", bytes.NewReader(large)); got.Code != http.StatusRequestEntityTooLarge && got.Code != http.StatusNotFound {
				t.Errorf("%s of %d bytes: %d", what, len(large), got.Code)
			}
		})
		for _, kind := range []string{"", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json; charset=\"", "application/json"} {
			program := strings.HasPrefix(r.Path, "/api/")
			if !program && (kind != "application/json" && kind != "application/xml" || r.Path == "/signout") {
				continue
			}
			got := w.do(r.Method, w.address(r), kind, strings.NewReader(`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`))
			switch {
			case got.Code >= 500, strings.Contains(got.Body.String(), "root:"):
				t.Errorf("%s of %q: %d %s", what, kind, got.Code, got.Body)
			case program && kind == "application/json" && got.Code != http.StatusBadRequest && (got.Code != http.StatusNotFound || !strings.Contains(w.address(r), "a-none")),
				program && kind != "application/json" && got.Code != http.StatusUnsupportedMediaType && got.Code != http.StatusNotFound:
				t.Errorf("%s of %q: %d", what, kind, got.Code)
			}
		}
	}
}

// Nothing that stands in an address or a query breaks anything, or is answered with what there is.
func TestHostileAddresses(t *testing.T) {
	w := newWalk(t)
	junk := []string{"..%2f..%2fetc%2fpasswd", "%00", "%27%20OR%201=1--", "%3Cscript%3E", strings.Repeat("9", 8000), "%F0%9F%92%A9", "%ff%fe", "{id}", "-1", "18446744073709551616", "%0d%0aSet-Cookie:x"}
	for _, r := range w.routes {
		if changing(r) {
			continue
		}
		for _, j := range junk {
			addresses := []string{w.address(r) + "?q=" + j + "&cursor=" + j + "&after=" + j + "&before=" + j + "&day=" + j + "&limit=" + j + "&kind=" + j + "&from=" + j + "&area=" + j + "&to=" + j}
			if braces().MatchString(r.Path) {
				addresses = append(addresses, braces().ReplaceAllString(r.Path, j))
			}
			for i, address := range addresses {
				got := w.do("GET", address, "", nil)
				if got.Code >= 500 || i == 1 && got.Code == 200 || got.Header().Get("Set-Cookie") != "" || strings.Contains(got.Body.String(), "<script>") {
					t.Errorf("%s with %.40q: %d", r.Path, j, got.Code)
				}
			}
		}
	}
}

// TestHostileTokens asks the API with tokens of all roles, actions and areas for what lies inside and outside: a token does what account.May says of its
// owner, its actions and its area, and the rest is answered as what does not exist.
func TestHostileTokens(t *testing.T) {
	w := newWalk(t)
	p := &crowd{t, w.rooms, 0, make(map[account.Grant]string), make(map[account.Grant]string)}
	targets := make(map[string]string) // accounts, by area
	for i, area := range []string{"629901000000", "629902000000", "629900000000"} {
		a, err := w.people.Add(t.Context(), operator(), fmt.Sprint("target", i), "对象", area)
		if err != nil {
			t.Fatal(err)
		}
		targets[area] = a.ID
	}
	halls := map[string]string{"629901000000": "SL-H2", "629900000000": "SL-H1", "629902100000": "SL-H3"}
	grants := []account.Grant{}
	for _, r := range account.Roles() {
		switch r.Scope() {
		case account.InArea:
			area := map[account.Role]string{account.Province: "620000000000", account.City: "629900000000"}[r]
			if area == "" {
				area = "629901000000"
			}
			grants = append(grants, account.Grant{Role: r, Scope: area, Area: area, From: 1})
		case account.InUnit:
			grants = append(grants, account.Grant{Role: r, Scope: "116299006MB0066664", Area: "629901000000", From: 1})
		case account.InHall:
			grants = append(grants, account.Grant{Role: r, Scope: "SL-H2", Area: "629901000000", From: 1})
		}
	}
	type made struct {
		token  string
		person account.Person
	}
	kept := make(map[string]made)
	tokenFor := func(g account.Grant, a account.Action, area string) (made, bool) {
		key := fmt.Sprint(g, a, area)
		if m, ok := kept[key]; ok {
			return m, m.token != ""
		}
		secret, _ := p.signedIn(g)
		person, _, err := w.people.Session(t.Context(), secret, true)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := w.people.AddToken(t.Context(), person, "walk", []account.Action{a}, area, time.Now().Add(time.Hour).UnixMilli())
		m := made{token: token}
		if err == nil {
			m.person, err = w.people.ByToken(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
		}
		kept[key] = m
		return m, m.token != ""
	}
	ask := func(path, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Host, r.RemoteAddr = "localhost", "127.0.0.1:40000"
		r.Header.Set("Authorization", "Bearer "+token)
		return webtest.Do(w.site, r)
	}
	actions := []account.Action{account.SeeDirectory, account.EditDirectory, account.SeeAccounts, account.SeeAudit, account.SeeEvaluations, account.SeeLive}
	reached := make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.SampledFrom(grants).Draw(t, "grant")
		a := rapid.SampledFrom(actions).Draw(t, "action")
		bound := rapid.SampledFrom([]string{"", "", "629901000000", "629902000000", "629900000000"}).Draw(t, "bound")
		m, ok := tokenFor(g, a, bound)
		if !ok {
			return // nobody may have such a token
		}
		var path, missing string
		var may bool
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			area := rapid.SampledFrom([]string{"629901000000", "629900000000", "629902100000"}).Draw(t, "hall of")
			path, missing = "/api/v1/organisation/hall/"+halls[area], "/api/v1/organisation/hall/none"
			units := map[string][]string{"629901000000": {"116299006MB0066664", "116299002MB002222J", "116299001MB0011116"}}[area]
			may = account.May(m.person, account.SeeDirectory, account.Object{Area: area, Hall: halls[area], Units: units})
		case 1:
			area := rapid.SampledFrom([]string{"629901000000", "629902000000", "629900000000"}).Draw(t, "account of")
			path, missing = "/api/v1/accounts/"+targets[area], "/api/v1/accounts/a-none"
			may = account.May(m.person, account.SeeAccounts, account.Object{Area: area})
		case 2:
			path, missing, may = "/api/v1/audit", "/api/v1/none", account.Ever(m.person, account.SeeAudit)
		default:
			path, missing, may = "/api/v1/accounts", "/api/v1/none", account.Ever(m.person, account.SeeAccounts)
			for area, id := range targets {
				if inside := account.May(m.person, account.SeeAccounts, account.Object{Area: area}); may && inside != strings.Contains(ask("/api/v1/accounts?limit=500", m.token).Body.String(), id) {
					t.Fatalf("the list of %s of %s within %q has the account of %s: %v", g.Role, g.Scope, bound, area, !inside)
				}
			}
		}
		got, none := ask(path, m.token), ask(missing, m.token)
		reached[fmt.Sprint(may)]++
		if may != (got.Code == http.StatusOK) || !may && (got.Code != http.StatusNotFound || got.Body.String() != none.Body.String()) {
			t.Fatalf("%s by %s of %s with %s within %q: %d, want %v", path, g.Role, g.Scope, a, bound, got.Code, may)
		}
	})
	if reached["true"] == 0 || reached["false"] == 0 {
		t.Errorf("allowed and refused were %v", reached)
	}
}

// TestHostileDoors asks each operation of the business systems' doors, by their description: without a token, with one of another door, and with bodies that
// are too large, of no JSON, or of nothing known.
func TestHostileDoors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tokens")
	line := func(name, more string) string {
		return fmt.Sprintf("%s %x %s\n", name, sha256.Sum256([]byte(name)), more)
	}
	doors := "doors=" + strings.Join(cases.Doors(), ",")
	if err := os.WriteFile(file, []byte(line("all", doors)+line("elsewhere", "area=99 "+doors)+line("figures", "doors=figures")), 0o600); err != nil {
		t.Fatal(err)
	}
	x, _ := pagesOf(t)
	c := &command{env: environment{io.Discard, io.Discard, time.Now, nil, manager}}
	door, err := c.cases(casesConfig{Listen: "127.0.0.1:0", TokensFile: file}, x, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := door.listener.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := descriptions.ReadDocument("../../internal/central/cases/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, token, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Idempotency-Key", "walk")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return webtest.Do(door.handler, r)
	}
	operations := d.Operations()
	if len(operations) < 5 {
		t.Fatalf("the description has %q", operations)
	}
	for _, o := range operations {
		method, path, _ := strings.Cut(o, " ")
		path = strings.NewReplacer("{area}", "620100", "{project}", "p-1").Replace(path)
		for _, token := range []string{"", "wrong", "all "} {
			if got := ask(method, path, token, "{}"); got.Code != http.StatusUnauthorized {
				t.Errorf("%s with the token %q: %d", o, token, got.Code)
			}
		}
		if path != "/v1/figures" {
			if got := ask(method, path, "figures", "{}"); got.Code != http.StatusForbidden {
				t.Errorf("%s with a token of another door: %d", o, got.Code)
			}
		}
		if method != "POST" {
			if got := ask(method, path, "elsewhere", ""); got.Code != http.StatusNotFound {
				t.Errorf("%s of another area: %d", o, got.Code)
			}
			continue
		}
		if !d.TakesBody(o) {
			continue
		}
		for body, want := range map[string][]int{strings.Repeat("[", 1<<20+1): {413, 400}, "{": {400}, `{"colour":"red"}`: {400}, "[]": {400}, strings.Repeat("[", 100_000): {400},
			`{"cases":null,"answers":null}`: {400, 422}} {
			if got := ask(method, path, "all", body); !slices.Contains(want, got.Code) {
				t.Errorf("%s of %.20q: %d %s", o, body, got.Code, got.Body)
			}
		}
		for _, other := range []string{"GET", "PUT", "DELETE", "PATCH"} {
			if got := ask(other, path, "all", "{}"); got.Code != http.StatusMethodNotAllowed && got.Code != http.StatusNotFound {
				t.Errorf("%s %s: %d", other, path, got.Code)
			}
		}
	}
}
