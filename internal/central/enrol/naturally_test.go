package enrol

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestWindowsStandAsPeopleCount compares windows' numbers with digits of any length.
func TestWindowsStandAsPeopleCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := rapid.IntRange(0, 2000).Draw(t, "x"), rapid.IntRange(0, 2000).Draw(t, "y")
		wide := rapid.IntRange(1, 6).Draw(t, "wide")
		got := Naturally(fmt.Sprintf("A%0*d", wide, x), fmt.Sprintf("A%d", y))
		if x < y && got >= 0 || x > y && got <= 0 {
			t.Errorf("A%0*d and A%d: %d", wide, x, y, got)
		}
	})
}
