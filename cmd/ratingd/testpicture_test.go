package main

import (
	"net/url"
	"strings"
	"testing"

	"haochaping/sync/wire"
)

// TestTheTestPictureFromThePage has a real box show its test picture: a key ends it and answers nothing, a visit ends it at once, and none
// is shown while a citizen is asked.
func TestTheTestPictureFromThePage(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	w.centre("directory", "import", "-apply", "-reason", "test", "../ratingctl/organisation.csv")
	b := newGPIOBox(t, w, "picture-box", 1)
	w.centre("device", "add", "-id", b.name, "-key", b.publicKey(), "-window-id", "SL-H2-B01")
	b.start()
	p := w.signedIn("SL-H2", "629901000000")
	at := "/fleet/boxes/" + b.name
	p.until(at, "剩余 ")
	ask := func() { p.post(at+"/commands", url.Values{"name": {wire.CommandTestPicture}}) }
	ask()
	b.wait("showing the test picture", func(s boxState) bool { return s.Test && s.State == "idle" })
	p.carriedOut(at)
	b.press(5)
	b.wait("as before the test picture", func(s boxState) bool { return !s.Test && s.State == "idle" && s.Chosen == 0 })
	ask()
	b.wait("showing it again", func(s boxState) bool { return s.Test })
	p.carriedOut(at)
	visit := b.openVisit()
	b.wait("asking", func(s boxState) bool { return s.State == "asking" && !s.Test && s.Chosen == 0 })
	ask()
	p.until(at, "正在服务市民")
	b.press(4)
	if !b.sawThanks(visit, 4, make(chan struct{})) {
		t.Error("the answer after a test picture was not taken")
	}
	if text := p.text(at); strings.Count(text, "已执行") != 2 {
		t.Errorf("after two test pictures that were shown the page says\n%s", text)
	}
	b.settle()
	b.stop()
}

// TestNoScreenShowsNoTestPicture answers that there is none.
func TestNoScreenShowsNoTestPicture(t *testing.T) {
	x := tester{}
	if err := x.show(t.Context()); err != errNoScreen {
		t.Errorf("got %v, want %v", err, errNoScreen)
	}
}
