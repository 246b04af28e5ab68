package organisation

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
)

// programs returns what programs do, as the description of the API has it.
func (p *pages) programs() []web.Route {
	const all, one = "/api/v1/organisation/{kind}", "/api/v1/organisation/{kind}/{id}"
	see, edit := account.SeeDirectory, account.EditDirectory
	return []web.Route{
		{Method: "GET", Path: all, Action: see, Do: p.listForPrograms},
		{Method: "POST", Path: all, Action: edit, Do: p.create},
		{Method: "GET", Path: one, Action: see, Object: p.object, Do: func(c *web.Call) error { return p.tell(c, http.StatusOK) }},
		{Method: "PUT", Path: one, Action: edit, Object: p.object, Do: p.change},
		{Method: "POST", Path: one + "/end", Action: edit, Object: p.object, Do: p.end},
	}
}

// kindOf returns the kind that an address names.
func kindOf(c *web.Call) (directory.Kind, error) {
	k := directory.Kind(c.R.PathValue("kind"))
	if !slices.Contains(directory.Kinds(), k) {
		return k, web.ErrNotFound
	}
	return k, nil
}

// listForPrograms answers with the things of a kind on a day.
func (p *pages) listForPrograms(c *web.Call) error {
	k, err := kindOf(c)
	if err == nil {
		err = c.Query("day", "q", "area", "unit", "hall", "window", "cursor", "limit")
	}
	if err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	q := c.R.URL.Query()
	f := directory.Filter{Kind: k, Day: directory.DayOf(c.Now()), Text: q.Get("q"), Unit: q.Get("unit"), Hall: q.Get("hall"),
		Window: q.Get("window"),
		After:  q.Get("cursor"), Limit: 1000}
	if day := q.Get("day"); day != "" {
		f.Day, err = directory.ParseDay(day)
	}
	if area := q.Get("area"); area != "" && err == nil {
		f.Area, err = directory.ParseArea(area)
	}
	if err != nil {
		return &web.Refusal{Words: err.Error()}
	}
	a, err := p.directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	rows, next, err := p.rows(c, a, f, most)
	if err != nil {
		return err
	}
	return web.List(c, rows, next)
}

// told is one thing as programs read it: as it is today, or was or will be, with what its history was.
type told struct {
	directory.Record
	History []directory.Record `json:"history"` // the first period first
}

// seen returns the thing of an address, as far as the person may see it, and its tag.
func (p *pages) seen(c *web.Call, k directory.Kind, id string) (told, string, error) {
	all, err := p.directory.History(c.R.Context(), k, id)
	if errors.Is(err, directory.ErrUnknown) {
		return told{}, "", web.ErrNotFound
	}
	if err != nil {
		return told{}, "", err
	}
	a, err := p.directory.Atlas(c.R.Context())
	if err != nil {
		return told{}, "", err
	}
	visible := may(c, account.SeeDirectory)
	all = slices.DeleteFunc(all, func(r directory.Record) bool { return !visible(a, r) })
	if len(all) == 0 {
		return told{}, "", web.ErrNotFound
	}
	tag, err := web.TagOf(all)
	return told{latest(all, directory.DayOf(c.Now())), all}, tag, err
}

// tell answers with the thing of the address.
func (p *pages) tell(c *web.Call, status int) error { return p.tellOf(c, c.R.PathValue("id"), status) }

func (p *pages) tellOf(c *web.Call, id string, status int) error {
	k, err := kindOf(c)
	if err != nil {
		return err
	}
	v, tag, err := p.seen(c, k, id)
	if err != nil {
		return err
	}
	c.W.Header().Set("ETag", tag)
	return c.JSONStatus(status, v)
}

// wanted is what a program says of a thing from a day on. Empty fields have no value.
type wanted struct {
	ID     string `json:"id"` // of a new one
	From   string `json:"from"`
	To     string `json:"to"`
	Name   string `json:"name"`
	Area   string `json:"area"`
	Unit   string `json:"unit"`
	Hall   string `json:"hall"`
	Window string `json:"window"`
	Office string `json:"office"`
	Person string `json:"person"`
	Phone  string `json:"phone"`
	Reason string `json:"reason"`
}

func (w wanted) line(k directory.Kind, today directory.Day) directory.Line {
	if w.From == "" {
		w.From = today.String()
	}
	return directory.LineOf(map[string]string{"kind": string(k), "id": w.ID, "valid_from": w.From, "valid_to": w.To, "name": w.Name,
		"area": w.Area, "unit": w.Unit,
		"hall": w.Hall, "window": w.Window, "office": w.Office, "person": w.Person, "phone": w.Phone})
}

// create makes something new.
func (p *pages) create(c *web.Call) error {
	k, err := kindOf(c)
	if err != nil {
		return err
	}
	var w wanted
	if err := c.Body(&w); err != nil {
		return err
	}
	line := w.line(k, directory.DayOf(c.Now()))
	fresh := func() error {
		switch _, _, err := p.seen(c, k, line.Record.ID); {
		case err == nil:
			return &web.Refusal{Status: http.StatusConflict, Code: web.CodeExists,
				Words: fmt.Sprintf("%s %s 已存在。There is one of that id.", k.Chinese(), line.Record.ID)}
		case !errors.Is(err, web.ErrNotFound):
			return err
		}
		// What somebody may not see is refused as what they may not make.
		_, err := p.directory.History(c.R.Context(), k, line.Record.ID)
		if errors.Is(err, directory.ErrUnknown) {
			return nil
		}
		if err == nil {
			err = refusal([]directory.Fault{directory.Beyond()})
		}
		return err
	}
	if err := p.write(c, line, w.Reason, fresh); err != nil {
		return err
	}
	c.W.Header().Set("Location", "/api/v1/organisation/"+string(k)+"/"+line.Record.ID)
	return p.tellOf(c, line.Record.ID, http.StatusCreated)
}

// change says how a thing is from a day on.
func (p *pages) change(c *web.Call) error {
	k, err := kindOf(c)
	if err != nil {
		return err
	}
	var w wanted
	if err := c.Body(&w); err != nil {
		return err
	}
	if id := c.R.PathValue("id"); w.ID != "" && w.ID != id {
		return &web.Refusal{Words: "编号与地址不一致。The id is not that of the address."}
	}
	w.ID = c.R.PathValue("id")
	if err := p.write(c, w.line(k, directory.DayOf(c.Now())), w.Reason, p.unchanged(c, k)); err != nil {
		return err
	}
	return p.tell(c, http.StatusOK)
}

// end lets a thing end on a day, which is the first on which it holds no more.
func (p *pages) end(c *web.Call) error {
	k, err := kindOf(c)
	if err != nil {
		return err
	}
	var w struct {
		On     string `json:"on"`
		Reason string `json:"reason"`
	}
	if err := c.Body(&w); err != nil {
		return err
	}
	on, err := directory.ParseDay(w.On)
	if err != nil {
		return &web.Refusal{Words: err.Error()}
	}
	v, _, err := p.seen(c, k, c.R.PathValue("id"))
	if err != nil {
		return err
	}
	line := directory.Line{Number: 1, Record: v.Record}
	line.Record.To = on
	if err := p.write(c, line, w.Reason, p.unchanged(c, k)); err != nil {
		return err
	}
	return p.tell(c, http.StatusOK)
}

// unchanged returns the check that the thing of the address is as the program has read it.
func (p *pages) unchanged(c *web.Call, k directory.Kind) func() error {
	return func() error {
		_, tag, err := p.seen(c, k, c.R.PathValue("id"))
		if err != nil {
			return err
		}
		return c.Match(tag)
	}
}

// retries bounds how often a change is tried that was overtaken by others of something else.
const retries = 8

// write previews a line and writes it, if a check of what is there before holds at the same version of the organisation.
func (p *pages) write(c *web.Call, line directory.Line, why string, check func() error) error {
	reason, err := reasonOf(why)
	if err != nil {
		return err
	}
	for range retries {
		before, err := p.directory.Version(c.R.Context())
		if err != nil {
			return err
		}
		if err := check(); err != nil {
			return err
		}
		x, err := p.directory.Preview(c.R.Context(), []directory.Line{line}, may(c, account.EditDirectory))
		if err != nil {
			return err
		}
		if refusePast(c, x); x.Refused() > 0 {
			return refusal(x.Lines[0].Refused)
		}
		if x.Version != before {
			continue
		}
		if err := p.apply(c, reason, x); !errors.Is(err, directory.ErrMeanwhile) {
			return err
		}
	}
	return web.Changed()
}

// refusal says what is wrong with a line.
func refusal(faults []directory.Fault) error {
	return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: faults[0].Error(), Errors: faults}
}
