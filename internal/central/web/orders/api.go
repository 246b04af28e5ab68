package orders

import (
	"errors"
	"net/http"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

// programs returns what programs read of orders, and how they work on them: a province's own 整改 system, by the same states. What people
// have written about an order is not among what they read: it may say who has rated. Of clues there is nothing.
func (p *pages) programs() []web.Route {
	see := account.SeeOrders
	return []web.Route{
		{Method: "GET", Path: "/api/v1/orders", Action: see, Do: p.listForPrograms},
		{Method: "GET", Path: "/api/v1/orders/{order}", Action: see, Object: p.object, Do: p.tell},
		{Method: "POST", Path: "/api/v1/orders/{order}/work", Action: account.WorkOrders, Object: p.object, Do: p.doesForPrograms},
		{Method: "POST", Path: "/api/v1/orders/{order}/review", Action: account.ReviewOrders, Object: p.object, Do: p.doesForPrograms},
		{Method: "POST", Path: "/api/v1/complaints", Action: account.Complain, Do: p.complainForPrograms},
	}
}

// told is the part of an order that one unit works on, as programs read it.
type told struct {
	rectify.Told
	See int64 `json:"evaluation,omitempty"` // for those who see evaluations
}

func (p *pages) toldOf(c *web.Call, l rectify.Listed) (told, error) {
	t, err := p.Orders.Tell(c.R.Context(), l)
	v := told{Told: t}
	if c.Ever(account.SeeEvaluations) {
		v.See = l.About.Evaluation
	}
	return v, err
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
		t, err := p.toldOf(c, l)
		if err != nil {
			return err
		}
		items = append(items, t)
	}
	if next == (rectify.Place{}) {
		return web.List(c, items, "")
	}
	return web.List(c, items, placeText(next))
}

// toldStep is an act of the history as programs read it.
type toldStep struct {
	At    time.Time    `json:"at"`
	Do    rectify.Deed `json:"do,omitempty"` // nothing where the order was opened, the part added or a file attached
	Means string       `json:"means"`        // in Chinese
	By    string       `json:"by"`           // the account, or the program itself
	Wrote bool         `json:"wrote"`        // somebody has written something, which the pages show

	Method rectify.Method `json:"method,omitempty"` // how the citizen was reached or tried
	Result rectify.Result `json:"result,omitempty"` // what came of it
	Side   rectify.Side   `json:"side,omitempty"`   // who has appealed
}

// tell answers with the part of the address and its history, the last act first.
func (p *pages) tell(c *web.Call) error {
	f, err := p.part(c)
	if err != nil {
		return err
	}
	clues := rectify.NoClues
	if c.May(account.ReviewOrders, object(f.atlas, f.Body, directory.DayOf(c.Now()))) {
		clues = rectify.ThatClues
	}
	history, err := p.Orders.History(c.R.Context(), f.Order, clues)
	if err != nil {
		return err
	}
	t, err := p.toldOf(c, rectify.Listed{Kept: f.Kept, About: f.order.About})
	if err != nil {
		return err
	}
	v := struct {
		told
		History []toldStep `json:"history"`
	}{t, []toldStep{}}
	for _, h := range ofPart(history, f.Part) {
		s := p.step(c, f, h)
		v.History = append(v.History, toldStep{h.At.In(web.Zone()), h.Do, s.What, h.Source, h.Text != "" || h.Erased || h.Kept || h.Judged,
			h.Event.Method, h.Event.Result, h.Event.Side})
	}
	return c.JSON(v)
}

// doesForPrograms does what a program says about a part as it has seen it, and answers with the part.
func (p *pages) doesForPrograms(c *web.Call) error {
	var in struct {
		Deed    rectify.Deed `json:"deed"`
		Changed int64        `json:"changed"`
		Words   string       `json:"words"`
		Days    int          `json:"days"`
		Unit    string       `json:"unit"`

		Method rectify.Method `json:"method"`
		Result rectify.Result `json:"result"`
		Side   rectify.Side   `json:"side"`
	}
	if err := c.Body(&in); err != nil {
		return err
	}
	f, err := p.part(c)
	if err != nil {
		return err
	}
	e := rectify.Event{Do: in.Deed, Days: in.Days, Unit: in.Unit, Method: in.Method, Result: in.Result, Side: in.Side}
	k, err := p.do(c, f, in.Changed, e, in.Words)
	if err != nil {
		return refusalFor(err)
	}
	t, err := p.toldOf(c, rectify.Listed{Kept: k, About: f.order.About})
	if err != nil {
		return err
	}
	return c.JSON(t)
}

// refusalFor makes what cannot be done an answer for programs.
func refusalFor(err error) error {
	var refusal *rectify.Refusal
	switch {
	case errors.As(err, &refusal):
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: refusal.Error()}
	case errors.Is(err, rectify.ErrMeanwhile):
		return &web.Refusal{Status: http.StatusConflict, Words: err.Error()}
	}
	return err
}

// complainForPrograms opens an order on a complaint, as the hotline has taken one. Its way and number tell a repetition, which is answered
// by 200.
func (p *pages) complainForPrograms(c *web.Call) error {
	var in struct {
		Way         rectify.Way `json:"way"`
		Number      string      `json:"number"`
		At          *time.Time  `json:"at"`
		Retaliation bool        `json:"retaliation"`
		Unit        string      `json:"unit"`
		Area        string      `json:"area"`
		Matter      string      `json:"matter"`
		Place       string      `json:"place"`
		Words       string      `json:"words"`
		Contact     string      `json:"contact"`
	}
	if err := c.Body(&in); err != nil {
		return err
	}
	v := rectify.Complained{Way: in.Way, Number: in.Number, Retaliation: in.Retaliation, Unit: in.Unit, Area: in.Area, Matter: in.Matter,
		Place: in.Place,
		Words: in.Words, Contact: in.Contact}
	if in.At != nil {
		v.At = in.At.UnixMilli()
	}
	x, fresh, err := p.enter(c, "", v)
	if err != nil {
		return refusalFor(err)
	}
	out := struct {
		ID string `json:"id"`
	}{x.Parts[0].Name()}
	if !fresh && x.Parts[0].Body.Secret != in.Retaliation {
		return &web.Refusal{Status: http.StatusConflict, Code: web.CodeExists,
			Words: "这个编号的投诉已经登记，内容不同，没有另存。A complaint of this number is there already and is another one."}
	}
	if !fresh {
		return c.JSON(out)
	}
	c.W.Header().Set("Location", "/api/v1/orders/"+out.ID)
	return c.JSONStatus(http.StatusCreated, out)
}
