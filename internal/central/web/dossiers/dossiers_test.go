package dossiers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/assess"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/integrity"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/dossiers"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/proof/descriptions"
)

const (
	province = "620000000000"
	city     = "629900000000"
	county   = "629901000000"
	centre   = "116299006MB0066664" // of the county
)

// drafts drafts the same result each time.
type drafts struct {
	dossiers *dossier.Dossiers
	stale    bool
	// meanwhile is what others do after it was looked whether a result can be published, nil: nothing.
	meanwhile func() error
}

func (d *drafts) Draft(ctx context.Context, by dossier.By, area string, days directory.Period) (int64, error) {
	if days.From < directory.Date(2025, 1, 1) {
		return 0, report.ErrOverlaps
	}
	n := &report.Node{ID: "4 " + area, Name: "示例市", Amount: report.Amount{Levels: [6]int64{0, 12, 0, 0, 0, 80}}, Shown: report.Levels}
	r := report.Release{Area: area, Name: "示例市", Days: days, Version: 1, Whole: n}
	found, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	id, _, err := d.dossiers.Add(ctx, by, dossier.Dossier{Kind: dossier.Publication, Name: r.Key(), Title: r.Title(), Area: area,
		Found: found})
	return id, err
}

func (d *drafts) Check(context.Context, dossier.Kept) error {
	if d.stale {
		return report.ErrStale
	}
	if d.meanwhile != nil {
		return d.meanwhile()
	}
	return nil
}

type world struct {
	*webtest.World
	dossiers *dossier.Dossiers
	drafts   *drafts
	site     *web.Site
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: webtest.New(t)}
	w.Pass(time.Since(w.Now())) // to the journal's own time
	d, err := directory.Open(t.Context(), w.Journal)
	if err == nil {
		directorytest.Enter(t, d, "../../../../cmd/ratingctl/organisation.csv")
		w.dossiers, err = dossier.Open(t.Context(), w.Journal)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := func(ctx context.Context, id string) string {
		a, err := w.Accounts.Account(ctx, id)
		if err != nil {
			return id
		}
		return a.Name
	}
	w.drafts = &drafts{dossiers: w.dossiers}
	w.site = w.Site(dossiers.Section(dossiers.Config{Dossiers: w.dossiers, Directory: d, Name: name, Find: dossiers.FindIn(w.Accounts),
		Publications: w.drafts, Sheets: yearly{w.dossiers}}))
	return w
}

// sign opens a dossier of a sign at a window of the county, or of the city.
func (w *world) sign(t *testing.T, n int, area, hall string) int64 {
	t.Helper()
	found, err := json.Marshal(integrity.Finding{Rule: integrity.FastPresses, Window: "W", Days: directory.Period{From: 20000, To: 20028},
		Lines: []integrity.Line{{Words: "提示后 2 秒内的按键", Value: "20 / 40（50.00%）"}}, Examples: []int64{513, 514}})
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := w.dossiers.Add(t.Context(), dossier.By{Account: dossier.Source}, dossier.Dossier{Kind: dossier.Sign,
		Name:  fmt.Sprint("sign ", n),
		Title: "大厅 " + hall + "：按键快得来不及看", Area: area, Hall: hall, Units: []string{centre}, Found: found})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w *world) get(path, session string) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("GET", path, session, nil))
}

// do sends the form of a deed as the page shows it.
func (w *world) do(t *testing.T, page, session string, deed dossier.Deed, words string, more ...string) *httptest.ResponseRecorder {
	t.Helper()
	text := w.get(page, session).Body.String()
	m := regexp.MustCompile(`action="([^"]+)">\s*<input type="hidden" name="deed" value="` + string(deed) +
		`"><input type="hidden" name="seen" value="(\d+)">`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("the page offers no %s:\n%s", deed, text)
	}
	values := url.Values{"deed": {string(deed)}, "seen": {m[2]}, "words": {words}}
	for i := 0; i < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return webtest.Do(w.site, webtest.Request("POST", m[1], session, values))
}

// TestSigns: offices and auditors find the signs of their area, nobody else finds a trace of them, and offices work on them to the end.
func TestSigns(t *testing.T) {
	w := newWorld(t)
	here, there := w.sign(t, 1, county, "SL-H2"), w.sign(t, 2, city, "SL-H1")
	page := func(id int64) string { return fmt.Sprintf("/integrity/of/%d", id) }
	office, colleague := w.Add(webtest.Grant(account.County, county, county)), w.Add(webtest.Grant(account.County, county, county))
	stranger := w.Add(webtest.Grant(account.County, "629902000000", "629902000000"))
	session := w.SignIn(office)
	webtest.Want(t, w.get("/integrity", session), 200, "SL-H2", "!SL-H1", "待核查")
	webtest.Want(t, w.get(page(there), session), 404)
	webtest.Want(t, w.get(page(here), session), 200, "20 / 40", "/evaluations/of/513", "常客熟悉键位")
	webtest.Want(t, w.get("/", session), 200, "1 份疑点在办")
	for _, g := range []account.Grant{webtest.Grant(account.Unit, centre, county), webtest.Grant(account.Hall, "SL-H2", county),
		webtest.Grant(account.Technician, county, county), webtest.Grant(account.Staff, "SL-0016", county), webtest.Grant(account.Inspector,
			county, county)} {
		s := w.SignIn(w.Add(g))
		webtest.Want(t, w.get("/integrity", s), 404)
		webtest.Want(t, w.get(page(here), s), 404)
	}
	auditor := w.SignIn(w.Add(webtest.Grant(account.Auditor, county, county)))
	webtest.Want(t, w.get(page(here), auditor), 200, "20 / 40", "!<form method=\"post\" action=\"/integrity")
	if got := w.do(t, page(here), session, dossier.Acknowledge, ""); got.Code != 303 {
		t.Fatalf("acknowledged: %d %s", got.Code, got.Body)
	}
	due := directory.DayOf(w.Now()) + 5
	webtest.Want(t, w.do(t, page(here), session, dossier.Assign, "", "owner", stranger.Login, "due", due.String()), 422, "无权核查")
	webtest.Want(t, w.do(t, page(here), session, dossier.Assign, "", "owner", colleague.Login, "due", "2020-01-01"), 422, "请写明期限")
	if got := w.do(t, page(here), session, dossier.Assign, "请调监控", "owner", colleague.Login, "due", due.String()); got.Code != 303 {
		t.Fatalf("assigned: %d %s", got.Code, got.Body)
	}
	webtest.Want(t, w.get(page(here), session), 200, colleague.Name, due.String(), "请调监控")
	webtest.Want(t, w.do(t, page(here), w.SignIn(colleague), dossier.Confirm, ""), 422, "请写明情况")
	if got := w.do(t, page(here), w.SignIn(colleague), dossier.Confirm, "监控显示工作人员代按"); got.Code != 303 {
		t.Fatalf("closed: %d %s", got.Code, got.Body)
	}
	webtest.Want(t, w.get("/integrity", session), 200, "!SL-H2", "您的范围内没有")
	webtest.Want(t, w.get("/integrity?state=ended", session), 200, "SL-H2", "已办结")
	old := url.Values{"deed": {"reopen"}, "seen": {"1"}, "words": {"再看一次"}}
	webtest.Want(t, webtest.Do(w.site, webtest.Request("POST", page(here)+"/office", session, old)), 409, "刚有别人办理过")
}

// TestAPI reads and works by tokens. Each answer is as the description has it.
func TestAPI(t *testing.T) {
	w := newWorld(t)
	var ids []int64
	for n := range 7 {
		ids = append([]int64{w.sign(t, n, county, "SL-H2")}, ids...)
	}
	w.sign(t, 99, city, "SL-H1")
	g := webtest.Grant(account.County, county, county)
	p := w.Program(w.site, g, "", account.SeeIntegrity, account.WorkIntegrity)
	const list, one, office = "/api/v1/integrity", "/api/v1/integrity/{dossier}", "/api/v1/integrity/{dossier}/office"
	type item struct{ ID, Changed int64 }
	var got []int64
	for _, x := range webtest.All[item](t, p, list, "") {
		got = append(got, x.ID)
	}
	if !slices.Equal(got, ids) {
		t.Errorf("listed %v, want %v", got, ids)
	}
	at := fmt.Sprintf("/api/v1/integrity/%d", ids[0])
	webtest.Want(t, p.Get(one, at), 200, `"rule"`, "!evaluation\":") // the token sees no evaluations
	webtest.Want(t, p.Post(office, at+"/office", fmt.Sprintf(`{"deed":"explain","changed":%d,"words":"情况正常"}`, ids[0])), 422)
	webtest.Want(t, p.Post(office, at+"/office", `{"deed":"acknowledge","changed":1}`), 409)
	webtest.Want(t, p.Post(office, at+"/office", fmt.Sprintf(`{"deed":"acknowledge","changed":%d}`, ids[0])), 200, `"state": "seen"`)
	webtest.Want(t, p.Post(office, at+"/office", `{"deed":"acknowledge","more":1}`), 400)
	webtest.Want(t, p.Get(one, "/api/v1/integrity/999999"), 404)
	webtest.Want(t, p.Get(list, list+"?kind=mend"), 400)
	seeing := w.Program(w.site, g, "", account.SeeIntegrity, account.SeeEvaluations)
	webtest.Want(t, seeing.Get(one, at), 200, `"evaluation": 513`)
	webtest.Want(t, seeing.Post(office, at+"/office", `{"deed":"acknowledge","changed":1}`), 404)
	descriptions.Want(t, "../api/openapi.yaml", append(p.Answers, seeing.Answers...))
}

// TestPublications: who drafts, edits or submits a result does not approve it; whoever does publishes it, unless something else was
// published meanwhile.
func TestPublications(t *testing.T) {
	w := newWorld(t)
	g := webtest.Grant(account.City, city, city)
	author, chief := w.SignIn(w.Add(g)), w.SignIn(w.Add(g))
	begin := func(area, part string) *httptest.ResponseRecorder {
		return webtest.Do(w.site, webtest.Request("POST", "/publications/drafts", author, url.Values{"area": {area}, "year": {"2025"},
			"part": {part}}))
	}
	webtest.Want(t, begin("629901", "1-3"), 422, "请写 12 位区划代码")
	webtest.Want(t, begin(province, "1-3"), 422, "您的范围内没有这个区划")
	webtest.Want(t, webtest.Do(w.site, webtest.Request("POST", "/publications/drafts", author,
		url.Values{"area": {city}, "year": {"2024"}, "part": {"1-3"}})), 422, "已经发布过")
	got := begin(city, "1-3")
	page := got.Header().Get("Location")
	if got.Code != 303 || !strings.HasPrefix(page, "/publications/of/") {
		t.Fatalf("drafted: %d %s", got.Code, got.Body)
	}
	webtest.Want(t, w.get(page, author), 200, "示例市 2025 年第一季度政务服务好差评结果", "草稿", ">80<", ">12<")
	if got := w.do(t, page, author, dossier.Edit, "", "draft", "一季度评价\r\n总体平稳"); got.Code != 303 {
		t.Fatalf("edited: %d %s", got.Code, got.Body)
	}
	if got := w.do(t, page, author, dossier.Submit, ""); got.Code != 303 {
		t.Fatalf("submitted: %d %s", got.Code, got.Body)
	}
	webtest.Want(t, w.do(t, page, author, dossier.Approve, ""), 422, "须由他人审批")
	if got := w.do(t, page, chief, dossier.Approve, ""); got.Code != 303 {
		t.Fatalf("approved: %d %s", got.Code, got.Body)
	}
	w.drafts.stale = true
	webtest.Want(t, w.do(t, page, chief, dossier.Publish, ""), 422, "请作废本稿、重新起草")
	w.drafts.stale = false
	w.drafts.meanwhile = func() error {
		k := dossier.Kept{Dossier: dossier.Dossier{Kind: dossier.Publication, Name: "else", Title: "另一份", Area: city}}
		by, id, err := dossier.By{Account: "a"}, int64(0), error(nil)
		if id, _, err = w.dossiers.Add(t.Context(), by, k.Dossier); err == nil {
			k, err = w.dossiers.Dossier(t.Context(), id)
		}
		for _, do := range []dossier.Deed{dossier.Submit, dossier.Approve, dossier.Publish} {
			if err == nil {
				k, err = w.dossiers.Do(t.Context(), by, k, dossier.Event{Do: do}, "")
			}
			by.Account = "b"
		}
		return err
	}
	webtest.Want(t, w.do(t, page, chief, dossier.Publish, ""), 409, "刚有别人办理过")
	w.drafts.meanwhile = nil
	if got := w.do(t, page, chief, dossier.Publish, ""); got.Code != 303 {
		t.Fatalf("published: %d %s", got.Code, got.Body)
	}
	webtest.Want(t, w.get(page, chief), 200, "/published/", "已发布", "一季度评价\n总体平稳", "!name=\"deed\"")
	webtest.Want(t, w.get("/publications", w.SignIn(w.Add(webtest.Grant(account.Unit, centre, county)))), 404)
}

// TestInABrowser looks at the pages with axe at the width of a phone and of a desk.
func TestInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t)
	id := w.sign(t, 1, county, "SL-H2")
	for n := range 60 {
		w.sign(t, 100+n, city, "SL-H1")
	}
	account := w.Add(webtest.Grant(account.Province, province, province))
	session := w.SignIn(account)
	r := webtest.Do(w.site, webtest.Request("POST", "/publications/drafts", session, url.Values{"area": {city}, "year": {"2025"},
		"part": {"1-3"}}))
	server := webtest.Serve(t, w.site, session)
	for name, path := range map[string]string{"signs": "/integrity", "sign": fmt.Sprintf("/integrity/of/%d", id),
		"signs-ended":  "/integrity?state=ended",
		"publications": "/publications", "publication": r.Header().Get("Location")} {
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+path)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		axe.Look(t, ctx, script, name)
	}
}

// TestAnOrderToMend: an office issues what was proposed, the unit sees it from then on and answers, and the office accepts it.
func TestAnOrderToMend(t *testing.T) {
	w := newWorld(t)
	found, err := json.Marshal(assess.Found{Days: directory.Period{From: 20000, To: 20090}, Rule: "连续三个月", Source: "办法第二十一条",
		Lines: []assess.Line{{Words: "2026-01", Value: "评价 100 份"}}})
	if err != nil {
		t.Fatal(err)
	}
	var pages []string
	for kind, name := range map[dossier.Kind]string{dossier.Mend: "staff SL-H2 SL-0016", dossier.Problem: "matter 6299 T1"} {
		x := dossier.Dossier{Kind: kind, Name: name, Title: "提出的" + kind.Chinese(), Area: county, Found: found}
		if kind == dossier.Mend {
			x.Units = []string{centre}
		}
		id, _, err := w.dossiers.Add(t.Context(), dossier.By{Account: dossier.Source}, x)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, fmt.Sprintf("/assessment/of/%d", id))
	}
	office := w.SignIn(w.Add(webtest.Grant(account.County, county, county)))
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, centre, county)))
	auditor := w.SignIn(w.Add(webtest.Grant(account.Auditor, county, county)))
	due := (directory.DayOf(w.Now()) + 20).String()
	for _, page := range pages {
		webtest.Want(t, w.get(page, unit), 404)
		webtest.Want(t, w.get(page, auditor), 200, "2026-01")
		deed := dossier.Issue
		if strings.Contains(w.get(page, office).Body.String(), "集中问题") {
			deed = dossier.Assign
		}
		webtest.Want(t, w.do(t, page, office, deed, "请在二十日内整改", "due", due, "owner", "no-such-unit"), map[dossier.Deed]int{dossier.Issue: 303,
			dossier.Assign: 422}[deed])
		if deed == dossier.Assign {
			webtest.Want(t, w.do(t, page, office, deed, "请在二十日内解决", "due", due, "owner", centre), 303)
		}
		webtest.Want(t, w.get(page, unit), 200, "整改中", due, "!name=\"deed\" value=\"accept\"")
		webtest.Want(t, w.do(t, page, unit, dossier.Answer, "已培训并调整窗口"), 303)
		webtest.Want(t, w.do(t, page, office, dossier.Accept, "现场查看，属实"), 303)
		webtest.Want(t, w.get(page, unit), 200, "已办结", "现场查看，属实")
	}
	webtest.Want(t, w.get("/assessment", w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", county)))), 404)
}

// TestAProposalThatCameToNothing: what an office did not issue the unit never sees, neither while it is proposed nor when it was dropped.
func TestAProposalThatCameToNothing(t *testing.T) {
	w := newWorld(t)
	found, err := json.Marshal(assess.Found{Days: directory.Period{From: 20000, To: 20090}, Rule: "连续三个月", Source: "办法第二十一条"})
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := w.dossiers.Add(t.Context(), dossier.By{Account: dossier.Source}, dossier.Dossier{Kind: dossier.Mend, Name: "staff x",
		Title: "工号 SL-0016：连续三个月靠后", Area: county, Units: []string{centre}, Staff: "SL-0016", Found: found})
	if err != nil {
		t.Fatal(err)
	}
	page := fmt.Sprintf("/assessment/of/%d", id)
	office := w.SignIn(w.Add(webtest.Grant(account.County, county, county)))
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, centre, county)))
	webtest.Want(t, w.do(t, page, office, dossier.Drop, "样本不足，不予下达"), 303)
	webtest.Want(t, w.get(page, office), 200, "已办结")
	webtest.Want(t, w.get(page, unit), 404)
	webtest.Want(t, w.get("/assessment?kind=mend&state=ended", unit), 200, "!SL-0016")
}
