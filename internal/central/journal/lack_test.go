package journal

import (
	"testing"

	"pgregory.net/rapid"
)

// What is missing is what is counted one by one.
func TestLacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		through := rapid.Uint64Range(0, 20).Draw(t, "through")
		p, at := progress{through: through}, through
		here := make(map[uint64]bool)
		for seq := range through {
			here[seq+1] = true
		}
		for range rapid.IntRange(0, 4).Draw(t, "ranges") {
			first := at + rapid.Uint64Range(2, 5).Draw(t, "gap")
			at = first + rapid.Uint64Range(0, 4).Draw(t, "more")
			p.beyond = append(p.beyond, span{First: first, Last: at})
			for seq := first; seq <= at; seq++ {
				here[seq] = true
			}
		}
		var want Lack
		last := rapid.Uint64Range(0, 60).Draw(t, "last")
		for seq := uint64(1); seq <= last; seq++ {
			if here[seq] {
				continue
			}
			if want.Count++; want.First == 0 {
				want.First = seq
			}
			want.Last = seq
		}
		if got := p.lacks(last); got != want {
			t.Fatalf("of %+v up to %d are missing %+v, want %+v", p, last, got, want)
		}
	})
}
