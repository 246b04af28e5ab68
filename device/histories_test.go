//go:build !race

package device

import (
	"math/rand/v2"
	"testing"
	"time"

	"haochaping/device/keypad"
	"haochaping/internal/proof/simulation"
)

// TestKeypadHistories plays random histories of every kind of keypad through the code that reads lines, in simulated time: no answer is
// invented, doubled, swapped or given to another question, and each press that is none is explained.
func TestKeypadHistories(t *testing.T) {
	histories := simulation.Of(10_000)
	kinds, profiles := keypadKinds(), make(map[string]*keypad.Profile)
	for _, k := range kinds {
		profiles[k.name] = k.parsed(t)
	}
	answers, reasons := 0, make(map[string]int)
	for seed := range uint64(histories) {
		r := rand.New(rand.NewPCG(seed, 1))
		h := newHistory(r, kinds[seed%uint64(len(kinds))], time.Duration(8+r.IntN(22))*time.Second, sameWithin)
		late := time.Duration(r.IntN(5)) * ms
		d := simulate(t, h, profiles[h.kind.name], late, r)
		n, why, err := verdict(h, d, late+2*ms, late+2*ms)
		if err != nil {
			t.Fatalf("seed %d: %v\n%v%v", seed, err, h, d)
		}
		answers += n
		for w, n := range why {
			reasons[w] += n
		}
	}
	t.Logf("%d histories, %d answers; misses: %v", histories, answers, reasons)
	for _, w := range []string{
		"before anybody can have read the question", "the same key within 2 s of its last", "the keypad was unplugged",
		"right after the keypad was opened", "two keys together", "bytes that belong to no key around it", "the same level again",
		"the question ended before the press was decided", "another key was down", restlessKey,
	} {
		if reasons[w] == 0 {
			t.Errorf("no press was missed because of %q: the histories are not what they should be", w)
		}
	}
	if answers < histories {
		t.Errorf("%d answers in %d histories", answers, histories)
	}
}
