package orders

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

// header is what stands above each page of the orders: where else one may go, and how many of those with a name were followed up.
type header struct {
	Tabs []tab
	Rate rate
}

// tab is a way to another page.
type tab struct {
	Path, Words string
	Here        bool
}

// rate is 实名差评回访整改率 (article 18) of the year, within what the person sees.
type rate struct {
	Year           int
	Done, Together int
	Percent        string // empty where there was none
	Missing        string // address of those that are missing
}

// header returns what stands above a page.
func (p *pages) header(c *web.Call, a *directory.Atlas, here string) (h header, err error) {
	for _, t := range []struct {
		do          account.Action
		path, words string
	}{{account.SeeOrders, "/orders", "待办"}, {account.SeeOrders, "/orders/board", "督办看板"}, {account.SeeOrders, "/orders/contacts", "联系与申诉"},
		{account.SeeOrders, "/orders/search", "查询"},
		{account.Complain, "/complaints", "登记投诉"}, {account.SeeClues, "/clues", "线索"}} {
		if c.Ever(t.do) {
			h.Tabs = append(h.Tabs, tab{t.path, t.words, t.path == here})
		}
	}
	if c.Ever(account.SeeOrders) {
		h.Rate, err = p.rate(c, a)
	}
	return h, err
}

func (p *pages) rate(c *web.Call, a *directory.Atlas) (r rate, err error) {
	now := c.Now().In(web.Zone())
	begin := time.Date(now.Year(), time.January, 1, 0, 0, 0, 0, web.Zone())
	f := within(c, a, account.SeeOrders)
	f.From = begin.UnixMilli()
	all, err := p.Orders.Rates(c.R.Context(), f)
	if err != nil {
		return r, err
	}
	r.Year = now.Year()
	for _, x := range all {
		if c.May(account.SeeOrders, p.objectOf(c, a, x.Unit, x.Area)) {
			r.Done, r.Together = r.Done+x.Done, r.Together+x.Together
		}
	}
	if r.Together > 0 {
		r.Percent = percent(r.Done, r.Together)
	}
	r.Missing = "/orders/search?" + url.Values{"owed": {"1"}, "from": {begin.Format("2006-01-02")}}.Encode()
	return r, nil
}

// percent returns a share with one digit, and 100 only where nothing is missing.
func percent(part, whole int) string {
	tenths := part * 1000 / whole
	return fmt.Sprintf("%d.%d%%", tenths/10, tenths%10)
}

func (p *pages) objectOf(c *web.Call, a *directory.Atlas, unit, area string) account.Object {
	return object(a, rectify.Part{Unit: unit, Area: area}, directory.DayOf(c.Now()))
}

// line is what one unit has to do.
type line struct {
	rectify.Tally
	Name   string
	Search string // address of the unit's open orders
	LateAt string // and of those that are overdue
}

// boardShown is what the board shows.
type boardShown struct {
	header
	Sum   rectify.Tally
	Lines []line
	Rest  int // units that are not shown
}

// mostLines bounds the units of the board: those that are late stand first.
const mostLines = 200

// board shows what is open, by unit and age, and what is late.
func (p *pages) board(c *web.Call) error {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	all, err := p.Orders.Tallies(c.R.Context(), within(c, a, account.SeeOrders))
	if err != nil {
		return err
	}
	var v boardShown
	of := make(map[string]rectify.Tally)
	for _, t := range all {
		if c.May(account.SeeOrders, p.objectOf(c, a, t.Unit, t.Area)) {
			v.Sum, of[t.Unit] = v.Sum.Plus(t), of[t.Unit].Plus(t)
		}
	}
	for unit, t := range of {
		q := url.Values{"unit": {unit}, "state": {isOpen}}
		x := line{Tally: t, Name: nameOf(a, unit, directory.DayOf(c.Now())), Search: "/orders/search?" + q.Encode()}
		q.Set("late", "1")
		x.LateAt = "/orders/search?" + q.Encode()
		x.Unit = unit
		v.Lines = append(v.Lines, x)
	}
	slices.SortFunc(v.Lines, func(x, y line) int {
		return cmp.Or(cmp.Compare(y.Escalated, x.Escalated), cmp.Compare(y.Overdue, x.Overdue), cmp.Compare(y.Open, x.Open),
			cmp.Compare(x.Unit, y.Unit))
	})
	if v.Rest = max(0, len(v.Lines)-mostLines); v.Rest > 0 {
		v.Lines = v.Lines[:mostLines]
	}
	if v.header, err = p.header(c, a, "/orders/board"); err != nil {
		return err
	}
	return c.Show("orders/board", v)
}
