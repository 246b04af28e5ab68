package dossiers

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
)

//go:embed *.html *.css
var files embed.FS

// Config holds what the pages need. All fields are mandatory.
type Config struct {
	Dossiers  *dossier.Dossiers
	Directory scope.Directory
	// Name returns the name of an account, its id if it has none.
	Name func(ctx context.Context, account string) string
	// Find returns who has a login, and their appointments; account.ErrNoAccount if nobody does.
	Find func(ctx context.Context, login string) (account.Account, []account.Grant, error)
	// Publications drafts results.
	Publications Publications
	// Sheets drafts yearly sheets.
	Sheets Sheets
}

// Sheets is what is needed of yearly sheets.
type Sheets interface {
	Draft(ctx context.Context, by dossier.By, unit string, year int) (opened int, err error)
}

// Publications is what is needed of results that are published.
type Publications interface {
	Draft(ctx context.Context, by dossier.By, area string, days directory.Period) (id int64, err error)
	Check(context.Context, dossier.Kept) error
}

type pages struct{ Config }

// door is by which some kinds of dossiers are reached: the first one's by the plain address.
type door struct {
	path    string
	nav     string
	english string
	kinds   []dossier.Kind
	see     account.Action
	hands   map[dossier.Hand]account.Action
	means   string // in Chinese, above the list
	form    string // by which a dossier is begun, empty: people begin none
}

func doors() []door {
	return []door{
		{"/integrity", "疑点", "Signs", []dossier.Kind{dossier.Sign}, account.SeeIntegrity,
			map[dossier.Hand]account.Action{dossier.Office: account.WorkIntegrity},
			"评价是否真实自愿（第四条）的统计疑点。只是线索，不证明任何事情；由人核实后办结，不自动作为考核依据。", ""},
		{"/publications", "发布", "Publications", []dossier.Kind{dossier.Publication}, account.SeePublished,
			map[dossier.Hand]account.Action{dossier.Office: account.EditPublished, dossier.Chief: account.Publish},
			"好差评结果的通报和发布（第十九条）：起草、修改文字、由他人批准、发布。数字不能改；小于 10 的数和可推得它们的数不公布。发布后不再改动，更正另发一版。", "dossiers-draft"},
		{"/assessment", "整改与问题", "Assessment", []dossier.Kind{dossier.Mend, dossier.Problem, dossier.Sheet}, account.SeeAssessment,
			map[dossier.Hand]account.Action{dossier.Office: account.WorkAssessment, dossier.Concerned: account.AnswerOrder},
			"连续三个月靠后的，由管理机构决定是否责令限期整改（第二十一条）；反映集中的问题，交办并限期解决（第二十二条）；年度评价表由单位核对签认（第二十条）。" +
				"系统只提出，不自动作出任何处理；下达之前，被评的单位和人员看不到。", "dossiers-sheets"},
	}
}

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg}
	s := web.Section{Name: "dossiers", Files: files, Needs: p.needs}
	for _, d := range doors() {
		api, object := "/api/v1"+d.path, p.objectBy(d)
		s.Routes = append(s.Routes,
			web.Route{Method: "GET", Path: d.path, Action: d.see, Nav: d.nav, Do: func(c *web.Call) error { return p.list(c, d) }},
			web.Route{Method: "GET", Path: d.path + "/of/{dossier}", Action: d.see, Object: object,
				Do: func(c *web.Call) error { return p.show(c, d, http.StatusOK, "") }},
			web.Route{Method: "GET", Path: d.path + "/of/{dossier}/print.pdf", Action: d.see, Object: object,
				Do: func(c *web.Call) error { return p.print(c, d) }},
			web.Route{Method: "GET", Path: api, Action: d.see, Do: func(c *web.Call) error { return p.listForPrograms(c, d) }},
			web.Route{Method: "GET", Path: api + "/{dossier}", Action: d.see, Object: object,
				Do: func(c *web.Call) error { return p.tell(c, d) }})
		for hand, action := range d.hands {
			s.Routes = append(s.Routes,
				web.Route{Method: "POST", Path: d.path + "/of/{dossier}/" + string(hand), Action: action, Object: object,
					Do: func(c *web.Call) error { return p.does(c, d, hand) }},
				web.Route{Method: "POST", Path: api + "/{dossier}/" + string(hand), Action: action, Object: object,
					Do: func(c *web.Call) error { return p.doesForPrograms(c, d, hand) }})
		}
	}
	s.Routes = append(s.Routes, web.Route{Method: "POST", Path: "/publications/drafts", Action: account.EditPublished, Do: p.draft},
		web.Route{Method: "POST", Path: "/assessment/sheets", Action: account.WorkAssessment, Do: p.sheets})
	return s
}

// found returns the dossier that an address names, if it is one of the door's.
func (p *pages) found(c *web.Call, d door) (dossier.Kept, error) {
	id, err := strconv.ParseInt(c.R.PathValue("dossier"), 10, 64)
	if err != nil {
		return dossier.Kept{}, web.ErrNotFound
	}
	k, err := p.Dossiers.Dossier(c.R.Context(), id)
	if errors.Is(err, dossier.ErrNone) || err == nil && (!slices.Contains(d.kinds, k.Kind) || !d.shows(c, k)) {
		err = web.ErrNotFound
	}
	return k, err
}

// shows reports whether a dossier may be shown to those who see its place: what is only proposed about a unit, or was and came to nothing,
// is for offices and auditors.
func (d door) shows(c *web.Call, k dossier.Kept) bool {
	if _, concerns := d.hands[dossier.Concerned]; !concerns || k.Told && k.State != dossier.Waiting {
		return true
	}
	o := objectOf(k.Dossier)
	return c.May(d.hands[dossier.Office], o) || c.May(account.SeeAudit, o) ||
		slices.ContainsFunc(c.Grants(d.see), func(g account.Grant) bool { return g.Role != account.Unit && account.Within(g.Scope, o.Area) })
}

func (p *pages) objectBy(d door) func(*web.Call) (account.Object, error) {
	return func(c *web.Call) (account.Object, error) {
		k, err := p.found(c, d)
		return objectOf(k.Dossier), err
	}
}

// objectOf returns what a dossier is about, for account.May.
func objectOf(d dossier.Dossier) account.Object {
	o := account.Object{Area: d.Area, Hall: d.Hall, Units: d.Units}
	if d.Kind == dossier.Problem && d.Owner != "" { // which the unit has that is to solve it
		o.Units = append(slices.Clip(o.Units), d.Owner)
	}
	return o
}

const (
	shown   = 50
	step    = 200
	scanned = 5000 // looked at for one page; the rest is behind its link
)

// find returns up to most dossiers before one that the person may see, the newest first. Next is where the following ones begin, 0 at the
// end.
func (p *pages) find(c *web.Call, d door, f dossier.Filter, most int) (all []dossier.Kept, next int64, err error) {
	f.Limit = step
	for looked := 0; looked < scanned; looked += step {
		some, err := p.Dossiers.List(c.R.Context(), f)
		if err != nil {
			return nil, 0, err
		}
		for _, k := range some {
			if !c.May(d.see, objectOf(k.Dossier)) || !d.shows(c, k) {
				continue
			}
			if len(all) == most {
				return all, all[most-1].ID, nil
			}
			all = append(all, k)
		}
		if len(some) < step {
			return all, 0, nil
		}
		f.Before = some[len(some)-1].ID
	}
	return all, f.Before, nil
}

// row is a dossier in words.
type row struct {
	dossier.Kept
	Path   string
	State  string
	Since  string
	Opened string
	Due    string
	Late   bool
	Owner  string
}

func (p *pages) row(c *web.Call, d door, k dossier.Kept) row {
	r := row{Kept: k, Path: fmt.Sprintf("%s/of/%d", d.path, k.ID), State: k.State.Chinese(k.Kind), Since: web.Clock(k.Since),
		Opened: web.Clock(k.Opened), Late: k.Late(c.Now())}
	if k.Due > 0 {
		r.Due = lastDay(k.Due)
	}
	if k.Owner != "" {
		r.Owner = p.owner(c, k.Dossier)
	}
	return r
}

// lastDay returns the last day before a time.
func lastDay(ms int64) string { return time.UnixMilli(ms - 1).In(web.Zone()).Format(time.DateOnly) }

// owner returns who is to do something, in words.
func (p *pages) owner(c *web.Call, k dossier.Dossier) string {
	if k.Kind == dossier.Sign {
		return p.Name(c.R.Context(), k.Owner)
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return k.Owner
	}
	if u, ok := a.At(directory.Unit, k.Owner, directory.DayOf(c.Now())); ok {
		return u.Name
	}
	return k.Owner
}

// tab is one of the door's lists.
type tab struct {
	Path, Words string
	Here        bool
}

// listed is what the list shows.
type listed struct {
	Door  string
	En    string
	Means string
	Tabs  []tab
	Rows  []row
	More  string
	Past  bool // it is not the first page

	Problem string
	Form    string // by which one is begun, empty: the person begins none
	Area    string // that stands in the form
	Years   []int
}

// asked reads which list is asked for.
func asked(c *web.Call, d door, before string) (dossier.Filter, error) {
	f := dossier.Filter{Kind: d.kinds[0]}
	q := c.R.URL.Query()
	if s := q.Get("kind"); s != "" {
		if f.Kind = dossier.Kind(s); !slices.Contains(d.kinds, f.Kind) {
			return f, &web.Refusal{Words: "没有这一类。There is no such kind."}
		}
	}
	switch q.Get("state") {
	case "", "open":
	case "ended":
		f.Ended = true
	default:
		return f, &web.Refusal{Words: "state 应为 open 或 ended。state is open or ended."}
	}
	var err error
	if s := q.Get(before); s != "" {
		if f.Before, err = strconv.ParseInt(s, 10, 64); err != nil || f.Before < 1 {
			return f, &web.Refusal{Words: "cursor 应为上一页的 next。The cursor is the next of the page before."}
		}
	}
	return f, nil
}

// address returns that of a list.
func address(d door, k dossier.Kind, ended bool) string {
	a := d.path + "?kind=" + string(k)
	if ended {
		a += "&state=ended"
	}
	return a
}

func (p *pages) list(c *web.Call, d door) error { return p.showList(c, d, http.StatusOK, "") }

func (p *pages) showList(c *web.Call, d door, status int, problem string) error {
	f, err := asked(c, d, "before")
	if err != nil {
		return err
	}
	some, next, err := p.find(c, d, f, shown)
	if err != nil {
		return err
	}
	v := listed{Door: d.nav, En: d.english, Means: d.means, Past: f.Before > 0, Problem: problem}
	if grants := c.Grants(d.hands[dossier.Office]); d.form != "" && len(grants) > 0 {
		y := c.Now().In(web.Zone()).Year()
		v.Form, v.Area, v.Years = d.form, grants[0].Scope, []int{y, y - 1, y - 2}
	}
	for _, k := range d.kinds {
		for _, ended := range []bool{false, true} {
			words := "在办"
			if ended {
				words = "已办结"
			}
			if len(d.kinds) > 1 {
				words = k.Chinese() + "（" + words + "）"
			}
			v.Tabs = append(v.Tabs, tab{address(d, k, ended), words, k == f.Kind && ended == f.Ended})
		}
	}
	for _, k := range some {
		v.Rows = append(v.Rows, p.row(c, d, k))
	}
	if next != 0 {
		v.More = address(d, f.Kind, f.Ended) + "&before=" + strconv.FormatInt(next, 10)
	}
	return c.ShowStatus(status, "dossiers/list", v)
}

// counted bounds what the home page counts.
const counted = 100

// needs returns how many dossiers need somebody.
func (p *pages) needs(c *web.Call) (all []web.Need, err error) {
	for _, d := range doors() {
		if !c.Ever(d.see) {
			continue
		}
		for _, k := range d.kinds {
			some, next, err := p.find(c, d, dossier.Filter{Kind: k}, counted)
			if err != nil {
				return nil, err
			}
			late := 0
			for _, x := range some {
				if x.Late(c.Now()) {
					late++
				}
			}
			if len(some) == 0 {
				continue
			}
			more := ""
			if next != 0 {
				more = "以上"
			}
			words := fmt.Sprintf("%d 份%s%s在办", len(some), more, k.Chinese())
			if late > 0 {
				words += fmt.Sprintf("，其中 %d 份逾期", late)
			}
			all = append(all, web.Need{Words: words, Path: address(d, k, false), Grave: late > 0})
		}
	}
	return all, nil
}
