package ledger

import "slices"

// Join makes one finding of those that differ in nothing but neighbouring numbers and the moment: a copied card makes one
// for each record. It keeps the order of the first of each.
func Join(all []Finding) []Finding {
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := all[i], all[j]
		switch {
		case a.Device != b.Device:
			return compare(a.Device < b.Device)
		case a.Epoch != b.Epoch:
			return compare(a.Epoch < b.Epoch)
		case a.Kind != b.Kind:
			return compare(a.Kind < b.Kind)
		case a.Detail != b.Detail:
			return compare(a.Detail < b.Detail)
		case a.ResolvedAt.IsZero() != b.ResolvedAt.IsZero():
			return compare(a.ResolvedAt.IsZero())
		case a.From != b.From:
			return compare(a.From < b.From)
		}
		return 0
	})
	type run struct {
		first   int // where it stands in all
		finding Finding
	}
	var runs []run
	for _, i := range order {
		f := all[i]
		if n := len(runs) - 1; n >= 0 && runs[n].finding.joins(f) {
			last := &runs[n]
			last.finding.To = max(last.finding.To, f.To)
			last.first = min(last.first, i)
			if f.FoundAt.Before(last.finding.FoundAt) {
				last.finding.FoundAt = f.FoundAt
			}
			if f.ResolvedAt.After(last.finding.ResolvedAt) {
				last.finding.ResolvedAt = f.ResolvedAt
			}
			continue
		}
		runs = append(runs, run{i, f})
	}
	slices.SortFunc(runs, func(a, b run) int { return a.first - b.first })
	out := make([]Finding, 0, len(runs))
	for _, r := range runs {
		out = append(out, r.finding)
	}
	return out
}

func compare(less bool) int {
	if less {
		return -1
	}
	return 1
}

// joins reports whether g continues f.
func (f Finding) joins(g Finding) bool {
	return f.Device == g.Device && f.Epoch == g.Epoch && f.Kind == g.Kind && f.Detail == g.Detail &&
		f.ResolvedAt.IsZero() == g.ResolvedAt.IsZero() && g.From <= f.To+1
}
