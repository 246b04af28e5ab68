package keypad

import (
	"strings"
	"testing"
	"time"
)

// TestARareSignOfLifeIsNoRelease learns a keypad that says every seven seconds that it is there, which nobody hears before the first key
// is asked for, and whose person presses on until all is known.
func TestARareSignOfLifeIsNoRelease(t *testing.T) {
	h := &hall{l: NewLearner(2), pause: 50 * ms, now: time.Second}
	next := 700 * ms
	h.beats = func(_, to time.Duration) (all []sending) {
		for ; next <= to; next += 7 * time.Second {
			all = append(all, sending{[]byte("OK\r\n"), next})
		}
		return all
	}
	for h.spend(5 * time.Second); !h.l.Settled(h.now); {
		h.spend(200 * ms)
	}
	h.asked = true
	for tries := 0; (h.l.Key() < 5 || h.unreleased()) && tries < 80; tries++ {
		key := h.l.Key()
		if key == 5 {
			key, _ = h.l.Unreleased()
		}
		h.send([]byte{'5' - byte(key)})
		h.spend(1200 * ms)
	}
	o, err := h.l.Observed()
	if err != nil {
		t.Fatal(err)
	}
	l, err := Learn("hall", line9600, o)
	if err != nil || l.Releases || l.Beats != 1 || !strings.Contains(l.Text, "every = \"9s\"") {
		t.Errorf("%v, releases %v, signs of life %d\n%s", err, l.Releases, l.Beats, l.Text)
	}
}

// TestAKeyThatWasTakenForItsRelease has words of different lengths, of which one key was learnt by what it sends when it is let go.
func TestAKeyThatWasTakenForItsRelease(t *testing.T) {
	for name, text := range map[string]func(word, way string) string{
		"before": func(word, way string) string { return way + word + "\r" },
		"behind": func(word, way string) string { return word + way + "\r" },
	} {
		var o Observed
		for i, word := range []string{"best", "good", "fair", "bad", "worst"} {
			o.Sent[i], o.Released[i] = []byte(text(word, "K=")), []byte(text(word, "J="))
		}
		if l, err := Learn("hall", line9600, o); err != nil || !l.Releases {
			t.Errorf("%s: %v", name, err)
		}
		o.Sent[3], o.Released[3] = o.Released[3], o.Sent[3]
		if _, err := Learn("hall", line9600, o); err == nil || !strings.Contains(err.Error(), "was taken for") {
			t.Errorf("%s, turned: %v", name, err)
		}
	}
}

// FuzzLearner feeds foreign bytes at foreign times: whatever is learnt is proven, or refused.
func FuzzLearner(f *testing.F) {
	f.Add([]byte("A\x05a\x05A\x05a\x05B\x05b\x05B\x05b\x05C\x05c\x05C\x05c\x05D\x05d\x05D\x05d\x05E\x05e\x05E\x05e\x05"), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		l, at := NewLearner(2), time.Duration(0)
		n := int(size%7) + 1
		for ; len(in) > n; in = in[n+1:] {
			at += time.Duration(in[n]) * 40 * ms
			if !l.Settled(at) {
				l.Untouched(in[:n], at)
				continue
			}
			if _, err := l.Burst(in[:n], at); err != nil {
				return
			}
		}
		o, err := l.Observed()
		if err != nil {
			return
		}
		if learnt, err := Learn("hall", line9600, o); err == nil {
			for i, b := range o.Sent {
				if got := learnt.Profile.NewDecoder().Feed(b); len(got) != 1 || got[0].Code != learnt.Codes[i] {
					t.Errorf("% x reads as %v\n%s", b, got, learnt.Text)
				}
			}
		}
	})
}
