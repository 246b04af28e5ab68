package findings_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/books"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/findings"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/rating"
)

// list is findings as the books have them.
type list []books.Finding

func (l list) Findings(_ context.Context, f books.Filter) (some []books.Finding, err error) {
	for _, x := range l {
		if (f.After == 0 || x.ID < f.After) && (!f.Open || x.Resolved.IsZero()) && len(some) < f.Limit {
			some = append(some, x)
		}
	}
	return some, nil
}

// world is a site with findings about two boxes of the demonstration's city, about one that is not enrolled, and about a business system.
type world struct {
	*webtest.World
	site *web.Site
	all  list

	silent []deadline.Silence
}

func newWorld(t *testing.T, each int) *world {
	t.Helper()
	w := &world{World: webtest.New(t)}
	d, err := directory.Open(t.Context(), w.Journal)
	if err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, d, "../../../../cmd/ratingctl/organisation.csv")
	f, err := fleet.Open(t.Context(), w.Journal)
	if err != nil {
		t.Fatal(err)
	}
	posts, err := d.Posts(t.Context(), directory.DayOf(w.Now()))
	if err != nil {
		t.Fatal(err)
	}
	for id, window := range map[rating.DeviceID]string{"jia-b01": "SL-H2-B01", "shi-a07": "SL-H1-A07"} {
		key, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		at, people, err := posts.Texts(window)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Put(t.Context(), fleet.Device{ID: id, Key: key, EnrolledAt: w.Now(), Window: rating.Window{Generation: 1}}.Serve(at,
			people)); err != nil {
			t.Fatal(err)
		}
	}
	// The copy of the organisation is believed for a second.
	placed := func(a *directory.Atlas) bool {
		_, one := a.Place("jia-b01", "SL-H2-B01", 1, w.Now())
		_, two := a.Place("shi-a07", "SL-H1-A07", 1, w.Now())
		return one && two
	}
	for patience := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		a, err := d.Atlas(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if placed(a) {
			break
		}
		if time.Now().After(patience) {
			t.Fatal("the boxes stand nowhere")
		}
	}
	for i := range int64(4 * each) {
		x := books.Finding{ID: i + 1, Epoch: 0xaa, From: uint64(10 * i), To: uint64(10*i + 1), Count: 2, Kind: books.Gap,
			Detail: fmt.Sprintf("detail %d of what was rated", i+1), Found: w.Now().Add(-time.Hour)}
		switch i % 4 {
		case 0:
			x.Device = "jia-b01"
		case 1:
			x.Device = "shi-a07"
		case 2:
			x.Device = "unknown"
		case 3:
			x.Source, x.Kind, x.Epoch = "hotline", books.Contradiction, 0
		}
		if i%3 == 2 {
			x.Resolved = w.Now()
		}
		w.all = append(list{x}, w.all...)
	}
	w.site = w.Site(findings.Section(findings.Config{Books: w.all, Fleet: f, Directory: d,
		Silences: func(context.Context) ([]deadline.Silence, error) { return w.silent, nil }}))
	return w
}

// object is where a finding lies.
func object(x books.Finding) account.Object {
	return map[rating.DeviceID]account.Object{"jia-b01": {Area: "629901000000", Hall: "SL-H2"},
		"shi-a07": {Area: "629900000000", Hall: "SL-H1"}}[x.Device]
}

// TestFindings asks page, home and API as people of all roles: each finds what May allows, in order and by parts, and details only where
// they see evaluations.
func TestFindings(t *testing.T) {
	w := newWorld(t, 9)
	var answers []descriptions.Answer
	for _, g := range []account.Grant{webtest.Grant(account.Province, "620000000000", "620000000000"),
		webtest.Grant(account.City, "629900000000", "629900000000"),
		webtest.Grant(account.County, "629901000000", "629901000000"), webtest.Grant(account.County, "629902000000", "629902000000"),
		webtest.Grant(account.Hall, "SL-H2", "629901000000"),
		webtest.Grant(account.Technician, "629900000000", "629900000000"), webtest.Grant(account.Auditor, "629901000000", "629901000000")} {
		who := account.Person{Account: "a", Grants: []account.Grant{g}, At: w.Now().UnixMilli(), Second: true}
		reads := account.Ever(who, account.SeeEvaluations)
		actions := []account.Action{account.SeeFindings}
		if reads {
			actions = append(actions, account.SeeEvaluations)
		}
		p := w.Program(w.site, g, "", actions...)
		for query, all := range map[string]bool{"": false, "&state=all": true} {
			var want, got []int64
			for _, x := range w.all {
				if account.May(who, account.SeeFindings, object(x)) && (all || x.Resolved.IsZero()) {
					want = append(want, x.ID)
				}
			}
			for _, x := range webtest.All[struct {
				ID     int64
				Detail string
			}](t, p, "/api/v1/findings", query) {
				got = append(got, x.ID)
				if (x.Detail != "") != reads {
					t.Errorf("%s of %s is told %q", g.Role, g.Scope, x.Detail)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s of %s%s has %d, want %d", g.Role, g.Scope, query, got, want)
			}
			session := w.SignIn(w.Add(g))
			text := webtest.Do(w.site, webtest.Request("GET", "/findings?"+strings.TrimPrefix(query, "&"), session, nil)).Body.String()
			if n := strings.Count(text, `data-label="发现"`); n != len(want) || strings.Contains(text, "of what was rated") != (reads && n > 0) {
				t.Errorf("%s of %s%s sees %d, want %d", g.Role, g.Scope, query, n, len(want))
			}
			home := webtest.Do(w.site, webtest.Request("GET", "/", session, nil)).Body.String()
			if words := fmt.Sprintf("%d 处数据异常未处理", len(want)); !all && strings.Contains(home, words) != (len(want) > 0) {
				t.Errorf("%s of %s: the home page lacks %q, or says it", g.Role, g.Scope, words)
			}
		}
		answers = append(answers, p.Answers...)
	}
	city := webtest.Grant(account.City, "629900000000", "629900000000")
	session := w.SignIn(w.Add(city))
	for _, bad := range []string{"?state=new", "?cursor=x", "?cursor=-1", "?limit=0", "?kind=gap"} {
		webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/api/v1/findings"+bad, session, nil)), 400, `"code": "invalid"`)
	}
	webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/findings?after=x", session, nil)), 400)
	// A token without the action for evaluations is told no details, whoever made it.
	p := w.Program(w.site, city, "", account.SeeFindings)
	webtest.Want(t, p.Get("/api/v1/findings", "/api/v1/findings"), 200, `"means": "缺号"`, "!of what was rated")
	for _, g := range []account.Grant{webtest.Grant(account.Unit, "116299002MB002222J", "629900000000"),
		webtest.Grant(account.Staff, "SL-0016", "629901000000")} {
		webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/findings", w.SignIn(w.Add(g)), nil)), 404)
	}
	descriptions.Want(t, "../api/openapi.yaml", append(answers, p.Answers...))
}

// TestInABrowser looks at the page with axe, full, with older ones, and empty.
func TestInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t, 80)
	w.silent = silences()
	server := webtest.Serve(t, w.site, w.SignIn(w.Add(webtest.Grant(account.Province, "620000000000", "620000000000"))))
	open := func(name, path string) {
		t.Helper()
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+path)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		axe.Look(t, ctx, script, name)
	}
	open("findings", "/findings?state=all")
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS("a[rel=next]")),
		chromedp.WaitVisible(chromedp.CSS(`a[href="/findings?state=all"].button`))); err != nil {
		t.Fatal(err)
	}
	server.As(w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000"))))
	open("findings-of-a-hall", "/findings")
	server.As(w.SignIn(w.Add(webtest.Grant(account.County, "629902000000", "629902000000"))))
	open("findings-empty", "/findings")
}

// silences are two silent channels, one of a unit that nobody knows.
func silences() []deadline.Silence {
	last := time.Date(2026, 3, 2, 1, 2, 3, 0, time.UTC)
	return []deadline.Silence{{Unit: "116299006MB0066664", Channel: rating.SMS, Last: last},
		{Unit: "<b>unknown</b>", Channel: rating.Portal, Last: last}}
}

// TestSilentChannels: each sees those of their own units, on the page and at the beginning of the day.
func TestSilentChannels(t *testing.T) {
	w := newWorld(t, 0)
	w.silent = silences()
	see := func(path string, by account.Account, texts ...string) {
		t.Helper()
		webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", path, w.SignIn(by), nil)), 200, texts...)
	}
	province := w.Add(webtest.Grant(account.Province, "620000000000", "620000000000"))
	see("/findings", province, "甲区政务服务中心", "短信", "2026-03-02", "政务网站", "&lt;b&gt;unknown", "!<b>unknown")
	see("/", province, "2 个单位的评价渠道长期没有评价")
	county := w.Add(webtest.Grant(account.County, "629901000000", "629901000000"))
	see("/findings", county, "甲区政务服务中心", "!unknown", "!没有未处理的")
	see("/", county, "1 个单位的评价渠道长期没有评价")
	see("/findings", w.Add(webtest.Grant(account.County, "629902000000", "629902000000")), "!甲区", "!长期没有评价", "没有未处理的")
}
