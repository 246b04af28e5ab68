package device

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/device/keypad"
	"haochaping/internal/rating"
)

// releasing is a keypad that sends a capital letter when a key goes down and the small one when it is let go.
const releasing = "name='x'\n[[frame]]\nlayout='key=41-45'\ncode='text'\nkeys=['A','B','C','D','E']\n" +
	"[[frame]]\nkind='release'\nlayout='key=61-65'\ncode='text'\nkeys=['a','b','c','d','e']\nof=['A','B','C','D','E']\n"

func releasingMap(t interface{ Fatal(...any) }) Map {
	var all []Binding
	for i, l := range rating.Levels() {
		all = append(all, Binding{Code(rune('A' + i)), l})
	}
	m, err := NewMap(all)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestAKeypadThatSaysWhenAKeyIsLetGo presses random keys one after the other, each for any time and sent again at any interval
// meanwhile: each press is one, sooner after the last than where nothing is known of releases, and one that lasts is stuck.
func TestAKeypadThatSaysWhenAKeyIsLetGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := NewInterpreter(releasingMap(t), "")
		h := &holds{}
		h.open(0)
		var got, want []string
		at, same, last := time.Duration(0), 0, ""
		look := func(to time.Duration) {
			for _, e := range h.pass(to) {
				for _, s := range in.Step(e) {
					got = append(got, fmt.Sprint(s.Kind, " ", s.Code))
				}
			}
		}
		for range rapid.IntRange(1, 8).Draw(t, "presses") {
			at += rapid.Custom(duration(41*ms, 3*time.Second)).Draw(t, "pause")
			code := rapid.SampledFrom([]string{"A", "B", "C", "D", "E"}).Draw(t, "key")
			if same++; code != last {
				same, last = 1, code
			}
			if same > 2 { // sooner it would only go on
				at += regularWithin
			}
			held := rapid.Custom(duration(0, 13*time.Second)).Draw(t, "held")
			want = append(want, fmt.Sprint(Press, " ", code))
			every := rapid.Custom(duration(20*ms, 2*time.Second)).Draw(t, "every")
			if rapid.Bool().Draw(t, "silent") {
				every = time.Hour
			}
			h.read(keypad.Read{Kind: keypad.Key, Code: code}, at)
			for up := at + held; ; {
				if up-at <= every {
					look(up)
					at = up
					break
				}
				at += every
				look(at - 1)
				h.read(keypad.Read{Kind: keypad.Key, Code: code}, at)
			}
			if held > stuckAfter {
				want = append(want, fmt.Sprint(Stuck, " ", code), fmt.Sprint(Released, " ", code))
			}
			release := keypad.Read{Kind: keypad.Release, Code: code}
			if rapid.Bool().Draw(t, "one for all") {
				release.Code = ""
			}
			h.read(release, at)
		}
		look(at + time.Hour)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("signals (-want +got):\n%s", diff)
		}
	})
}

// TestTwoKeysOfAKeypadThatSaysWhen has a second key go down while the first is: nobody can say which is meant.
func TestTwoKeysOfAKeypadThatSaysWhen(t *testing.T) {
	for name, c := range map[string]struct {
		sent []string // a code and the milliseconds at which it came
		want []SignalKind
	}{
		"one after the other":     {[]string{"A 0", "a 100", "B 200", "b 300"}, []SignalKind{Press, Press}},
		"the second while held":   {[]string{"A 0", "B 1000", "a 1100", "b 1200"}, []SignalKind{Press, Together}},
		"at once":                 {[]string{"A 0", "B 20", "a 100", "b 120"}, []SignalKind{Together}},
		"a release that was lost": {[]string{"A 0", "A 5000", "a 5100"}, []SignalKind{Press, Press}},
		"a release of no key":     {[]string{"a 0", "B 100", "b 200"}, []SignalKind{Press}},
		"held since before":       {[]string{"open 0", "A 100", "A 1600", "a 1700", "B 2000", "b 2100"}, []SignalKind{Press}},
		"pressed after a start":   {[]string{"open 0", "A 100", "a 300"}, []SignalKind{Press}},
		"a lost line lets all go": {[]string{"A 0", "lose 100", "open 3000", "B 6000", "b 6100"}, []SignalKind{Press, Press}},
		"a contact that bounces":  {[]string{"A 0", "a 5", "A 12", "a 16", "A 40", "a 300", "A 310", "a 315"}, []SignalKind{Press}},
		"held over a lost line": {[]string{"A 0", "lose 500", "open 3000", "A 4000", "A 5500", "a 5600", "B 8000", "b 8100"},
			[]SignalKind{Press, Press}},
		"let go over a lost line":  {[]string{"A 0", "lose 500", "open 3000", "A 6000", "a 6100"}, []SignalKind{Press, Press}},
		"the same again, let go":   {[]string{"A 0", "a 100", "A 600", "a 700"}, []SignalKind{Press, Press}},
		"the same again, and held": {[]string{"A 0", "A 500", "A 1000", "a 1100"}, []SignalKind{Press}},
	} {
		t.Run(name, func(t *testing.T) {
			in, h := NewInterpreter(releasingMap(t), ""), &holds{}
			if c.sent[0] == "open 0" {
				h.doubt = regularWithin
			}
			d := profileOf(t, releasing).NewDecoder()
			h.open(0)
			var got []SignalKind
			look := func(to time.Duration) {
				for _, e := range h.pass(to) {
					for _, s := range in.Step(e) {
						got = append(got, s.Kind)
					}
				}
			}
			for _, s := range c.sent {
				var what string
				var n int
				if _, err := fmt.Sscan(s, &what, &n); err != nil {
					t.Fatal(err)
				}
				at := time.Duration(n) * ms
				look(at - 1)
				switch what {
				case "open":
					h.open(at)
				case "lose":
					h.lose()
					for _, s := range in.Step(Event{Action: ActionLost}) {
						_ = s // it is said elsewhere
					}
				default:
					for _, r := range d.Feed([]byte(what)) {
						h.read(r, at)
					}
				}
			}
			look(time.Hour)
			if !slices.Equal(got, c.want) {
				t.Errorf("signals %v, want %v", got, c.want)
			}
		})
	}
}

// TestReleasesOverALine sends presses and releases over a pseudo-terminal.
func TestReleasesOverALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keypad")
	master := openTTY(t, path)
	s := NewSerial(SerialConfig{Port: path, Profile: profileOf(t, releasing), Now: now(), Logger: quiet, AtOnce: true})
	events := running(t, s.Run)
	untilRaw(t, master)
	for _, press := range []string{"A", "A", "B"} {
		for range 3 { // it repeats
			send(t, master, press)
		}
		send(t, master, string(press[0]+'a'-'A'))
		wantEvent(t, events, Down, Code(press))
		wantEvent(t, events, Up, Code(press))
	}
}

func send(t *testing.T, f *os.File, s string) {
	t.Helper()
	writeTo(t, f, s)
	time.Sleep(150 * time.Millisecond)
}

// TestAKeypadThatFallsSilent has a keypad that sends by itself each second, until somebody pulls its cable behind the adapter.
func TestAKeypadThatFallsSilent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keypad")
	master := openTTY(t, path)
	s := NewSerial(SerialConfig{Port: path, Profile: profileOf(t, releasing+"[[frame]]\nkind='heartbeat'\nlayout='00'\nevery='1s'\n"),
		Now: now(), Logger: quiet, AtOnce: true})
	events := running(t, s.Run)
	for range 8 { // longer than the silence that it does not make
		time.Sleep(500 * time.Millisecond)
		writeTo(t, master, "\x00")
	}
	if e := wantEvent(t, events, ActionLost, ""); !errors.Is(e.Err, errSilent) {
		t.Errorf("lost because of %v", e.Err)
	}
	writeTo(t, master, "A")
	wantEvent(t, events, ActionBack, "")
	wantEvent(t, events, Down, "A")
}
