package figures

import (
	"errors"

	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// column is a column of a file.
type column struct {
	head string
	of   func(part) any // a text, a count or a share; nil: withheld, or there is nothing to say
}

// columns returns the columns of files: what, the figures, and the answers of each channel by level.
func columns(guarded bool) []column {
	all := []column{{"编号", func(x part) any { return x.ID }}, {"名称", func(x part) any { return x.Name }}}
	for _, f := range report.Figures() {
		if f.Works && guarded {
			continue
		}
		all = append(all, column{f.Chinese, func(x part) any { return plain(value(f, input(x.Sums, x.Of("")), x.Hidden)) }},
			column{f.Chinese + "（上期）", func(x part) any { return plain(value(f, input(x.Before, x.Before.Of("")), x.Was)) }})
	}
	if guarded {
		return all
	}
	all = append(all, column{"主动评价好评率 95% 区间", func(x part) any { return x.interval() }}, column{"名次", func(x part) any { return place(x) }},
		column{"提示到按键中位数（毫秒）", func(x part) any { return x.median() }}, column{"2 秒内按键占比", func(x part) any { return x.fast() }})
	for _, ch := range report.Channels() {
		if ch == report.Default {
			continue // 默认数
		}
		for _, l := range rating.Levels() {
			all = append(all, column{ch.Chinese() + " " + l.Chinese(), func(x part) any { return x.By("", ch).Levels[l] }})
		}
	}
	return all
}

// place returns a part's place, nil if it has none.
func place(x part) any {
	if x.Place == 0 {
		return nil
	}
	return int64(x.Place)
}

// plain returns a figure as a file has it.
func plain(v report.Value, ok bool) any {
	switch {
	case !ok || !v.Known():
		return nil
	case v.Share:
		return v.Percent() / 100
	}
	return v.N
}

// rows returns the whole and its parts.
func (a *answer) rows() []part { return append([]part{a.Whole}, a.Parts...) }

// asked answers the question of an address for a file.
func (p *pages) asked(c *web.Call) (*answer, error) {
	q, err := p.questionOf(c, c.R.URL.Query())
	if err != nil {
		return nil, err
	}
	return p.answer(c, q)
}

// sheet sends the figures as CSV.
func (p *pages) sheet(c *web.Call) error {
	a, err := p.asked(c)
	if err != nil {
		return err
	}
	sheet, err := c.Sheet("统计 " + a.q.Days.From.String() + " 至 " + (a.q.Days.To - 1).String() + " 按" + a.q.By.Chinese + ".csv")
	if err != nil {
		return err
	}
	all := columns(a.q.viewer.guarded)
	cells := make([]string, len(all))
	for i, x := range all {
		cells[i] = x.head
	}
	err = sheet.Row(cells...)
	for _, x := range a.rows() {
		for i, col := range all {
			cells[i] = written(col.of(x))
		}
		err = errors.Join(err, sheet.Row(cells...))
	}
	return c.Whole(errors.Join(err, sheet.End()))
}
