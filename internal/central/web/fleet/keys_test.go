package fleet_test

import (
	"net/url"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// learnt answers a lesson with what keys stand from left to right.
func (w *world) learnt(t *testing.T, id rating.DeviceID, parts ...wire.Part) (lesson string) {
	t.Helper()
	for _, c := range w.sentTo(id) {
		if c.Name == wire.CommandLearnKeys {
			lesson = c.ID
		}
	}
	reply := wire.Reply{V: 1, ID: lesson, OK: true, Parts: parts}
	if err := w.fleet.Note(t.Context(), []fleet.Note{{Device: id, Replies: []wire.Reply{reply}, RepliedAt: w.Now()}}); err != nil {
		t.Fatal(err)
	}
	return lesson
}

func fiveKeys() []wire.Part {
	return []wire.Part{{Name: "key_5", What: "GPIO5"}, {Name: "key_4", What: "GPIO6"}, {Name: "key_3", What: "GPIO13"},
		{Name: "key_2", What: "GPIO19"}, {Name: "key_1", What: "GPIO26"}}
}

func TestKeysAreConfirmed(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	const at = "/fleet/boxes/jia-b01"
	learn := func() {
		t.Helper()
		webtest.Want(t, w.post(at+"/commands", hall, url.Values{"name": {wire.CommandLearnKeys}}), 303)
	}
	confirm := func(who, lesson string, status int) {
		t.Helper()
		if r := w.post(at+"/keys", who, url.Values{"lesson": {lesson}}); r.Code != status {
			t.Errorf("confirming %q is answered %d, want %d", lesson, r.Code, status)
		}
	}
	confirm(hall, "", 409)
	learn()
	webtest.Want(t, w.get(at, hall), 200, "data-waiting", "!核对学到的按键")
	confirm(hall, w.sentTo("jia-b01")[0].ID, 409) // nothing is learnt yet
	w.Pass(wire.LessonLife - fleet.CommandLife)   // somebody takes their time
	w.says(t, "jia-b01", true, nil)
	lesson := w.learnt(t, "jia-b01", fiveKeys()...)
	webtest.Want(t, w.get(at, hall), 200, "核对学到的按键", "左一", "GPIO26", "非常不满意", "!既不递增也不递减", "!data-waiting")
	confirm(hall, "f-other", 409)
	confirm(w.SignIn(w.Add(webtest.Grant(account.Auditor, "629901000000", "629901000000"))), lesson, 404)
	confirm(w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629901000000"))), lesson, 404)
	confirm(hall, lesson, 303)
	sent := w.sentTo("jia-b01")
	last := sent[len(sent)-1]
	if last.Name != wire.CommandKeepKeys || len(last.Args) != 5 || last.Args["key_5"] != "GPIO5" || last.Args["key_1"] != "GPIO26" {
		t.Errorf("the box is told %+v", last)
	}
	webtest.Want(t, w.get(at, hall), 200, "采用学到的按键", "!核对学到的按键")
	confirm(hall, lesson, 409)
}

func TestKeysThatAreNotConfirmed(t *testing.T) {
	turned := fiveKeys()
	turned[1], turned[2] = turned[2], turned[1]
	for name, x := range map[string]struct {
		parts []wire.Part
		late  bool
		shown string
	}{
		"four keys":        {fiveKeys()[:4], false, "!核对学到的按键"},
		"none":             {nil, false, "!核对学到的按键"},
		"in no order":      {turned, false, "既不递增也不递减"},
		"after the lesson": {fiveKeys(), true, "!核对学到的按键"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.troubled(t)
			hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
			webtest.Want(t, w.post("/fleet/boxes/jia-b01/commands", hall, url.Values{"name": {wire.CommandLearnKeys}}), 303)
			w.learnt(t, "jia-b01", x.parts...)
			if x.late {
				w.Pass(wire.LessonLife)
			}
			webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, x.shown)
		})
	}
}

// TestKeysWhosePlacesNobodyKnows are shown by level, and in no order that could be wrong.
func TestKeysWhosePlacesNobodyKnows(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	if r := w.post("/fleet/boxes/jia-b01/commands", hall, url.Values{"name": {wire.CommandLearnKeys}}); r.Code != 303 {
		t.Fatalf("asked: %d", r.Code)
	}
	lesson := w.learnt(t, "jia-b01", append([]wire.Part{{Name: wire.PressedPart}}, fiveKeys()...)...)
	webtest.Want(t, w.get("/fleet/boxes/jia-b01", hall), 200, "不知道这些键的左右位置", "GPIO26", "!左一", "!既不递增也不递减")
	if r := w.post("/fleet/boxes/jia-b01/keys", hall, url.Values{"lesson": {lesson}}); r.Code != 303 {
		t.Fatalf("confirmed: %d", r.Code)
	}
	sent := w.sentTo("jia-b01")
	if last := sent[len(sent)-1]; last.Name != wire.CommandKeepKeys || len(last.Args) != 5 {
		t.Errorf("the box is told %+v", last)
	}
}

// TestAnUnknownKeypadIsShown asks a box to learn frames, at a speed of the list, and shows what it heard, whether they were learnt or not.
func TestAnUnknownKeypadIsShown(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	const at = "/fleet/boxes/jia-b01"
	ask := func(baud string) int {
		t.Helper()
		return w.post(at+"/commands", hall, url.Values{"name": {wire.CommandLearnKeys}, "frames": {"1"}, "baud": {baud}}).Code
	}
	webtest.Want(t, w.get(at, hall), 200, "学习未知的串口键盘", "<option>4800</option>")
	if status := ask("1234"); status != 422 || len(w.sentTo("jia-b01")) != 0 {
		t.Errorf("a speed that is none is answered %d", status)
	}
	if status := ask("4800"); status != 303 {
		t.Fatalf("asked: %d", status)
	}
	sent := w.sentTo("jia-b01")[0]
	if sent.Args[wire.FramesArg] == "" || sent.Args[wire.BaudArg] != "4800" {
		t.Errorf("the box is told %+v", sent)
	}
	heard := []wire.Part{{Name: "heard_01", What: "非常满意：aa 05 15 c4 55（请再按一次）"}, {Name: "heard_02", What: "<b>x</b>"}}
	reply := wire.Reply{V: 1, ID: sent.ID, Error: "没有学会这个键盘", Parts: heard}
	if err := w.fleet.Note(t.Context(), []fleet.Note{{Device: "jia-b01", Replies: []wire.Reply{reply}, RepliedAt: w.Now()}}); err != nil {
		t.Fatal(err)
	}
	webtest.Want(t, w.get(at, hall), 200, "没有学会这个键盘", "每次按键收到的字节或变化的线", "aa 05 15 c4 55（请再按一次）", "&lt;b&gt;x", "!核对学到的按键", "!heard_01")

	w.Pass(fleet.CommandLife)
	w.says(t, "jia-b01", true, nil)
	if status := ask(""); status != 303 {
		t.Fatalf("asked again: %d", status)
	}
	parts := append([]wire.Part{{Name: wire.PressedPart}}, fiveKeys()...)
	w.learnt(t, "jia-b01", append(append(parts, wire.Part{Name: "frame_5", What: "aa 05 15 c4 55"}), heard...)...)
	webtest.Want(t, w.get(at, hall), 200, "核对学到的按键", "发送 <code>aa 05 15 c4 55</code>", "每次按键收到的字节或变化的线", "!frame_5")
}

// TestAnUnknownWiringIsShown asks a box to look for its keys on all lines, and shows what moved, and what each key does to its line.
func TestAnUnknownWiringIsShown(t *testing.T) {
	w := newWorld(t)
	w.troubled(t)
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	const at = "/fleet/boxes/jia-b01"
	ask := func() {
		t.Helper()
		webtest.Want(t, w.post(at+"/commands", hall, url.Values{"name": {wire.CommandLearnKeys}, "lines": {"1"}}), 303)
	}
	webtest.Want(t, w.get(at, hall), 200, "学习未知的 GPIO 接线")
	ask()
	sent := w.sentTo("jia-b01")[0]
	if len(sent.Args) != 1 || sent.Args[wire.LinesArg] != "1" {
		t.Errorf("the box is told %+v", sent)
	}
	heard := []wire.Part{{Name: "heard_01", What: "非常满意：GPIO5、GPIO6 同时变化，不采用，请只按一个键 / moved at once"}}
	reply := wire.Reply{V: 1, ID: sent.ID, Error: "没有学会接线", Parts: append([]wire.Part{{Name: "line_5", What: "低电平有效"}}, heard...)}
	if err := w.fleet.Note(t.Context(), []fleet.Note{{Device: "jia-b01", Replies: []wire.Reply{reply}, RepliedAt: w.Now()}}); err != nil {
		t.Fatal(err)
	}
	webtest.Want(t, w.get(at, hall), 200, "没有学会接线", "GPIO5、GPIO6 同时变化", "!核对学到的按键", "!heard_01", "!line_5")

	w.Pass(fleet.CommandLife)
	w.says(t, "jia-b01", true, nil)
	ask()
	parts := append([]wire.Part{{Name: wire.PressedPart}}, fiveKeys()...)
	lesson := w.learnt(t, "jia-b01", append(append(parts, wire.Part{Name: "line_5", What: "低电平有效，用内部上拉 / <pressed>"}), heard...)...)
	webtest.Want(t, w.get(at, hall), 200, "核对学到的按键", "不知道这些键的左右位置", "低电平有效，用内部上拉 / &lt;pressed&gt;", "!line_5")
	webtest.Want(t, w.post(at+"/keys", hall, url.Values{"lesson": {lesson}}), 303)
	if sent := w.sentTo("jia-b01"); sent[len(sent)-1].Args["key_5"] != "GPIO5" {
		t.Errorf("the box is told %+v", sent[len(sent)-1])
	}
}
