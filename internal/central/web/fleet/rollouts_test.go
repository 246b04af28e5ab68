package fleet_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"pgregory.net/rapid"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// stager returns what takes the world's rollouts from stage to stage.
func (w *world) stager(t *testing.T) *fleet.Stager {
	t.Helper()
	return fleet.NewStager(fleet.StagerConfig{Fleet: w.fleet, Organisation: w.directory,
		Leases: journal.Leases{Journal: w.Journal, Holder: "test"}, Hears: func() bool { return true }, Now: w.Now, Send: w.send,
		Updating: 100})
}

// takes lets boxes say that they have what was sent to them last.
func (w *world) takes(t *testing.T, change func(rating.DeviceID, *wire.Health), ids ...rating.DeviceID) {
	t.Helper()
	for _, id := range ids {
		d, err := w.fleet.Device(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		w.says(t, id, true, func(h *wire.Health) {
			if h.Generation = d.Window.Generation; change != nil {
				change(id, h)
			}
		})
	}
}

// stages lets minutes pass in which boxes take what is sent and the rollouts are looked at.
func (w *world) stages(t *testing.T, g *fleet.Stager, minutes int, change func(rating.DeviceID, *wire.Health), ids ...rating.DeviceID) {
	t.Helper()
	for range minutes {
		w.takes(t, change, ids...)
		if err := g.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.Pass(time.Minute)
	}
}

func ofHall() []rating.DeviceID { return []rating.DeviceID{"jia-b01", "jia-b02", "jia-b03"} }

// TestRolloutPages begins a change on the page, sees it halt for a sick box, and undoes it.
func TestRolloutPages(t *testing.T) {
	w := newWorld(t)
	g := w.stager(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	webtest.Want(t, w.get("/fleet/rollouts", hall), 200, "还没有更改过", "开始新的更改")
	webtest.Want(t, w.get("/fleet/rollouts/new", hall), 200, "没有正常、并报告配置版本的评价器")
	w.takes(t, nil, "jia-b01", "jia-b02")
	w.says(t, "jia-b03", true, nil) // an older one, which does not say what it has
	webtest.Want(t, w.get("/fleet/rollouts/new", hall), 200, "甲区政务服务大厅", "2 台评价器", "另有 1 台程序较旧", "SL-H2-B01", "!SL-H2-B03", "!市民中心")
	webtest.Want(t, w.get("/fleet/rollouts/new?scope=hall+SL-H1", hall), 404)
	form := func(more ...string) url.Values {
		v := url.Values{"scope": {"hall SL-H2"}, "first": {"SL-H2-B01"}, "hold": {"10"}, "wait": {"set"}, "wait_sec": {"45"}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	webtest.Want(t, w.post("/fleet/rollouts", hall, form("wait", "")), 422, "请至少改一项")
	webtest.Want(t, w.post("/fleet/rollouts", hall, form("wait_sec", "3")), 422)
	webtest.Want(t, w.post("/fleet/rollouts", hall, form("hold", "1")), 422, "观察 5 分钟")
	webtest.Want(t, w.post("/fleet/rollouts", hall, form("scope", "hall SL-H1")), 404)
	webtest.Want(t, w.post("/fleet/rollouts", hall, form("scope", "area 629901000000")), 404)
	webtest.Want(t, w.post("/fleet/rollouts", hall, form("first", "SL-H2-B03")), 422, "第一个窗口")
	begun := w.post("/fleet/rollouts", hall, form("walk_up", "on", "pause_sec", "10", "link_sec", "300"))
	webtest.Want(t, begun, 303)
	page := begun.Header().Get("Location")
	webtest.Want(t, w.post("/fleet/rollouts", hall, form("first", "SL-H2-B02")), 409, "没有结束")
	w.stages(t, g, 1, nil, "jia-b01", "jia-b02")
	webtest.Want(t, w.get(page, hall), 200, "等待按键 45 秒；主动请人评价，间隔 10 秒", "第 1 步，共 2 步", "已发出，等待采用", "未轮到", "程序较旧", "停住")
	w.stages(t, g, 12, nil, "jia-b01", "jia-b02")
	webtest.Want(t, w.get(page, hall), 200, "第 2 步，共 2 步", "已采用，正常")
	ill := func(id rating.DeviceID, h *wire.Health) {
		if id == "jia-b02" {
			h.Troubles = []string{"screen.lost"}
		}
	}
	w.stages(t, g, 4, ill, "jia-b01", "jia-b02")
	webtest.Want(t, w.get(page, hall), 200, "已停住：第 2 步", "综合受理2号窗口", "屏幕无法显示", "继续", "退回", "放弃")
	webtest.Want(t, w.get("/", hall), 200, "分步更改已停住：等待按键 45 秒")
	webtest.Want(t, w.post(page+"/steer", hall, url.Values{"do": {"halt"}}), 409)
	webtest.Want(t, w.post(page+"/steer", hall, url.Values{"do": {"explode"}}), 400)
	webtest.Want(t, w.post(page+"/steer", hall, url.Values{"do": {"undo"}}), 303)
	w.stages(t, g, 2, ill, "jia-b01", "jia-b02")
	webtest.Want(t, w.get(page, hall), 200, "已退回", "已恢复原设置", "!继续…")
	if d, err := w.fleet.Device(t.Context(), "jia-b01"); err != nil || d.Window.WaitSec != 0 || d.Window.WalkUp != nil {
		t.Errorf("undone, the window is %+v, %v", d.Window, err)
	}
	webtest.Want(t, w.get("/fleet/rollouts", hall), 200, "已退回", "甲区政务服务大厅")
}

// TestRolloutsWithinARole draws people of all roles and scopes: each sees, begins and steers the rollouts that May allows, and no others.
func TestRolloutsWithinARole(t *testing.T) {
	w := newWorld(t)
	w.takes(t, nil, "jia-b01", "jia-b02", "shi-a07", "yi-c01")
	technician := w.SignIn(w.Add(webtest.Grant(account.Technician, "620000000000", "620000000000")))
	open := make(map[string]account.Object) // by address
	for scope, o := range map[string]account.Object{"hall SL-H2": {Area: "629901000000", Hall: "SL-H2"},
		"hall SL-H1": {Area: "629900000000", Hall: "SL-H1"}, "area 629902000000": {Area: "629902000000"}} {
		first := map[string]string{"hall SL-H2": "SL-H2-B01", "hall SL-H1": "SL-H1-A07", "area 629902000000": "SL-H3-C01"}[scope]
		begun := w.post("/fleet/rollouts", technician, url.Values{"scope": {scope}, "first": {first}, "hold": {"30"}, "sign_in": {"on"}})
		webtest.Want(t, begun, 303)
		open[begun.Header().Get("Location")] = o
	}
	areas := map[account.Role][]string{account.Province: {"620000000000"}, account.City: {"629900000000", "620100000000"},
		account.County: {"629901000000", "629902000000"}}
	sessions := make(map[account.Grant]string)
	rapid.Check(t, func(t *rapid.T) {
		g := account.Grant{Role: rapid.SampledFrom(account.Roles()).Draw(t, "role")}
		some := areas[g.Role]
		if some == nil {
			some = []string{"620000000000", "629900000000", "629901000000", "629902000000", "620100000000"}
		}
		g.Area = rapid.SampledFrom(some).Draw(t, "area")
		switch g.Scope = g.Area; g.Role.Scope() {
		case account.InHall:
			g.Scope = rapid.SampledFrom([]string{"SL-H1", "SL-H2", "SL-H3"}).Draw(t, "hall")
		case account.InUnit:
			g.Scope = "116299002MB002222J"
		case account.OfStaff:
			g.Scope = "SL-0001"
		}
		if sessions[g] == "" {
			sessions[g] = w.SignIn(w.Add(g))
		}
		who := sessions[g]
		person := account.Person{Account: "a", Grants: []account.Grant{g}, At: w.Now().UnixMilli(), Second: true}
		list, told := w.get("/fleet/rollouts", who).Body.String(), w.get("/api/v1/rollouts", who).Body.String()
		for page, o := range open {
			sees, steers := account.May(person, account.SeeBoxes, o), account.May(person, account.ConfigureBoxes, o)
			id := strings.TrimPrefix(page, "/fleet/rollouts/")
			if got := w.get(page, who).Code; (got == 200) != sees || got != 200 && got != 404 {
				t.Fatalf("%s of %s asks for the rollout of %v: %d, may %v", g.Role, g.Scope, o, got, sees)
			}
			one := w.get("/api/v1"+strings.TrimPrefix(page, "/fleet"), who)
			if strings.Contains(list, id) != sees || strings.Contains(told, id) != sees || (one.Code == 200) != sees {
				t.Fatalf("%s of %s finds the rollout of %v in a list, may %v", g.Role, g.Scope, o, sees)
			}
			do := rapid.SampledFrom([]string{"halt", "resume"}).Draw(t, "deed")
			if got := w.post(page+"/steer", who, url.Values{"do": {do}}).Code; (got == 303 || got == 409) != steers || !steers && got != 404 {
				t.Fatalf("%s of %s steers the rollout of %v: %d, may %v", g.Role, g.Scope, o, got, steers)
			}
		}
		scope := rapid.SampledFrom([]string{"hall SL-H1", "hall SL-H2", "area 629902000000", "area 620000000000"}).Draw(t, "scope")
		kind, id, _ := strings.Cut(scope, " ")
		o := map[string]account.Object{"hall SL-H1": {Area: "629900000000", Hall: "SL-H1"},
			"hall SL-H2": {Area: "629901000000", Hall: "SL-H2"}}[scope]
		if kind == "area" {
			o = account.Object{Area: id}
		}
		begins := account.May(person, account.ConfigureBoxes, o)
		form := url.Values{"scope": {scope}, "first": {"SL-H2-B02"}, "hold": {"30"}, "sign_in": {"on"}}
		if got := w.post("/fleet/rollouts", who, form).Code; (got == 422 || got == 409) != begins || !begins && got != 404 {
			t.Fatalf("%s of %s begins a rollout in %s: %d, may %v", g.Role, g.Scope, scope, got, begins)
		}
	})
}

// TestRolloutsForPrograms begins and steers a change by a token; each answer is as the description has it.
func TestRolloutsForPrograms(t *testing.T) {
	w := newWorld(t)
	g := w.stager(t)
	w.takes(t, nil, "jia-b01", "jia-b02", "shi-a07")
	p := w.Program(w.site, webtest.Grant(account.Technician, "629900000000", "629900000000"), "", account.SeeBoxes, account.ConfigureBoxes)
	const all, one, steer = "/api/v1/rollouts", "/api/v1/rollouts/{rollout}", "/api/v1/rollouts/{rollout}/steer"
	webtest.Want(t, p.Get(all, all), 200, `"items": []`)
	begin := `{"area":"629900000000","first":"SL-H2-B01","hold_min":10,"change":{"walk_up":{"pause_sec":0,"link_sec":0},"wait_sec":60}}`
	for body, status := range map[string]int{`{"hall":"SL-H2","area":"629900000000"}`: 400,
		`{"hall":"SL-H2","first":"SL-H2-B01","hold_min":10,"change":{}}`:                    422,
		`{"hall":"SL-H2","first":"SL-H2-B01","hold_min":99999999,"change":{"wait_sec":60}}`: 422,
		`{"area":"620100000000","hold_min":10,"change":{"wait_sec":60}}`:                    404,
		`{"hall":"SL-H2","first":"SL-H2-B04","hold_min":10,"change":{"wait_sec":60}}`:       422, `{"speed":1}`: 400} {
		webtest.Want(t, p.Post(all, all, body), status)
	}
	begun := p.Post(all, all, begin)
	webtest.Want(t, begun, 201, `"state": "running"`, `"stages": 3`, `"deeds": [`)
	at := begun.Header().Get("Location")
	webtest.Want(t, p.Post(all, all, begin), 409)
	w.stages(t, g, 2, nil, "jia-b01", "jia-b02", "shi-a07")
	webtest.Want(t, p.Get(one, at), 200, `"state": "sent"`, `"state": "waits"`, `"applied_at"`, `"well_since"`)
	webtest.Want(t, p.Post(steer, at+"/steer", `{"do":"halt"}`), 200, `"state": "halted"`)
	webtest.Want(t, p.Post(steer, at+"/steer", `{"do":"halt"}`), 409)
	webtest.Want(t, p.Post(steer, at+"/steer", `{"do":"abandon"}`), 200, `"state": "abandoned"`, `"ended_at"`)
	webtest.Want(t, p.Get(all, all+"?limit=1"), 200, `"words": "等待按键 60 秒；不主动请人评价"`)
	webtest.Want(t, p.Get(one, all+"/none"), 404)
	reads := w.Program(w.site, webtest.Grant(account.Technician, "629900000000", "629900000000"), "629901000000", account.SeeBoxes)
	webtest.Want(t, reads.Get(one, at), 404) // outside of its area
	webtest.Want(t, reads.Post(all, all, begin), 404)
	descriptions.Want(t, "../api/openapi.yaml", append(p.Answers, reads.Answers...))
}

// TestRolloutsInABrowser begins a change by the form, and looks at each page with axe.
func TestRolloutsInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t)
	g := w.stager(t)
	w.takes(t, nil, append(ofHall(), "shi-a07", "yi-c01")...)
	technician := w.Add(webtest.Grant(account.Technician, "629900000000", "629900000000"))
	server := webtest.Serve(t, w.site, w.SignIn(technician))
	do := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	look := func(name string) { t.Helper(); axe.Look(t, ctx, script, "fleet-"+name) }
	do("form", chromedp.Navigate(server.URL+"/fleet/rollouts/new?scope=area+629900000000"), chromedp.WaitVisible(chromedp.CSS("#first")))
	look("rollout-new")
	do("begin", chromedp.SetValue(chromedp.CSS("#first"), "SL-H2-B02"), chromedp.SetValue(chromedp.CSS("#wait"), "set"),
		chromedp.SendKeys(chromedp.CSS("#wait_sec"), "45"), chromedp.Click(chromedp.CSS("form[method=post][action='/fleet/rollouts'] button")),
		chromedp.WaitVisible(chromedp.CSS(".stage.here")))
	w.stages(t, g, 34, nil, append(ofHall(), "shi-a07", "yi-c01")...)
	w.stages(t, g, 4, func(id rating.DeviceID, h *wire.Health) {
		if id == "jia-b03" {
			h.Troubles = []string{"keys.lost"}
		}
	}, append(ofHall(), "shi-a07", "yi-c01")...)
	page, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href"))
	if err != nil {
		t.Fatal(err)
	}
	server.As(w.SignIn(technician)) // half an hour has passed
	do("halted", chromedp.Navigate(page), chromedp.WaitVisible(chromedp.CSS(".problem")))
	look("rollout-halted")
	do("undo", chromedp.Click(chromedp.CSS(".commands details:has([value=undo]) summary")),
		chromedp.Click(chromedp.CSS(".commands form:has([value=undo]) button")), chromedp.WaitVisible(chromedp.CSS(".state-word.undoing")))
	w.stages(t, g, 2, nil, ofHall()...)
	do("list", chromedp.Navigate(server.URL+"/fleet/rollouts"), chromedp.WaitVisible(chromedp.CSS(".state-word.undone")))
	look("rollouts")
	has := func(id rating.DeviceID, h *wire.Health) {
		h.Programs = &wire.Programs{Installed: "1.2.0"}
		if sent := w.sentTo(id); len(sent) > 0 {
			h.Programs.Asked, h.Programs.Outcome, h.Programs.Command = "1.3.0", "returned", sent[0].ID
			h.Programs.Why = "the box is not well with it after 10m0s: keys.lost, which was not so before"
		}
	}
	w.takes(t, has, ofHall()...)
	do("programs", chromedp.Navigate(server.URL+"/fleet/rollouts/new?what=programs&scope=hall+SL-H2"), chromedp.WaitVisible(chromedp.CSS("#version")))
	look("rollout-new-programs")
	do("begin", chromedp.SetValue(chromedp.CSS("#first"), "SL-H2-B02"), chromedp.SendKeys(chromedp.CSS("#version"), "1.3.0"),
		chromedp.Click(chromedp.CSS("form[method=post][action='/fleet/rollouts'] button")), chromedp.WaitVisible(chromedp.CSS(".stage.here")))
	w.stages(t, g, 1, has, ofHall()...)
	do("by day", chromedp.Reload(), chromedp.WaitVisible(chromedp.CSS(".stage.here")))
	look("rollout-programs-waits")
	w.Pass(10 * time.Hour) // the hall is closed
	w.stages(t, g, 3, has, ofHall()...)
	if page, err = chromedp.Run(ctx, chromedp.Evaluate[string]("location.href")); err != nil {
		t.Fatal(err)
	}
	server.As(w.SignIn(technician))
	do("halted", chromedp.Navigate(page), chromedp.WaitVisible(chromedp.CSS(".problem")))
	look("rollout-programs-halted")
}
