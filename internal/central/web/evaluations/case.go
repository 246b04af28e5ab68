package evaluations

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/cases"
	"haochaping/internal/central/deadline"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// nowhere stands in an address for the area of a case that nobody has said.
const nowhere = "-"

// casePath returns the address of a case's page.
func casePath(k rating.CaseKey) string {
	area := k.Area
	if area == "" {
		area = nowhere
	}
	return "/cases/" + area + "/" + url.PathEscape(k.Project)
}

// caseObject returns what a case is about: it lies in its area, and is the business of the unit that was told with it.
func caseObject(a *directory.Atlas, c books.Case, today directory.Day) account.Object {
	o := account.Object{Area: c.Key.Area}
	for _, u := range a.Units(c.Unit, today) {
		o.Units = append(o.Units, u.ID)
	}
	return o
}

// caseOf returns the case that an address names, and what it is about.
func (p *pages) caseOf(c *web.Call) (books.Case, account.Object, error) {
	k := rating.CaseKey{Area: rating.PadArea(c.R.PathValue("area")), Project: c.R.PathValue("project")}
	if k.Area == nowhere {
		k.Area = ""
	}
	all, err := p.Books.Cases(c.R.Context(), []rating.CaseKey{k})
	if err != nil {
		return books.Case{}, account.Object{}, err
	}
	found, ok := all[k]
	if !ok {
		return books.Case{}, account.Object{}, web.ErrNotFound
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return books.Case{}, account.Object{}, err
	}
	return found, caseObject(a, found, directory.DayOf(c.Now())), nil
}

func (p *pages) caseThere(c *web.Call) (account.Object, error) {
	_, o, err := p.caseOf(c)
	return o, err
}

// caseSought is what the page by which a case is found shows.
type caseSought struct {
	Area, Case string
	Found      []caseFound
	Sought     bool
	Problem    string
}

type caseFound struct{ Path, Area, Case, Task, State string }

// seekCase finds a case by its number, in one area or in all that the person sees.
func (p *pages) seekCase(c *web.Call) error {
	q := c.R.URL.Query()
	v := caseSought{Area: strings.TrimSpace(q.Get("area")), Case: strings.TrimSpace(q.Get("case"))}
	var refusal *web.Refusal
	err := p.seek(c, &v)
	switch {
	case errors.As(err, &refusal):
		v.Problem = refusal.Words
		return c.ShowStatus(http.StatusUnprocessableEntity, "evaluations/cases", v)
	case err != nil:
		return err
	case len(v.Found) == 1:
		return c.See(v.Found[0].Path)
	}
	return c.Show("evaluations/cases", v)
}

func (p *pages) seek(c *web.Call, v *caseSought) error {
	if v.Case == "" {
		return nil
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	today := directory.DayOf(c.Now())
	part, err := filter{Area: v.Area}.part(a, today)
	if err != nil {
		return err
	}
	keys := []rating.CaseKey{{Area: part.Area, Project: v.Case}}
	if part.Area == "" {
		for r := range a.Each(directory.Area, today) {
			keys = append(keys, rating.CaseKey{Area: r.ID, Project: v.Case})
		}
	}
	all, err := p.Books.Cases(c.R.Context(), keys)
	if err != nil {
		return err
	}
	v.Sought = true
	for k, x := range all {
		if c.May(account.SeeEvaluations, caseObject(a, x, today)) {
			area := k.Area
			if r, ok := a.At(directory.Area, k.Area, today); ok {
				area = r.Name
			}
			v.Found = append(v.Found, caseFound{casePath(k), area, k.Project, x.TaskName, in(caseWords(), string(x.State()))})
		}
	}
	slices.SortFunc(v.Found, func(x, y caseFound) int { return strings.Compare(x.Path, y.Path) })
	return nil
}

// caseShown is what is known of one case but levels and who the applicant is.
type caseShown struct {
	books.Case
	Names    map[string]string // of areas and units
	State    string
	Kind     string // of the applicant
	Handled  string
	Rateable string
	Done     string // when it was completed
	Surety   string
	Learnt   string // from when the periods run, if that is later
	Due      rating.Deadline
	Ends     string // of Due
	Over     bool   // the deadline has passed and nothing has come of it
	Silence  bool   // silence has a meaning
	Default  bool   // silence has become 基本满意
	Awaited  []awaited
	Until    string // how long is waited for them
	Answers  string // address of the evaluations that are about it
}

// awaited is a box that may still hold an answer in time.
type awaited struct{ Device, Window string }

// showCase shows one case: what has become of it, and what its default waits for (article 14).
func (p *pages) showCase(c *web.Call) error {
	x, _, err := p.caseOf(c)
	if err != nil {
		return err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	today := directory.DayOf(c.Now())
	v := caseShown{Case: x, Names: make(map[string]string), State: in(caseWords(), string(x.State())),
		Kind: in(applicantWords(), string(x.Applicant)), Handled: in(handlingWords(), string(x.Handling)),
		Silence: p.Silence != nil, Default: x.State() == books.CaseDefault}
	for _, k := range []directory.Kind{directory.Area, directory.Unit} {
		id := map[directory.Kind]string{directory.Area: x.Key.Area, directory.Unit: x.Unit}[k]
		if r, ok := a.At(k, id, today); ok {
			v.Names[id] = r.Name
		}
	}
	var subjects []string
	for _, s := range x.Handling.Subjects() {
		subjects = append(subjects, s.Chinese())
	}
	v.Rateable = strings.Join(subjects, "、")
	done, surety := x.Completed()
	v.Done, v.Surety = web.Clock(done), in(suretyWords(), string(surety))
	if x.Begins() > done {
		v.Learnt = web.Clock(x.Begins())
	}
	if p.Silence != nil || v.Default {
		v.due(p.Silence, c.Now())
	}
	if v.Default && p.Awaited != nil {
		if err := p.await(c, a, &v); err != nil {
			return err
		}
	}
	v.Answers = "/evaluations?" + url.Values{"area": {x.Key.Area}, "case": {x.Key.Project}}.Encode()
	return c.Show("evaluations/case", v)
}

// tellOfCase answers with one case, as business systems read it at their door.
func (p *pages) tellOfCase(c *web.Call) error {
	x, _, err := p.caseOf(c)
	if err != nil {
		return err
	}
	var boxes []rating.DeviceID
	if p.Awaited != nil {
		if boxes, err = p.Awaited(c.R.Context(), x); err != nil {
			return err
		}
	}
	return c.JSON(cases.ViewOf(x, p.Silence, boxes))
}

// due fills in when silence gets a meaning, or has got one.
func (v *caseShown) due(days *rating.Calendar, now time.Time) {
	if days == nil {
		days = new(rating.Calendar) // the deadline that has passed needs none
	}
	if v.Due = v.Case.Due(*days); v.Due.At.IsZero() {
		return
	}
	// The deadline is the first moment that is too late; people name the day before.
	v.Ends = v.Due.At.Add(-time.Second).In(web.Zone()).Format("2006-01-02") + " 24:00"
	v.Over = !v.Default && !v.Due.Provisional() && now.Sub(v.Due.At) > time.Hour
}

// await fills in for which boxes a default waits.
func (p *pages) await(c *web.Call, a *directory.Atlas, v *caseShown) error {
	boxes, err := p.Awaited(c.R.Context(), v.Case)
	if err != nil {
		return err
	}
	windows := make(map[rating.DeviceID]string)
	for _, s := range a.Stays() {
		if s.Holds(directory.DayOf(c.Now())) {
			windows[s.Device] = s.Place.Hall.Name + " " + s.Place.Window.Name
		}
	}
	for _, id := range boxes {
		v.Awaited = append(v.Awaited, awaited{string(id), windows[id]})
	}
	v.Until = web.Clock(v.Due.At.Add(deadline.AwaitedFor).UnixMilli())
	return nil
}
