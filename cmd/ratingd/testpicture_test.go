package main

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
	"haochaping/internal/terminal"
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

// TestATestPictureIsLitAndHeard lights all lamps after one sound, gives everything back to a visit, and takes no other picture meanwhile.
func TestATestPictureIsLitAndHeard(t *testing.T) {
	order := rating.Levels()
	a := newAudience(nil, func() {})
	card := func() *testCard { return &testCard{drawn: make(chan string, 1), ended: make(chan struct{})} }
	if err := a.tests(card()); !errors.Is(err, errServes) {
		t.Errorf("a box that starts: %v, want %v", err, errServes)
	}
	quiet := terminal.View{State: terminal.Idle}
	a.show(quiet)
	c := card()
	if err := a.tests(c); err != nil {
		t.Fatal(err)
	}
	if l, _ := lamps(a.lamps.get().View, order, 0, time.Minute); !l.buzzer || !l.backlight {
		t.Errorf("the outputs begin as %+v, want the buzzer", l)
	}
	if heard := cueOf(quiet, a.heard.get(), order); !heard.again {
		t.Errorf("heard as %+v, want one tone", heard)
	}
	a.light(c)
	a.show(quiet) // something that citizens do not see has changed
	if l, _ := lamps(a.lamps.get().View, order, 0, time.Minute); l != (lit{keys: [5]bool{true, true, true, true, true}, backlight: true}) {
		t.Errorf("the outputs stay as %+v, want all lamps", l)
	}
	if err := a.tests(card()); !errors.Is(err, errTesting) {
		t.Errorf("a second picture: %v, want %v", err, errTesting)
	}
	a.show(terminal.View{State: terminal.Asking, Visit: &rating.Visit{ID: 7}})
	select {
	case <-c.ended:
	default:
		t.Error("a visit has not ended the picture")
	}
	if v := a.lamps.get(); v.Visit == nil || a.heard.get().Visit == nil || a.shown.get().test != nil {
		t.Errorf("after a visit has begun the lamps show %+v", v)
	}
	a.light(c)
	a.tested(c)
	if a.lamps.get().Visit == nil {
		t.Error("a picture that had ended has changed the lamps")
	}
}

// TestAFaultyScreenIsAnswered says what is wrong with a screen that was drawn with trouble, and ends the picture.
func TestAFaultyScreenIsAnswered(t *testing.T) {
	a := newAudience(nil, func() {})
	a.show(terminal.View{State: terminal.Idle})
	x := tester{screen: true, views: a, begun: make(chan *testCard, 1)}
	go func() {
		said := "unplugged"
		(<-x.begun).seen(&said)
	}()
	if err := x.show(t.Context()); !errors.Is(err, errFaulty) || !strings.Contains(err.Error(), "unplugged") {
		t.Errorf("got %v, want %v: unplugged", err, errFaulty)
	}
	if a.shown.get().test != nil {
		t.Error("the picture stays")
	}
}
