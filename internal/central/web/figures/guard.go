package figures

import (
	"cmp"
	"slices"
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

// withhold returns of which parts of a whole no levels are shown: those with fewer than some answers, and so many others, the smallest first, that what is
// withheld together has at least as many. What is left of the whole then tells of no part by itself.
func withhold(answers []int64, least int64) []bool {
	hidden := make([]bool, len(answers))
	order := make([]int, len(answers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(answers[a], answers[b]) })
	var together int64
	for _, i := range order {
		small := answers[i] < least && answers[i] > 0
		if small || together > 0 && together < least {
			hidden[i] = true
			together += answers[i]
		}
	}
	return hidden
}
