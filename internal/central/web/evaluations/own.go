package evaluations

import (
	"cmp"
	"fmt"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

const (
	// settles is how long after a month's end it closes. What arrives later changes nothing of what is shown of it: from what changes between
	// two looks, a single evaluation could be told.
	settles = 7 * 24 * time.Hour
	// shownMonths is how many closed months are shown.
	shownMonths = 6
	// mostCounted bounds what a month is counted from.
	mostCounted = 20_000
)

// month is a closed month.
type month struct {
	From, To time.Time // To excluded
}

// Name returns the month as people read it.
func (m month) Name() string { return m.From.Format("2006-01") }

// closes is when the month is shown, and from when on nothing more is counted.
func (m month) closes() time.Time { return m.To.Add(settles) }

// closed returns the months that are closed, the last first.
func closed(now time.Time, n int) (all []month) {
	y, mo, _ := now.In(web.Zone()).Date()
	for i := 1; len(all) < n; i++ {
		m := month{time.Date(y, mo-time.Month(i), 1, 0, 0, 0, 0, web.Zone()), time.Date(y, mo-time.Month(i)+1, 1, 0, 0, 0, 0, web.Zone())}
		if !now.Before(m.closes()) {
			all = append(all, m)
		}
	}
	return all
}

// counts is how somebody was rated in a month.
type counts struct {
	Month string
	All   int // 0: too few to be shown, or none
	// Withheld says that it is not shown since the person sees, or saw, the figures of a hall too.
	Withheld bool
	Of       []count
}

type count struct {
	Level, N, Percent int
	Words             string
}

// person is a member of staff whose figures somebody sees.
type person struct {
	ID, Name string
	Months   []counts
}

// own shows the figures of whoever asks.
func (p *pages) own(c *web.Call) error {
	var v struct {
		People []person
		Least  int
	}
	v.Least = account.LeastCounted
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	for _, g := range c.Grants(account.SeeOwnFigures) {
		one := person{ID: g.Scope}
		for _, m := range closed(c.Now(), shownMonths) {
			x, err := p.month(c, a, g, m)
			if err != nil {
				return err
			}
			one.Months = append(one.Months, x)
		}
		v.People = append(v.People, one)
	}
	return c.Show("evaluations/own", v)
}

// asked is what is rated once: a member of staff at a visit, or where there is no visit the evaluation itself.
type asked struct {
	device rating.DeviceID
	visit  rating.VisitID
	cursor int64
}

// month counts how a member of staff was rated in a month. Their number is theirs within their city. What a review has not adopted is
// counted all the same, and what counts instead of it is not: else whoever knows of the review would read a level from what changes.
func (p *pages) month(c *web.Call, a *directory.Atlas, g account.Grant, m month) (counts, error) {
	out := counts{Month: m.Name()}
	q := books.Search{From: m.From, To: m.To, Staff: g.Scope, Subject: rating.StaffSubject,
		Standings: []rating.Standing{rating.Counted, rating.NotAdopted}, Fits: func(e books.Entry) bool {
			return e.ReceivedAt.Before(m.closes()) && account.Within(cityOf(g.Area), scope.Object(a, e).Area)
		}}
	first := make(map[asked]books.Entry)
	for after := (books.Cursor{}); len(first) < mostCounted; {
		found, err := p.Books.Search(c.R.Context(), q, after, books.MaxPage)
		if err != nil {
			return out, err
		}
		for _, e := range found.Entries {
			k := asked{e.Device, e.Visit, 0}
			if e.Visit == 0 {
				k.cursor = e.Cursor
			}
			if other, ok := first[k]; !ok || cmp.Or(e.At.Compare(other.At), cmp.Compare(e.Seq, other.Seq), cmp.Compare(e.Cursor, other.Cursor)) < 0 {
				first[k] = e
			}
		}
		if after = found.Next; after == (books.Cursor{}) {
			break
		}
	}
	n, all := make(map[rating.Level]int), len(first)
	for _, e := range first {
		n[e.Level]++
	}
	if !c.May(account.SeeOwnFigures, account.Object{Area: g.Area, Staff: g.Scope, Closed: !c.Now().Before(m.closes()), Counted: all}) {
		return out, nil
	}
	if c.Person.Subtracts(m.closes()) {
		out.Withheld = true
		return out, nil
	}
	out.All = all
	for l := rating.VerySatisfied; l.Valid(); l-- {
		out.Of = append(out.Of, count{int(l), n[l], (100*n[l] + all/2) / all, l.Chinese()})
	}
	return out, nil
}

// cityOf returns the city in which an area lies.
func cityOf(area string) string {
	if !account.IsArea(area) {
		return area
	}
	return area[:4] + "00000000"
}

// closedMonth says that the figures of the last closed month are there, for a week.
func (p *pages) closedMonth(c *web.Call) []web.Need {
	if !c.Ever(account.SeeOwnFigures) {
		return nil
	}
	m := closed(c.Now(), 1)[0]
	if c.Now().Sub(m.closes()) > settles {
		return nil
	}
	return []web.Need{{Words: fmt.Sprintf("%d 年 %d 月的评价汇总可以查看了", m.From.Year(), m.From.Month()), Path: "/figures/own", Says: true}}
}
