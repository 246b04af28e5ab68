package evaluations

import (
	"errors"
	"net/http"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

// shown is how many evaluations one page lists.
const shown = 50

// listed is what the list shows.
type listed struct {
	Filter   filter
	Rows     []row
	Problem  string
	More     string // address of the next page
	Looked   string // how far back was looked where the page is short
	First    string // address of the first page, empty on it
	Take     bool   // they may be exported
	Texts    bool   // texts may be searched
	Halls    []directory.Record
	Areas    []directory.Record
	Levels   []level
	Subjects []word
	Channels []word
	Statuses []word
}

// level is a level of the form.
type level struct {
	N       int
	Chinese string
}

// row is an evaluation in words.
type row struct {
	books.Entry
	Day, Clock string
	Rumour     string // why the time is not sure, empty if it is
	Arrived    string // when it came, if that is much later
	Subject    string
	Level      int
	Words      string // of the level
	Channel    string
	Opener     string // empty for the usual one
	Status     string
	Reasons    []string
	Where      string // of one that no box sent
}

func (p *pages) list(c *web.Call) error {
	v := listed{Filter: filterOf(c.R.URL.Query()), Take: account.Ever(c.Person, account.TakeEvaluations),
		Texts: account.Ever(c.Person, account.SeeText), Channels: channelWords(), Statuses: statusWords(),
		Subjects: []word{{string(rating.StaffSubject), rating.StaffSubject.Chinese()},
			{string(rating.MatterSubject), rating.MatterSubject.Chinese()}}}
	for l := rating.VerySatisfied; l.Valid(); l-- {
		v.Levels = append(v.Levels, level{int(l), l.Chinese()})
	}
	if err := p.choices(c, &v); err != nil {
		return err
	}
	var refusal *web.Refusal
	err := p.fill(c, &v)
	if errors.As(err, &refusal) {
		v.Problem = refusal.Words
		return c.ShowStatus(http.StatusUnprocessableEntity, "evaluations/list", v)
	}
	if err != nil {
		return err
	}
	return c.Show("evaluations/list", v)
}

// fill fills in a page of rows.
func (p *pages) fill(c *web.Call, v *listed) error {
	q, err := p.search(c, v.Filter, account.SeeEvaluations)
	if err != nil {
		return err
	}
	after, err := books.ParseCursor(c.R.FormValue("after"))
	if err != nil {
		return &web.Refusal{Words: "这个地址不完整，请回到第一页。The address names no place in the list."}
	}
	found, err := p.Books.Search(c.R.Context(), q, after, shown)
	if err != nil {
		return err
	}
	for _, e := range found.Entries {
		v.Rows = append(v.Rows, p.row(e))
	}
	query := v.Filter.Query()
	if after != (books.Cursor{}) {
		v.First = "/evaluations?" + query
	}
	if found.Next == (books.Cursor{}) {
		return nil
	}
	v.More = "/evaluations?after=" + found.Next.String()
	if query != "" {
		v.More += "&" + query
	}
	if len(v.Rows) < shown {
		v.Looked = clock(time.UnixMilli(found.Next.Moment))
	}
	return nil
}

// mostChoices bounds what the form proposes. Where there is more, people write the name.
const mostChoices = 200

// choices fills in which halls and areas the form proposes: those in which the person sees evaluations today.
func (p *pages) choices(c *web.Call, v *listed) error {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	stays := a.Stays()
	if len(stays) > 10*mostChoices {
		return nil
	}
	today := directory.DayOf(c.Now())
	halls, areas := make(map[string]directory.Record), make(map[string]directory.Record)
	for _, s := range stays {
		if s.Holds(today) && c.May(account.SeeEvaluations, scope.ObjectOf(s.Place)) {
			halls[s.Place.Hall.ID], areas[s.Place.Area().ID] = s.Place.Hall, s.Place.Area()
		}
	}
	v.Halls, v.Areas = sorted(halls), sorted(areas)
	return nil
}

func (p *pages) row(e books.Entry) row {
	at := e.At.In(web.Zone())
	r := row{Entry: e, Day: at.Format("2006-01-02"), Clock: at.Format("15:04:05"), Subject: e.Subject.Chinese(), Level: int(e.Level),
		Words:   e.Level.Chinese(),
		Channel: in(channelWords(), string(e.Channel)), Status: in(statusWords(), string(e.Status))}
	if e.Opener != "" && e.Opener != rating.OpenedByPC {
		r.Opener = in(openerWords(), string(e.Opener))
	}
	if e.Quality == rating.TimeEstimated {
		r.Rumour = "最早 " + clock(e.Earliest)
	}
	if e.ReceivedAt.Sub(e.At) > time.Minute {
		received, layout := e.ReceivedAt.In(web.Zone()), "01-02 15:04"
		if received.Year() != at.Year() {
			layout = "2006-" + layout
		}
		r.Arrived = received.Format(layout)
	}
	for _, code := range e.Reasons {
		r.Reasons = append(r.Reasons, p.Reason(code))
	}
	if post, ok := e.Post(); ok && post.Area != "" {
		r.Where = post.Area
	}
	return r
}
