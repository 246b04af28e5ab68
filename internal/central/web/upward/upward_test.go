package upward_test

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/upward"
	"haochaping/internal/central/web"
	pages "haochaping/internal/central/web/upward"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/guomi"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/proof/province"
	"haochaping/internal/rating"
)

// areas are where the cases lie: county and city.
func areas() []string { return []string{"629901000000", "629902000000", "629900000000"} }

// world is a site, and what goes upward to a province that refuses whatever is of some cases.
type world struct {
	*webtest.World
	t        *testing.T
	site     *web.Site
	room     *upward.Room
	push     *upward.Push
	province *province.Province
	refused  map[string]bool // by project
}

func newWorld(t *testing.T, each int) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{World: webtest.At(t, "sqlite:"+filepath.Join(dir, "journal.db")), t: t, refused: make(map[string]bool)}
	at := "sqlite:" + filepath.Join(dir, "books.db")
	b, _ := bookstest.Follow(t, w.Journal, at)
	d, err := db.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	organisation, err := directory.Open(t.Context(), w.Journal)
	if err != nil {
		t.Fatal(err)
	}
	table, err := upward.Load("gansu")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	w.room, err = upward.Open(t.Context(), upward.Config{DB: d, Journal: w.Journal, Books: b, Directory: organisation, Table: table,
		Holder: "here", Now: w.Now, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := guomi.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := guomi.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.province = &province.Province{Key: theirs, Sender: ours.Public()}
	server := httptest.NewServer(w.province)
	t.Cleanup(server.Close)
	w.push = &upward.Push{Room: w.room, Post: upward.NewPost(server.URL, nil), App: "gov-62", Key: ours, Theirs: theirs.Public(),
		Random: rand.Reader, Logger: log}
	w.province.Turn = func(r map[string]string) string {
		if w.refused[r["projectNo"]] {
			return "事项编码不在实施清单中 <b>" + r["taskCode"] + "</b>"
		}
		return ""
	}
	for i, area := range areas() {
		for n := range each {
			w.rated(fmt.Sprintf("%d-%d", i, n), area, n%2 == 0)
		}
	}
	head, err := w.Journal.Head(t.Context())
	if err == nil {
		err = b.Wait(t.Context(), head)
	}
	if err == nil {
		err = w.room.Once(t.Context())
	}
	if err == nil {
		err = w.push.Once(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.site = w.Site(pages.Section(pages.Config{Room: w.room, Sends: true}))
	return w
}

// rated has a case completed and its matter rated, which the province takes or not.
func (w *world) rated(project, area string, taken bool) {
	w.t.Helper()
	k := rating.CaseKey{Area: area, Project: project}
	done := time.Now().Add(-time.Hour).UnixMilli()
	w.refused[project] = !taken
	f := rating.CaseFact{Area: area, ProjectNo: project, TaskCode: "T" + project, TaskName: "居民身份证换领", AsOf: done, CompletedAt: done}
	if _, err := w.Journal.Tell(w.t.Context(), "business", project, []journal.Fact{{Fact: f}}); err != nil {
		w.t.Fatal(err)
	}
	a := journal.Answer{Case: k, Level: 5, Channel: rating.Portal, At: done + 60_000}
	if _, err := w.Journal.Answer(w.t.Context(), "portal", project, []journal.Answer{a}, []string{"窗口同志很耐心"}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(path, session string) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("GET", path, session, nil))
}

// TestWhoSeesWhat asks page, home and feed as people of several roles: each finds what May allows, and no text of a citizen.
func TestWhoSeesWhat(t *testing.T) {
	w := newWorld(t, 4)
	var answers []descriptions.Answer
	for _, c := range []struct {
		grant account.Grant
		areas int
		sends bool
	}{
		{webtest.Grant(account.Province, "620000000000", "620000000000"), 3, true},
		{webtest.Grant(account.City, "629900000000", "629900000000"), 3, true},
		{webtest.Grant(account.County, "629901000000", "629901000000"), 1, true},
		{webtest.Grant(account.Auditor, "629902000000", "629902000000"), 1, false},
		{webtest.Grant(account.County, "629903000000", "629903000000"), 0, true},
	} {
		p := w.Program(w.site, c.grant, "", account.SeeUpward)
		records := webtest.All[struct {
			ID, Area, State string
			Fields          map[string]string
		}](t, p, "/api/v1/upward", "")
		// Of two cases the service is refused and the evaluation waits for it, of two both are taken.
		if len(records) != 8*c.areas {
			t.Errorf("%s of %s is told %d records, want %d", c.grant.Role, c.grant.Scope, len(records), 8*c.areas)
		}
		for _, r := range records {
			who := account.Person{Account: "a", Grants: []account.Grant{c.grant}, At: w.Now().UnixMilli(), Second: true}
			if !account.May(who, account.SeeUpward, account.Object{Area: r.Area}) || strings.Contains(fmt.Sprint(r), "耐心") {
				t.Errorf("%s of %s is told %v", c.grant.Role, c.grant.Scope, r)
			}
		}
		answers = append(answers, p.Answers...)
		session := w.SignIn(w.Add(c.grant))
		text := w.get("/upward", session).Body.String()
		if n := strings.Count(text, `data-label="退回时间"`); n != 2*c.areas {
			t.Errorf("%s of %s sees %d refused", c.grant.Role, c.grant.Scope, n)
		}
		if got := strings.Contains(text, `action="/upward/again"`) && strings.Contains(text, "重新上报勾选的"); got != (c.sends && c.areas > 0) {
			t.Errorf("%s of %s may send again: %v", c.grant.Role, c.grant.Scope, got)
		}
		home := w.get("/", session).Body.String()
		if words := fmt.Sprintf("%d 条上报被上级系统退回", 2*c.areas); strings.Contains(home, words) != (c.areas > 0) {
			t.Errorf("%s of %s: the home page lacks %q, or says it", c.grant.Role, c.grant.Scope, words)
		}
	}
	descriptions.Want(t, "../api/openapi.yaml", answers)
	for _, g := range []account.Grant{webtest.Grant(account.Hall, "SL-H2", "629901000000"),
		webtest.Grant(account.Staff, "SL-0016", "629901000000"),
		webtest.Grant(account.Unit, "116299002MB002222J", "629900000000"), webtest.Grant(account.Technician, "629900000000", "629900000000")} {
		webtest.Want(t, w.get("/upward", w.SignIn(w.Add(g))), 404)
	}
	session := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	webtest.Want(t, w.get("/upward", session), 200, "假定，待与规范原文核对", "&lt;b&gt;T0-1", "!<b>T0-1")
	for _, bad := range []string{"?cursor=x", "?cursor=-1", "?state=open"} {
		webtest.Want(t, w.get("/api/v1/upward"+bad, session), 400, `"code": "invalid"`)
	}
	webtest.Want(t, w.get("/upward?before=x", session), 400)
}

// TestSendAgain: what somebody has chosen goes again, if it is theirs, and the journal says who wanted it.
func TestSendAgain(t *testing.T) {
	w := newWorld(t, 4)
	county := webtest.Grant(account.County, "629901000000", "629901000000")
	session := w.SignIn(w.Add(county))
	province := w.get("/upward", w.SignIn(w.Add(webtest.Grant(account.Province, "620000000000", "620000000000")))).Body.String()
	var all []string
	for _, m := range regexp.MustCompile(`name="record" value="(\d+)"`).FindAllStringSubmatch(province, -1) {
		all = append(all, m[1])
	}
	if len(all) != 6 {
		t.Fatalf("the province can choose %q", all)
	}
	post := func(session string, records ...string) *httptest.ResponseRecorder {
		return webtest.Do(w.site, webtest.Request("POST", "/upward/again", session, url.Values{"record": records}))
	}
	webtest.Want(t, post(session), 422, "请勾选")
	webtest.Want(t, post(session, "x"), 400)
	webtest.Want(t, post(w.SignIn(w.Add(webtest.Grant(account.Auditor, "629901000000", "629901000000"))), all...), 404)
	clear(w.refused)
	if a := post(session, all...); a.Code != 303 || a.Header().Get("Location") != "/upward?done=2" {
		t.Fatalf("%d to %s", a.Code, a.Header().Get("Location"))
	}
	webtest.Want(t, w.get("/upward?done=2", session), 200, "2 条将重新上报", "没有被退回的")
	before := len(w.province.Holds())
	if err := w.push.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(w.province.Holds()) - before; n != 4 { // their evaluations with them
		t.Errorf("the province has got %d more", n)
	}
	head, err := w.Journal.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	entries, err := w.Journal.Read(t.Context(), 0, int(head))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Kind != journal.Acted {
			continue
		}
		if a, err := e.Act(); err == nil && a.Do == "upward.again" {
			acts = append(acts, a.Domain+" "+string(a.Data))
		}
	}
	if want := []string{`629901000000 ["629901000000:0-1:1:s","629901000000:0-3:1:s"]`}; !slices.Equal(acts, want) {
		t.Errorf("the journal has %q, want %q", acts, want)
	}
}

// TestNothingGoesUpward: the pages say so, and the feed is empty.
func TestNothingGoesUpward(t *testing.T) {
	w := webtest.New(t)
	site := w.Site(pages.Section(pages.Config{}))
	session := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	get := func(path string) *httptest.ResponseRecorder {
		return webtest.Do(site, webtest.Request("GET", path, session, nil))
	}
	webtest.Want(t, get("/upward"), 200, "没有设置上报")
	webtest.Want(t, get("/api/v1/upward"), 200, `"items": []`)
	webtest.Want(t, get("/"), 200, "!上报")
	webtest.Want(t, webtest.Do(site, webtest.Request("POST", "/upward/again", session, url.Values{"record": {"1"}})), 404)
}

// TestInABrowser looks at the page with axe: with refused records and a way that is closed, after sending again, and without any.
func TestInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t, 40)
	w.refused["0-0"] = true
	w.province.Breaks(func(string, []map[string]string) province.Fault { return province.Busy }, nil)
	if _, err := w.room.Again(t.Context(), func() (all []int64) {
		some, err := w.room.Refused(t.Context(), 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		return append(all, some[0].Change)
	}()); err != nil {
		t.Fatal(err)
	}
	if err := w.push.Once(t.Context()); err == nil {
		t.Fatal("a province that says to come again is no trouble")
	}
	server := webtest.Serve(t, w.site, w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000"))))
	look := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		axe.Look(t, ctx, script, name)
	}
	look("upward", chromedp.Navigate(server.URL+"/upward"), chromedp.WaitVisible(chromedp.CSS(".problem")))
	look("upward-again", chromedp.Click(chromedp.CSS("input[name=record]")),
		chromedp.Click(chromedp.CSS("form[action='/upward/again'] button")),
		chromedp.WaitVisible(chromedp.CSS(".notice")))
	server.As(w.SignIn(w.Add(webtest.Grant(account.County, "629903000000", "629903000000"))))
	look("upward-empty", chromedp.Navigate(server.URL+"/upward"), chromedp.WaitVisible(chromedp.CSS(".empty")))
}
