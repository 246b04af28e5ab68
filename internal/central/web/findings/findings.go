package findings

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
)

//go:embed *.html
var files embed.FS

// Books is what the pages need of the books.
type Books interface {
	Findings(context.Context, books.Filter) ([]books.Finding, error)
}

// Fleet is what the pages need to know of the boxes.
type Fleet interface {
	Known(context.Context, rating.DeviceID) (fleet.Device, error)
}

// Config holds what the pages need. All fields but Silences are mandatory.
type Config struct {
	Books     Books
	Fleet     Fleet
	Directory scope.Directory
	// Silences returns the channels of units by which nobody has rated for long. Without it, none are shown.
	Silences func(context.Context) ([]deadline.Silence, error)
}

type pages struct{ Config }

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg}
	see := account.SeeFindings
	return web.Section{Name: "findings", Files: files, Needs: p.needs, Routes: []web.Route{
		{Method: "GET", Path: "/findings", Action: see, Nav: "数据异常", Do: p.list},
		{Method: "GET", Path: "/api/v1/findings", Action: see, Do: p.listForPrograms},
	}}
}

const (
	shown   = 50
	step    = 500   // read at once
	scanned = 10000 // looked at for one page; the rest is behind its link
)

// found is a finding that somebody may see, with where it lies.
type found struct {
	books.Finding
	Place  directory.Place
	Placed bool
	Detail condition.Text // empty for those who see no evaluations there
}

// place returns where a finding lies, and for account.May what it is about.
func (p *pages) place(c *web.Call, a *directory.Atlas, f books.Finding) (directory.Place, bool, account.Object, error) {
	if f.Device == "" {
		return directory.Place{}, false, account.Object{}, nil
	}
	d, err := p.Fleet.Known(c.R.Context(), f.Device)
	if errors.Is(err, fleet.ErrNoDevice) {
		return directory.Place{}, false, account.Object{}, nil
	}
	if err != nil {
		return directory.Place{}, false, account.Object{}, err
	}
	at, ok := a.Place(d.ID, d.Window.ID, d.Window.Generation, c.Now())
	if !ok {
		return at, false, account.Object{}, nil
	}
	return at, true, scope.ObjectOf(at), nil
}

// find returns up to most findings after one, as far as the person may see them, the newest first. Next is where the following ones begin,
// 0 at the end.
func (p *pages) find(c *web.Call, open bool, after int64, most int) (all []found, next int64, err error) {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return nil, 0, err
	}
	f := books.Filter{Open: open, After: after, Limit: step}
	for looked := 0; looked < scanned; looked += f.Limit {
		some, err := p.Books.Findings(c.R.Context(), f)
		if err != nil {
			return nil, 0, fmt.Errorf("read the findings: %w", err)
		}
		for _, x := range some {
			at, placed, o, err := p.place(c, a, x)
			if err != nil {
				return nil, 0, err
			}
			if !c.May(account.SeeFindings, o) {
				continue
			}
			if len(all) == most {
				return all, all[most-1].ID, nil
			}
			one := found{Finding: x, Place: at, Placed: placed}
			if c.May(account.SeeEvaluations, o) {
				one.Detail = x.Words()
			}
			all = append(all, one)
		}
		if len(some) < f.Limit {
			return all, 0, nil
		}
		f.After = some[len(some)-1].ID
	}
	return all, f.After, nil
}

// silent is a silent channel with the name of its unit.
type silent struct {
	deadline.Silence
	Name    string
	LastDay string // of the last rating
}

// silences returns the silent channels of units that the person looks after (保障本单位…渠道畅通, article 7).
func (p *pages) silences(c *web.Call) (all []silent, err error) {
	if p.Silences == nil {
		return nil, nil
	}
	found, err := p.Silences(c.R.Context())
	if err != nil || len(found) == 0 {
		return nil, err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		s, o := silent{Silence: f, Name: f.Unit, LastDay: f.Last.In(web.Zone()).Format(time.DateOnly)}, account.Object{}
		for i, u := range a.Units(f.Unit, directory.DayOf(c.Now())) {
			if i == 0 {
				s.Name, o.Area = u.Name, u.Area
			}
			o.Units = append(o.Units, u.ID)
		}
		if c.May(account.SeeFindings, o) {
			all = append(all, s)
		}
	}
	return all, nil
}

// row is a finding in words.
type row struct {
	found
	Name, Advice string
	At, Ended    string
	Box          string // address of the box's page, empty if the person does not see it
}

// listed is what the page shows.
type listed struct {
	Rows []row
	All  bool // resolved ones too
	More string
	Past bool // it is not the first page

	Silent []silent // on the first page
}

func (p *pages) list(c *web.Call) error {
	q := c.R.URL.Query()
	v := listed{All: q.Get("state") == "all", Past: q.Has("after")}
	after, err := placeOf(q.Get("after"))
	if err != nil {
		return err
	}
	some, next, err := p.find(c, !v.All, after, shown)
	if err != nil {
		return err
	}
	for _, f := range some {
		r := row{found: f, At: at(f.Found), Ended: at(f.Resolved)}
		r.Name, r.Advice = f.Kind.Chinese()
		if f.Placed && c.May(account.SeeBoxes, scope.ObjectOf(f.Place)) {
			r.Box = "/fleet/boxes/" + string(f.Device)
		}
		v.Rows = append(v.Rows, r)
	}
	if !v.Past {
		if v.Silent, err = p.silences(c); err != nil {
			return err
		}
	}
	if next != 0 {
		v.More = "/findings?after=" + strconv.FormatInt(next, 10)
		if v.All {
			v.More += "&state=all"
		}
	}
	return c.Show("findings/list", v)
}

func placeOf(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, &web.Refusal{Words: "cursor 应为上一页的 next。The cursor is the next of the page before."}
	}
	return n, nil
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return web.Clock(t.UnixMilli())
}

// counted bounds what the home page counts.
const counted = 100

// needs returns how many findings stand.
func (p *pages) needs(c *web.Call) ([]web.Need, error) {
	if !c.Ever(account.SeeFindings) {
		return nil, nil
	}
	channels, err := p.silences(c)
	if err != nil {
		return nil, err
	}
	var all []web.Need
	if len(channels) > 0 {
		all = append(all, web.Need{Words: fmt.Sprintf("%d 个单位的评价渠道长期没有评价", len(channels)), Path: "/findings"})
	}
	some, next, err := p.find(c, true, 0, counted)
	if err != nil || len(some) == 0 {
		return all, err
	}
	words := fmt.Sprintf("%d 处数据异常未处理", len(some))
	if next != 0 {
		words = fmt.Sprintf("%d 处以上数据异常未处理", len(some))
	}
	return append(all, web.Need{Words: words, Path: "/findings", Grave: true}), nil
}

// told is a finding as programs read it.
type told struct {
	ID       int64             `json:"id"`
	Kind     books.FindingKind `json:"kind"`
	Means    string            `json:"means"`  // in Chinese
	Advice   string            `json:"advice"` // in Chinese
	Device   rating.DeviceID   `json:"device,omitempty"`
	Source   string            `json:"source,omitempty"`
	Epoch    rating.Epoch      `json:"epoch,omitzero"`
	From     uint64            `json:"from"`
	To       uint64            `json:"to"`
	Count    int64             `json:"count"`
	More     bool              `json:"more"`
	Detail   string            `json:"detail,omitempty"`    // in Chinese
	DetailEN string            `json:"detail_en,omitempty"` // in English
	Area     string            `json:"area,omitempty"`
	Hall     string            `json:"hall,omitempty"`
	Window   string            `json:"window,omitempty"`
	Found    time.Time         `json:"found_at"`
	Resolved time.Time         `json:"resolved_at,omitzero"`
}

// listForPrograms answers with the findings that the person may see, the newest first.
func (p *pages) listForPrograms(c *web.Call) error {
	if err := c.Query("state", "cursor", "limit"); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	q := c.R.URL.Query()
	state := q.Get("state")
	if state != "" && state != "open" && state != "all" {
		return &web.Refusal{Words: "state 应为 open 或 all。state is open or all."}
	}
	after, err := placeOf(q.Get("cursor"))
	if err != nil {
		return err
	}
	some, next, err := p.find(c, state != "all", after, most)
	if err != nil {
		return err
	}
	var items []told
	for _, f := range some {
		t := told{ID: f.ID, Kind: f.Kind, Device: f.Device, Source: f.Source, Epoch: f.Epoch, From: f.From, To: f.To, Count: f.Count,
			More: f.More, Detail: f.Detail.ZH, DetailEN: f.Detail.EN,
			Found: f.Found.In(web.Zone()), Resolved: f.Resolved}
		t.Means, t.Advice = f.Kind.Chinese()
		if f.Placed {
			t.Area, t.Hall, t.Window = f.Place.Area().ID, f.Place.Hall.ID, f.Place.Window.ID
		}
		if !t.Resolved.IsZero() {
			t.Resolved = t.Resolved.In(web.Zone())
		}
		items = append(items, t)
	}
	if next == 0 {
		return web.List(c, items, "")
	}
	return web.List(c, items, strconv.FormatInt(next, 10))
}
