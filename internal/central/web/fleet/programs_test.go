package fleet_test

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// TestProgramsGoOutInStages begins a version on the page, sees the first window wait until the hall is closed, take it, and the next one
// refuse; and does the same as a program.
func TestProgramsGoOutInStages(t *testing.T) {
	w := newWorld(t)
	g := w.stager(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	has := map[rating.DeviceID]*wire.Programs{}
	for _, id := range ofHall() {
		has[id] = &wire.Programs{Installed: "1.2.0"}
	}
	says := func(id rating.DeviceID, h *wire.Health) { h.Programs = has[id] }
	w.takes(t, nil, ofHall()...)
	webtest.Want(t, w.get("/fleet/rollouts/new?what=programs&scope=hall+SL-H2", hall), 200, "程序包版本的评价器，不能开始")
	w.takes(t, says, "jia-b01", "jia-b02")
	webtest.Want(t, w.get("/fleet/rollouts/new?what=programs&scope=hall+SL-H2", hall), 200, "2 台评价器", "另有 1 台不能由中心更新", "<code>1.2.0</code>")
	form := url.Values{"scope": {"hall SL-H2"}, "first": {"SL-H2-B01"}, "hold": {"10"}, "version": {"1.3.0"}, "wait": {"set"}, "wait_sec": {"45"}}
	for _, wrong := range []string{"", "../1", "1.3.0; id"} {
		form.Set("version", wrong)
		webtest.Want(t, w.post("/fleet/rollouts", hall, form), 422, "请写程序包的版本")
	}
	form.Set("version", "1.3.0")
	begun := w.post("/fleet/rollouts", hall, form)
	webtest.Want(t, begun, 303)
	page := begun.Header().Get("Location")
	w.stages(t, g, 2, says, "jia-b01", "jia-b02")
	webtest.Want(t, w.get(page, hall), 200, "程序更新到 1.3.0", "等大厅闭馆", "未轮到", "!退回…")
	if n := len(w.sentTo("jia-b01")); n > 0 {
		t.Errorf("while the hall is open the box was asked %d times", n)
	}
	w.Pass(9 * time.Hour)
	hall = w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	w.stages(t, g, 1, says, "jia-b01", "jia-b02")
	webtest.Want(t, w.get(page, hall), 200, "正在更新")
	has["jia-b01"] = &wire.Programs{Installed: "1.3.0", Asked: "1.3.0", Outcome: "done", Command: w.sentTo("jia-b01")[0].ID}
	w.stages(t, g, 13, says, "jia-b01", "jia-b02")
	webtest.Want(t, w.get(page, hall), 200, "已更新，正常", "第 2 步，共 2 步")
	has["jia-b02"] = &wire.Programs{Installed: "1.2.0", Asked: "1.3.0", Outcome: "refused", Why: "no way back", Command: w.sentTo("jia-b02")[0].ID}
	w.stages(t, g, 1, says, "jia-b01", "jia-b02")
	webtest.Want(t, w.get(page, hall), 200, "已停住：第 2 步", "没有安装新程序", "no way back", "会再请", "放弃", "!确认退回")
	webtest.Want(t, w.post(page+"/steer", hall, url.Values{"do": {"undo"}}), 409)
	webtest.Want(t, w.get("/", hall), 200, "分步更改已停住：程序更新到 1.3.0")
	webtest.Want(t, w.post(page+"/steer", hall, url.Values{"do": {"abandon"}}), 303)

	p := w.Program(w.site, webtest.Grant(account.Technician, "629900000000", "629900000000"), "", account.SeeBoxes, account.ConfigureBoxes)
	const all = "/api/v1/rollouts"
	webtest.Want(t, p.Post(all, all, `{"hall":"SL-H2","first":"SL-H2-B01","hold_min":10,"change":{"programs":"1.4.0","wait_sec":60}}`), 422)
	webtest.Want(t, p.Post(all, all, `{"hall":"SL-H2","first":"SL-H2-B01","hold_min":10,"change":{"programs":"1.4.0"}}`), 201, `"programs": "1.4.0"`)
	descriptions.Want(t, "../api/openapi.yaml", p.Answers)
}

// TestUpdateABox: a newer version is asked for while the hall is closed, and an installation may begin until shortly before it opens. What
// the box has, and how the last update went, is on its page.
func TestUpdateABox(t *testing.T) {
	w := newWorld(t)
	technician := w.Add(webtest.Grant(account.Technician, "629900000000", "629900000000"))
	says := func(p *wire.Programs) {
		t.Helper()
		w.says(t, "jia-b01", true, func(h *wire.Health) { h.Programs = p })
	}
	says(nil)
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", w.SignIn(technician)), 200, "!更新程序")
	says(&wire.Programs{Installed: "1.2.0", Asked: "1.3.0", Outcome: "returned", Why: "keys.lost, which was not so before"})
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", w.SignIn(technician)), 200, "更新程序", "程序包", "1.2.0", "1.3.0：不正常，已退回原版本（keys.lost")
	asks := func(version string) int {
		t.Helper()
		return w.post("/fleet/boxes/jia-b01/update", w.SignIn(technician), url.Values{"version": {version}}).Code
	}
	if got := asks("1.4.0"); got != 409 { // 09:00 of a Monday
		t.Errorf("while the hall is open: %d", got)
	}
	for at, want := range map[time.Duration]int{9 * time.Hour: 12 * 3600, 8 * time.Hour: 12 * 3600,
		21 * time.Hour: (2*60 + 45) * 60, 23*time.Hour + 50*time.Minute: 0} {
		before := w.Now()
		w.Pass(at)
		says(&wire.Programs{Installed: "1.2.0"})
		sent := len(w.sentTo("jia-b01"))
		code := asks("1.4.0")
		all := w.sentTo("jia-b01")[sent:]
		switch {
		case want == 0:
			if code != 409 || len(all) > 0 {
				t.Errorf("ten minutes before the hall opens: %d, %+v", code, all)
			}
		case code != 303 || len(all) != 1 || all[0].Name != wire.CommandUpdate || all[0].Args["version"] != "1.4.0" ||
			all[0].Args["within_sec"] != strconv.Itoa(want):
			t.Errorf("%s after nine: %d, %+v, want %d s", at, code, all, want)
		}
		w.Pass(before.Sub(w.Now()))
		w.Pass(24 * 7 * time.Hour) // the same day of another week
	}
	w.Pass(9 * time.Hour)
	says(&wire.Programs{Installed: "1.2.0"})
	for _, wrong := range []string{"", "-o x", "1.3.0; id", "../1"} {
		if got := asks(wrong); got != 422 {
			t.Errorf("the version %q: %d", wrong, got)
		}
	}
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	webtest.Want(t, w.post("/fleet/boxes/jia-b01/update", other, url.Values{"version": {"1.4.0"}}), 404)
}
