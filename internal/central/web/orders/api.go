package orders

import (
	"fmt"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// programs returns what programs read of orders. What people have written about one is not among it: it may say who has rated.
func (p *pages) programs() []web.Route {
	see := account.SeeOrders
	return []web.Route{
		{Method: "GET", Path: "/api/v1/orders", Action: see, Do: p.listForPrograms},
		{Method: "GET", Path: "/api/v1/orders/{order}", Action: see, Object: p.object, Do: p.tell},
	}
}

// told is the part of an order that one unit works on, as programs read it.
type told struct {
	ID       string          `json:"id"`
	State    rectify.State   `json:"state"`
	Means    string          `json:"means"` // in Chinese
	Unit     string          `json:"unit,omitempty"`
	UnitName string          `json:"unit_name,omitempty"`
	Area     string          `json:"area,omitempty"`
	Level    rating.Level    `json:"level"`
	Matter   string          `json:"matter,omitempty"`
	Place    string          `json:"place,omitempty"`
	RatedAt  time.Time       `json:"rated_at"`
	Due      *time.Time      `json:"due,omitempty"` // the first moment that is too late; nothing is to be done without it
	Left     *int            `json:"days_left,omitempty"`
	Urgency  rectify.Urgency `json:"urgency,omitempty"`
	Days     int             `json:"days"` // working days of the unit, an extension with them
	Ends     time.Time       `json:"ends"` // when they are over
	Changed  int64           `json:"changed"`
	Named    bool            `json:"named"`
	See      int64           `json:"evaluation,omitempty"` // for those who see evaluations
}

func (p *pages) toldOf(c *web.Call, a *directory.Atlas, l rectify.Listed) told {
	now := c.Now()
	t := told{ID: fmt.Sprintf("%d-%d", l.Order, l.Part), State: l.Body.State, Means: l.Body.State.Chinese(), Unit: l.Body.Unit, Area: l.Body.Area, Level: l.About.Level,
		Matter: l.About.Matter, Place: l.About.Place, RatedAt: time.UnixMilli(l.About.RatedAt).In(web.Zone()), Days: l.Body.Days, Ends: p.Orders.Terms().End(l.Body).At.In(web.Zone()),
		Changed: l.Changed, Named: l.Body.Named}
	if u, ok := a.At(directory.Unit, l.Body.Unit, directory.DayOf(now)); ok {
		t.UnitName = u.Name
	}
	if c.Ever(account.SeeEvaluations) {
		t.See = l.About.Evaluation
	}
	if l.Due == 0 {
		return t
	}
	due := time.UnixMilli(l.Due).In(web.Zone())
	left, late := p.Orders.Terms().Left(due, now)
	if late {
		left = -left
	}
	t.Due, t.Left, t.Urgency = &due, &left, p.Orders.Terms().Urgency(due, now)
	return t
}

// listForPrograms answers with the parts that the person sees and that somebody has still to work on, by what is due first.
func (p *pages) listForPrograms(c *web.Call) error {
	if err := c.Query("cursor", "limit"); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	after, err := placeOf(c.R.URL.Query().Get("cursor"))
	if err != nil {
		return err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	some, next, err := p.due(c, a, after, most)
	if err != nil {
		return err
	}
	var items []told
	for _, l := range some {
		items = append(items, p.toldOf(c, a, l))
	}
	if next == (rectify.Place{}) {
		return web.List(c, items, "")
	}
	return web.List(c, items, placeText(next))
}

// toldStep is an act of the history as programs read it.
type toldStep struct {
	At    time.Time    `json:"at"`
	Do    rectify.Deed `json:"do,omitempty"` // nothing where the order was opened or the part added
	Means string       `json:"means"`        // in Chinese
	By    string       `json:"by"`           // the account, or the program itself
	Wrote bool         `json:"wrote"`        // somebody has written something, which the pages show
}

// tell answers with the part of the address and its history, the last act first.
func (p *pages) tell(c *web.Call) error {
	x, k, err := p.part(c)
	if err != nil {
		return err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	history, err := p.Orders.History(c.R.Context(), k.Order, c.May(account.ReviewOrders, object(a, k.Body, directory.DayOf(c.Now()))))
	if err != nil {
		return err
	}
	v := struct {
		told
		History []toldStep `json:"history"`
	}{p.toldOf(c, a, rectify.Listed{Kept: k, About: x.About}), []toldStep{}}
	for _, h := range ofPart(history, k.Part) {
		s := p.step(c, a, h)
		v.History = append(v.History, toldStep{h.At.In(web.Zone()), h.Do, s.What, h.Source, h.Text != "" || h.Erased})
	}
	return c.JSON(v)
}
