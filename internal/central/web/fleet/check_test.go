package fleet_test

import (
	"net/url"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
	"haochaping/sync/wire"
)

// TestWhatWasFoundOfABox shows on its page when it tested itself last, and what somebody who stood before it saw, heard and scanned.
func TestWhatWasFoundOfABox(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	const at = "/fleet/boxes/jia-b01"
	webtest.Want(t, w.get(at, hall), 200, "<dt>最近自检</dt><dd>没有</dd>", "<dt>最近现场检查</dt><dd>没有</dd>", "手机能扫出画面上的二维码")
	webtest.Want(t, w.post(at+"/commands", hall, url.Values{"name": {wire.CommandSelfTest}}), 303)
	answer := func(parts ...wire.Part) {
		t.Helper()
		sent := w.sentTo("jia-b01")
		reply := wire.Reply{V: 1, ID: sent[len(sent)-1].ID, OK: true, Parts: parts}
		if err := w.fleet.Note(t.Context(), []fleet.Note{{Device: "jia-b01", Replies: []wire.Reply{reply}, RepliedAt: w.Now()}}); err != nil {
			t.Fatal(err)
		}
	}
	answer(wire.Part{Name: "store"}, wire.Part{Name: "sound", Code: "sound.failed", What: "没有声音"})
	webtest.Want(t, w.get(at, hall), 200, "，有问题：声音</dd>")
	w.Pass(time.Minute)
	webtest.Want(t, w.post(at+"/commands", hall, url.Values{"name": {wire.CommandSelfTest}}), 303)
	answer(wire.Part{Name: "store"})
	webtest.Want(t, w.get(at, hall), 200, "，各部件正常</dd>")

	found := url.Values{"picture": {"well"}, "code": {"well"}, "lamps": {"none"}, "sound": {"ill"}}
	webtest.Want(t, w.post(at+"/check", other, found), 404)
	for _, wrong := range []string{"", "perhaps"} {
		found.Set("code", wrong)
		webtest.Want(t, w.post(at+"/check", hall, found), 422, "二维码")
	}
	webtest.Want(t, w.get(at, hall), 200, "<dt>最近现场检查</dt><dd>没有</dd>")
	found.Set("code", "well")
	webtest.Want(t, w.post(at+"/check", hall, found), 303)
	webtest.Want(t, w.get(at, hall), 200, "，画面正常，二维码正常，按键灯没有此部件，声音有问题</dd>")
	found.Set("sound", "well")
	webtest.Want(t, w.post(at+"/check", hall, found), 303)
	webtest.Want(t, w.get(at, hall), 200, "声音正常", "!声音有问题")
	program := w.Program(w.site, webtest.Grant(account.Hall, "SL-H2", "629901000000"), "", account.SeeBoxes)
	webtest.Want(t, program.Get("/api/v1/boxes/{device}", "/api/v1/boxes/jia-b01"), 200, `"clock_offset_ms"`, `"self_test": {`,
		`"check": {`, `"lamps": "none"`)
	descriptions.Want(t, "../api/openapi.yaml", program.Answers)
}
