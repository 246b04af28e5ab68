package figures

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"net/http"
	"slices"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/integrity"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

//go:embed *.html *.css
var files embed.FS

// Reports is what the pages need of the aggregates.
type Reports interface {
	Sum(context.Context, report.Ask) (report.Table, error)
	Month(context.Context, report.Month) (report.Table, error)
	Names(ctx context.Context, split report.Split, of []string) (map[string]string, error)
	Progress(context.Context) (report.Progress, error)
}

// Config holds what the pages need. All fields but Ways are mandatory.
type Config struct {
	Reports   Reports
	Directory scope.Directory
	// Cause returns the words of a reason, as aggregates name it, and what of article 9 it is about.
	Cause func(cause string) (words string, about rating.Aspect)
	// Paces returns how fast keys were pressed, false where that are too many boxes to look at.
	Paces func(ctx context.Context, days directory.Period, fits func(report.Where) bool,
		group func(report.Where) string) (map[string]integrity.Pace, bool, error)
	Subscriptions Subscriptions
	Ways          Ways
	Ranked        int64 // how many answers it takes to be ranked, 0 for report.LeastRanked
}

type pages struct {
	Config
	sums chan struct{} // a place for each sum under way
}

// mostSums bounds the sums under way, each of which may read a good part of the aggregates.
const mostSums = 4

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	cfg.Ranked = cmp.Or(cfg.Ranked, report.LeastRanked)
	p := &pages{cfg, make(chan struct{}, mostSums)}
	see := account.SeeFigures
	return web.Section{Name: "figures", Files: files, Needs: p.needs, Routes: append(p.subscriptions(), []web.Route{
		{Method: "GET", Path: "/figures", Action: see, Nav: "统计", Do: p.page},
		{Method: "GET", Path: "/figures/export.csv", Action: see, Do: p.sheet},
		{Method: "GET", Path: "/figures/export.xlsx", Action: see, Do: p.workbook},
		{Method: "GET", Path: "/figures/print.pdf", Action: see, Do: p.print},
		{Method: "GET", Path: "/api/v1/figures", Action: see, Do: p.tell},
	}...)}
}

// part is a part of what is asked for, in words, or the whole.
type part struct {
	ID, Name string
	report.Sums
	Before report.Sums
	Hidden bool // its levels are withheld, as Was of the period before
	Was    bool
	Place  int             // among the parts, 0: it has too few answers, or nobody is ranked
	Pace   *integrity.Pace // nil: it is not told
	Signs  []report.Sign
}

// input returns of what a figure is made, of one subject or of both.
func input(s report.Sums, a report.Amount) report.Input { return report.Input{Amount: a, Work: s.Work} }

// answer is what was asked for.
type answer struct {
	q      *question
	Before directory.Period
	Whole  part
	Parts  []part // those with the most answers first
	ranked int64  // how many answers it takes to be ranked
	report.Progress
}

// answer adds up what a question asks for.
func (p *pages) answer(c *web.Call, q *question) (*answer, error) {
	ctx := c.R.Context()
	select {
	case p.sums <- struct{}{}:
		defer func() { <-p.sums }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a := &answer{q: q, Before: report.Before(q.Days), ranked: p.Ranked}
	var err error
	if a.Progress, err = p.Reports.Progress(ctx); err != nil {
		return nil, err
	}
	if q.viewer.guarded {
		return a, p.hall(c, a)
	}
	now, err := p.Reports.Sum(ctx, q.ask(q.Days))
	if err != nil {
		return nil, err
	}
	before, err := p.Reports.Sum(ctx, q.ask(a.Before))
	if err != nil {
		return nil, err
	}
	a.Whole = part{Name: "全部", Sums: now.Total, Before: before.Total}
	was := make(map[string]report.Sums)
	for _, r := range before.Rows {
		was[r.ID] = r.Sums
	}
	for _, r := range now.Rows {
		a.Parts = append(a.Parts, part{ID: r.ID, Sums: r.Sums, Before: was[r.ID]})
	}
	if !q.By.causes() {
		a.rank()
	}
	a.sign()
	if err := p.pace(ctx, a); err != nil {
		return nil, err
	}
	return a, p.name(c, a)
}

// name orders the parts and says what they are called.
func (p *pages) name(c *web.Call, a *answer) error {
	slices.SortFunc(a.Parts, func(x, y part) int {
		return cmp.Or(cmp.Compare(y.Of("").Answered(), x.Of("").Answered()), cmp.Compare(x.ID, y.ID))
	})
	var ids []string
	for _, x := range a.Parts {
		ids = append(ids, x.ID)
	}
	names, err := p.names(c, a.q, ids)
	if err != nil {
		return err
	}
	for i := range a.Parts {
		a.Parts[i].Name = names(a.Parts[i].ID)
	}
	return nil
}

// rank gives the parts that are known and have enough answers their places.
func (a *answer) rank() {
	all := make([]report.Amount, len(a.Parts))
	for i, x := range a.Parts {
		if x.ID != unknown {
			all[i] = x.Of("")
		}
	}
	for i, place := range report.Rank(all, a.ranked) {
		a.Parts[i].Place = place
	}
}

// sign compares windows with the others of their halls. Only the persons are compared: what matters are handled differs from window to
// window.
func (a *answer) sign() {
	if a.q.By.Code != "window" {
		return
	}
	hall := func(x part) string {
		r, _ := a.q.atlas.At(directory.Window, x.ID, a.q.Days.To-1)
		return r.Hall
	}
	all := make(map[string]report.Amount)
	for _, x := range a.Parts {
		all[hall(x)] = all[hall(x)].Plus(x.Of(rating.StaffSubject))
	}
	for i := range a.Parts {
		x := &a.Parts[i]
		own := x.Of(rating.StaffSubject)
		for _, s := range report.Signs() {
			if h := hall(*x); h != "" && s.Raised(own, all[h].Plus(own.Times(-1))) {
				x.Signs = append(x.Signs, s)
			}
		}
	}
}

// interval returns within what the share of good answers lies, empty where nobody has answered.
func (x part) interval() string {
	a := x.Of("")
	if a.Answered() == 0 {
		return ""
	}
	i := report.Sureness(a)
	return fmt.Sprintf("%.1f–%.1f", i.Low, i.High)
}

// names returns what parts are called: today, or as they were last.
func (p *pages) names(c *web.Call, q *question, ids []string) (func(string) string, error) {
	switch q.By.Code {
	case "channel":
		return func(id string) string { return channelName(rating.Channel(id)) }, nil
	case "cause":
		return func(id string) string { words, _ := p.Cause(id); return words }, nil
	case "aspect":
		return func(id string) string { return cmp.Or(rating.Aspect(id).Chinese(), "目录未写明方面") }, nil
	}
	kind := map[string]directory.Kind{"area": directory.Area, "unit": directory.Unit, "hall": directory.Hall,
		"window": directory.Window}[q.By.Code]
	called := make(map[string]string)
	if kind == "" {
		split := report.ByMatter
		if q.By.Code == "staff" {
			split = report.ByStaff
		}
		var err error
		if called, err = p.Reports.Names(c.R.Context(), split, ids); err != nil {
			return nil, err
		}
	}
	return func(id string) string {
		if id == unknown {
			return map[string]string{"area": "机构信息中没有", "unit": "单位未说明", "hall": "不在大厅（线上、热线等）", "window": "不在窗口（线上、热线等）"}[q.By.Code] + called[id]
		}
		for _, d := range []directory.Day{q.Days.To - 1, q.Days.From, q.today} {
			if r, ok := q.atlas.At(kind, id, d); kind != "" && ok {
				if q.By.Code == "window" {
					if h, ok := q.atlas.At(directory.Hall, r.Hall, d); ok {
						return h.Name + " " + r.Name
					}
				}
				return r.Name
			}
		}
		return called[id]
	}, nil
}

// hides reports whether a figure says how people have answered.
func hides(code string) bool {
	switch code {
	case "served", "asked", "answered", "silent", "participation", "real_share", "unrated", "unrated_with_defaults":
		return false
	}
	return true
}

// value returns a figure of sums, and false where it is withheld.
func value(f report.Figure, in report.Input, hidden bool) (report.Value, bool) {
	if hidden && hides(f.Code) {
		return report.Value{}, false
	}
	return f.Of(in), true
}

// tooLong is what a page says that shows a part only.
const tooLong = 200

// status is that of a page with a refusal.
const status = http.StatusUnprocessableEntity
