package fleet_test

import (
	"net/url"
	"strings"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
)

// TestABoxIsResetByItsCode tells a box that waits, and no other, to forget all, for whoever may let it in.
func TestABoxIsResetByItsCode(t *testing.T) {
	w := newWorld(t)
	room := w.lets(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	p, _ := asks(t, room, "bcdf23456789")
	waits, _ := asks(t, room, "ghjk23456789")
	form := url.Values{"reset": {p.Code}, "in": {"SL-H2"}}
	webtest.Want(t, w.get("/fleet/enrol?hall=SL-H2&code="+p.Code, hall), 200, "恢复出厂", `name="give_up_`+p.Code)
	webtest.Want(t, w.post("/fleet/enrol/reset", other, form), 409, "管理范围以外")
	webtest.Want(t, w.post("/fleet/enrol/reset", hall, url.Values{"reset": {"BCDFGHJK"}, "in": {"SL-H2"}}), 409, "没有评价器")
	webtest.Want(t, w.post("/fleet/enrol/reset", hall, url.Values{"reset": {p.Code}}), 409, "请先选择大厅")
	form.Set("give_up_"+p.Code, "ghjk23456789")
	webtest.Want(t, w.post("/fleet/enrol/reset", hall, form), 422, "bcdf23456789")
	form.Set("give_up_"+p.Code, "bcdf23456789")
	webtest.Want(t, w.post("/fleet/enrol/reset", hall, form), 303)
	webtest.Want(t, w.get("/fleet/enrol?hall=SL-H2&reset=bcdf23456789", hall), 200, "已告诉", "bcdf23456789")
	for device, want := range map[string]bool{p.Code: true, waits.Code: false} {
		x, err := room.Find(t.Context(), device)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.Told(); (got != "") != want || strings.ContainsAny(got, "+/=") {
			t.Errorf("the box under %s is told %q", device, got)
		}
	}
}
