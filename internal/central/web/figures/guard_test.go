package figures

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/web"
)

// TestWhatIsWithheldCannotBeWorkedOut attacks what is shown: the whole less what is shown of its parts is what is withheld together, and that is never
// a small part by itself, nor anything with few answers.
func TestWhatIsWithheldCannotBeWorkedOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const least = 20
		parts := rapid.SliceOfN(rapid.Int64Range(0, 60), 1, 12).Draw(t, "parts")
		var whole int64
		for _, n := range parts {
			whole += n
		}
		if whole < least {
			return // then nothing is shown at all
		}
		hidden := withhold(parts, least)
		left, n := whole, 0
		for i, h := range hidden {
			switch {
			case h:
				n++
			case parts[i] > 0 && parts[i] < least:
				t.Fatalf("a part of %d is shown", parts[i])
			default:
				left -= parts[i]
			}
		}
		if n > 0 && (n == 1 || left < least) {
			t.Fatalf("of %v what is withheld is %d parts with %d answers", parts, n, left)
		}
	})
}

func TestClosedMonths(t *testing.T) {
	at := func(m time.Month, d, h int) time.Time { return time.Date(2026, m, d, h, 0, 0, 0, web.Zone()) }
	for _, c := range []struct {
		now  time.Time
		want string
	}{{at(3, 7, 23), "2026-01-01/2026-02-01"}, {at(3, 8, 0), "2026-02-01/2026-03-01"}, {at(1, 3, 12), "2025-11-01/2025-12-01"}} {
		p := closedMonth(c.now)
		if p.String() != c.want || !isClosedMonth(p, c.now) {
			t.Errorf("at %s the last closed month is %s, want %s", c.now, p, c.want)
		}
		for _, other := range []directory.Period{{From: p.From, To: p.To - 1}, {From: p.From + 1, To: p.To}, {From: p.From, To: p.To + 31}, {From: p.From - 31, To: p.To}} {
			if isClosedMonth(other, c.now) {
				t.Errorf("%s is taken for a month", other)
			}
		}
	}
}
