package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/live"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// pagesOf opens a centre and the pages that it would serve.
func pagesOf(t *testing.T) (*rooms, *web.Site) {
	t.Helper()
	return pagesWith(t, "admin.hosts = ['admin.example.com']")
}

// pagesWith opens a centre with lines of configuration.
func pagesWith(t *testing.T, lines string) (*rooms, *web.Site) {
	t.Helper()
	return pagesAt(t, lines, time.Now)
}

// noon returns a clock that begins at today's noon, so that no day ends during a test.
func noon() func() time.Time {
	began := time.Now()
	y, m, d := began.In(rating.Shanghai()).Date()
	return func() time.Time { return time.Date(y, m, d, 12, 0, 0, 0, rating.Shanghai()).Add(time.Since(began)) }
}

// pagesAt is pagesWith by a clock.
func pagesAt(t *testing.T, lines string, now func() time.Time) (*rooms, *web.Site) {
	t.Helper()
	c := &command{env: environment{io.Discard, io.Discard, now, rand.Reader, manager}}
	cfg, err := parseConfig("state = '" + t.TempDir() + "'\n" + lines)
	if err != nil {
		t.Fatal(err)
	}
	x, err := c.open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	reasons, err := rating.BuiltInCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	w := watched{rooms: x, trouble: func() live.Trouble { return live.Trouble{} }, books: newLag(x.journal.Head, x.books.Position, c.env.now),
		checks: c.sealChecks(x, log)}
	s, err := c.site(cfg, w, sendNothing, reasons, log)
	if err != nil {
		t.Fatal(err)
	}
	return x, s
}

// sendNothing is a broker that takes each command.
func sendNothing(context.Context, wire.Command) error { return nil }

// crowd makes accounts and signs them in by links.
type crowd struct {
	t       *testing.T
	x       *rooms
	n       int
	secrets map[account.Grant]string
	ids     map[account.Grant]string
}

func operator() account.By { return account.By{Account: "operator test"} }

// signedIn returns the session of somebody with a grant, and their account.
func (p *crowd) signedIn(g account.Grant) (secret, id string) {
	p.t.Helper()
	if s, ok := p.secrets[g]; ok {
		return s, p.ids[g]
	}
	p.n++
	a, err := p.x.people.Add(p.t.Context(), operator(), "person"+strings.Repeat("x", p.n%40)+string(rune('a'+p.n/40)), "测试", "620000000000", g)
	if err != nil {
		p.t.Fatal(err)
	}
	link, err := p.x.people.Link(p.t.Context(), operator(), a, account.SignsIn)
	if err != nil {
		p.t.Fatal(err)
	}
	e, err := p.x.people.EnterByLink(p.t.Context(), link, account.Browser{})
	if err != nil {
		p.t.Fatal(err)
	}
	p.secrets[g], p.ids[g] = e.Secret, a.ID
	return e.Secret, a.ID
}

// object is something that a route's address names, and where it lies.
type object struct {
	id string
	at account.Object
}

// TestEveryRoute asks each page and API that is registered, as people of all roles and scopes: what account.May does not allow is answered
// exactly as what does not exist. A route with a new kind of object in its address must be added here.
func TestEveryRoute(t *testing.T) {
	x, site := pagesOf(t)
	p := &crowd{t, x, 0, make(map[account.Grant]string), make(map[account.Grant]string)}
	objects := map[string][]object{}
	for i, area := range []string{"620102000000", "620200000000", "620000000000"} {
		a, err := x.people.Add(t.Context(), operator(), "target"+string(rune('a'+i)), "对象", area)
		if err != nil {
			t.Fatal(err)
		}
		objects["account"] = append(objects["account"], object{a.ID, account.Object{Area: area}})
	}
	directorytest.Enter(t, x.directory, "../ratingctl/organisation.csv")
	for _, area := range []string{"629900000000", "629901000000", "629902000000"} {
		objects["kind"] = append(objects["kind"], object{"area", account.Object{}})
		objects["id"] = append(objects["id"], object{area, account.Object{Area: area}})
	}
	for _, area := range []string{"620102000000", "620200000000", "620000000000"} {
		order, evaluation := orderOf(t, x, area)
		objects["area"] = append(objects["area"], object{area, account.Object{Area: area}})
		objects["project"] = append(objects["project"], object{"7", account.Object{Area: area}})
		clue, file := clueOf(t, x, area), fileOf(t, x, order)
		objects["clue"] = append(objects["clue"], object{clue, account.Object{Area: area}})
		objects["file"] = append(objects["file"], object{file, account.Object{}})
		objects["order"] = append(objects["order"], object{order, account.Object{Area: area}})
		objects["evaluation"] = append(objects["evaluation"], object{evaluation, account.Object{Area: area}})
	}
	for _, w := range []string{"SL-H2-B01", "SL-H1-A12"} {
		atlas, err := x.directory.Atlas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at, ok := atlas.Window(w, directory.DayOf(time.Now()))
		if !ok {
			t.Fatalf("the organisation has no window %s", w)
		}
		o := account.Object{Area: at.Area().ID, Hall: at.Hall.ID}
		for _, u := range at.Units {
			o.Units = append(o.Units, u.ID)
		}
		objects["window"] = append(objects["window"], object{w, o})
	}
	seal := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	if _, err := x.journal.Seal(t.Context(), seal); err != nil {
		t.Fatal(err)
	}
	for i, hall := range []string{"SL-H1", "SL-H2", "SL-H3"} {
		area := []string{"629900000000", "629901000000", "629902100000"}[i]
		objects["hall"] = append(objects["hall"], object{hall, account.Object{Area: area, Hall: hall}})
		id := rating.DeviceID("box-" + string(rune('a'+i)))
		enrolAt(t, x, id, []string{"SL-H1-A07", "SL-H2-B01", "SL-H3-C01"}[i])
		objects["device"] = append(objects["device"], object{string(id), account.Object{Area: area, Hall: hall}})
		objects["command"] = append(objects["command"], object{bundleOf(t, x, id), account.Object{}})
	}
	objects["rollout"] = rolloutsOf(t, x)
	// These name parts of what the route is about, which are not there.
	for _, part := range []string{"session", "token", "grant", "link", "alert", "enclosure", "ticket"} {
		objects[part] = []object{{"none", account.Object{}}}
	}
	objects["dossier"] = []object{{"none", account.Object{Area: "990000000000"}}} // web/dossiers asks for those that there are
	wild := regexp.MustCompile(`\{([a-z]+)\}`)
	missing := func(r web.Route, secret string) string {
		return body(site, r.Method, wild.ReplaceAllString(strings.TrimSuffix(r.Path, "{$}"), "a-none"), secret)
	}
	routes := site.Routes()
	if len(routes) < 25 {
		t.Fatalf("only %d routes", len(routes))
	}
	ask := func(t interface {
		Fatalf(string, ...any)
		Helper()
	}, r web.Route, g account.Grant, n int) {
		t.Helper()
		secret, id := p.signedIn(g)
		at := account.Object{Account: id}
		path := wild.ReplaceAllStringFunc(strings.TrimSuffix(r.Path, "{$}"), func(w string) string {
			all, ok := objects[strings.Trim(w, "{}")]
			if !ok {
				t.Fatalf("%s %s: the test knows no object for %s", r.Method, r.Path, w)
			}
			o := all[n%len(all)]
			if o.at.Area != "" {
				at = o.at
			}
			return o.id
		})
		person := account.Person{Account: id, Grants: []account.Grant{g}, At: time.Now().UnixMilli(), Second: true}
		may := account.May(person, r.Action, at)
		if r.Object == nil {
			may = account.Ever(person, r.Action)
		}
		w := webtest.Do(site, request(r.Method, path, secret))
		switch {
		case w.Code >= 500:
			t.Fatalf("%s %s as %s: %d %s", r.Method, path, g.Role, w.Code, w.Body)
		case !may && (w.Code != http.StatusNotFound || r.Object != nil && w.Body.String() != missing(r, secret)):
			t.Fatalf("%s %s as %s of %s: %d, want the 404 of what does not exist", r.Method, path, g.Role, g.Scope, w.Code)
		case may && r.Method == "GET" && w.Code != http.StatusOK && r.Path != "/live/events" &&
			r.Path != "/fleet/root.crt": // which is there where new boxes are let in
			t.Fatalf("%s %s as %s of %s: %d, want 200", r.Method, path, g.Role, g.Scope, w.Code)
		}
	}
	var guarded []web.Route
	for _, r := range routes {
		if !r.Public && r.Path != "/live/events" { // the events never end; TestEachSeesTheirOwn of package live asks for them
			guarded = append(guarded, r)
		}
	}
	for _, r := range guarded {
		for _, role := range account.Roles() {
			for n := range 3 {
				if n == 0 || strings.Contains(r.Path, "{account}") || strings.Contains(r.Path, "{evaluation}") || strings.Contains(r.Path, "{order}") ||
					strings.Contains(r.Path, "{clue}") || strings.Contains(r.Path, "{id}") || strings.Contains(r.Path, "{project}") {
					ask(t, r, grantOf(role, 0), n)
				}
			}
		}
		// Whoever is not signed in learns nothing from any address, there or not.
		for _, path := range []string{wild.ReplaceAllString(r.Path, objects["account"][0].id), "/nothing/here"} {
			w := webtest.Do(site, request(r.Method, strings.TrimSuffix(path, "{$}"), ""))
			if r.Method == "GET" && !strings.HasPrefix(path, "/api/") && w.Code != http.StatusSeeOther ||
				(r.Method != "GET" || strings.HasPrefix(path, "/api/")) && w.Code != http.StatusUnauthorized {
				t.Errorf("%s %s of nobody: %d", r.Method, path, w.Code)
			}
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		r := rapid.SampledFrom(guarded).Draw(rt, "route")
		g := grantOf(rapid.SampledFrom(account.Roles()).Draw(rt, "role"), rapid.IntRange(0, 2).Draw(rt, "scope"))
		ask(rt, r, g, rapid.IntRange(0, 2).Draw(rt, "object"))
	})
}

// bundleOf has a box send what support needs, and returns the command.
func bundleOf(t *testing.T, x *rooms, id rating.DeviceID) string {
	t.Helper()
	command := fleet.NewCommand("bundle-"+string(id), id, wire.CommandSendBundle, "test", time.Now())
	err := x.journal.DB().Write(t.Context(), func(tx *db.Tx) error { return fleet.Ask(t.Context(), tx, command) })
	if err == nil {
		err = x.fleet.KeepBundle(t.Context(), id, command.ID, []byte("packed"), time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	return command.ID
}

// answer enters an evaluation about a case in an area, by a channel without a box, and returns its number.
func answer(t *testing.T, x *rooms, area string) string {
	t.Helper()
	r, err := x.journal.Answer(t.Context(), "hotline", area,
		[]journal.Answer{{Case: rating.CaseKey{Area: area, Project: "7"}, Level: 2, Channel: rating.Voice, At: time.Now().UnixMilli()}},
		[]string{"等得太久了"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	running, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- x.books.Run(running) }()
	err = x.books.Wait(ctx, r.Pos)
	end()
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	return strconv.FormatInt(r.Pos<<9, 10)
}

// enrolAt enrols a box at a window of the organisation.
func enrolAt(t *testing.T, x *rooms, id rating.DeviceID, window string) {
	t.Helper()
	posts, err := x.directory.Posts(t.Context(), directory.DayOf(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	w, people, err := posts.Texts(window)
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := fleet.Device{ID: id, Key: key, EnrolledAt: time.Now(), Window: rating.Window{Generation: 1}}.Serve(w, people)
	if err := x.fleet.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	// The copy of the organisation is believed for a second.
	for patience := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		a, err := x.directory.Atlas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := a.Place(id, window, 1, time.Now()); ok {
			return
		}
		if time.Now().After(patience) {
			t.Fatalf("%s stands nowhere", id)
		}
	}
}

// orderOf completes the case, has it answered, and follows the decisions as an instance two minutes later does. It returns the order and
// the evaluation.
func orderOf(t *testing.T, x *rooms, area string) (order, evaluation string) {
	t.Helper()
	if err := x.orders.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UnixMilli()
	fact := rating.CaseFact{Area: area, ProjectNo: "7", TaskCode: "T1", AsOf: now, CompletedAt: now - 60_000}
	if _, err := x.journal.Tell(t.Context(), "business", area, []journal.Fact{{Fact: fact}}); err != nil {
		t.Fatal(err)
	}
	evaluation = answer(t, x, area)
	later, err := rectify.Open(t.Context(), rectify.Config{Journal: x.journal, Books: x.books, Directory: x.directory, Terms: x.orders.Terms(),
		Holder: x.holder,
		Now:    func() time.Time { return time.Now().Add(2 * time.Minute) }, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = later.Once(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.ParseInt(evaluation, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	found, err := later.Of(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d-1", found.ID), evaluation
}

// grantOf returns one of three grants of a role, each somewhere else.
func grantOf(r account.Role, n int) account.Grant {
	area := map[account.Role][]string{
		account.Province: {"620000000000", "610000000000", "620000000000"}, account.City: {"620100000000", "620200000000", "620300000000"},
		account.County: {"620102000000", "620103000000", "620202000000"},
	}[r]
	if area == nil {
		area = []string{"620102000000", "620100000000", "620200000000"}
	}
	g := account.Grant{Role: r, Area: area[n], Scope: area[n], From: 1}
	if r.Scope() != account.InArea {
		g.Scope = "scope" + string(rune('a'+n))
	}
	return g
}

func request(method, path, secret string) *http.Request {
	if method == "GET" {
		return webtest.Request(method, path, secret, nil)
	}
	return webtest.Request(method, path, secret, url.Values{"x": {"y"}})
}

func body(h http.Handler, method, path, secret string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(method, path, secret))
	return w.Body.String()
}
