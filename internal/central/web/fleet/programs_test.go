package fleet_test

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
	"haochaping/sync/wire"
)

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
