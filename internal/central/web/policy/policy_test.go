package policy_test

import (
	"context"
	"crypto/ed25519"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory/account"
	rules "haochaping/internal/central/policy"
	"haochaping/internal/central/web"
	pages "haochaping/internal/central/web/policy"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/proof/descriptions"
)

// world is a site of a province or of a city below it.
type world struct {
	*webtest.World
	t    *testing.T
	room *rules.Room
	site *web.Site

	areas []string // in which halls are
}

func newWorld(t *testing.T, above ed25519.PublicKey) *world {
	t.Helper()
	w := &world{World: webtest.At(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db")), t: t}
	own := ed25519.NewKeyFromSeed(make([]byte, 32))
	var err error
	if w.room, err = rules.Open(t.Context(), rules.Config{Journal: w.Journal, Above: above, Own: own}); err != nil {
		t.Fatal(err)
	}
	draft := func(ctx context.Context) (rules.Document, error) {
		all, err := w.room.After(ctx, 0)
		if len(all) > 0 {
			next := all[len(all)-1].Document
			next.Number++
			return next, err
		}
		return rules.Document{Number: int64(len(all)) + 1, Title: "草稿", From: "2020-01-01"}, err
	}
	local := map[rules.Name]rules.Local{"orders.office_days": {Value: "5", Set: true}, "orders.contact_days": {Value: "1"}}
	w.site = w.Site(pages.Section(pages.Config{Room: w.room, Draft: draft, Key: "k", Line: above != nil, Local: local,
		Areas: func(context.Context) ([]string, error) { return w.areas, nil }}))
	return w
}

func (w *world) get(path, session string) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("GET", path, session, nil))
}

func (w *world) post(path, session string, form url.Values) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("POST", path, session, form))
}

func of(r account.Role, scope string) account.Grant { return webtest.Grant(r, scope, scope) }

// TestIssueAndChoose: the province's office previews and issues, nobody else does; a city chooses within the bounds, and is told what it
// may not.
func TestIssueAndChoose(t *testing.T) {
	w := newWorld(t, nil)
	province := w.SignIn(w.Add(of(account.Province, "620000000000")))
	city := w.SignIn(w.Add(of(account.City, "629900000000")))
	county := w.SignIn(w.Add(of(account.County, "629901000000")))
	webtest.Want(t, w.get("/policy", province), 200, "还没有生效", "起草第 1 号", "above.key")
	webtest.Want(t, w.get("/policy", city), 200, "还没有生效", "!起草")
	form := url.Values{"title": {"<b>第一号"}, "from": {"2020-01-01"}, "until": {""}, "orders.office_days.in": {"1"}, "orders.office_days": {"3"},
		"orders.office_days.lower": {"1"}, "orders.office_days.min": {"2"}, "orders.office_days.max": {"4"},
		"orders.contact_days.in": {"1"}, "orders.contact_days": {"2"}}
	webtest.Want(t, w.post("/policy/preview", city, form), 404)
	wrong := url.Values{"title": {"x"}, "from": {"2020-01-01"}, "orders.office_days.in": {"1"}, "orders.office_days": {"9"}}
	webtest.Want(t, w.post("/policy/preview", province, wrong), 422, "1 至 5")
	preview := w.post("/policy/preview", province, form)
	webtest.Want(t, preview, 200, "3，下级可定 2 至 4", "&lt;b&gt;第一号", "2，下级不得更改")
	hidden := func(name string) string {
		m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(preview.Body.String())
		return strings.NewReplacer("&#34;", `"`, "&lt;", "<", "&gt;", ">", "&#43;", "+", "&amp;", "&").Replace(m[1])
	}
	issue := url.Values{"policy": {hidden("policy")}, "hash": {hidden("hash")}}
	webtest.Want(t, w.post("/policy/issue", city, issue), 404)
	webtest.Want(t, w.post("/policy/issue", province, url.Values{"policy": {strings.Replace(hidden("policy"), "第一号", "别的", 1)},
		"hash": {hidden("hash")}}), 409, "重新预览")
	webtest.Want(t, w.post("/policy/issue", province, issue), 303)
	webtest.Want(t, w.post("/policy/issue", province, issue), 409, "重新预览")
	webtest.Want(t, w.get("/policy", city), 200, "第 1 号", "&lt;b&gt;第一号", "本级的 5 未采用", "本级不得更改", "下级可定 2 至 4", `max="4"`)
	choose := func(session, name, value string) *httptest.ResponseRecorder {
		return w.post("/policy/choose", session, url.Values{"name": {name}, "value": {value}})
	}
	webtest.Want(t, choose(county, "orders.office_days", "4"), 404)
	webtest.Want(t, choose(city, "orders.office_days", "5"), 422, "上级只允许 2 至 4")
	webtest.Want(t, choose(city, "orders.contact_days", "1"), 422, "由上级统一规定")
	webtest.Want(t, choose(city, "orders.else", "1"), 404)
	w.areas = []string{"629901000000", "620102000000"} // what holds for another city, too, is not this one's to choose
	webtest.Want(t, choose(city, "orders.office_days", "4"), 404)
	webtest.Want(t, w.get("/policy", city), 200, "第 1 号", `!max="4"`)
	w.areas = []string{"629901000000", "629902000000"}
	webtest.Want(t, choose(city, "orders.office_days", "4"), 303)
	webtest.Want(t, w.get("/policy", county), 200, "本级选定", "由市州管理机构选定")
	p := w.Program(w.site, of(account.City, "629900000000"), "", account.SeePolicy)
	webtest.Want(t, p.Get("/api/v1/policy", "/api/v1/policy"), 200, `"level": "here"`, `"number": 1`)
	descriptions.Want(t, "../api/openapi.yaml", p.Answers)
}

// TestTheFormKeepsWhatMayBeChosen: the form, which does not show among which values a lower level may choose, does not widen them.
func TestTheFormKeepsWhatMayBeChosen(t *testing.T) {
	w := newWorld(t, nil)
	province := w.SignIn(w.Add(of(account.Province, "620000000000")))
	_, err := w.room.Issue(t.Context(), rules.By{Account: "admin"}, rules.Document{Number: 1, Title: "第一号", From: "2020-01-01",
		Settings: []rules.Setting{{Name: "rate.reasons", Value: "core", Lower: true, Allowed: []string{"core"}}}})
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"title": {"第二号"}, "from": {"2020-01-01"}, "rate.reasons.in": {"1"}, "rate.reasons": {"core"},
		"rate.reasons.lower": {"1"}}
	webtest.Want(t, w.post("/policy/preview", province, form), 200, `&#34;allowed&#34;:[&#34;core&#34;]`)
	form.Set("rate.reasons", "extended")
	webtest.Want(t, w.post("/policy/preview", province, form), 422, "上级只允许：core")
	form.Del("rate.reasons.lower")
	webtest.Want(t, w.post("/policy/preview", province, form), 200, "!allowed")
}

// TestHomeNamesAnExpiredPolicy: a policy that has expired holds on, and the home page says so.
func TestHomeNamesAnExpiredPolicy(t *testing.T) {
	w := newWorld(t, nil)
	until := time.Now().AddDate(0, 0, 1) // the journal has a clock of its own
	if _, err := w.room.Issue(t.Context(), rules.By{Account: "a"}, rules.Document{Number: 1, Title: "短", From: "2020-01-01",
		Until: until.Format(time.DateOnly)}); err != nil {
		t.Fatal(err)
	}
	session := w.SignIn(w.Add(of(account.Province, "620000000000")))
	webtest.Want(t, w.get("/", session), 200, "!有效期已过")
	w.Pass(until.Sub(w.Now()) + 48*time.Hour)
	session = w.SignIn(w.Add(of(account.Province, "620000000000")))
	webtest.Want(t, w.get("/", session), 200, "有效期已过")
	webtest.Want(t, w.get("/policy", session), 200, "第 1 号", "继续执行")
}

// TestACityIssuesNothing: where there is a level above, nobody is offered a draft, and none is issued.
func TestACityIssuesNothing(t *testing.T) {
	w := newWorld(t, ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", 32))).Public().(ed25519.PublicKey))
	session := w.SignIn(w.Add(of(account.Province, "620000000000")))
	webtest.Want(t, w.get("/policy", session), 200, "!起草", "!签名公钥，下级")
	const draft = `{"number":1,"title":"x","valid_from":"2020-01-01","settings":[]}`
	out := w.post("/policy/issue", session, url.Values{"policy": {draft}, "hash": {"x"}})
	webtest.Want(t, out, 409)
}

// TestInABrowser looks at the pages with axe: the province's draft, its preview, and what a city may choose.
func TestInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t, nil)
	server := webtest.Serve(t, w.site, w.SignIn(w.Add(of(account.Province, "620000000000"))))
	look := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		axe.Look(t, ctx, script, name)
	}
	look("policy-draft", chromedp.Navigate(server.URL+"/policy"), chromedp.WaitVisible(chromedp.CSS("#title")))
	count := `[name="orders.office_days`
	look("policy-preview", chromedp.Click(chromedp.CSS(count+`.in"]`)), chromedp.Click(chromedp.CSS(count+`.lower"]`)),
		chromedp.SendKeys(chromedp.CSS(count+`.max"]`), "5"), // the value is there: what the file says
		chromedp.Click(chromedp.CSS(`form[action="/policy/preview"] button`)), chromedp.WaitVisible(chromedp.CSS(`[name="hash"] ~ p button`)))
	look("policy-issued", chromedp.Click(chromedp.CSS(`form[action="/policy/issue"] button`)), chromedp.WaitVisible(chromedp.CSS(".notice")))
	server.As(w.SignIn(w.Add(of(account.City, "629900000000"))))
	look("policy-city", chromedp.Navigate(server.URL+"/policy"), chromedp.WaitVisible(chromedp.CSS(`form[action="/policy/choose"]`)))
}
