package keypad

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestARepetitionIsToldFromAPersonsPace learns keys that are pressed twice each, and keys that are held: only what comes when the key
// is known already is the keypad's own, and of that the first repetition, which may take longer, bounds it.
func TestARepetitionIsToldFromAPersonsPace(t *testing.T) {
	for name, c := range map[string]struct {
		gaps []time.Duration // between the codes of one key
		want string          // in the profile; empty for nothing
	}{
		"pressed twice":                {[]time.Duration{860 * ms}, ""},
		"pressed once too often":       {[]time.Duration{860 * ms, 900 * ms}, ""},
		"held":                         {[]time.Duration{300 * ms, 300 * ms, 300 * ms, 300 * ms}, `repeat = "300ms"`},
		"held, the first takes longer": {[]time.Duration{700 * ms, 150 * ms, 150 * ms, 160 * ms, 150 * ms}, `repeat = "700ms"`},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLearner(2)
			at := time.Minute
			for key := range 5 {
				code := fmt.Appendf(nil, "K%d\r\n", key)
				for n := range len(c.gaps) + 1 {
					if _, err := l.Burst(code, at); err != nil {
						t.Fatal(err)
					}
					if n < len(c.gaps) {
						at += c.gaps[n]
					}
				}
				at += 4 * time.Second
			}
			o, err := l.Observed()
			if err != nil {
				t.Fatal(err)
			}
			learnt, err := Learn("hall", line9600, o)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(learnt.Text, "repeat = "); got != (c.want != "") || !strings.Contains(learnt.Text, c.want) {
				t.Errorf("the profile is\n%s\nwant %q", learnt.Text, c.want)
			}
			if p, err := Parse([]byte(learnt.Text)); err != nil || (p.Repeat > 0) != (c.want != "") {
				t.Errorf("it reads as %+v, %v", p, err)
			}
		})
	}
}
