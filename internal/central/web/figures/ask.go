package figures

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// by is a way to part figures.
type by struct {
	Code, Chinese string
	split         report.Split
	next          string // by what the parts of a part stand
	filter        string // which parameter a part is, empty: none
}

// causes reports whether parts are reasons or what they are about: an answer that names two stands in both.
func (b by) causes() bool { return b.split == report.ByCause }

func ways() []by {
	return []by{
		{"area", "区划", report.Whole, "area", "area"}, {"unit", "单位", report.Whole, "hall", "unit"},
		{"hall", "大厅", report.Whole, "window", "hall"},
		{"window", "窗口", report.Whole, "staff", "window"}, {"staff", "人员", report.ByStaff, "staff", "staff"},
		{"matter", "事项", report.ByMatter, "matter", "task"}, {"channel", "渠道与平台", report.Whole, "", ""},
		{"cause", "原因", report.ByCause, "", ""}, {"aspect", "评价方面（第九条）", report.ByCause, "", ""},
	}
}

// parameters returns the form's fields.
func parameters() []string {
	return []string{"from", "to", "by", "area", "unit", "hall", "window", "staff", "task"}
}

// question is what somebody asks for.
type question struct {
	Days                     directory.Period
	By                       by
	Area, Unit, Hall, Window string // IDs
	Staff, Task              string
	viewer                   *viewer
	cause                    func(string) (string, rating.Aspect)
	atlas                    *directory.Atlas
	today                    directory.Day
}

// questionOf reads what is asked for. A name stands for what is called so today.
func (p *pages) questionOf(c *web.Call, form url.Values) (*question, error) {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return nil, err
	}
	q := &question{viewer: viewerOf(c), cause: p.Cause, atlas: a, today: directory.DayOf(c.Now())}
	get := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	if q.Days, err = q.days(c, get("from"), get("to")); err != nil {
		return q, err
	}
	q.Area, q.Unit, q.Hall, q.Window, q.Staff, q.Task = q.named(directory.Area, get("area")), q.named(directory.Unit, get("unit")),
		q.named(directory.Hall, get("hall")),
		q.named(directory.Window, get("window")), get("staff"), get("task")
	if len(q.Area) == 6 {
		q.Area += "000000"
	}
	if q.Area != "" && !account.IsArea(q.Area) {
		return q, &web.Refusal{Words: "区划请写 6 位或 12 位代码，或区划的全称。Write the area as its code of 6 or 12 digits, or its name."}
	}
	if q.Staff != "" && q.Task != "" {
		return q, errApart
	}
	return q, q.parted(get("by"))
}

var errApart = &web.Refusal{Words: "人员与事项请分开查：评价人员的不分事项，评价事项的不分人员。Ask for staff or for a matter; they are rated apart."}

// parted reads by what the figures are to be parted; empty is by what is most telling.
func (q *question) parted(code string) error {
	if code == "" {
		code = "area"
		if _, ok := q.viewer.base(); !ok || q.Hall != "" {
			code = "window"
		}
		if q.viewer.guarded && len(q.halls()) > 1 {
			code = "hall"
		}
		if q.Staff != "" {
			code = "staff"
		}
		if q.Task != "" {
			code = "matter"
		}
	}
	i := slices.IndexFunc(ways(), func(w by) bool { return w.Code == code })
	if i < 0 {
		return &web.Refusal{Words: "没有这种分组。There is no such way to part figures."}
	}
	q.By = ways()[i]
	if q.By.causes() && q.Staff+q.Task != "" {
		return &web.Refusal{Words: "原因与方面按地区、单位、大厅和窗口统计，请不要同时指定人员或事项。Reasons stand by places, without staff or matter."}
	}
	if q.Staff != "" && code == "matter" || q.Task != "" && code == "staff" {
		return errApart
	}
	return q.guard()
}

// guard refuses what would tell who rated how to those who must not know.
func (q *question) guard() error {
	if !q.viewer.guarded {
		return nil
	}
	if q.By.Code != "window" && q.By.Code != "hall" || q.Area+q.Unit+q.Window+q.Staff+q.Task != "" {
		return &web.Refusal{Words: "大厅的汇总只按大厅和窗口列出（第四条：看不出是谁的评价）。A hall's figures stand by hall and window only."}
	}
	if q.By.Code == "window" && len(q.halls()) > 1 {
		return &web.Refusal{Words: "按窗口请逐个大厅查看，请写明大厅（第四条：看不出是谁的评价）。Name the hall; windows stand by one hall at a time."}
	}
	return nil
}

// days reads the period. Without one it is the month so far, or for a hall the last that is closed.
func (q *question) days(c *web.Call, from, to string) (directory.Period, error) {
	if from == "" && to == "" {
		if q.viewer.guarded {
			return closedMonth(c.Now()), nil
		}
		y, m, _ := c.Now().In(web.Zone()).Date()
		return directory.Period{From: month(y, m).From, To: q.today + 1}, nil
	}
	var p directory.Period
	var err error
	if p.From, err = directory.ParseDay(from); err == nil {
		p.To, err = directory.ParseDay(to)
		p.To++
	}
	switch {
	case from == "" || to == "":
		return p, &web.Refusal{Words: "请写开始和结束两个日期，或都不写。Write both days, or none."}
	case err != nil:
		return p, &web.Refusal{Words: err.Error()}
	case p.From >= p.To:
		return p, &web.Refusal{Words: "开始日期晚于结束日期，请调换。The first day is after the last."}
	case p.To-p.From > report.MaxDays:
		return p, &web.Refusal{Words: fmt.Sprintf("一次最多统计 %d 天。At most %d days are added up.", report.MaxDays, report.MaxDays)}
	case q.viewer.guarded && !isClosedMonth(p, c.Now()):
		return p, &web.Refusal{Words: "大厅的汇总按自然月查看，每月结束一周后可看（第四条：看不出是谁的评价）。A hall's figures are those of one month that ended a week ago."}
	}
	return p, nil
}

// named returns the ID of what is called so today, else the text itself.
func (q *question) named(k directory.Kind, s string) string {
	if _, ok := q.atlas.At(k, s, q.today); s == "" || ok {
		return s
	}
	for r := range q.atlas.Each(k, q.today) {
		if r.Name == s {
			return r.ID
		}
	}
	return s
}

// fits reports whether a place is asked for and the viewer's.
func (q *question) fits(w report.Where) bool {
	return (q.Area == "" || w.Area != "" && account.Within(q.Area, w.Area)) && (q.Unit == "" || slices.Contains(w.Units, q.Unit)) &&
		(q.Hall == "" || w.Hall == q.Hall) && (q.Window == "" || w.Window == q.Window) && q.viewer.may(w)
}

// unknown is the row of what lies nowhere, or is not said.
const unknown = "-"

// group returns the row in which something stands.
func (q *question) group(w report.Where, of string) string {
	id := ""
	switch q.By.Code {
	case "area":
		id = q.part(w.Area)
	case "unit":
		if len(w.Units) > 0 {
			id = w.Units[0]
		}
	case "hall":
		id = w.Hall
	case "window":
		id = w.Window
	case "aspect":
		_, a := q.cause(of)
		id = string(a)
	default:
		id = of
	}
	if id == "" {
		return unknown
	}
	return id
}

// part returns the area one level below the one that is asked for, in which an area lies.
func (q *question) part(area string) string {
	base := q.Area
	if base == "" {
		base, _ = q.viewer.base()
	}
	if area == "" || base == "" {
		return area
	}
	cut := 12
	if strings.Trim(base, "0") == "" {
		return area[:2] + strings.Repeat("0", 10)
	}
	for _, n := range []int{2, 4, 6, 9} {
		if base[:n]+strings.Repeat("0", 12-n) == base {
			cut = map[int]int{2: 4, 4: 6, 6: 9, 9: 12}[n]
			break
		}
	}
	return area[:cut] + strings.Repeat("0", 12-cut)
}

// ask returns what the question asks the aggregates for.
func (q *question) ask(days directory.Period) report.Ask {
	a := report.Ask{Days: days, Split: q.By.split, Fits: q.fits, Group: q.group, Channels: q.By.Code == "channel"}
	switch {
	case q.Staff != "":
		a.Split, a.Of = report.ByStaff, q.Staff
	case q.Task != "":
		a.Split, a.Of = report.ByMatter, q.Task
	}
	return a
}

// values returns the question as a form has it.
func (q *question) values() url.Values {
	v := url.Values{"from": {q.Days.From.String()}, "to": {(q.Days.To - 1).String()}, "by": {q.By.Code}}
	for name, s := range map[string]string{"area": q.Area, "unit": q.Unit, "hall": q.Hall, "window": q.Window, "staff": q.Staff,
		"task": q.Task} {
		if s != "" {
			v.Set(name, s)
		}
	}
	return v
}

// query returns the question as an address has it, with some parameters changed.
func (q *question) query(pairs ...string) string {
	v := q.values()
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}
