package figures

import (
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/web"
)

// settles is how long after a month's end it closes, as the figures of one's own do.
const settles = 7

// closedMonth returns the last month that is closed at a moment.
func closedMonth(now time.Time) directory.Period {
	y, m, _ := now.In(web.Zone()).Date()
	for {
		p := month(y, m-1)
		if directory.DayOf(now) >= p.To+settles {
			return p
		}
		m--
	}
}

func month(y int, m time.Month) directory.Period {
	first := directory.DayOf(time.Date(y, m, 1, 0, 0, 0, 0, web.Zone()))
	return directory.Period{From: first, To: directory.DayOf(time.Date(y, m+1, 1, 0, 0, 0, 0, web.Zone()))}
}

// isClosedMonth reports whether a period is one month that is closed: of shorter and of overlapping periods the differences would tell single answers.
func isClosedMonth(p directory.Period, now time.Time) bool {
	y, m, _ := p.From.Start().In(web.Zone()).Date()
	return p == month(y, m) && directory.DayOf(now) >= p.To+settles
}
