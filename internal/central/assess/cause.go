package assess

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/report"
)

// causes proposes tasks for a cause that piles up in the last month at a hall or a unit (article 22: 堵点难点): of what is answered there more
// bad answers name it than at the others of the city.
func (r *Room) causes(ctx context.Context, months []directory.Period) (opened int, err error) {
	days := months[len(months)-1]
	for _, x := range []struct {
		what string
		id   func(report.Where) string
	}{{"hall", func(w report.Where) string { return w.Hall }}, {"unit", unitOf}} {
		whole, err := r.rows(ctx, report.Ask{Days: days}, city, ofAll, func(w report.Where, _ string) string { return x.id(w) })
		if err != nil {
			return opened, err
		}
		named, err := r.rows(ctx, report.Ask{Days: days, Split: report.ByCause}, city, ofAll, func(w report.Where, of string) string {
			if id := x.id(w); id != "" {
				return of + "\n" + id
			}
			return ""
		})
		if err != nil {
			return opened, err
		}
		for _, city := range slices.Sorted(maps.Keys(whole)) {
			for cause, peers := range byCause(whole[city], named[city]) {
				for _, y := range piled(peers) {
					n, err := r.cause(ctx, x.what, cause, y, peers, days)
					opened += n
					if err != nil {
						return opened, err
					}
				}
			}
		}
	}
	return opened, nil
}

// byCause returns of each cause how many of each one's answers are bad and name it, among all that were given there.
func byCause(whole, named map[string]row) map[string][]row {
	out := make(map[string][]row)
	for key := range named {
		cause, _, _ := strings.Cut(key, "\n")
		if out[cause] != nil {
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(whole)) {
			x := whole[id]
			n := bad(named[cause+"\n"+id].Amount)
			x.Amount = report.Amount{Levels: [6]int64{1: n, 5: x.Answered() - n}}
			out[cause] = append(out[cause], x)
		}
	}
	return out
}

// cause proposes a task about a cause.
func (r *Room) cause(ctx context.Context, what, cause string, x row, peers []row, days directory.Period) (int, error) {
	title, err := r.titled(ctx, what, x.ID, days)
	if err != nil {
		return 0, err
	}
	line := func(who string, a report.Amount) Line {
		n, all := bad(a), a.Answered()
		i := report.Wilson(n, all)
		return Line{who, fmt.Sprintf("评价 %d 份，写明该原因的差评 %d 份（95%% 区间 %.1f–%.1f%%）", all, n, i.Low, i.High)}
	}
	words := r.cfg.Cause(cause)
	f := Found{Days: days, Source: "办法第二十二条", Rule: "一个月内写明同一原因的差评不少于 10 份，且其占比的 95% 区间整个高于同市其他的。",
		Lines: []Line{{"原因", words}, line("本项", x.Amount), line("同市其他", others(peers, x.ID))}}
	d := dossier.Dossier{Kind: dossier.Problem, Name: fmt.Sprintf("%s %s %s %s %s", what, city(x.Where), x.ID, cause, days.From),
		Title: title + "：“" + words + "”集中"}
	return r.open(ctx, d, tasked(what, x.Where), f)
}
