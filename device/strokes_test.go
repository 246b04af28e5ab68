package device

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/device/keypad"
)

// played is what strokes make of codes that come at moments.
func played(comings []coming, opened, end time.Duration) []Event {
	s := strokes{doubt: regularWithin}
	s.open(opened)
	var out []Event
	for _, c := range comings {
		s.came(Code(rune('0'+c.key)), c.at)
		out = append(out, s.pass(c.at)...)
	}
	return append(out, s.pass(end)...)
}

// downs returns the presses that count.
func downs(events []Event) (all []Event) {
	for _, e := range events {
		if e.Action == Down && !e.Beside {
			all = append(all, e)
		}
	}
	return all
}

// TestWhoTapsIsTold taps a key every 1.5 s on a line that knows no release: after the first press it is told of each that it is none,
// until the key is stuck. Of a key without a level nobody is told.
func TestWhoTapsIsTold(t *testing.T) {
	var taps []coming
	for i := range 12 {
		taps = append(taps, coming{at: time.Hour + time.Duration(i)*1500*ms, key: 4})
	}
	m := keypadKinds()[0].codes()
	for i := range m.keys {
		m.keys[i].Code = m.keys[i].Code[len("0x3"):]
	}
	in := NewInterpreter(m, "6")
	var got []Signal
	for _, e := range played(taps, 0, 2*time.Hour) {
		got = append(got, in.Step(e)...)
	}
	want := []SignalKind{Press, NoPress, NoPress, NoPress, NoPress, NoPress, NoPress, Stuck, Released}
	if kinds := kindsOf(got); !slices.Equal(kinds, want) {
		t.Errorf("signals %v, want %v", kinds, want)
	}
	for i := range taps {
		taps[i].key = 6
	}
	for _, e := range played(taps, 0, 2*time.Hour) {
		for _, s := range in.Step(e) {
			if s.Kind == NoPress {
				t.Errorf("the staff's key is told as %+v", s)
			}
		}
	}
}

func kindsOf(signals []Signal) (all []SignalKind) {
	for _, s := range signals {
		all = append(all, s.Kind)
	}
	return all
}

// TestTheFiguresAreThoseOfThePage looks in docs/keys.md for the figures of the rule, which the other tests take from the code.
func TestTheFiguresAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile("../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	const quiet = 20 * ms // of a contact, by default
	for phrase, figure := range map[string]time.Duration{
		"the code again **within %s** of its last: the same press": sameWithin,
		"from the third time on **within %s**: the same press":     regularWithin,
		"ignored until it was silent for **%s**":                   regularWithin,
		"it goes on for **%s**":                                    stuckAfter,
		"two keys within **%s**":                                   togetherWithin,
		"what comes within %s of the opening":                      SerialConfig{Profile: &keypad.Profile{}}.doubt(),
		"within %s of being let go: the same press | within 30 ms": reboundQuiets * quiet,
		"within %s: the same press | within 2 s":                   NewUSB(USBConfig{}).cfg.Chatter,
		"where release codes are known within %s of one":           bounce,
	} {
		words := fmt.Sprintf(phrase, strings.NewReplacer("ms", " ms", "s", " s").Replace(figure.String()))
		if !strings.Contains(string(page), words) {
			t.Errorf("docs/keys.md does not say %q", words)
		}
	}
}

// gaps draws how far apart codes come, with the rule's own bounds among them.
func gaps() *rapid.Generator[time.Duration] {
	edge := rapid.SampledFrom([]time.Duration{
		0, 1, togetherWithin, togetherWithin + 1, sameWithin, sameWithin + 1, regularWithin, regularWithin + 1,
	})
	any := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * ms })
	return rapid.OneOf(edge, any)
}

// TestStrokesNeverInvent holds for any codes at any moments: each press that counts is a code that came then, after 2 s without it, with
// no other code within 40 ms; and what is decided comes in its order, once the window has passed.
func TestStrokesNeverInvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []coming
		at := time.Hour
		for range rapid.IntRange(0, 30).Draw(t, "codes") {
			at += gaps().Draw(t, "gap")
			all = append(all, coming{at: at, press: 0, key: rapid.IntRange(1, 5).Draw(t, "key")})
		}
		events := played(all, 0, at+time.Hour)
		if !slices.IsSortedFunc(events, func(a, b Event) int { return int(a.At - b.At) }) {
			t.Fatalf("out of order: %+v", events)
		}
		used := make(map[int]bool)
		for _, e := range downs(events) {
			i := slices.IndexFunc(all, func(c coming) bool { return c.at == e.At && Code(rune('0'+c.key)) == e.Code })
			if i < 0 || used[i] {
				t.Fatalf("%+v is no code that came, or was told before", e)
			}
			used[i] = true
			for j, c := range all {
				same, apart := c.key == all[i].key, max(c.at-e.At, e.At-c.at)
				if j < i && same && apart <= sameWithin || same && j != i && c.at == e.At && j < i {
					t.Fatalf("%+v goes on with the one at %s", e, c.at)
				}
				if !same && apart <= togetherWithin && !isStuckAt(all, j) {
					t.Fatalf("%+v is beside the key %d at %s", e, c.key, c.at)
				}
			}
		}
	})
}

// isStuckAt reports whether a code has come regularly for long enough that it may be stuck.
func isStuckAt(all []coming, j int) bool {
	since, last := all[j].at, all[j].at
	for i := j - 1; i >= 0; i-- {
		if all[i].key != all[j].key {
			continue
		}
		if last-all[i].at > regularWithin {
			break
		}
		since, last = all[i].at, all[i].at
	}
	return all[j].at-since >= stuckAfter
}

// TestAPressAloneCounts presses keys as people do: each counts, at its own time.
func TestAPressAloneCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []coming
		at := time.Hour
		last := make(map[int]time.Duration)
		for range rapid.IntRange(1, 20).Draw(t, "presses") {
			at += time.Duration(rapid.IntRange(41, 3000).Draw(t, "ms")) * ms
			key := rapid.IntRange(1, 5).Draw(t, "key")
			if before, ok := last[key]; ok && at-before <= regularWithin {
				at = before + regularWithin + ms
			}
			last[key] = at
			all = append(all, coming{at: at, press: 0, key: key})
		}
		got := downs(played(all, 0, at+time.Hour))
		if len(got) != len(all) {
			t.Fatalf("%d of %d presses count: %+v", len(got), len(all), got)
		}
	})
}

// TestAKeyThatRepeatsIsOnePress repeats a key at any interval up to 2 s, with jitter, and opens visits meanwhile: at most its first
// coming counts; it is reported once, and let go once it is silent; other keys count, but for those within 40 ms of it before.
func TestAKeyThatRepeatsIsOnePress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		interval := time.Duration(rapid.IntRange(20, 2000).Draw(t, "ms of interval")) * ms
		began := time.Hour
		all := []coming{{at: began, key: 1}}
		for at, n := began, 0; at < began+30*time.Second; n++ {
			gap := interval + time.Duration(rapid.Int64Range(-int64(interval)/5, int64(interval)/5).Draw(t, "jitter"))
			if n < 2 {
				gap = min(gap, sameWithin)
			}
			at += gap
			all = append(all, coming{at: at, press: 0, key: 1})
		}
		end := all[len(all)-1].at
		other := began + time.Duration(rapid.IntRange(14_000, 28_000).Draw(t, "ms until another key"))*ms
		all = append(all, coming{at: other, press: 0, key: 2})
		slices.SortStableFunc(all, func(a, b coming) int { return int(a.at - b.at) })
		events := played(all, 0, end+time.Hour)
		var want []Event
		want = append(want, Event{Action: Down, Code: "1", At: began})
		for _, e := range events {
			if e.Action == HeldStuck {
				want = append(want, Event{Action: HeldStuck, Code: "1", At: e.At})
				if e.At < began+stuckAfter || e.At > began+stuckAfter+regularWithin {
					t.Fatalf("reported at %s, %s after it began", e.At, e.At-began)
				}
			}
		}
		want = append(want, Event{Action: Down, Code: "2", At: other}, Event{Action: Up, Code: "1", At: end + regularWithin})
		var got []Event
		for _, e := range events {
			if e.Source = ""; e.Action != GoesOn {
				got = append(got, e)
			}
		}
		if len(want) != 4 || !slices.Equal(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// TestAKeyThatIsDownAtTheOpeningIsNoPress opens the port while a key repeats.
func TestAKeyThatIsDownAtTheOpeningIsNoPress(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opened := time.Hour
		at := opened + time.Duration(rapid.IntRange(0, 2000).Draw(t, "ms"))*ms
		var all []coming
		for range rapid.IntRange(2, 20).Draw(t, "times") {
			all = append(all, coming{at: at, press: 0, key: 1})
			at += time.Duration(rapid.IntRange(20, 2000).Draw(t, "ms"))*ms + 1
		}
		if got := downs(played(all, opened, at+time.Hour)); len(got) != 0 {
			t.Fatalf("counts: %+v", got)
		}
		alone := []coming{all[0]}
		if got := downs(played(alone, opened, at+time.Hour)); len(got) != 1 || got[0].At != all[0].at {
			t.Fatalf("a press alone: %+v", got)
		}
	})
}

// TestTogetherWhateverTheDelay holds that how late a press is decided changes nothing.
func TestTogetherWhateverTheDelay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []coming
		at := time.Hour
		for range rapid.IntRange(1, 20).Draw(t, "codes") {
			at += gaps().Draw(t, "gap")
			all = append(all, coming{at: at, press: 0, key: rapid.IntRange(1, 5).Draw(t, "key")})
		}
		punctual := played(all, 0, at+time.Hour)
		var s strokes
		s.open(0)
		var late []Event
		told := time.Duration(0)
		for _, c := range all {
			// What is told may be anything up to what came.
			if now := c.at - time.Duration(rapid.IntRange(0, 500).Draw(t, "ms late"))*ms; now > told {
				told = now
				late = append(late, s.pass(min(told, c.at-1))...)
			}
			s.came(Code(rune('0'+c.key)), c.at)
		}
		late = append(late, s.pass(at+time.Hour)...)
		if !slices.Equal(downs(punctual), downs(late)) {
			t.Fatalf("punctual %+v, late %+v", downs(punctual), downs(late))
		}
	})
}

// TestAKnownRepetitionIsWaitedForNoLonger opens the port while a key repeats as its profile says, with jitter: it counts for nothing;
// a press alone is told once it would have come again.
func TestAKnownRepetitionIsWaitedForNoLonger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		repeat := time.Duration(rapid.IntRange(20, 2000).Draw(t, "ms of repetition")) * ms
		doubt := SerialConfig{Profile: &keypad.Profile{Repeat: repeat}}.doubt()
		if doubt > regularWithin || doubt < repeat {
			t.Fatalf("a key that repeats every %s is doubted for %s", repeat, doubt)
		}
		opened := time.Hour
		first := opened + time.Duration(rapid.Int64Range(0, int64(repeat)).Draw(t, "ns until it comes"))
		s := strokes{doubt: doubt}
		s.open(opened)
		s.came("1", first)
		told := max(doubt, togetherWithin)
		if early := s.pass(first + told); len(early) > 0 {
			t.Fatalf("told before it can have come again: %+v", early)
		}
		if got := downs(s.pass(first + told + 1)); len(got) != 1 || got[0].At != first {
			t.Fatalf("a press alone: %+v", got)
		}
		s = strokes{doubt: doubt}
		s.open(opened)
		var got []Event
		for at, n := first, 0; n < 20; n++ {
			s.came("1", at)
			at += repeat * time.Duration(rapid.IntRange(80, 120).Draw(t, "% of it")) / 100
			got = append(got, s.pass(at-1)...)
		}
		if got = append(got, s.pass(2*time.Hour)...); len(downs(got)) > 0 {
			t.Fatalf("a key that was down before counts: %+v", got)
		}
	})
}
