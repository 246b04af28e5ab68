package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"pgregory.net/rapid"

	"haochaping/device/keypad"
	"haochaping/display"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// frameOf returns what a keypad sends of which no profile knows: a beginning, a number, their sum, an end.
func frameOf(level rating.Level) []byte {
	b := []byte{0xaa, 0x05, 0x10 + byte(level)}
	var sum byte
	for _, c := range b {
		sum += c
	}
	return append(b, sum, 0x55)
}

// playFrames lets a person press what press says while the screen asks for it, at most so often, and returns the lesson.
func playFrames(most int, press func(level rating.Level, step display.LessonStep) [][]byte) (*frameLesson, error) {
	l := newFrameLesson(keypad.Line{Baud: 9600, DataBits: 8, Parity: "none", StopBits: 1}, time.Hour)
	at := time.Hour
	for ; l.stage == stageUntouched; at += lessonTick {
		if err := l.pass(at); err != nil {
			return l, err
		}
	}
	for range most {
		if l.stage == stageLearnt {
			break
		}
		for _, b := range press(l.asked()) {
			if err := l.burst(b, at); err != nil {
				return l, err
			}
			at += 400 * time.Millisecond
		}
		at += 3 * time.Second
		if err := l.pass(at); err != nil {
			return l, err
		}
	}
	return l, nil
}

func TestFramesAreLearnt(t *testing.T) {
	for name, press := range map[string]func(rating.Level) [][]byte{
		"frames":       func(l rating.Level) [][]byte { return [][]byte{frameOf(l)} },
		"one byte":     func(l rating.Level) [][]byte { return [][]byte{{'a' + byte(l)}} },
		"with release": func(l rating.Level) [][]byte { return [][]byte{{0x80 | byte(l)}, {byte(l)}} },
		"held keys":    func(l rating.Level) [][]byte { return [][]byte{frameOf(l), frameOf(l), frameOf(l)} },
	} {
		l, err := playFrames(60, func(level rating.Level, _ display.LessonStep) [][]byte { return press(level) })
		if err != nil || l.stage != stageLearnt {
			t.Errorf("%s: stage %d, %v\n%s", name, l.stage, err, strings.Join(l.heard, "\n"))
			continue
		}
		for i, level := range rating.Levels() {
			got := l.profile.Profile.NewDecoder().Feed(press(level)[0])
			if len(got) != 1 || got[0].Kind != keypad.Key || got[0].Code != l.profile.Codes[i] || !slices.Equal(l.sent[i], press(level)[0]) {
				t.Errorf("%s: the key of %v reads as %v, learnt as %q", name, level, got, l.profile.Codes[i])
			}
		}
		if level, _ := l.asked(); level != 0 {
			t.Errorf("%s: it asks on for %v", name, level)
		}
		parts := l.parts()
		long := func(p wire.Part) bool { return len(p.What) > wire.MaxWhat }
		if len(parts) > wire.MaxParts-6 || slices.ContainsFunc(parts, long) {
			t.Errorf("%s: it tells %d parts", name, len(parts))
		}
	}
}

func TestFramesThatAreNotLearnt(t *testing.T) {
	n := byte(0)
	for name, x := range map[string]struct {
		press func(rating.Level, display.LessonStep) [][]byte
		fails bool // else it goes on asking
	}{
		"a frame that counts": {func(l rating.Level, _ display.LessonStep) [][]byte { n++; return [][]byte{{0xaa, n, byte(l)}} }, true},
		"all keys the same":   {func(rating.Level, display.LessonStep) [][]byte { return [][]byte{{0xaa, 0x01}} }, true},
		"another key the second time": {func(l rating.Level, s display.LessonStep) [][]byte {
			if s == display.LessonAgain && l == 3 {
				l = 2
			}
			return [][]byte{frameOf(l)}
		}, true},
		"nothing": {func(rating.Level, display.LessonStep) [][]byte { return nil }, false},
		"each key once and never again": {func(l rating.Level, s display.LessonStep) [][]byte {
			if s == display.LessonSame {
				return nil
			}
			return [][]byte{frameOf(l)}
		}, false},
	} {
		l, err := playFrames(40, x.press)
		if (err != nil) != x.fails || l.stage == stageLearnt {
			t.Errorf("%s: stage %d, %v", name, l.stage, err)
		}
		for _, s := range l.heard {
			if len(s) > wire.MaxWhat {
				t.Errorf("%s: it tells %d bytes of a burst", name, len(s))
			}
		}
	}
	l := newFrameLesson(keypad.Line{}, 0)
	l.note("很不满意", make([]byte, 256), "两次相同，已认出")
	if s := l.heard[0]; len(s) > wire.MaxWhat || !strings.Contains(s, "共 256 字节") {
		t.Errorf("of a long burst it tells %q", s)
	}
}

// TestFramesNeverTurnLevelsRound: whatever is pressed, what is learnt for a level was pressed at least three times while the screen asked
// for it, in both rounds.
func TestFramesNeverTurnLevelsRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pressed := make(map[string]int) // by level, round and frame
		key := func(l rating.Level, again bool, frame []byte) string { return fmt.Sprintf("%d %v %x", l, again, frame) }
		l, err := playFrames(60, func(level rating.Level, step display.LessonStep) [][]byte {
			which := level
			if rapid.IntRange(0, 9).Draw(t, "right") == 0 {
				which = rating.Level(rapid.IntRange(1, 5).Draw(t, "key"))
			}
			pressed[key(level, step == display.LessonAgain, frameOf(which))]++
			return [][]byte{frameOf(which)}
		})
		if err != nil || l.stage != stageLearnt {
			return
		}
		for i, level := range rating.Levels() {
			if pressed[key(level, false, l.sent[i])] < 2 || pressed[key(level, true, l.sent[i])] < 1 {
				t.Fatalf("%v is learnt as % x; pressed were %v", level, l.sent[i], pressed)
			}
		}
	})
}

// TestAnUnknownSerialKeypadIsLearntOverThePage teaches a box whose keypad sends frames that no profile knows, over a real terminal line.
// The page shows what came, and what is confirmed there is how presses count from then on.
func TestAnUnknownSerialKeypadIsLearntOverThePage(t *testing.T) {
	t.Parallel()
	w := startCentre(t, nil)
	w.centre("directory", "import", "-apply", "-reason", "test", "../ratingctl/organisation.csv")
	b := newBox(t, w, "frames-box", 1)
	master, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(master.Close(), tty.Close()) })
	b.keys = fmt.Sprintf("keys.source = \"serial\"\nkeys.serial.port = %q\nkeys.serial.profile = \"byte\"\n", tty.Name()) +
		"keys.map = [{key=\"0x30\",level=5},{key=\"0x31\",level=4},{key=\"0x32\",level=3},{key=\"0x33\",level=2},{key=\"0x34\",level=1}]\n"
	b.press = func(level int) {
		_, _ = master.Write(frameOf(rating.Level(level)))
		time.Sleep(300 * time.Millisecond) // a finger's pace: sooner, the same is one sending
	}
	b.extra = []string{serviceManager(t)}
	w.centre("device", "add", "-id", b.name, "-key", b.publicKey(), "-window-id", "SL-H2-B01")
	b.start()
	p := w.signedIn("SL-H2", "629901000000")
	at := "/fleet/boxes/" + b.name
	p.until(at, "剩余 ")
	asks := func(level rating.Level, step display.LessonStep) {
		t.Helper()
		b.wait(fmt.Sprintf("asking for %s, step %d", level, step), func(s boxState) bool {
			return s.State == "paused" && s.Press == level && s.Round == int(step)
		})
		if t.Failed() {
			t.FailNow()
		}
	}

	// A key that never sends the same: the lesson ends, and the page has what came.
	p.post(at+"/commands", url.Values{"name": {wire.CommandLearnKeys}, "frames": {"1"}})
	asks(5, display.LessonUntouched)
	asks(5, display.LessonFirst)
	for i := byte(0); i < 200 && (i%8 > 0 || !strings.Contains(p.text(at), "没有学会这个键盘")); i++ {
		if _, err := master.Write([]byte{0xaa, i, 0x55}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(150 * time.Millisecond) // a pause, by which the line's bursts are told apart
	}
	p.until(at, "没有学会这个键盘")
	if text := p.text(at); !strings.Contains(text, "：aa ") || !strings.Contains(text, "每次按键收到的字节") {
		t.Errorf("the page does not show what came:\n%s", text)
	}
	b.wait("serving again", func(s boxState) bool { return s.State == "idle" })

	time.Sleep(3 * time.Second) // what comes right after the port was opened may be a key that was down before
	// The ordinary lesson finds out by itself that nothing of this keypad is known.
	p.post(at+"/commands", url.Values{"name": {wire.CommandLearnKeys}})
	asks(5, display.LessonFirst)
	for n := 0; ; n++ {
		if s, err := b.look(); err == nil && s.Press == 5 && s.Round == int(display.LessonUntouched) {
			break
		}
		if n == 20 {
			t.Fatal("the ordinary lesson goes on, though the box knows nothing of this keypad")
		}
		b.press(5)
		time.Sleep(400 * time.Millisecond) // the daemon looks each time whether more comes
	}
	for _, level := range rating.Levels() {
		asks(level, display.LessonFirst)
		// The first press of a key may be what the key before it sends when it is let go, so that some are pressed three times.
		for n := 0; ; n++ {
			if s, err := b.look(); err == nil && (s.Press != level || s.Round == int(display.LessonAgain)) {
				break
			}
			if n == 4 {
				t.Fatalf("%s is pressed four times and not taken", level)
			}
			b.press(int(level))
		}
	}
	for _, level := range rating.Levels() {
		asks(level, display.LessonAgain)
		b.press(int(level))
	}
	p.until(at, "核对学到的按键")
	text := p.text(at)
	lesson := regexp.MustCompile(`name="lesson" value="([^"]+)"`).FindStringSubmatch(text)
	if want := fmt.Sprintf("% x", frameOf(5)); lesson == nil || !strings.Contains(text, want) || !strings.Contains(text, "不知道这些键的左右位置") {
		t.Fatalf("the page does not show %s to be confirmed:\n%s", want, text)
	}
	before := b.process
	p.post(at+"/keys", url.Values{"lesson": {lesson[1]}})
	if err := before.Wait(); err != nil {
		t.Errorf("the daemon did not end in order: %v", err)
	}
	if all, err := filepath.Glob(filepath.Join(b.state, "keypad-*.toml")); err != nil || len(all) != 1 {
		t.Errorf("the state folder has the profiles %v, %v", all, err)
	}
	b.start()
	visit := b.openVisit()
	b.press(2)
	if !b.sawThanks(visit, 2, make(chan struct{})) {
		kept, _ := os.ReadFile(filepath.Join(b.state, "keys.toml"))
		t.Errorf("the key that was learnt for 不满意 does not count as that; learnt was\n%s", kept)
	}
	b.settle()
	b.stop()
}
