package evaluations

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

// filter is what somebody asks for, as the form has it.
type filter struct {
	From, To           string // days, both included
	Area, Hall, Window string // IDs or names
	Unit, Staff        string
	Task               string
	Case               string
	Levels             []int
	Subject            string
	Channel            string
	Status             string
	Text               bool
	query              url.Values // without where a page begins
}

func filterOf(form url.Values) filter {
	get := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	f := filter{From: get("from"), To: get("to"), Area: get("area"), Hall: get("hall"), Window: get("window"), Unit: get("unit"),
		Staff: get("staff"), Task: get("task"),
		Case: get("case"), Subject: get("subject"), Channel: get("channel"), Status: get("status"), Text: get("text") != "",
		query: make(url.Values)}
	for _, s := range form["level"] {
		if n, err := strconv.Atoi(s); err == nil && !slices.Contains(f.Levels, n) {
			f.Levels = append(f.Levels, n)
		}
	}
	for _, name := range names() {
		for _, v := range form[name] {
			if v = strings.TrimSpace(v); v != "" {
				f.query.Add(name, v)
			}
		}
	}
	return f
}

// names returns the form's fields.
func names() []string {
	return []string{"from", "to", "area", "hall", "window", "unit", "staff", "task", "case", "level", "subject", "channel", "status", "text"}
}

// Query returns the filter as an address has it.
func (f filter) Query() string { return f.query.Encode() }

// Has reports whether a level is asked for, for the form.
func (f filter) Has(level int) bool { return slices.Contains(f.Levels, level) }

// Further reports whether more is asked for than the form shows first.
func (f filter) Further() bool {
	return f.Unit+f.Staff+f.Task+f.Case+f.Subject+f.Channel+f.Status != "" || f.Text
}

// search returns what the filter asks for of what somebody may do something to.
func (p *pages) search(c *web.Call, f filter, do account.Action) (books.Search, error) {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return books.Search{}, err
	}
	q := books.Search{Staff: f.Staff, Task: f.Task, Text: f.Text}
	if q.From, q.To, err = f.days(); err != nil {
		return q, err
	}
	for _, n := range f.Levels {
		if !rating.Level(n).Valid() {
			return q, &web.Refusal{Words: "评价等级是 1 至 5。The levels are 1 to 5."}
		}
		q.Levels = append(q.Levels, rating.Level(n))
	}
	if f.Subject != "" {
		q.Subject = rating.Subject(f.Subject)
		if !q.Subject.Valid() {
			return q, &web.Refusal{Words: "没有这个评价对象。There is no such subject."}
		}
	}
	if f.Channel != "" {
		if !slices.ContainsFunc(channelWords(), func(w word) bool { return w.Code == f.Channel }) {
			return q, &web.Refusal{Words: "没有这个渠道。There is no such channel."}
		}
		q.Channels = []rating.Channel{rating.Channel(f.Channel)}
	}
	if f.Status != "" {
		if !slices.ContainsFunc(statusWords(), func(w word) bool { return w.Code == f.Status }) {
			return q, &web.Refusal{Words: "没有这个状态。There is no such status."}
		}
		q.Standings = []rating.Standing{rating.Standing(f.Status)}
	}
	if f.Case != "" {
		q.Case = rating.CaseKey{Project: f.Case}
		for r := range a.Each(directory.Area, directory.DayOf(c.Now())) {
			q.CaseAreas = append(q.CaseAreas, r.ID)
		}
	}
	part, err := f.part(a, directory.DayOf(c.Now()))
	if err != nil {
		return q, err
	}
	return scope.Narrow(q, a, c, do, part), nil
}

var errArea = &web.Refusal{Words: "区划请写 6 位或 12 位代码，或区划的全称。Write the area as its code of 6 or 12 digits, or its name."}

// part returns the part of the organisation that the filter asks for. A name that nothing has stands for itself, and so for nothing.
func (f filter) part(a *directory.Atlas, today directory.Day) (scope.Filter, error) {
	named := func(k directory.Kind, s string) string {
		if _, ok := a.At(k, s, today); s == "" || ok {
			return s
		}
		for r := range a.Each(k, today) {
			if r.Name == s && (k != directory.Window || f.Hall == "" || r.Hall == f.Hall) {
				return r.ID
			}
		}
		return s
	}
	f.Hall = named(directory.Hall, f.Hall)
	part := scope.Filter{Area: named(directory.Area, rating.PadArea(f.Area)), Hall: f.Hall, Window: named(directory.Window, f.Window),
		Unit: named(directory.Unit, f.Unit)}
	if part.Area != "" && !account.IsArea(part.Area) {
		return part, errArea
	}
	return part, nil
}
