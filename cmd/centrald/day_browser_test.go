package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// browsed is a browser with a site.
type browsed struct {
	t     *testing.T
	rooms *rooms
	tab   func(...chromedp.Action[chromedp.Void]) error
	text  func() (string, error)
	url   string
	who   account.Role
}

// do does something on the page.
func (b *browsed) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := b.tab(steps...); err != nil {
		page, _ := b.text()
		b.t.Fatalf("%s, %s: %v\n%s", b.who, what, err, page)
	}
}

// open opens a page, which has some texts, and not those after "!".
func (b *browsed) open(path string, texts ...string) {
	b.t.Helper()
	b.do(path, chromedp.Navigate(b.url+path))
	b.sees(path, texts...)
}

func (b *browsed) sees(what string, texts ...string) {
	b.t.Helper()
	page, err := b.text()
	if err != nil {
		b.t.Fatalf("%s, %s: %v", b.who, what, err)
	}
	for _, text := range texts {
		if not, ok := strings.CutPrefix(text, "!"); ok == strings.Contains(page, not) {
			b.t.Errorf("%s, %s: want %q:\n%s", b.who, what, text, page)
		}
	}
}

// until waits until the page has a text, also while it is left for another.
func (b *browsed) until(text string) {
	b.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if page, err := b.text(); err == nil && strings.Contains(page, text) {
			return
		}
	}
	b.t.Fatalf("%s: the page never has %q", b.who, text)
}

// click clicks on something and waits until something else is there.
func (b *browsed) click(on, until string) {
	b.t.Helper()
	b.do("click on "+on, chromedp.Click(chromedp.CSS(on)), chromedp.WaitVisible(chromedp.CSS(until)))
}

func (b *browsed) fill(id, text string) {
	b.t.Helper()
	b.do("fill in "+id, chromedp.SendKeys(chromedp.CSS("#"+id), text))
}

// day lets somebody with a grant come, do their work, and leave.
func (b *browsed) day(g account.Grant, work func()) {
	b.t.Helper()
	b.who = g.Role
	a, err := b.rooms.people.Add(b.t.Context(), operator(), "day."+string(g.Role), "测试", g.Area, g)
	if err != nil {
		b.t.Fatal(err)
	}
	b.do("come", chromedp.Navigate(b.url+linkOf(b.t, b.rooms, a, account.SignsIn)), chromedp.Click(chromedp.CSS("#enter")),
		chromedp.WaitVisible(chromedp.CSS("nav.menu")))
	work()
	b.do("leave", chromium.Screenshot("day-"+string(g.Role)), chromedp.Click(chromedp.CSS(".who button")),
		chromedp.WaitVisible(chromedp.CSS("#login")))
	b.do("come back without signing in", chromedp.Navigate(b.url+"/me"), chromedp.WaitVisible(chromedp.CSS("#login")))
}

// TestDayOfEachRole lets people of all roles come in turn, each do what their day asks for, and find what the ones before have left: a box
// that is offline, a bad evaluation with a text, and the order that follows from it.
func TestDayOfEachRole(t *testing.T) {
	const county, unit = "629901000000", "116299006MB0066664"
	var ahead atomic.Int64 // of the real time
	x, site := pagesAt(t, "", func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	ctx := chromium.Start(t)
	directorytest.Enter(t, x.directory, "../ratingctl/organisation.csv")
	now := time.Now()
	fact := rating.CaseFact{Area: county, ProjectNo: "7", TaskCode: "T1", TaskName: "身份证补领", Unit: unit,
		AsOf: now.Add(-time.Minute).UnixMilli()}
	if _, err := x.journal.Tell(t.Context(), "business", "day", []journal.Fact{{Fact: fact, Contact: "13900000031"}}); err != nil {
		t.Fatal(err)
	}
	order, evaluation := orderOf(t, x, county)
	ahead.Store(int64(3 * time.Minute)) // the order was opened two minutes later
	now = now.Add(3 * time.Minute)
	for id, window := range map[rating.DeviceID]string{"jia-b01": "SL-H2-B01", "jia-b02": "SL-H2-B02", "shi-a07": "SL-H1-A07"} {
		enrolAt(t, x, id, window)
		n := fleet.Note{Device: id, Presence: &wire.Presence{V: 1, Online: id != "jia-b02", Version: "1.2.0", Boot: 3}, PresenceAt: now,
			Health: &wire.Health{V: 1, KeysOK: true, StoreOK: true, Synced: true, FreeBytes: 9 << 30, State: "idle"}, HealthAt: now, AckedAt: now}
		if err := x.fleet.Note(t.Context(), []fleet.Note{n}); err != nil {
			t.Fatal(err)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // the browser lives as long as what it was first asked with
		t.Fatal(err)
	}
	b := &browsed{t: t, rooms: x, url: server.URL, tab: func(steps ...chromedp.Action[chromedp.Void]) error {
		patience, stop := context.WithTimeout(ctx, time.Minute)
		defer stop()
		return chromedp.Do(patience, steps...)
	},
		text: func() (string, error) {
			return chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main").innerText + `+
				`document.querySelector("nav.menu").innerText`))
		}}
	at := func(r account.Role, scope, area string) account.Grant {
		return account.Grant{Role: r, Scope: scope, Area: area, From: 1}
	}
	page, work := "/evaluations/of/"+evaluation, "/orders/of/"+order

	b.day(at(account.Hall, "SL-H2", county), func() {
		b.sees("home", "1 台评价器离线", "今天收到 0 份评价", "!工单") // the answer came by telephone, and no hall sees whose
		b.open("/fleet?state=sick", "评价器离线", "检查电源", "!户政")
		b.open("/fleet/boxes/jia-b01", "综合受理1号窗口")
		b.click(`.commands form button.second`, "[data-waiting]")
		b.open("/fleet/halls/SL-H2")
		b.do("hours", chromedp.Click(chromedp.CSS("details:has(#opens) summary")), chromedp.WaitVisible(chromedp.CSS("#opens")),
			chromedp.SetValue(chromedp.CSS("#opens"), "08:30"), chromedp.Click(chromedp.CSS(`form[action$="/hours"] button`)))
		b.until("08:30 至")
		b.open("/paper", "录入一张表")
		b.open(page, "没有这个页面")
		b.open(work, "没有这个页面")
	})
	b.day(at(account.Unit, unit, county), func() {
		b.sees("home", "差评工单", "!评价器")
		b.open("/orders", "身份证补领", "待联系")
		b.open(work)
		b.do("reach the citizen", chromedp.Click(chromedp.CSS(`details:has(#words-contact) summary`)),
			chromedp.WaitVisible(chromedp.CSS("#words-contact")))
		b.fill("words-contact", "电话联系，反映当日等候两小时")
		b.do("choose", chromedp.SetValue(chromedp.CSS("#method-contact"), "phone"), chromedp.SetValue(chromedp.CSS("#result-contact"), "talked"))
		b.do("reached", chromedp.Click(chromedp.CSS(`details:has(#words-contact) button`)))
		b.until("已联系")
		b.sees("the order", "已联系", "当日等候")
	})
	b.day(at(account.County, county, county), func() {
		b.sees("home", "差评工单", "1 台评价器离线")
		b.open("/evaluations", "1 份")
		b.open(page, "不满意", "!等得太久了", "!13900000031")
		b.fill("why-text", "核对投诉 2026-031")
		b.click(`form[action$="/text"] button`, "blockquote")
		b.sees("the text", "等得太久了", "!13900000031")
		b.open(page)
		b.fill("why-who", "回访差评 2026-007")
		b.do("the contact", chromedp.Click(chromedp.CSS(`form[action$="/identity"] button`)), chromedp.WaitNotPresent(chromedp.CSS("#why-who")))
		b.sees("the contact", "13900000031")
		b.open(work, "督促催办", "当日等候")
		b.open("/organisation/of/hall/SL-H2", "甲区政务服务大厅")
		b.open("/organisation/of/hall/SL-H1", "没有这个页面")
	})
	b.day(at(account.City, "629900000000", "629900000000"), func() {
		b.open("/accounts", "day.county", "!day.province")
		b.fill("login", "new.clerk")
		b.fill("name", "新开")
		b.do("a hall's account", chromedp.SetValue(chromedp.CSS("#role"), "hall"), chromedp.SetValue(chromedp.CSS("#area"), county))
		b.fill("scope", "SL-H2")
		b.click(`form[action="/accounts"][method=post] button`, ".secret")
		b.sees("the link", "/enter/")
		b.open("/live", "中心收到的评价")
		b.open("/findings", "没有未处理的数据异常")
	})
	b.day(at(account.Technician, "629900000000", "629900000000"), func() {
		b.sees("home", "1 台评价器离线", "!评价器：", "!工单")
		b.open("/fleet/boxes/jia-b02", "评价器离线", "给设备运维")
		b.open("/fleet/boxes/jia-b01", "自检", "等待回答")
		b.open(page, "没有这个页面")
	})
	b.day(at(account.Staff, "SL-0016", county), func() {
		b.open("/figures/own", "我的评价汇总", "不足 20 份，不显示")
		for _, path := range []string{"/evaluations", "/live", "/orders", "/fleet", "/organisation", "/accounts", "/audit", page} {
			b.open(path, "没有这个页面", "!不满意")
		}
	})
	b.day(at(account.Inspector, county, county), func() {
		b.sees("home", "!差评工单", "!评价器")
		b.open("/clues", "没有线索")
		b.open(work, "没有这个页面")
	})
	b.day(at(account.Auditor, "620000000000", "620000000000"), func() {
		b.open("/audit", "查看评价文字", "核对投诉 2026-031", "回访差评 2026-007", "测试")
		b.open("/audit?q=2026-007", "回访差评", "!核对投诉")
		b.open(page, "下载封存证明", "!申请人的联系方式")
		b.open(work, "当日等候", "!督促催办")
		b.open("/accounts", "new.clerk", "!开通并生成")
		b.open("/journal", "验证整本日志")
	})
	b.day(at(account.Province, "620000000000", "620000000000"), func() {
		b.sees("home", "差评工单")
		b.open("/evaluations?level=2", "1 份")
		b.open("/organisation?kind=hall", "市民中心政务服务大厅", "北川镇便民服务中心")
		b.open("/fleet", "甲区政务服务大厅", "离线 1")
		b.open("/me", fmt.Sprint("day.", account.Province))
	})
}
