package figures

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// shown is what the page shows.
type shown struct {
	Question *question
	From, To string // as the form has them
	Before   string
	Ways     []by
	Problem  string
	Notice   string
	Figures  []line
	Bars     []report.Bar
	Channels []channelLine
	Heads    []report.Figure // of the parts
	Parts    []partLine
	Signs    []signLine
	Paces    []paceLine
	Repeated []repeatLine
	More     int   // parts that are not shown
	Pos      int64 // row of the journal up to which it was counted
	Behind   int64 // rows that are still to be counted
	Query    string
	Guarded  bool
	Causes   bool // the parts are reasons, which an answer may have several of
	Least    int
	Ranked   int64             // how many answers it takes to be ranked
	Asked    map[string]string // the question without days, as a form has it
	See      string            // address of the evaluations, empty for those who see none
}

// Legend returns what the patterns of bars mean.
func (shown) Legend() (all []report.Piece) {
	for _, l := range rating.Levels() {
		all = append(all, report.Piece{Class: fmt.Sprintf("v%d", l), Words: l.Chinese()})
		if l == rating.FairlySatisfied {
			all = append(all, report.Piece{Class: "v0", Words: "默认"})
		}
	}
	return all
}

// line is a figure of the whole.
type line struct {
	report.Figure
	All, Staff, Matter, Was, Change string
}

type channelLine struct {
	Name  string
	Cells []string
}

type partLine struct {
	ID, Name string
	Cells    []string
	Interval string
	Place    int
	Deeper   string // address of its parts
	See      string // address of its evaluations
}

// signLine is something about a window that people should look at.
type signLine struct {
	report.Sign
	Name, See string
}

// repeatLine is somebody who is rated badly again and again.
type repeatLine struct {
	Name, ID string
	Bad      int64
	See      string
}

// repeats reports whether a part is a person or unit that is rated badly again and again.
func (a *answer) repeats(x part) bool {
	return (a.q.By.Code == "staff" || a.q.By.Code == "unit") && x.ID != unknown && !x.Hidden && report.Repeated(x.Of(""))
}

func (p *pages) page(c *web.Call) error {
	q, err := p.questionOf(c, c.R.URL.Query())
	var a *answer
	if err == nil {
		a, err = p.answer(c, q)
	}
	var refusal *web.Refusal
	if errors.As(err, &refusal) {
		v := shown{Question: q, From: c.R.FormValue("from"), To: c.R.FormValue("to"), Ways: waysOf(q), Problem: refusal.Words,
			Guarded: q.viewer.guarded, Least: account.LeastCounted, Ranked: p.Ranked}
		return c.ShowStatus(status, "figures/page", v)
	}
	if err != nil {
		return err
	}
	return c.Show("figures/page", a.shown(c))
}

// waysOf returns the ways to part figures that are the viewer's.
func waysOf(q *question) []by {
	return slices.DeleteFunc(ways(), func(w by) bool { return q.viewer.guarded && w.Code != "hall" && w.Code != "window" })
}

func (a *answer) shown(c *web.Call) shown {
	q := a.q
	v := shown{Question: q, From: q.Days.From.String(), To: (q.Days.To - 1).String(),
		Before: a.Before.From.String() + " 至 " + (a.Before.To - 1).String(), Ways: waysOf(q),
		Query: q.query(), Guarded: q.viewer.guarded, Causes: q.By.causes(), Least: account.LeastCounted, Ranked: a.ranked,
		Pos: a.Pos, Behind: a.Books - a.Pos}
	if a.Counting {
		v.Notice = fmt.Sprintf("汇总正在重新统计（日志第 %d 行，共 %d 行），数字尚不完整。", a.Pos, a.Books)
	}
	if q.viewer.guarded && q.viewer.person.Subtracts((q.Days.To + settles).Start()) {
		v.Notice = strings.TrimSpace(v.Notice + " 您也是（或曾是）窗口人员：大厅的汇总与本人的相减会透露他人的评价，所以都不显示等级。")
	}
	v.Asked = make(map[string]string)
	for name, all := range q.values() {
		if name != "from" && name != "to" {
			v.Asked[name] = all[0]
		}
	}
	see := c.Ever(account.SeeEvaluations) && !q.viewer.guarded
	if see {
		v.See = q.evaluations("", "")
	}
	for _, f := range report.Figures() {
		if f.Works && q.viewer.guarded {
			continue
		}
		v.Figures = append(v.Figures, a.line(f))
	}
	v.Bars = append(v.Bars, barOf(a.Whole))
	for _, x := range a.Parts[:min(len(a.Parts), mostBars)] {
		v.Bars = append(v.Bars, barOf(x))
	}
	v.Channels, v.Paces = a.channels(), a.paces()
	v.Heads = headsOf(q)
	v.More = max(0, len(a.Parts)-tooLong)
	for _, x := range a.Parts[:min(len(a.Parts), tooLong)] {
		l := partLine{ID: x.ID, Name: x.Name, Interval: x.interval(), Place: x.Place}
		for _, f := range v.Heads {
			l.Cells = append(l.Cells, text(value(f, input(x.Sums, x.Of("")), x.Hidden)))
		}
		if x.ID != unknown && q.By.filter != "" {
			if !q.viewer.guarded || q.By.Code == "hall" {
				l.Deeper = "/figures?" + q.query(q.By.filter, x.ID, "by", q.By.next)
			}
			if see {
				l.See = q.evaluations(q.By.filter, x.ID)
			}
		}
		v.Parts = append(v.Parts, l)
		if a.repeats(x) {
			v.Repeated = append(v.Repeated, repeatLine{x.Name, x.ID, report.Bad(report.Input{Amount: x.Of("")}).N, l.See})
		}
		for _, s := range x.Signs {
			v.Signs = append(v.Signs, signLine{s, x.Name, l.See})
		}
	}
	return v
}

// mostBars bounds how many parts have a bar besides the whole.
const mostBars = 12

// text returns a figure as people read it.
func text(v report.Value, ok bool) string {
	if !ok {
		return "不显示"
	}
	return v.String()
}

// line returns a figure of the whole, of each subject, and before.
func (a *answer) line(f report.Figure) line {
	x := a.Whole
	now, ok := value(f, input(x.Sums, x.Of("")), x.Hidden)
	was, before := value(f, input(x.Before, x.Before.Of("")), x.Was)
	l := line{Figure: f, All: text(now, ok), Was: text(was, before), Staff: "–", Matter: "–"}
	if !f.Works {
		l.Staff = text(value(f, input(x.Sums, x.Of(rating.StaffSubject)), x.Hidden))
		l.Matter = text(value(f, input(x.Sums, x.Of(rating.MatterSubject)), x.Hidden))
	}
	if a.q.viewer.guarded && hides(f.Code) { // a part of the whole tells of the other
		l.Staff, l.Matter = "–", "–"
	}
	if ok && before && now.Known() && was.Known() {
		l.Change = change(now, was)
	}
	return l
}

// change says by how much a figure differs from the one before, with its sign.
func change(now, was report.Value) string {
	switch {
	case now.Share && now.Percent() == was.Percent(), !now.Share && now.N == was.N:
		return "持平"
	case now.Share:
		return fmt.Sprintf("%+.2f 个百分点", now.Percent()-was.Percent())
	}
	return fmt.Sprintf("%+d", now.N-was.N)
}

// barOf draws how answers are shared, with what silence has become apart.
func barOf(x part) report.Bar {
	a := x.Of("")
	b := report.Bar{Name: x.Name, N: a.Answered() + a.Silent}
	if b.Name == "" {
		b.Name = x.ID
	}
	if b.N == 0 || x.Hidden {
		b.Words = "没有评价"
		if x.Hidden {
			b.Words = "不显示等级"
		}
		return b
	}
	return report.BarOf(b.Name, a)
}

// channels returns the figures of each channel by which there was something.
func (a *answer) channels() (all []channelLine) {
	var answers []int64
	var some []rating.Channel
	for _, ch := range report.Channels() {
		x := a.Whole.By("", ch)
		if n := x.Answered() + x.Silent; n > 0 {
			some, answers = append(some, ch), append(answers, x.Answered())
		}
	}
	hidden := make([]bool, len(some))
	if a.q.viewer.guarded {
		hidden = report.Withhold(answers, account.LeastCounted)
	}
	whole := a.Whole.Of("")
	for i, ch := range some {
		x := a.Whole.By("", ch)
		l := channelLine{Name: channelName(ch)}
		n := x.Answered() + x.Silent
		l.Cells = append(l.Cells, fmt.Sprint(n), report.Value{N: n, All: whole.Answered() + whole.Silent, Share: true}.String())
		for _, level := range rating.Levels() {
			l.Cells = append(l.Cells, cellOf(x, level, hidden[i] || a.Whole.Hidden))
		}
		good := "–"
		if ch != report.Default {
			good = text(value(activeGood(), report.Input{Amount: x}, hidden[i] || a.Whole.Hidden))
		}
		all = append(all, channelLine{l.Name, append(l.Cells, good)})
	}
	return all
}

func cellOf(a report.Amount, l rating.Level, hidden bool) string {
	switch {
	case hidden:
		return "不显示"
	case a.Silent > 0 && l == rating.FairlySatisfied:
		return fmt.Sprintf("默认 %d", a.Silent)
	}
	return fmt.Sprint(a.Levels[l])
}

func activeGood() report.Figure {
	f, _ := report.FigureOf("active_good_rate")
	return f
}

func channelName(c rating.Channel) string {
	if c == report.Default {
		return "默认（无人评价）"
	}
	return c.Chinese()
}

// headsOf returns the figures of parts.
func headsOf(q *question) (all []report.Figure) {
	if q.By.causes() {
		for _, code := range []string{"answered", "level_5", "level_4", "level_3", "level_2", "level_1", "bad"} {
			if f, ok := report.FigureOf(code); ok {
				all = append(all, f)
			}
		}
		return all
	}
	codes := []string{"served", "asked", "answered", "silent", "good_rate", "active_good_rate", "unrated", "bad", "reply_rate", "in_time_rate",
		"follow_up_rate", "overdue"}
	for _, code := range codes {
		if f, ok := report.FigureOf(code); ok && (!q.viewer.guarded || !f.Works) {
			all = append(all, f)
		}
	}
	return all
}

// evaluations returns the address of the evaluations that count, of a part if one is named.
func (q *question) evaluations(filter, id string) string {
	v := q.values()
	v.Del("by")
	v.Set("status", string(rating.Counted))
	if filter != "" {
		v.Set(filter, id)
	}
	return "/evaluations?" + v.Encode()
}
