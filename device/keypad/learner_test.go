package keypad

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

// hall is a keypad and the person who learns it, in time that only the test spends.
type hall struct {
	l     *Learner
	now   time.Duration
	pause time.Duration // that ends a burst
	sent  []sending     // what came since the last burst
	beats func(from, to time.Duration) []sending
	asked bool // for keys
	heard []Heard
	err   error
}

// send sends bytes at this moment.
func (h *hall) send(b []byte) { h.sent = append(h.sent, sending{b, h.now}) }

// spend lets time pass: what comes by itself comes, and bursts end.
func (h *hall) spend(d time.Duration) {
	to := h.now + d
	if h.beats != nil {
		h.sent = append(h.sent, h.beats(h.now, to)...)
		slices.SortStableFunc(h.sent, func(a, b sending) int { return int(a.at - b.at) })
	}
	h.now = to
	for len(h.sent) > 0 {
		n, b := 1, slices.Clone(h.sent[0].b)
		for n < len(h.sent) && h.sent[n].at-h.sent[n-1].at < h.pause {
			b = append(b, h.sent[n].b...)
			n++
		}
		if h.sent[n-1].at+h.pause > to {
			return
		}
		h.burst(b, h.sent[0].at)
		h.sent = h.sent[n:]
	}
}

func (h *hall) burst(b []byte, at time.Duration) {
	if !h.asked {
		h.l.Untouched(b, at)
		return
	}
	if h.err != nil || h.l.Key() == 5 && !h.unreleased() {
		return
	}
	heard, err := h.l.Burst(b, at)
	h.heard, h.err = append(h.heard, heard), err
}

func (h *hall) unreleased() bool { _, ok := h.l.Unreleased(); return ok }

func TestLearner(t *testing.T) {
	for name, c := range map[string]struct {
		bursts string // at each, at how many milliseconds
		heard  []Heard
		sent   string
	}{
		"a key and noise": {"a@0 noise@300 a@700 a@1500 b@2000 b@2400", []Heard{Once, Once, Taken, Held, Once, Taken}, "a b"},
		"a release": {"A@0 a@180 A@900 a@1080 B@2000 b@2180 B@2900 b@3080",
			[]Heard{Once, Once, Taken, LetGo, Once, Once, Taken, LetGo}, "A B"},
		"the wrong key": {"A@0 a@180 A@900 a@1080 A@9000 a@9180 A@18000 a@18180 B@20000 b@20180 B@21000",
			[]Heard{Once, Once, Taken, LetGo, Earlier, LetGo, Earlier, LetGo, Once, Once, Taken}, "A B"},
		"a tap in one burst": {"A@0 a@180 Aa@900 Bb@2000 B@3000 b@3200 Bb@4000", []Heard{Once, Once, Taken, Once, Once, Once, Taken}, "A B"},
		"held": {"A@0 A@500 A@1000 A@1500 a@1700 B@3000 B@3500 B@4000 b@4200",
			[]Heard{Once, Taken, Held, Held, LetGo, Once, Taken, Held, LetGo}, "A B"},
		"held, without a pause, at once": {"AAAAAAAA@0 a@400 AAAAA@1500 a@2000 B@3000 BBBBBB@3500 b@4000",
			[]Heard{Once, Once, Taken, LetGo, Once, Taken, LetGo}, "A B"},
		"held, without a pause": {"A@0 AAAAAAAA@500 a@700 B@2000 BBBBBB@2500 b@3000", []Heard{Once, Taken, LetGo, Once, Taken, LetGo}, "A B"},
		"each sent twice": {"A@0 A@80 a@300 a@380 A@1000 A@1080 a@1300 a@1380 B@2000 B@2080 b@2300 b@2380 B@3000",
			[]Heard{Once, Held, Once, Held, Taken, Held, LetGo, Held, Once, Held, Once, Held, Taken}, "A B"},
		"one release for all":     {"A@0 0@180 A@900 0@1080 B@2000 0@2180 B@2900", []Heard{Once, Once, Taken, LetGo, Once, LetGo, Taken}, "A B"},
		"too slow":                {"a@0 a@5500 a@6000", []Heard{Once, Once, Taken}, "a"},
		"what was a release once": {"A@0 B@500 A@1000 B@1500 B@2000 B@4600", []Heard{Once, Once, Taken, LetGo, Taken, Earlier}, "A B"},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLearner(2)
			l.Settled(time.Hour)
			var heard []Heard
			for _, f := range strings.Fields(c.bursts) {
				b, at, _ := strings.Cut(f, "@")
				var n int
				if _, err := fmt.Sscan(at, &n); err != nil {
					t.Fatal(err)
				}
				h, err := l.Burst([]byte(b), time.Hour+time.Duration(n)*ms)
				if err != nil {
					t.Fatal(err)
				}
				heard = append(heard, h)
			}
			if diff := cmp.Diff(c.heard, heard); diff != "" {
				t.Errorf("heard (-want +got):\n%s", diff)
			}
			if got := string(bytes.Join(l.sent[:l.Key()], []byte(" "))); got != c.sent {
				t.Errorf("learnt %q, want %q", got, c.sent)
			}
		})
	}
}

func TestLearnerGivesUp(t *testing.T) {
	l := NewLearner(2)
	var err error
	for i := 0; err == nil && i < 100; i++ {
		_, err = l.Burst([]byte{byte(i)}, time.Duration(i)*200*ms)
	}
	if err == nil || !strings.Contains(err.Error(), "the speed is wrong") {
		t.Errorf("a key that never sends the same: %v", err)
	}
	l, err = NewLearner(2), nil
	for i := 0; err == nil && i < 100; i++ { // as slowly as a person presses
		_, err = l.Burst(fmt.Appendf(nil, "#%03d:5\r\n", i), time.Duration(i)*1200*ms)
	}
	if err == nil || !strings.Contains(err.Error(), "a frame counts") {
		t.Errorf("a key that counts its presses: %v", err)
	}
	l, err = NewLearner(2), nil
	for i := 0; err == nil && i < 100; i++ {
		_, err = l.Burst([]byte("b"), time.Duration(i)*3*time.Second)
	}
	if err == nil || !strings.Contains(err.Error(), "keys 1 and 2 both send 62") {
		t.Errorf("a key that sends what another does: %v", err)
	}
}

func TestWhatComesByItself(t *testing.T) {
	for name, c := range map[string]struct {
		bursts []string
		every  time.Duration
		wait   time.Duration // until it is known
		want   []string
	}{
		"nothing":        {nil, time.Second, 0, nil},
		"a heartbeat":    {[]string{"ok", "ok", "ok"}, 2 * time.Second, 4 * time.Second, []string{"6f 6b"}},
		"a counter":      {[]string{"n1.", "n2.", "n3."}, 2 * time.Second, 4 * time.Second, []string{"6e any 2e"}},
		"somebody's key": {[]string{"A", "a"}, 200 * ms, 5300 * ms, nil},
		"both":           {[]string{"aa1", "aa2", "aa1", "aa1"}, 2 * time.Second, 7100 * ms, []string{"61 61 31"}},
	} {
		t.Run(name, func(t *testing.T) {
			var b beats
			for i, s := range c.bursts {
				b.came([]byte(s), time.Duration(i)*c.every)
			}
			if c.wait > 0 && b.settled(c.wait-200*ms) && len(c.want) == 0 {
				t.Error("known too soon")
			}
			if !b.settled(c.wait) {
				t.Error("not known")
			}
			var got []string
			for _, h := range b.found() {
				got = append(got, h.layout())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReleasesAreWritten is a keypad that sends a capital letter when a key goes down and the small one when it is let go.
func TestReleasesAreWritten(t *testing.T) {
	o := Observed{Sent: each(func(i byte) []byte { return []byte{'E' - i} }), Released: each(func(i byte) []byte { return []byte{'e' - i} }),
		Beats: []Beat{{Sample: []byte("~\r"), Any: make([]bool, 2), Every: 1200 * ms}}, Repeat: 500 * ms}
	l, err := Learn("hall", line9600, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"kind = \"release\"\n", "keys = [\"e\", \"d\", \"c\", \"b\", \"a\"]\n" +
		"of = [\"E\", \"D\", \"C\", \"B\", \"A\"]\n",
		"kind = \"heartbeat\"\nlayout = \"7e 0d\"\nevery = \"2s\"\n", "sends again every 500ms", "45, and 65 when it is let go"} {
		if !strings.Contains(l.Text, want) {
			t.Errorf("%q is not in\n%s", want, l.Text)
		}
	}
	got := l.Profile.NewDecoder().Feed([]byte("Ee~\rA"))
	if diff := cmp.Diff([]Read{{Kind: Key, Code: "E"}, {Kind: Release, Code: "E"}, {Kind: Key, Code: "A"}}, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	o.Sent[2], o.Released[2] = o.Released[2], o.Sent[2]
	if _, err := Learn("hall", line9600, o); err == nil || !strings.Contains(err.Error(), "was taken for") {
		t.Errorf("a key that was taken for its release: %v", err)
	}
}

// keypadModel is a keypad of the kinds that are learnt, and how it behaves.
type keypadModel struct {
	sent, released [5][]byte // released is nil if it does not tell
	repeat         time.Duration
	beat           func(n int) []byte // nil if nothing comes by itself
	every          time.Duration
}

// begins reports whether what comes by itself, or is one release for all keys, begins with a byte of its own. Nobody could
// else tell a frame from the end of another.
func (m keypadModel) begins(b []byte) bool {
	return !slices.ContainsFunc(slices.Concat(m.sent[:], m.released[:]), func(s []byte) bool { return bytes.IndexByte(s, b[0]) >= 0 })
}

func anyModel(t *rapid.T) keypadModel {
	m := keypadModel{sent: rapid.OneOf(rapid.Custom(anyKeypad), rapid.Custom(anyWords)).Draw(t, "sent")}
	switch rapid.SampledFrom([]string{"none", "code", "frame", "common"}).Draw(t, "releases") {
	case "code": // as the press, with a bit turned
		bit := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
		at := rapid.IntRange(0, 8).Draw(t, "at")
		m.released = each(func(i byte) []byte { b := bytes.Clone(m.sent[i]); b[at%len(b)] ^= bit; return b })
	case "frame":
		head := rapid.SliceOfN(rapid.Byte(), 1, 2).Draw(t, "release head")
		m.released = each(func(i byte) []byte { return slices.Concat(head, m.sent[i]) })
	case "common":
		b := rapid.SliceOfN(rapid.Byte(), 1, 4).Filter(m.begins).Draw(t, "release")
		m.released = each(func(byte) []byte { return b })
	}
	if rapid.Bool().Draw(t, "repeats") {
		m.repeat = rapid.Custom(span(150*ms, 1900*ms)).Draw(t, "repeat")
	}
	if rapid.Bool().Draw(t, "beats") {
		b := rapid.SliceOfN(rapid.Byte(), 1, 6).Filter(m.begins).Draw(t, "beat")
		counts := len(b) > 2 && rapid.Bool().Draw(t, "counts")
		m.beat = func(n int) []byte {
			b := bytes.Clone(b)
			if counts {
				b[1] += byte(n)
			}
			return b
		}
		m.every = rapid.Custom(span(700*ms, 4800*ms)).Draw(t, "every")
	}
	return m
}

func span(low, high time.Duration) func(*rapid.T) time.Duration {
	return func(t *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(int(low/ms), int(high/ms)).Draw(t, "ms")) * ms
	}
}

// hold presses a key for a while.
func (m keypadModel) hold(h *hall, key int, d time.Duration) {
	h.send(m.sent[key])
	for m.repeat > 0 && d > m.repeat {
		h.spend(m.repeat)
		d -= m.repeat
		h.send(m.sent[key])
	}
	h.spend(d)
	if m.released[key] != nil {
		h.send(m.released[key])
	}
}

// TestARandomKeypadIsLearnt holds what learning promises for keypads of all kinds, as a person presses them: it is learnt as it is,
// or refused; and with what was learnt each press is read as exactly the key that was pressed, and nothing else as any.
func TestARandomKeypadIsLearnt(t *testing.T) {
	learnt, refused := 0, make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		m := anyModel(t)
		l, err := m.learn(t)
		if err != nil {
			text := regexp.MustCompile(`keys? [1-5]|^[0-9a-f ]+|both send .*`).ReplaceAllString(err.Error(), "…")
			refused[text[:min(len(text), 60)]]++
			return
		}
		learnt++
		m.judge(t, l)
	})
	t.Logf("%d were learnt; refused: %v", learnt, refused)
	if learnt == 0 {
		t.Error("none was learnt")
	}
}

// learn lets a person learn the keypad.
func (m keypadModel) learn(t *rapid.T) (Learnt, error) {
	h := &hall{l: NewLearner(2), pause: 50 * ms}
	if m.beat != nil {
		n, next := 0, rapid.Custom(span(0, m.every)).Draw(t, "first beat")
		h.beats = func(from, to time.Duration) (all []sending) {
			for ; next < to; next += m.every {
				all = append(all, sending{m.beat(n), next})
				n++
			}
			return all
		}
	}
	for h.spend(5 * time.Second); !h.l.Settled(h.now); {
		h.spend(100 * ms)
	}
	h.asked = true
	press := func(key int) {
		m.hold(h, key, rapid.Custom(span(60*ms, 2500*ms)).Draw(t, "hold"))
		h.spend(rapid.Custom(span(300*ms, 2*time.Second)).Draw(t, "pause"))
	}
	for tries := 0; h.l.Key() < 5 && h.err == nil && tries < 60; tries++ {
		key := h.l.Key()
		if key > 0 && rapid.IntRange(0, 15).Draw(t, "wrong") == 0 {
			key = rapid.IntRange(0, key-1).Draw(t, "which")
		}
		press(key)
	}
	for key, again := h.l.Unreleased(); again && h.err == nil; key, again = h.l.Unreleased() {
		press(key)
		h.l.Tried()
	}
	if h.err != nil {
		return Learnt{}, h.err
	}
	if h.l.Key() < 5 {
		return Learnt{}, errors.New("not all keys were taken")
	}
	o, err := h.l.Observed()
	if err != nil {
		return Learnt{}, err
	}
	return Learn("hall", line9600, o)
}

// judge presses each key with what was learnt.
func (m keypadModel) judge(t *rapid.T, l Learnt) {
	d := l.Profile.NewDecoder()
	read := func(b []byte) (keys []string, ups []Read) {
		for _, r := range d.Feed(b) {
			if r.Kind == Key {
				keys = append(keys, r.Code)
			} else {
				ups = append(ups, r)
			}
		}
		d.Reset() // a silence
		return keys, ups
	}
	for i := range m.sent {
		if keys, _ := read(m.sent[i]); !slices.Equal(keys, []string{l.Codes[i]}) {
			t.Fatalf("key %d reads as %q, want %q\n%s", i, keys, l.Codes[i], l.Text)
		}
		if m.released[i] != nil {
			keys, ups := read(m.released[i])
			if len(keys) > 0 || l.Releases && (len(ups) != 1 || ups[0].Code != l.Codes[i] && ups[0].Code != "") {
				t.Fatalf("the release of key %d reads as %q, %v\n%s", i, keys, ups, l.Text)
			}
		}
		if m.beat != nil {
			for n := range 300 {
				if keys, ups := read(m.beat(n)); len(keys)+len(ups) > 0 {
					t.Fatalf("what comes by itself reads as %q, %v\n%s", keys, ups, l.Text)
				}
			}
		}
	}
	if l.Releases && m.released[0] == nil {
		t.Fatalf("releases were found and there are none:\n%s", l.Text)
	}
}
