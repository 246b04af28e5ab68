package report

import (
	"math"
	"slices"
)

// LeastRanked is how many answers something needs at least to be ranked (article 21: 排名); a level above may ask for more. Of fewer the
// interval says next to nothing.
const LeastRanked = 30

// LeastRepeated is how many bad ratings make somebody one who is rated badly again and again (article 21: 反复被差评).
const LeastRepeated = 3

// Repeated reports whether somebody is rated badly again and again.
func Repeated(a Amount) bool { return bad(Input{Amount: a}) >= LeastRepeated }

// Interval is within which percentages a share lies, with 95 % confidence.
type Interval struct{ Low, High float64 }

// Wilson returns the score interval of a share (E. B. Wilson, 1927), which holds near 0 and 100 % too. Of nothing it is all there is.
func Wilson(n, all int64) Interval {
	if all <= 0 {
		return Interval{0, 100}
	}
	const z = 1.959964
	p, m := float64(n)/float64(all), float64(all)
	middle := p + z*z/(2*m)
	half := z * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	scale := 100 / (1 + z*z/m)
	return Interval{max(0, (middle-half)*scale), min(100, (middle+half)*scale)}
}

// Sureness returns the interval of 主动评价好评率.
func Sureness(a Amount) Interval {
	v := ActiveGoodRate(Input{Amount: a})
	return Wilson(v.N, v.All)
}

// Rank returns the places of amounts by 主动评价好评率, 0 for those with fewer answers than the least. One stands below another only if their
// intervals do not
// meet: what chance alone may have made is no difference, and shares a place.
func Rank(all []Amount, least int64) []int {
	out, of := make([]int, len(all)), make([]Interval, len(all))
	var lows []float64
	for i, a := range all {
		if a.Answered() >= least {
			of[i] = Sureness(a)
			lows = append(lows, of[i].Low)
		}
	}
	slices.Sort(lows)
	for i, a := range all {
		if a.Answered() >= least {
			above, _ := slices.BinarySearchFunc(lows, of[i].High, func(low, high float64) int {
				if low > high {
					return 1
				}
				return -1
			})
			out[i] = 1 + len(lows) - above
		}
	}
	return out
}
