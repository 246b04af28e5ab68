package figures

import (
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/web"
)

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
