package evaluations_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/evaluations"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/rating"
)

// everyYear returns a calendar that knows the notices of all years up to 2060, but for one.
func everyYear(t testing.TB, but int) *rating.Calendar {
	t.Helper()
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	for year := 2000; year < 2060; year++ {
		if !slices.ContainsFunc(notices, func(n rating.Notice) bool { return n.Year == year }) {
			notices = append(notices, rating.Notice{Year: year, Source: "a test's"})
		}
	}
	c, err := rating.NewCalendar(slices.DeleteFunc(notices, func(n rating.Notice) bool { return n.Year == but })...)
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// told tells of a case of a county and a unit, completed now, and returns what the books know of it.
func (w *world) told(project string, change func(*rating.CaseFact)) books.Case {
	w.t.Helper()
	now := w.Journal.Now()
	f := rating.CaseFact{Area: "629901000000", ProjectNo: project, TaskCode: "T1", TaskName: "居民身份证换领", Unit: "116299006MB0066664",
		Handling: rating.Mixed, AcceptedAt: now - 2000, CompletedAt: now - 1000, AsOf: now}
	change(&f)
	if _, err := w.Journal.Tell(w.t.Context(), "test", "case "+f.Area+" "+project,
		[]journal.Fact{{Fact: f, Contact: "13900000077"}}); err != nil {
		w.t.Fatal(err)
	}
	w.follow()
	c, ok, err := w.books.Case(w.t.Context(), f.Key())
	if err != nil || !ok {
		w.t.Fatalf("the case %s is not known, %v", project, err)
	}
	return c
}

func leave(*rating.CaseFact) {}

// silent has silence become 基本满意.
func (w *world) silent(c books.Case, deadline time.Time) {
	w.t.Helper()
	if _, err := w.Journal.Pass(w.t.Context(), "deadline", "pass "+c.Key.Project,
		[]journal.Passed{{Case: c.Key, Begins: c.Begins(), Deadline: deadline.UnixMilli()}}); err != nil {
		w.t.Fatal(err)
	}
	w.follow()
}

// section serves the pages by a calendar, and with a box that every default waits for if awaited is true.
func (w *world) section(days *rating.Calendar, awaited bool) {
	w.t.Helper()
	cfg := evaluations.Config{Books: w.books, Journal: w.Journal, Directory: w.directory, Silence: days}
	if awaited {
		cfg.Awaited = func(_ context.Context, c books.Case) ([]rating.DeviceID, error) {
			if c.State() != books.CaseDefault {
				return nil, nil
			}
			return []rating.DeviceID{"sl-06"}, nil
		}
	}
	w.site = w.Site(evaluations.Section(cfg))
}

// The page of a case says what has become of it, when silence gets a meaning, and what that waits for; it shows no level and no contact.
func TestACase(t *testing.T) {
	w := newWorld(t)
	open := w.told("N-open", func(f *rating.CaseFact) { f.CompletedAt = 0 })
	waits := w.told("N-waits", leave)
	w.told("N/odd", func(f *rating.CaseFact) { f.Batch, f.Theme, f.Applicant = "B-1", "T-1", rating.Enterprise })
	passed := w.told("N-silent", leave)
	rated := w.told("N-rated", leave)
	if _, err := w.Journal.Answer(t.Context(), "portal", "1",
		[]journal.Answer{{Case: rated.Key, Level: 1, Channel: rating.Portal, At: w.Journal.Now()}}, nil); err != nil {
		t.Fatal(err)
	}
	w.silent(passed, time.UnixMilli(passed.Begins()).Add(time.Hour))
	county := w.SignIn(w.Add(webtest.Grant(account.County, "629901000000", "629901000000")))
	at := func(k rating.CaseKey) string { return "/cases/" + k.Area + "/" + url.PathEscape(k.Project) }
	year := time.UnixMilli(waits.Begins()).In(rating.Shanghai()).Year()

	w.section(everyYear(t, 0), true)
	due := everyYear(t, 0).Default(time.UnixMilli(waits.Begins()))
	webtest.Want(t, w.get(at(open.Key), county), http.StatusOK, "尚未办结", "办结以后才能评价", "!评价期限")
	webtest.Want(t, w.get(at(waits.Key), county), http.StatusOK, "已办结，待评价",
		"评价期限 <b>"+due.At.Add(-time.Second).In(rating.Shanghai()).Format("2006-01-02")+" 24:00</b>", "!暂定", "线上线下相结合", "业务系统报送", "中心得知",
		"!13900000077")
	webtest.Want(t, w.get(at(rating.CaseKey{Area: waits.Key.Area, Project: "N/odd"}), county), http.StatusOK, "B-1", "T-1", "企业法人")
	webtest.Want(t, w.get(at(passed.Key), county), http.StatusOK, "逾期未评，默认基本满意", "默认暂定", "sl-06", "不是任何人的评价")
	webtest.Want(t, w.get(at(rated.Key), county), http.StatusOK, "已有计入的评价", "!非常不满意", "!默认")

	w.section(everyYear(t, year), false) // the notice is not there
	webtest.Want(t, w.get(at(waits.Key), county), http.StatusOK, "期限暂定", "放假安排通知还没有放入中心")
	webtest.Want(t, w.get(at(passed.Key), county), http.StatusOK, "没有还要等的评价器", "!默认暂定")

	w.section(nil, false)
	webtest.Want(t, w.get(at(waits.Key), county), http.StatusOK, "没有启用默认评价", "!评价期限")
	webtest.Want(t, w.get(at(passed.Key), county), http.StatusOK, "逾期未评，默认基本满意")
}

// A case is found by its number, in the areas that the person sees, and lies in its area and with its unit for everybody else.
func TestFindingACase(t *testing.T) {
	w := newWorld(t)
	here := w.told("SAME-1", leave)
	w.told("SAME-1", func(f *rating.CaseFact) { f.Area, f.Unit = "629902100000", "" })
	sign := func(g account.Grant) string { return w.SignIn(w.Add(g)) }
	city := sign(webtest.Grant(account.City, "629900000000", "629900000000"))
	county := sign(webtest.Grant(account.County, "629901000000", "629901000000"))
	other := sign(webtest.Grant(account.County, "629902000000", "629902000000"))
	unit := sign(webtest.Grant(account.Unit, "116299006MB0066664", "629901000000"))
	hall := sign(webtest.Grant(account.Hall, "SL-H2", "629901000000"))
	webtest.Want(t, w.get("/cases", city), http.StatusOK, "办件编号", "!没有这个办件")
	webtest.Want(t, w.get("/cases?case=SAME-1", city), http.StatusOK, "几个区划有这个编号", "/cases/629901000000/SAME-1",
		"/cases/629902100000/SAME-1")
	webtest.Want(t, w.get("/cases?case=NONE", city), http.StatusOK, "没有这个办件")
	webtest.Want(t, w.get("/cases?case=SAME-1&area=x", city), http.StatusUnprocessableEntity, `role="alert"`)
	for _, who := range []string{county, unit} {
		r := w.get("/cases?case=SAME-1", who)
		if to := r.Header().Get("Location"); r.Code != http.StatusSeeOther || to != "/cases/629901000000/SAME-1" {
			t.Errorf("the only one that is seen: %d to %q", r.Code, to)
		}
		webtest.Want(t, w.get("/cases/629901000000/SAME-1", who), http.StatusOK, here.TaskName)
		webtest.Want(t, w.get("/cases/629902100000/SAME-1", who), http.StatusNotFound)
	}
	none := w.get("/cases/629901000000/NONE", other)
	if got := w.get("/cases/629901000000/SAME-1", other); got.Code != http.StatusNotFound || got.Body.String() != none.Body.String() {
		t.Errorf("another county's case is answered %d, and unlike one that is not there", got.Code)
	}
	for _, path := range []string{"/cases", "/cases?case=SAME-1", "/cases/629901000000/SAME-1"} {
		webtest.Want(t, w.get(path, hall), http.StatusNotFound)
	}
}

// A program reads the same of a case, as it is described.
func TestACaseForPrograms(t *testing.T) {
	w := newWorld(t)
	c := w.told("N-1", leave)
	w.silent(c, time.UnixMilli(c.Begins()).Add(time.Hour))
	open := w.told("N-2", leave)
	year := time.UnixMilli(open.Begins()).In(rating.Shanghai()).Year()
	w.section(everyYear(t, year), true)
	p := w.Program(w.site, webtest.Grant(account.County, "629901000000", "629901000000"), "", account.SeeEvaluations)
	const path = "/api/v1/cases/{area}/{project}"
	webtest.Want(t, p.Get(path, "/api/v1/cases/629901/N-1"), http.StatusOK, `"state": "default"`, `"provisional": true`, `"sl-06"`,
		"!13900000077")
	webtest.Want(t, p.Get(path, "/api/v1/cases/629901000000/N-2"), http.StatusOK, `"missing_notice": `, `"deadline": `, `"reachable": true`)
	webtest.Want(t, p.Get(path, "/api/v1/cases/629902/N-1"), http.StatusNotFound)
	descriptions.Want(t, "../api/openapi.yaml", p.Answers)
}

// Offices are told in time that a notice is missing; a unit cannot help it.
func TestAMissingNoticeIsSaid(t *testing.T) {
	w := newWorld(t)
	city := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	days := everyYear(t, 2027)
	const words = "2027 年的放假安排通知还没有放入中心"
	w.section(days, false)
	webtest.Want(t, w.get("/", city), http.StatusOK, "!"+words)
	w.Pass(time.Date(2026, 12, 8, 9, 0, 0, 0, rating.Shanghai()).Sub(w.Now()))
	city = w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, "116299006MB0066664", "629901000000")))
	webtest.Want(t, w.get("/", city), http.StatusOK, words)
	webtest.Want(t, w.get("/", unit), http.StatusOK, "!"+words)
	w.section(everyYear(t, 0), false)
	webtest.Want(t, w.get("/", city), http.StatusOK, "!"+words)
}

// TestACaseInABrowser finds a case and looks at each of its states with axe at three widths.
func TestACaseInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t)
	c := w.told("P-2026-000081", func(f *rating.CaseFact) { f.Batch, f.Theme, f.Applicant = "B-20260302-7", "QYKB-1", rating.Enterprise })
	w.silent(c, time.UnixMilli(c.Begins()).Add(time.Hour))
	waits := w.told("P-2026-000082", leave)
	w.told("P-2026-000082", func(f *rating.CaseFact) { f.Area, f.Unit = "629902100000", "" })
	w.section(everyYear(t, time.UnixMilli(waits.Begins()).In(rating.Shanghai()).Year()), true)
	server := webtest.Serve(t, w.site, w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000"))))
	do := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		axe.Look(t, ctx, script, name)
	}
	do("case-find", chromedp.Navigate(server.URL+"/cases"))
	do("case-default", chromedp.SendKeys(chromedp.CSS("#case"), c.Key.Project), chromedp.Click(chromedp.CSS("form.filter button")),
		chromedp.WaitVisible(chromedp.CSS(".cards")))
	do("case-several", chromedp.Navigate(server.URL+"/cases?case=P-2026-000082"), chromedp.WaitVisible(chromedp.CSS(".list")))
	do("case-waits", chromedp.Click(chromedp.CSS("main .list a")), chromedp.WaitVisible(chromedp.CSS(".notice")))
	do("case-none", chromedp.Navigate(server.URL+"/cases?case="+strings.Repeat("9", 12)), chromedp.WaitVisible(chromedp.CSS(".empty")))
}

// An evaluation's page says when its case was completed, and not when the centre has learnt of it.
func TestTheCompletionOfAnEvaluationsCase(t *testing.T) {
	w := newWorld(t)
	w.fill()
	city := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	for _, x := range w.given {
		if x.project == "P000020" {
			webtest.Want(t, w.get(fmt.Sprintf("/evaluations/of/%d", x.id), city), http.StatusOK, "办结 2026-02-10 00:00", "办件详情")
			return
		}
	}
	t.Fatal("nobody has rated the case")
}
