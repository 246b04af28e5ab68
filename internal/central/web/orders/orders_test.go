package orders_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/books/bookstest"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/orders"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
)

const (
	city   = "629900000000"
	county = "629901000000"
	police = "116299003MB003333Y"
	labour = "116299004MB004444B"
)

// world is the demonstration's city with orders, and who works on them.
type world struct {
	*webtest.World
	books     *books.Books
	directory *directory.Directory
	orders    *rectify.Orders
	site      *web.Site
	name      func(context.Context, string) string
	told      int
	contact   string // of those whose cases are rated
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: webtest.New(t)}
	w.Pass(time.Since(w.Now())) // to the journal's own time
	d, err := directory.Open(t.Context(), w.Journal)
	if err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, d, "../../../../cmd/ratingctl/organisation.csv")
	w.books, _ = bookstest.Follow(t, w.Journal, "sqlite:"+filepath.Join(t.TempDir(), "books.db"))
	w.directory = d
	w.orders = w.open(t, false)
	if err := w.orders.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	name := func(ctx context.Context, id string) string {
		a, err := w.Accounts.Account(ctx, id)
		if err != nil {
			return id
		}
		return a.Name
	}
	w.name = name
	return w.show()
}

// show returns the world with pages of its orders.
func (w *world) show() *world {
	w.site = w.Site(orders.Section(orders.Config{Orders: w.orders, Directory: w.directory, Name: w.name, Random: rand.Text}))
	return w
}

// open returns the orders as a centre opens them, with a gateway for messages or without.
func (w *world) open(t testing.TB, texts bool) *rectify.Orders {
	t.Helper()
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	o, err := rectify.Open(t.Context(), rectify.Config{Journal: w.Journal, Books: w.books, Directory: w.directory, Holder: "test", Now: w.Now,
		Texts: texts, Terms: rectify.Terms{Calendar: days, Contact: 1, Office: 5}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// rate has cases of units rated, and returns the addresses of the orders' pages.
func (w *world) rate(t testing.TB, cases ...rating.CaseFact) (pages []string) {
	t.Helper()
	var ids []int64
	for _, f := range cases {
		w.told++
		now := time.Now().UnixMilli()
		f.Area, f.ProjectNo, f.TaskCode, f.AsOf, f.CompletedAt = city, fmt.Sprint("P", w.told), "T1", now, now-60_000
		if _, err := w.Journal.Tell(t.Context(), "business", f.ProjectNo, []journal.Fact{{Fact: f, Contact: w.contact}}); err != nil {
			t.Fatal(err)
		}
		r, err := w.Journal.Answer(t.Context(), "hotline", f.ProjectNo,
			[]journal.Answer{{Case: f.Key(), Level: rating.VeryDissatisfied, Channel: rating.Voice, At: now}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.Pos<<9)
		wait, cancel := context.WithTimeout(t.Context(), time.Minute)
		err = w.books.Wait(wait, r.Pos)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Pass(max(0, time.Since(w.Now()))) // not behind the journal
	w.Pass(2 * time.Minute)
	if err := w.orders.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		x, err := w.orders.Of(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, fmt.Sprintf("/orders/of/%d-1", x.ID))
	}
	return pages
}

func (w *world) get(path, session string) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("GET", path, session, nil))
}

// do sends the form of a deed as the page shows it.
func (w *world) do(t testing.TB, page, session string, deed rectify.Deed, words string, more ...string) *httptest.ResponseRecorder {
	t.Helper()
	text := w.get(page, session).Body.String()
	form := regexp.MustCompile(`action="([^"]+)">\s*<input type="hidden" name="deed" value="` + string(deed) +
		`"><input type="hidden" name="seen" value="(\d+)">`)
	m := form.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("the page offers no %s:\n%s", deed, text)
	}
	values := url.Values{"deed": {string(deed)}, "seen": {m[2]}, "words": {words}}
	if len(deed.Methods()) > 0 {
		values.Set("method", string(rectify.ByPhone))
	}
	if all := deed.Results(); len(all) > 0 {
		values.Set("result", string(all[0]))
	}
	for i := 0; i < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return webtest.Do(w.site, webtest.Request("POST", m[1], session, values))
}

// TestScope: who has no part in the work on an order finds no trace of it, the person who was rated least of all.
func TestScope(t *testing.T) {
	w := newWorld(t)
	pages := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"}, rating.CaseFact{Unit: labour, TaskName: "社保卡申领"})
	sign := func(g account.Grant) string { return w.SignIn(w.Add(g)) }
	unit, other := sign(webtest.Grant(account.Unit, police, city)), sign(webtest.Grant(account.Unit, labour, city))
	office, elsewhere := sign(webtest.Grant(account.City, city, city)), sign(webtest.Grant(account.County, county, county))
	auditor := sign(webtest.Grant(account.Auditor, city, city))
	webtest.Want(t, w.get("/orders", unit), 200, "身份证补领", "!社保卡申领", "非常不满意", "还有 1 个工作日")
	webtest.Want(t, w.get("/orders", other), 200, "!身份证补领", "社保卡申领")
	webtest.Want(t, w.get("/orders", office), 200, "身份证补领", "社保卡申领")
	webtest.Want(t, w.get("/orders", elsewhere), 200, "没有待办的差评工单")
	webtest.Want(t, w.get(pages[0], unit), 200, "待联系", "联系未通", "!督促催办", "经过")
	webtest.Want(t, w.get(pages[0], office), 200, "督促催办", "!联系未通")
	webtest.Want(t, w.get(pages[0], auditor), 200, "!督促催办", "!联系未通", "!<form method=\"post\" action=\"/orders")
	nothing := w.get("/orders/of/99999-1", other)
	for who, session := range map[string]string{"another unit": other, "another county": elsewhere} {
		if got := w.get(pages[0], session); got.Code != 404 || got.Body.String() == "" ||
			who == "another unit" && got.Body.String() != nothing.Body.String() {
			t.Errorf("%s sees %d %s", who, got.Code, got.Body)
		}
	}
	for _, g := range []account.Grant{webtest.Grant(account.Hall, "SL-H1", city), webtest.Grant(account.Staff, "1001", city),
		webtest.Grant(account.Technician, city, city)} {
		session := sign(g)
		for _, path := range []string{"/orders", pages[0]} {
			if got := w.get(path, session); got.Code != 404 || strings.Contains(got.Body.String(), "身份证") {
				t.Errorf("%s is answered %d for %s", g.Role, got.Code, path)
			}
		}
	}
	// Each hand has its own door, whatever a form says.
	for path, session := range map[string]string{pages[0] + "/work": office, pages[0] + "/review": unit, pages[1] + "/work": unit} {
		if got := webtest.Do(w.site, webtest.Request("POST", path, session,
			url.Values{"deed": {"verify"}, "seen": {"1"}, "words": {"已核实"}})); got.Code != 404 {
			t.Errorf("POST %s: %d", path, got.Code)
		}
	}
	if got := webtest.Do(w.site, webtest.Request("POST", pages[0]+"/work", unit,
		url.Values{"deed": {"pass"}, "seen": {"1"}})); got.Code != 422 {
		t.Errorf("the office's deed by the unit's door: %d", got.Code)
	}
	for _, bad := range []string{"/orders/of/x", "/orders/of/1", "/orders/of/1-x", "/orders/of/-1-1"} {
		webtest.Want(t, w.get(bad, office), 404)
	}
	webtest.Want(t, w.get("/orders?after=x", office), 400)
}

// TestTheWholeWay of an order, by the unit and the office, with a return, a clue, and somebody who comes too late.
func TestTheWholeWay(t *testing.T) {
	w := newWorld(t)
	page := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"})[0]
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	done := func(session string, deed rectify.Deed, words string, more ...string) {
		t.Helper()
		if got := w.do(t, page, session, deed, words, more...); got.Code != 303 || got.Header().Get("Location") != page {
			t.Fatalf("%s: %d %s", deed, got.Code, got.Body)
		}
		w.Pass(time.Minute)
	}
	webtest.Want(t, w.do(t, page, unit, rectify.Verify, " "), 422, "请写明情况")
	done(unit, rectify.Verify, "窗口取号记录显示<b>等候</b>两小时")
	webtest.Want(t, w.get(page, unit), 200, "已联系", "&lt;b&gt;等候", "测试人员1")
	done(unit, rectify.Plan, "")
	webtest.Want(t, w.do(t, page, unit, rectify.Extend, "等待设备", "days", "11"), 422, "不超过 10 个工作日")
	done(unit, rectify.Extend, "已电话说明：等待设备到货", "days", "10")
	webtest.Want(t, w.get(page, unit), 200, "（10 个工作日）")
	done(office, rectify.Refer, "评价人反映有人收受礼品")
	webtest.Want(t, w.get(page, unit), 200, "!收受礼品", "!线索移送")
	webtest.Want(t, w.get(page, office), 200, "!收受礼品", "线索移送", "文字仅线索专员可见")
	done(unit, rectify.Reply, "增开一个窗口")
	done(office, rectify.Return, "请写明落实时间")
	done(unit, rectify.Reply, "自下周起增开一个窗口")
	done(office, rectify.Pass, "")
	stale := url.Values{"deed": {string(rectify.Skip)}, "seen": {"1"}, "words": {"匿名"}}
	webtest.Want(t, webtest.Do(w.site, webtest.Request("POST", page+"/review", office, stale)), 409, "刚被别人办理过")
	done(office, rectify.Skip, "匿名，未留联系方式")
	webtest.Want(t, w.get(page, office), 200, "已办结", "申诉", "收到差评，开立工单", "延期，并已向评价人说明理由，合计 10 个工作日")
	webtest.Want(t, w.get("/orders", office), 200, "没有待办的差评工单")
}

// TestChoices: how somebody was reached and who appeals is chosen and counted; the unit appeals for its own side, and not for the citizen.
func TestChoices(t *testing.T) {
	w := newWorld(t)
	page := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"})[0]
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	webtest.Want(t, w.get("/orders/contacts", office), 200, "还没有联系")
	webtest.Want(t, w.do(t, page, unit, rectify.Miss, "", "result", ""), 422, "请选择联系结果", "拒接")
	webtest.Want(t, w.do(t, page, unit, rectify.Miss, "", "method", "pigeon"), 422, "请选择联系方式")
	done := func(session string, deed rectify.Deed, more ...string) {
		t.Helper()
		if got := w.do(t, page, session, deed, "已处理", more...); got.Code != 303 {
			t.Fatalf("%s: %d %s", deed, got.Code, got.Body)
		}
		w.Pass(time.Minute)
	}
	done(unit, rectify.Miss, "result", "rejected")
	done(unit, rectify.Contact, "method", "person", "result", "declined")
	webtest.Want(t, w.get(page, unit), 200, "联系未通（电话，拒接）", "联系评价人（当面，联系上，不愿沟通）")
	done(unit, rectify.Plan)
	done(unit, rectify.Reply)
	done(office, rectify.Pass)
	webtest.Want(t, w.get(page, unit), 200, "!申诉")
	done(office, rectify.Skip)
	webtest.Want(t, w.get(page, unit), 200, "被评价的单位", "!>评价人、投诉人<")
	webtest.Want(t, w.get(page, office), 200, "被评价的单位", ">评价人、投诉人<")
	webtest.Want(t, w.do(t, page, unit, rectify.Appeal, "冒充他人", "side", "citizen"), 422, "没有这一操作")
	done(unit, rectify.Appeal, "side", "unit")
	webtest.Want(t, w.get(page, unit), 200, "申诉中", "申诉（被评价的单位）", "!申诉成立")
	done(office, rectify.Grant)
	webtest.Want(t, w.get(page, office), 200, "不予采纳", ">评价人、投诉人<", "!被评价的单位</option>")
	for who, session := range map[string]string{"unit": unit, "office": office} {
		got := w.get("/orders/contacts", session)
		webtest.Want(t, got, 200, "拒接", "当面", "申诉：被评价的单位")
		if n := strings.Count(got.Body.String(), `class="num">1</td>`); n != 3 {
			t.Errorf("the %s reads %d lines of one", who, n)
		}
	}
}

// TestOverdue: what is late stands first, is marked, and is on the home page.
func TestOverdue(t *testing.T) {
	w := newWorld(t)
	w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"})
	w.Pass(21 * 24 * time.Hour)
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	webtest.Want(t, w.get("/orders", office), 200, "逾期", "报上级督办", "本页 1 份已逾期")
	webtest.Want(t, w.get("/", office), 200, "1 份差评工单逾期")
}

// TestAnOrderOfNobodyIsAssigned by the office, to which unit it then belongs.
func TestAnOrderOfNobodyIsAssigned(t *testing.T) {
	w := newWorld(t)
	page := w.rate(t, rating.CaseFact{TaskName: "户口迁移"})[0]
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	webtest.Want(t, w.get(page, unit), 404)
	webtest.Want(t, w.get(page, office), 200, "未明确")
	webtest.Want(t, w.do(t, page, office, rectify.Assign, "属户政业务", "unit", "x"), 422, "没有这个单位")
	if got := w.do(t, page, office, rectify.Assign, "属户政业务", "unit", police); got.Code != 303 {
		t.Fatalf("assigned: %d %s", got.Code, got.Body)
	}
	webtest.Want(t, w.get(page, unit), 200, "指派承办单位：示例市公安局", "属户政业务")
	webtest.Want(t, w.get("/orders", unit), 200, "户口迁移")
}
