package report

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestWilson compares with values from a table of the score interval.
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		n, all    int64
		low, high float64
	}{{8, 10, 49.02, 94.33}, {0, 20, 0, 16.11}, {20, 20, 83.89, 100}, {95, 100, 88.82, 97.85}, {0, 0, 0, 100}} {
		got := Wilson(c.n, c.all)
		if math.Abs(got.Low-c.low) > 0.01 || math.Abs(got.High-c.high) > 0.01 {
			t.Errorf("%d of %d: %.2f to %.2f, want %.2f to %.2f", c.n, c.all, got.Low, got.High, c.low, c.high)
		}
	}
}

// TestRankIsFair: whoever has the better share of as many answers never stands below, few answers rank nobody, and chance makes no places.
func TestRankIsFair(t *testing.T) {
	of := func(good, bad int64) Amount { return Amount{Levels: [6]int64{0, bad, 0, 0, 0, good}} }
	if got := Rank([]Amount{of(95, 5), of(90, 10), of(60, 40), of(20, 0), of(995, 5)}, LeastRanked); !slices.Equal(got, []int{2, 2, 4, 0, 1}) {
		t.Errorf("places %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		var all []Amount
		for range rapid.IntRange(2, 8).Draw(t, "parts") {
			all = append(all, of(rapid.Int64Range(0, 300).Draw(t, "good"), rapid.Int64Range(0, 300).Draw(t, "bad")))
		}
		least := rapid.Int64Range(LeastRanked, 120).Draw(t, "least")
		places := Rank(all, least)
		for i, a := range all {
			for j, b := range all {
				x, y := Sureness(a), Sureness(b)
				if places[i] > 0 && places[j] > places[i] && y.Low > x.High {
					t.Fatalf("%v stands above %v", a, b)
				}
			}
			if (places[i] == 0) != (a.Answered() < least) {
				t.Fatalf("%v has place %d", a, places[i])
			}
		}
	})
}
