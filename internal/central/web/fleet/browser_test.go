package fleet_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"haochaping/internal/boxcode"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/sync/wire"
)

// TestInABrowser looks at each page with axe on a phone, a tablet and a desk, and asks a box for a self-test by its button.
func TestInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t)
	w.alarm(t)
	wide := w.SignIn(w.Add(webtest.Grant(account.Technician, "629900000000", "629900000000")))
	server := webtest.Serve(t, w.site, w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000"))))
	do := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	look := func(name string) { t.Helper(); axe.Look(t, ctx, script, "fleet-"+name) }
	open := func(name, path string) {
		t.Helper()
		do(name, chromedp.Navigate(server.URL+path))
		look(name)
	}
	open("hall", "/fleet")
	open("hall-sick", "/fleet/halls/SL-H2?state=sick")
	open("offline", "/fleet/boxes/jia-b02")
	open("never", "/fleet/boxes/jia-b03")
	do("ask", chromedp.Navigate(server.URL+"/fleet/boxes/jia-b01"), chromedp.Click(chromedp.CSS(".commands form button.second")),
		chromedp.WaitVisible(chromedp.CSS("[data-waiting]")))
	look("asked")
	sent := w.sentTo("jia-b01")
	if len(sent) != 1 || sent[0].Name != wire.CommandSelfTest {
		t.Fatalf("the box was asked %+v", sent)
	}
	reply := wire.Reply{V: 1, ID: sent[0].ID, OK: true, Parts: []wire.Part{{Name: "store"},
		{Name: "keys", Code: "keys.stuck", What: "有按键卡住，不计入评价；其余按键有效：5"}, {Name: "sound", Code: "sound.failed"}}}
	if err := w.fleet.Note(t.Context(), []fleet.Note{{Device: "jia-b01", Replies: []wire.Reply{reply}, RepliedAt: w.Now()}}); err != nil {
		t.Fatal(err)
	}
	// The page looks again by itself.
	do("answered", chromedp.WaitVisible(chromedp.CSS("#commands .state-word.done")), chromedp.Click(chromedp.CSS(".result summary")))
	look("answered")
	do("learn", chromedp.Navigate(server.URL+"/fleet/boxes/jia-b01"),
		chromedp.Click(chromedp.CSS(".commands details:has([value=learn_keys]) summary")),
		chromedp.Click(chromedp.CSS(".commands form:has([value=learn_keys]) button")), chromedp.WaitVisible(chromedp.CSS("[data-waiting]")))
	w.learnt(t, "jia-b01", fiveKeys()...)
	do("learnt", chromedp.WaitVisible(chromedp.CSS(".learnt button")))
	look("learnt")
	do("confirm", chromedp.Click(chromedp.CSS(".learnt button")), chromedp.WaitVisible(chromedp.CSS("[data-waiting]")))
	if sent := w.sentTo("jia-b01"); sent[len(sent)-1].Name != wire.CommandKeepKeys {
		t.Errorf("the box was told %+v", sent[len(sent)-1])
	}
	// Of a box whose wiring nobody knows the page shows what each key does to its line, and what moved.
	w.Pass(fleet.CommandLife)
	w.says(t, "jia-b01", true, nil)
	do("learn lines", chromedp.Navigate(server.URL+"/fleet/boxes/jia-b01"),
		chromedp.Click(chromedp.CSS(".commands details:has([name=lines]) summary")),
		chromedp.Click(chromedp.CSS(".commands form:has([name=lines]) button")), chromedp.WaitVisible(chromedp.CSS("[data-waiting]")))
	w.learnt(t, "jia-b01", append(append([]wire.Part{{Name: wire.PressedPart}}, fiveKeys()...),
		wire.Part{Name: "line_5", What: "低电平有效，用内部上拉 / pressed is low, needs the chip's pull-up"},
		wire.Part{Name: "heard_01", What: "非常满意：GPIO5、GPIO6 同时变化，不采用，请只按一个键 / moved at once"})...)
	do("learnt lines", chromedp.WaitVisible(chromedp.CSS(".learnt button")), chromedp.Click(chromedp.CSS("#commands .result summary")))
	look("learnt-lines")
	do("confirm lines", chromedp.Click(chromedp.CSS(".learnt button")), chromedp.WaitVisible(chromedp.CSS("[data-waiting]")))
	if sent := w.sentTo("jia-b01"); sent[len(sent)-1].Name != wire.CommandKeepKeys || sent[len(sent)-1].Args["key_1"] != "GPIO26" {
		t.Errorf("the box was told %+v", sent[len(sent)-1])
	}
	server.As(wide)
	open("overview", "/fleet")
	open("overview-sick", "/fleet?state=sick")
}

// TestBoxesAreAcceptedInABrowser types a code on a phone, looks, and accepts the box; the next one is proposed the next window.
func TestBoxesAreAcceptedInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	server := webtest.Serve(t, w.site, w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000"))))
	do := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	look := func(name string) { t.Helper(); axe.Look(t, ctx, script, "fleet-"+name) }
	one, _ := asks(t, room, "bcdf23456789")
	two, _ := asks(t, room, "ghjk23456789")
	do("open", chromedp.Navigate(server.URL+"/fleet/enrol"))
	look("enrol")
	do("type", chromedp.SendKeys(chromedp.CSS("#code"), one.Code[:4]+"-"+one.Code[4:]), chromedp.Click(chromedp.CSS(".pairing button")),
		chromedp.WaitVisible(chromedp.CSS(".digits")))
	digits, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".digits").textContent`))
	if err != nil || digits != one.Digits {
		t.Errorf("the page shows the digits %q, the box %q, %v", digits, one.Digits, err)
	}
	look("enrol-one")
	do("accept", chromedp.Click(chromedp.CSS(".accept > p > button")), chromedp.WaitVisible(chromedp.CSS(".done")))
	look("enrol-done")
	do("scan the next", chromedp.Navigate(server.URL+"/fleet/enrol?code="+two.Code+",XXXXXXXX"), chromedp.WaitVisible(chromedp.CSS(".digits")))
	window, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("[name=window]").value`))
	if err != nil || window != "SL-H2-B03" {
		t.Errorf("the next box is proposed the window %q, %v", window, err)
	}
	look("enrol-next")
	told, err := boxcode.Flashes(two.Code)
	if err != nil {
		t.Fatal(err)
	}
	do("type what lamps tell", chromedp.Navigate(server.URL+"/fleet/enrol"), chromedp.SendKeys(chromedp.CSS("#code"), boxcode.Grouped(told)),
		chromedp.Click(chromedp.CSS(".pairing button")), chromedp.WaitVisible(chromedp.CSS(".digits")))
	look("enrol-lamps")
}

// TestBoxesWithoutCodesInABrowser makes a ticket and has a supplier's list expected, by hand.
func TestBoxesWithoutCodesInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room, who := w.lets(t), w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	server := webtest.Serve(t, w.site, who)
	do := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	look := func(name string) { t.Helper(); axe.Look(t, ctx, script, "fleet-"+name) }
	do("open", chromedp.Navigate(server.URL+"/fleet/enrol"), chromedp.Click(chromedp.CSS(`a[href^="/fleet/tickets"]`)),
		chromedp.WaitVisible(chromedp.CSS("#uses")))
	look("tickets-none")
	do("make a ticket", chromedp.Click(chromedp.CSS(`form[action$="/tickets"][method=post] button`)),
		chromedp.WaitVisible(chromedp.CSS(`form[action$="/file"]`)))
	look("tickets")
	do("open", chromedp.Navigate(server.URL+"/fleet/expected"))
	look("expected-none")
	folder := t.TempDir()
	list := func(name, text string) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte("序列号,大厅,窗口,一次性口令\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		do(name, chromedp.Navigate(server.URL+"/fleet/expected"), chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{path}),
			chromedp.Click(chromedp.CSS(`form[enctype] button`)), chromedp.WaitVisible(chromedp.CSS(".table")))
	}
	list("refused.csv", "SN-1,SL-H2,SL-H2-B01,kV7-mQ2x-9Rw4\nSN-2,SL-H2,SL-H2-B02,short\n")
	look("delivery-refused")
	list("right.csv", "SN2026-000123,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\nSN2026-000124,SL-H2,SL-H2-B03,kV7-mQ2x-9Rw5\n")
	look("delivery")
	do("confirm", chromedp.Click(chromedp.CSS(`form[action$="/confirm"] button`)),
		chromedp.WaitVisible(chromedp.CSS(`form[action$="/forget"]`)))
	right := enrol.Pass{Serial: "SN2026-000123", Password: "kV7-mQ2x-9Rw4"}
	if word := shows(t, room, "bcdf23456789", right); word != "" {
		t.Errorf("the box is not let in: %q", word)
	}
	if word := shows(t, room, "ghjk23456789", enrol.Pass{Serial: "SN2026-000124", Password: "guess"}); word != enrol.Wrong {
		t.Errorf("a wrong password: %q", word)
	}
	do("look again", chromedp.Navigate(server.URL+"/fleet/expected?hall=SL-H2"))
	look("expected")
	p, _ := asks(t, room, "mnpq23456789")
	if r := w.post("/fleet/halls/SL-H2/enrol", who, url.Values{"code": {p.Code}, "window": {"SL-H2-B01 jia-b01"}}); r.Code != 303 {
		t.Fatalf("replaced: %d", r.Code)
	}
	do("a successor", chromedp.Navigate(server.URL+"/fleet/boxes/jia-b01"),
		chromedp.WaitVisible(chromedp.CSS(`form[action$="/withdraw"]`)))
	look("successor")
}
