package deadline

import (
	"testing"
	"time"

	"haochaping/internal/rating"
)

// TestHoursOfMessages: messages go within the hours that are set, which never reach beyond 08:30 to 20:00.
func TestHoursOfMessages(t *testing.T) {
	var now time.Time
	for _, c := range []struct {
		hours       Hours
		first, last int // minutes of the day in which somebody may be written to
	}{
		{Hours{}, 8*60 + 30, 20*60 - 1},
		{Hours{9 * 60, 18 * 60}, 9 * 60, 18*60 - 1},
		{Hours{60, 23 * 60}, 8*60 + 30, 20*60 - 1},
	} {
		d := &Deadlines{cfg: Config{Hours: c.hours, Now: func() time.Time { return now }}}
		for minute := range 24 * 60 {
			now = time.Date(2026, 11, 27, 0, minute, 30, 0, rating.Shanghai())
			if got, want := d.awake(), minute >= c.first && minute <= c.last; got != want {
				t.Fatalf("%+v at minute %d: awake %t, want %t", c.hours, minute, got, want)
			}
		}
	}
}
