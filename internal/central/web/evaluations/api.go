package evaluations

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// programs returns what programs read of evaluations: neither texts nor who somebody is, which no token may see.
func (p *pages) programs() []web.Route {
	see := account.SeeEvaluations
	return []web.Route{
		{Method: "GET", Path: "/api/v1/evaluations", Action: see, Do: p.listForPrograms},
		{Method: "GET", Path: "/api/v1/evaluations/{evaluation}", Action: see, Object: p.object, Do: p.tell},
		{Method: "GET", Path: "/api/v1/evaluations/{evaluation}/proof", Action: see, Object: p.object, Do: p.proof},
		{Method: "GET", Path: "/api/v1/cases/{area}/{project}", Action: see, Object: p.caseThere, Do: p.tellOfCase},
	}
}

// listForPrograms answers with the evaluations that a filter finds, the newest first.
func (p *pages) listForPrograms(c *web.Call) error {
	if err := c.Query(append(names(), "cursor", "limit")...); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	form := c.R.URL.Query()
	if form.Has("level") {
		form["level"] = strings.Split(form.Get("level"), ",")
	}
	if slices.ContainsFunc(form["level"], func(s string) bool { return len(s) != 1 || s < "1" || s > "5" }) {
		return &web.Refusal{Words: "level 应为 1 至 5，用逗号分开。level is 1 to 5, with commas between."}
	}
	if text := form.Get("text"); text != "" && text != "true" {
		return &web.Refusal{Words: "text 应为 true 或不写。text is true, or left out."}
	}
	after, err := books.ParseCursor(form.Get("cursor"))
	if err != nil {
		return &web.Refusal{Words: "cursor 应为上一页的 next。The cursor is the next of the page before."}
	}
	q, err := p.search(c, filterOf(url.Values(form)), account.SeeEvaluations)
	if err != nil {
		return err
	}
	found, err := p.Books.Search(c.R.Context(), q, after, most)
	if err != nil {
		return err
	}
	return web.List(c, found.Entries, found.Next.String())
}

// told is one evaluation as programs read it.
type told struct {
	books.Entry
	Outcome  string       `json:"outcome,omitempty"` // how the visit ended, empty while that is not known
	Cases    []toldCase   `json:"cases"`             // that the visit handled
	Contests []toldFor    `json:"contests"`          // what it may count for
	More     bool         `json:"more"`              // there is more than contests and their others have
	Place    source       `json:"entry"`
	Replaces uint64       `json:"replaces,omitempty"` // seq of what it corrects
	Clock    *toldBoxTime `json:"clock,omitempty"`    // of the box
}

type toldCase struct {
	ProjectNo string `json:"project_no"`
	TaskCode  string `json:"task_code,omitempty"`
	TaskName  string `json:"task_name,omitempty"`
	Completed bool   `json:"completed"`
}

// toldFor is what an evaluation may count for: a case, or a subject of its visit.
type toldFor struct {
	Subject   rating.Subject  `json:"subject,omitempty"`
	Area      string          `json:"area,omitempty"`
	ProjectNo string          `json:"project_no,omitempty"`
	Status    rating.Standing `json:"status"`
	Others    []toldRival     `json:"others"` // that one may see, by arrival
}

type toldRival struct {
	Cursor  int64           `json:"cursor"`
	Level   rating.Level    `json:"level"`
	Channel rating.Channel  `json:"channel"`
	At      time.Time       `json:"at"`
	Status  rating.Standing `json:"status"`
	Overall bool            `json:"overall"` // it is about all matters of a theme at once
}

type toldBoxTime struct {
	Boot   uint32 `json:"boot"`
	Mono   int64  `json:"mono"` // milliseconds since that start
	Wall   int64  `json:"wall"` // milliseconds since 1970-01-01 UTC
	Synced bool   `json:"synced"`
}

// tell answers with the evaluation of the address.
func (p *pages) tell(c *web.Call) error {
	d, err := p.known(c)
	if err != nil {
		return err
	}
	v := told{Entry: d.Entry, Cases: []toldCase{}, Contests: []toldFor{}, More: d.MoreToShow, Replaces: d.Replaces, Place: d.source}
	if d.Seq > 0 {
		v.Clock = &toldBoxTime{d.Stamp.Boot, d.Stamp.Mono, d.Stamp.Wall, d.Stamp.Synced}
	}
	if d.Closed != nil {
		v.Outcome = string(d.Closed.Outcome)
	}
	if d.Visit != nil {
		for _, x := range d.Visit.Cases {
			v.Cases = append(v.Cases, toldCase{x.ProjectNo, x.TaskCode, x.TaskName, x.Completed})
		}
	}
	for _, x := range d.Contests {
		f := toldFor{Subject: x.Item.Subject, Area: x.Item.Case.Area, ProjectNo: x.Item.Case.Project, Status: x.Standing, Others: []toldRival{}}
		for _, o := range x.Others {
			f.Others = append(f.Others, toldRival{o.Cursor, o.Level, o.Channel, o.At, o.Standing, o.Overall})
		}
		v.Contests = append(v.Contests, f)
	}
	return c.JSON(v)
}
