package organisation

import (
	"embed"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
)

//go:embed *.html *.css
var files embed.FS

// Config holds what the pages need.
type Config struct {
	Directory *directory.Directory
}

// pages are the pages.
type pages struct {
	directory *directory.Directory
}

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg.Directory}
	see, edit := account.SeeDirectory, account.EditDirectory
	const body = directory.MaxFile + 64<<10
	return web.Section{Name: "organisation", Files: files, Needs: p.needs, Routes: append(p.programs(), []web.Route{
		{Method: "GET", Path: "/organisation", Action: see, Nav: "机构", Do: p.list},
		{Method: "GET", Path: "/organisation/export.csv", Action: see, Do: p.export},
		{Method: "GET", Path: "/organisation/export.xlsx", Action: see, Do: p.export},
		{Method: "GET", Path: "/organisation/import", Action: edit, Do: p.file},
		{Method: "POST", Path: "/organisation/import", Action: edit, Do: p.fileNow, MaxBody: body},
		{Method: "GET", Path: "/organisation/new/{kind}", Action: edit, Do: p.fresh},
		{Method: "POST", Path: "/organisation/new/{kind}", Action: edit, Do: p.put},
		{Method: "POST", Path: "/organisation/confirm", Action: edit, Do: p.confirm},
		{Method: "GET", Path: "/organisation/of/{kind}/{id}", Action: see, Object: p.object, Do: p.thing},
		{Method: "POST", Path: "/organisation/of/{kind}/{id}", Action: edit, Object: p.object, Do: p.put},
	}...)}
}

// needs returns how many units of the person's have nobody responsible (article 7).
func (p *pages) needs(c *web.Call) ([]web.Need, error) {
	if !c.Ever(account.EditDirectory) {
		return nil, nil
	}
	a, err := p.directory.Atlas(c.R.Context())
	if err != nil {
		return nil, err
	}
	n, allowed := 0, may(c, account.EditDirectory)
	for r := range a.Each(directory.Unit, directory.DayOf(c.Now())) {
		if (r.Office == "" || r.Person == "") && allowed(a, r) {
			n++
		}
	}
	if n == 0 {
		return nil, nil
	}
	return []web.Need{{Words: fmt.Sprintf("%d 个单位还没有写明责任处室或责任人（办法第七条）", n), Path: "/organisation?kind=unit"}}, nil
}

// records returns the history of the thing that an address names.
func (p *pages) records(c *web.Call) ([]directory.Record, error) {
	all, err := p.directory.History(c.R.Context(), directory.Kind(c.R.PathValue("kind")), c.R.PathValue("id"))
	if errors.Is(err, directory.ErrUnknown) {
		return nil, web.ErrNotFound
	}
	return all, err
}

// object finds the object of the thing that an address names, as it is today, or was last.
func (p *pages) object(c *web.Call) (account.Object, error) {
	all, err := p.records(c)
	if err != nil {
		return account.Object{}, err
	}
	a, err := p.directory.Atlas(c.R.Context())
	if err != nil {
		return account.Object{}, err
	}
	r := latest(all, directory.DayOf(c.Now()))
	return object(a, r, max(r.From, min(directory.DayOf(c.Now()), r.To-1))), nil
}

// latest returns the record of a day; else the last one before it, or the first.
func latest(all []directory.Record, d directory.Day) directory.Record {
	r := all[0]
	for _, x := range all {
		if x.From <= d {
			r = x
		}
	}
	return r
}

// listed is what the list shows.
type listed struct {
	Kind    directory.Kind
	Kinds   []tab
	Day     string
	Text    string
	Area    string
	Rows    []directory.Record
	Names   map[string]string // of units, halls and windows that rows name
	More    string            // address of the next page
	Edit    bool
	Problem string
}

// tab is a kind with its address.
type tab struct {
	Kind  directory.Kind
	Words string
	Path  string
	Here  bool
}

const (
	shown   = 50
	scanned = 10_000 // records that one page looks at; the rest is behind its link
)

func (p *pages) list(c *web.Call) error {
	q := c.R.URL.Query()
	v := listed{Kind: directory.Kind(q.Get("kind")), Text: q.Get("q"), Area: q.Get("area"), Day: q.Get("day"), Names: make(map[string]string),
		Edit: c.Ever(account.EditDirectory)}
	if !slices.Contains(directory.Kinds(), v.Kind) {
		v.Kind = directory.Hall
	}
	f := directory.Filter{Kind: v.Kind, Text: v.Text, Day: directory.DayOf(c.Now()), Unit: q.Get("unit"), Hall: q.Get("hall"),
		Window: q.Get("window"), After: q.Get("after"), Limit: 1000}
	var err error
	if v.Day != "" {
		f.Day, err = directory.ParseDay(v.Day)
	}
	if v.Area != "" && err == nil {
		f.Area, err = directory.ParseArea(v.Area)
	}
	if err != nil {
		v.Problem = err.Error()
	}
	v.Day = f.Day.String()
	for _, k := range directory.Kinds() {
		v.Kinds = append(v.Kinds, tab{k, k.Chinese(), "/organisation?kind=" + string(k), k == v.Kind})
	}
	status := http.StatusUnprocessableEntity
	if v.Problem == "" {
		status = http.StatusOK
		if err := p.fill(c, &v, f, q); err != nil {
			return err
		}
	}
	return c.ShowStatus(status, "organisation/list", v)
}

// fill fills in the rows that the person may see.
func (p *pages) fill(c *web.Call, v *listed, f directory.Filter, q url.Values) error {
	a, err := p.directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	rows, next, err := p.rows(c, a, f, shown)
	if err != nil {
		return err
	}
	if next != "" {
		q.Set("after", next)
		q.Set("kind", string(f.Kind))
		v.More = "/organisation?" + q.Encode()
	}
	v.Rows = rows
	for _, r := range rows {
		for _, x := range []struct {
			kind directory.Kind
			id   string
		}{{directory.Area, r.Area}, {directory.Unit, r.Unit}, {directory.Hall, r.Hall}, {directory.Window, r.Window}} {
			if named, ok := a.At(x.kind, x.id, f.Day); ok {
				v.Names[x.id] = named.Name
			}
		}
	}
	return nil
}

// rows returns up to most records that a filter asks for and the person may see, and after which id to go on, empty at the end.
func (p *pages) rows(c *web.Call, a *directory.Atlas, f directory.Filter, most int) (rows []directory.Record, next string, err error) {
	narrow(c, &f)
	for seen := 0; ; {
		some, err := p.directory.List(c.R.Context(), f)
		if err != nil {
			return nil, "", err
		}
		for _, r := range some {
			if len(rows) == most || seen == scanned {
				return rows, f.After, nil
			}
			seen++
			f.After = r.ID
			if c.May(account.SeeDirectory, object(a, r, f.Day)) {
				rows = append(rows, r)
			}
		}
		if len(some) < f.Limit {
			return rows, "", nil
		}
	}
}

// narrow lets the table look only where the person's one grant reaches.
func narrow(c *web.Call, f *directory.Filter) {
	grants := account.Grants(c.Person, account.SeeDirectory)
	if len(grants) != 1 {
		return
	}
	if g := grants[0]; g.Role == account.Hall && f.Kind == directory.Window && f.Hall == "" {
		f.Hall = g.Scope
	}
}

// export sends all that the person may see, with its history.
func (p *pages) export(c *web.Call) error {
	a, err := p.directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	write, name, kind := directory.WriteCSV, "organisation.csv", "text/csv; charset=utf-8"
	if c.R.URL.Path == "/organisation/export.xlsx" {
		write, name, kind = directory.WriteWorkbook, "organisation.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	c.W.Header().Set("Content-Type", kind)
	c.W.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	allowed := may(c, account.SeeDirectory)
	return write(c.W, func(put func(directory.Record) error) error {
		return p.directory.Each(c.R.Context(), func(r directory.Record) error {
			if !allowed(a, r) {
				return nil
			}
			return put(r)
		})
	})
}
