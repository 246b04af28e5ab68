package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

func TestKeyLesson(t *testing.T) {
	for name, x := range map[string]struct {
		pressed string // keys by their names of one character
		codes   string // what is learnt, empty: not all yet
		fails   bool
	}{
		"all twice":                      {"abcdeabcde", "abcde", false},
		"keys that repeat":               {"aabbbcddeeeaabbccddee", "abcde", false},
		"once":                           {"abcde", "", false},
		"nothing":                        {"", "", false},
		"an earlier key":                 {"abca", "", true},
		"the second time another key":    {"abcdeabd", "", true},
		"the second time in no order":    {"abcdee" + "dcba", "", true},
		"the second time an unknown one": {"abcdeabx", "", true},
	} {
		l := new(keyLesson)
		var err error
		for _, code := range strings.Split(x.pressed, "") {
			if err == nil && code != "" {
				err = l.press(code)
			}
		}
		level, _ := l.asked()
		if (err != nil) != x.fails || (level == 0) != (x.codes != "") || x.codes != "" && strings.Join(l.codes[:], "") != x.codes {
			t.Errorf("%s: %q, asks for %v, %v", name, l.codes, level, err)
		}
	}
}

// TestALessonNeverTurnsLevelsRound: whatever is pressed, what is learnt is what was pressed twice for each level while the screen asked
// for it.
func TestALessonNeverTurnsLevelsRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := new(keyLesson)
		pressed := make(map[rating.Level]map[string]bool) // while the screen asked for it, in both rounds
		rounds := make(map[rating.Level]int)
		for range rapid.IntRange(0, 40).Draw(t, "presses") {
			level, round := l.asked()
			if level == 0 {
				break
			}
			code := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "key")
			if rapid.IntRange(0, 4).Draw(t, "right") > 0 { // mostly the right one, so that lessons come to their end
				code = string('a' + rune(5-level))
			}
			if err := l.press(code); err != nil {
				return
			}
			if next, now := l.asked(); next != level || now != round {
				if pressed[level] == nil {
					pressed[level] = make(map[string]bool)
				}
				pressed[level][code] = true
				rounds[level]++
			}
		}
		if level, _ := l.asked(); level != 0 {
			return
		}
		for i, level := range rating.Levels() {
			if len(pressed[level]) != 1 || !pressed[level][l.codes[i]] || rounds[level] != 2 {
				t.Fatalf("%v is learnt as %q, pressed for it were %v in %d rounds", level, l.codes[i], pressed[level], rounds[level])
			}
		}
	})
}

// ask gives a command to a box that has just started anew, as soon as the centre has heard of it.
func (p page) ask(at, name string) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		r, err := p.client.PostForm(p.base+at+"/commands", url.Values{"name": {name}})
		if err != nil {
			p.t.Fatal(err)
		}
		_ = r.Body.Close()
		if r.StatusCode != http.StatusConflict {
			return
		}
	}
	p.t.Fatalf("%s is not taken for %s", name, at)
}

// TestTheKeysAreLearntOverThePage teaches a box whose keypad is turned round against its configuration: the screen asks for one key after
// the other, the page shows what was understood, and what is confirmed there is how presses count from then on.
func TestTheKeysAreLearntOverThePage(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	w.centre("directory", "import", "-apply", "-reason", "test", "../ratingctl/organisation.csv")
	b := newGPIOBox(t, w, "lesson-box", 1)
	b.extra = []string{serviceManager(t)}
	w.centre("device", "add", "-id", b.name, "-key", b.publicKey(), "-window-id", "SL-H2-B01")
	b.start()
	p := w.signedIn("SL-H2", "629901000000")
	at := "/fleet/boxes/" + b.name
	p.until(at, "剩余 ")
	line := func(level rating.Level) int { return 6 - int(level) } // the key of the best level is on line L1
	teach := func() {
		t.Helper()
		p.post(at+"/commands", url.Values{"name": {wire.CommandLearnKeys}})
		for round := 1; round <= 2; round++ {
			for _, level := range rating.Levels() {
				b.wait("asking for "+level.String(), func(s boxState) bool { return s.State == "paused" && s.Press == level && s.Round == round })
				b.press(line(level))
			}
		}
	}
	teach()
	p.until(at, "核对学到的按键")
	lesson := regexp.MustCompile(`name="lesson" value="([^"]+)"`).FindStringSubmatch(p.text(at))
	if lesson == nil {
		t.Fatal("there is nothing to confirm")
	}
	if text := p.text(at); !regexp.MustCompile(`(?s)左一</span> <b>非常满意</b> <code>L1<.*右一</span> <b>非常不满意</b> <code>L5<`).MatchString(text) {
		t.Errorf("the page shows\n%s", text)
	}
	b.wait("waiting to be confirmed", func(s boxState) bool { return s.State == "paused" })
	before := b.process
	p.post(at+"/keys", url.Values{"lesson": {lesson[1]}})
	if err := before.Wait(); err != nil {
		t.Errorf("the daemon did not end in order: %v", err)
	}
	b.start()
	p.carriedOut(at)
	p.ask(at, wire.CommandSelfTest)
	p.carriedOut(at)
	right := b.press
	b.press = func(level int) { right(line(rating.Level(level))) }
	visit := b.openVisit()
	b.press(5)
	if !b.sawThanks(visit, 5, make(chan struct{})) {
		t.Error("the key that was learnt for 非常满意 does not count as that")
	}
	b.settle()
	b.stop()
}

// TestAPowerCutEndsALesson finds the window open again when the box is back, and a lesson may be asked for at once.
func TestAPowerCutEndsALesson(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	w.centre("directory", "import", "-apply", "-reason", "test", "../ratingctl/organisation.csv")
	b := newGPIOBox(t, w, "cut-lesson", 1)
	w.centre("device", "add", "-id", b.name, "-key", b.publicKey(), "-window-id", "SL-H2-B01")
	b.start()
	p := w.signedIn("SL-H2", "629901000000")
	at := "/fleet/boxes/" + b.name
	p.until(at, "剩余 ")
	asks := func() {
		t.Helper()
		p.post(at+"/commands", url.Values{"name": {wire.CommandLearnKeys}})
		b.wait("asking for the first key", func(s boxState) bool { return s.State == "paused" && s.Press == rating.VerySatisfied })
	}
	asks()
	b.cut()
	b.launch()
	b.wait("open again", func(s boxState) bool { return s.State == "idle" && !s.Offline })
	visit := b.openVisit()
	b.press(4)
	if !b.sawThanks(visit, 4, make(chan struct{})) {
		t.Error("the answer after a lesson that was cut short was not taken")
	}
	b.wait("idle", func(s boxState) bool { return s.State == "idle" })
	asks()
	b.stop()
}
