package evaluations

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strconv"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

//go:embed *.html *.css
var files embed.FS

// Books is what the pages need of the books.
type Books interface {
	Search(ctx context.Context, q books.Search, after books.Cursor, limit int) (books.Page, error)
	Beyond(ctx context.Context, q books.Search, n int) (bool, error)
	Tally(ctx context.Context, from, to time.Time, within, but books.Within) (books.Tally, error)
	Unrated(ctx context.Context, from, to time.Time, areas []string) (n int64, more bool, err error)
	Cases(ctx context.Context, keys []rating.CaseKey) (map[rating.CaseKey]books.Case, error)
	Entry(ctx context.Context, id int64) (books.Entry, bool, error)
	Evaluation(ctx context.Context, id int64) (books.Detail, bool, error)
}

// Journal is what the pages need of the journal.
type Journal interface {
	Entry(ctx context.Context, pos int64) (journal.Entry, error)
	Text(ctx context.Context, pos int64, part int) (string, error)
	Prove(ctx context.Context, pos int64, part int) (journal.Proof, error)
}

// Config holds what the pages need. All fields are mandatory but Reason, Silence and Awaited.
type Config struct {
	Books     Books
	Journal   Journal
	Directory scope.Directory
	// Reason returns the words of a reason's code. Without it, codes are shown.
	Reason func(code string) string
	// Silence says when a period without an answer is over. Without it, silence means nothing.
	Silence *rating.Calendar
	// Awaited returns the boxes that may still hold an answer in time for a case whose silence has become 基本满意. Without it none does.
	Awaited func(ctx context.Context, c books.Case) ([]rating.DeviceID, error)
}

// pages are the pages.
type pages struct {
	Config
	exports chan struct{} // a place for each export under way
	turns   *web.Turns    // of exports
}

// mostExports bounds the exports under way, each of which reads the books for a while.
const mostExports = 2

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg, make(chan struct{}, mostExports), new(web.Turns)}
	if p.Reason == nil {
		p.Reason = func(code string) string { return code }
	}
	see, take := account.SeeEvaluations, account.TakeEvaluations
	return web.Section{Name: "evaluations", Files: files, Needs: p.needs, Routes: append(p.programs(), []web.Route{
		{Method: "GET", Path: "/evaluations", Action: see, Before: true, Nav: "评价", Do: p.list},
		{Method: "GET", Path: "/evaluations/export.csv", Action: take, Do: p.export},
		{Method: "GET", Path: "/evaluations/export.xlsx", Action: take, Do: p.export},
		{Method: "GET", Path: "/evaluations/export.jsonl", Action: take, Do: p.export},
		{Method: "GET", Path: "/evaluations/texts", Action: account.SeeText, Do: p.askTexts},
		{Method: "POST", Path: "/evaluations/texts", Action: account.SeeText, Do: p.texts},
		{Method: "GET", Path: "/cases", Action: see, Before: true, Nav: "办件", Do: p.seekCase},
		{Method: "GET", Path: "/cases/{area}/{project}", Action: see, Object: p.caseThere, Before: true, Do: p.showCase},
		{Method: "GET", Path: "/figures/own", Action: account.SeeOwnFigures, Nav: "我的汇总", Do: p.own},
		{Method: "GET", Path: "/evaluations/of/{evaluation}", Action: see, Object: p.object, Before: true, Do: p.one},
		{Method: "GET", Path: "/evaluations/of/{evaluation}/proof.json", Action: see, Object: p.object, Before: true, Do: p.proof},
		{Method: "POST", Path: "/evaluations/of/{evaluation}/text", Action: account.SeeText, Object: p.object, Do: p.text},
		{Method: "POST", Path: "/evaluations/of/{evaluation}/identity", Action: account.SeeIdentity, Object: p.object, Do: p.identity},
	}...)}
}

// id returns the evaluation that an address names.
func id(c *web.Call) (int64, error) {
	n, err := strconv.ParseInt(c.R.PathValue("evaluation"), 10, 64)
	if err != nil || n <= 0 {
		return 0, web.ErrNotFound
	}
	return n, nil
}

// object returns what the evaluation is about that an address names.
func (p *pages) object(c *web.Call) (account.Object, error) {
	n, err := id(c)
	if err != nil {
		return account.Object{}, err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return account.Object{}, err
	}
	e, found, err := p.Books.Entry(c.R.Context(), n)
	if err == nil && !found {
		err = web.ErrNotFound
	}
	return scope.Object(a, e), err
}

// needs returns what came in today, for those who may know it, and to window staff that their figures are there.
func (p *pages) needs(c *web.Call) ([]web.Need, error) {
	today, err := p.today(c)
	return append(today, p.closedMonth(c)...), err
}

// today returns what came in today.
func (p *pages) today(c *web.Call) ([]web.Need, error) {
	do := account.SeeEvaluations
	if !c.Ever(do) {
		do = account.SeeFigures
	}
	if !c.Ever(do) {
		return nil, nil
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return nil, err
	}
	today := directory.DayOf(c.Now())
	within, but := scope.Counted(a, c, do, today)
	n, err := p.Books.Tally(c.R.Context(), today.Start(), (today + 1).Start(), within, but)
	if err != nil {
		return nil, err
	}
	more := ""
	if n.More {
		more = " 多"
	}
	need := web.Need{Words: fmt.Sprintf("今天收到 %d%s 份评价", n.All, more), Says: true}
	if do != account.SeeEvaluations {
		return []web.Need{need}, nil // who runs a hall must not be able to tell who rated how
	}
	day := "?from=" + today.String() + "&to=" + today.String()
	need.Path = "/evaluations" + day
	all := []web.Need{need}
	if n.Poor > 0 {
		all = append(all, web.Need{Words: fmt.Sprintf("其中 %d 份不满意或非常不满意", n.Poor), Path: "/evaluations" + day + "&level=1&level=2"})
	}
	silent, err := p.silent(c, today)
	return append(append(all, silent...), p.missing(c)...), err
}

// noticeAhead is how long before days whose notice is not known it is said that deadlines will wait for it.
const noticeAhead = 14 * 24 * time.Hour

// missing says which year's notice of working days the centre lacks, so that deadlines wait for it, to those who see an area's figures.
func (p *pages) missing(c *web.Call) []web.Need {
	if p.Silence == nil || !slices.ContainsFunc(c.Grants(account.SeeFigures), func(g account.Grant) bool {
		return g.Role.Scope() == account.InArea
	}) {
		return nil
	}
	d := p.Silence.Default(c.Now().Add(noticeAhead))
	if !d.Provisional() {
		return nil
	}
	return []web.Need{{Words: fmt.Sprintf("%d 年的放假安排通知还没有放入中心（deadline.calendars）：评价期限落到通知所管日期的办件只能暂定，放入之前不作默认", d.Missing)}}
}

// silent returns how many cases will be rated by silence when today is over (article 14), for those who see the figures of an area.
func (p *pages) silent(c *web.Call, today directory.Day) ([]web.Need, error) {
	if p.Silence == nil {
		return nil, nil
	}
	var areas []string
	for _, g := range c.Grants(account.SeeFigures) {
		if g.Role.Scope() == account.InArea {
			areas = append(areas, g.Scope)
		}
	}
	n, more, err := p.Books.Unrated(c.R.Context(), p.Silence.Overdue(c.Now()), p.Silence.Overdue((today + 1).Start()), areas)
	if err != nil || n == 0 {
		return nil, err
	}
	words := fmt.Sprintf("%d 件办件今天评价期满，仍无人评价的将默认为基本满意（第十四条）", n)
	if more {
		words = fmt.Sprintf("%d 件以上办件今天评价期满，仍无人评价的将默认为基本满意（第十四条）", n)
	}
	return []web.Need{{Words: words, Says: true}}, nil
}
