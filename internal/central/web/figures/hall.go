package figures

import (
	"errors"
	"net/http"
	"slices"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
)

// halls returns the halls that the viewer runs, or of these the one that is asked for.
func (q *question) halls() (all []string) {
	for _, g := range account.Grants(q.viewer.person, account.SeeFigures) {
		if (q.Hall == "" || g.Scope == q.Hall) && !slices.Contains(all, g.Scope) && q.viewer.may(q.lies(g.Scope)) {
			all = append(all, g.Scope)
		}
	}
	return all
}

// lies returns where a hall lay when the period ended.
func (q *question) lies(hall string) report.Where {
	w := report.Where{Hall: hall}
	if r, ok := q.atlas.At(directory.Hall, hall, q.Days.To-1); ok {
		w.Area = r.Area
	}
	return w
}

// month returns what is told of a month of a hall.
func (p *pages) month(c *web.Call, hall string, days directory.Period) (report.Table, error) {
	t, err := p.Reports.Month(c.R.Context(), report.Month{Hall: hall, Days: days, Closed: (days.To + settles).Start(),
		Least: account.LeastCounted})
	if errors.Is(err, report.ErrCounting) {
		err = &web.Refusal{Status: http.StatusServiceUnavailable, Words: "汇总正在统计，数字尚不完整，请稍后再看。The figures are being counted; ask again later."}
	}
	return t, err
}

// hall answers whoever runs halls: what is shown of a hall in a month is the same in each answer, whatever else is asked for, so that no
// two differ by a part.
func (p *pages) hall(c *web.Call, a *answer) error {
	q, halls := a.q, a.q.halls()
	y, m, _ := q.Days.From.Start().In(web.Zone()).Date()
	a.Before = month(y, m-1)
	hides, hid := q.viewer.person.Subtracts((q.Days.To + settles).Start()), q.viewer.person.Subtracts((a.Before.To + settles).Start())
	a.Whole = part{Name: "全部", Hidden: len(halls) > 1 || hides, Was: len(halls) > 1 || hid}
	for _, hall := range halls {
		now, err := p.month(c, hall, q.Days)
		if err != nil {
			return err
		}
		before, err := p.month(c, hall, a.Before)
		if err != nil {
			return err
		}
		one := part{ID: hall, Sums: now.Total, Before: before.Total, Hidden: hides || few(now.Total),
			Was: hid || few(before.Total)}
		a.Whole.Add(now.Total)
		a.Whole.Before.Add(before.Total)
		a.Whole.Hidden, a.Whole.Was = a.Whole.Hidden || one.Hidden, a.Whole.Was || one.Was
		switch {
		case q.By.Code == "window":
			a.Parts = windows(now, before)
			for i := range a.Parts {
				a.Parts[i].Hidden, a.Parts[i].Was = a.Parts[i].Hidden || hides, a.Parts[i].Was || hid
			}
		case len(now.Total.Counts) > 0:
			a.Parts = append(a.Parts, one)
		}
	}
	return p.name(c, a)
}

func few(s report.Sums) bool { return s.Of("").Answered() < account.LeastCounted }

// windows returns the windows of a hall, each month guarded by all that there were in it.
func windows(now, before report.Table) (all []part) {
	hidden := make([]map[string]bool, 2)
	was := make(map[string]report.Sums)
	for i, t := range []report.Table{now, before} {
		answers := make([]int64, len(t.Rows))
		for n, r := range t.Rows {
			answers[n] = r.Of("").Answered()
		}
		hidden[i] = make(map[string]bool)
		for n, h := range report.Withhold(answers, account.LeastCounted) {
			hidden[i][t.Rows[n].ID] = h || few(t.Total)
		}
	}
	for _, r := range before.Rows {
		was[r.ID] = r.Sums
	}
	for _, r := range now.Rows {
		all = append(all, part{ID: r.ID, Sums: r.Sums, Before: was[r.ID], Hidden: hidden[0][r.ID], Was: hidden[1][r.ID]})
	}
	return all
}
