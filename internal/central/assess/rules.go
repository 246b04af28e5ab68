package assess

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"haochaping/internal/central/report"
)

// row is how somebody or something was rated among peers.
type row struct {
	ID    string
	Where report.Where
	report.Amount
}

// leastPiled is how many bad answers pile up.
const leastPiled = 10

// others returns the sum of all but one.
func others(all []row, id string) (sum report.Amount) {
	for _, x := range all {
		if x.ID != id {
			sum = sum.Plus(x.Amount)
		}
	}
	return sum
}

// low reports whether one of some peers is surely worse than the others together: the intervals of 主动评价好评率 do not meet, and of fewer
// answers than it takes to be ranked nothing is said.
func low(all []row, x row, least int64) bool {
	rest := others(all, x.ID)
	return x.Answered() >= least && rest.Answered() >= least &&
		report.Sureness(x.Amount).High < report.Sureness(rest).Low
}

// lowAgain returns those who were low in each of some periods (article 21: 连续排名靠后), as they were in the last one.
func lowAgain(least int64, periods ...[]row) (all []row) {
	for _, x := range periods[len(periods)-1] {
		again := !slices.ContainsFunc(periods, func(peers []row) bool {
			i := slices.IndexFunc(peers, func(y row) bool { return y.ID == x.ID })
			return i < 0 || !low(peers, peers[i], least)
		})
		if again {
			all = append(all, x)
		}
	}
	return all
}

// piled returns what is surely bad more often than its peers, and ten times or more (article 22: 反映集中的问题).
func piled(all []row) (out []row) {
	for _, x := range all {
		rest := others(all, x.ID)
		n, m := bad(x.Amount), bad(rest)
		if n >= leastPiled && rest.Answered() >= report.LeastRanked &&
			report.Wilson(n, x.Answered()).Low > report.Wilson(m, rest.Answered()).High {
			out = append(out, x)
		}
	}
	return out
}

func bad(a report.Amount) int64 { return report.Bad(report.Input{Amount: a}).N }

// Line is a piece of what was found.
type Line struct {
	Words string `json:"words"`
	Value string `json:"value"`
}

// rate says how somebody was rated.
func rate(who string, a report.Amount) Line {
	in := report.Input{Amount: a}
	i := report.Sureness(a)
	return Line{who, fmt.Sprintf("评价 %d 份，差评 %d，主动评价好评率 %s（95%% 区间 %.1f–%.1f%%）", a.Answered(), bad(a), report.ActiveGoodRate(in), i.Low,
		i.High)}
}

// groups parts rows by who their peers are.
func groups(all map[string]map[string]row) (out [][]row) {
	for _, peers := range slices.Sorted(maps.Keys(all)) {
		some := slices.Collect(maps.Values(all[peers]))
		slices.SortFunc(some, func(a, b row) int { return cmp.Compare(a.ID, b.ID) })
		out = append(out, some)
	}
	return out
}
