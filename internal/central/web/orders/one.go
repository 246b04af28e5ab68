package orders

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

// single is what the page of one part shows.
type single struct {
	row
	Area     string
	Had      []string
	Named    bool
	Ends     string // the unit's time
	Days     int
	Others   []row // parts of the same order that the person sees
	Steps    []step
	Deeds    []deed
	See      string // address of the evaluation, empty if the person may not see it
	Most     int
	MostText int
	Problem  string
}

// step is an act of the history in words.
type step struct {
	At, What, Who string
	Text          string
	Erased        bool
}

// deed is something that the person may do now.
type deed struct {
	rectify.About
	Path    string
	Article string
	Extend  bool
	Move    bool
}

func (p *pages) one(c *web.Call) error { return p.show(c, http.StatusOK, "") }

// show answers with the page as things stand now.
func (p *pages) show(c *web.Call, status int, problem string) error {
	x, k, err := p.part(c)
	if err != nil {
		return err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	today := directory.DayOf(c.Now())
	o := object(a, k.Body, today)
	v := single{row: p.row(a, rectify.Listed{Kept: k, About: x.About}, c.Now()), Area: k.Body.Area, Named: k.Body.Named, Days: k.Body.Days, Most: rectify.MostDays,
		MostText: rectify.MostWords, Problem: problem, Ends: p.Orders.Terms().End(k.Body).At.Add(-time.Second).In(web.Zone()).Format("2006-01-02")}
	if r, ok := a.At(directory.Area, k.Body.Area, today); ok {
		v.Area = r.Name
	}
	for _, u := range k.Body.Had {
		v.Had = append(v.Had, nameOf(a, u, today))
	}
	for _, other := range x.Parts {
		if other.Part != k.Part && c.May(account.SeeOrders, object(a, other.Body, today)) {
			v.Others = append(v.Others, p.row(a, rectify.Listed{Kept: other, About: x.About}, c.Now()))
		}
	}
	if c.Ever(account.SeeEvaluations) {
		v.See = fmt.Sprintf("/evaluations/of/%d", x.About.Evaluation)
	}
	for _, d := range k.Body.Next() {
		do, way := account.WorkOrders, "work"
		if d.By == rectify.Office {
			do, way = account.ReviewOrders, "review"
		}
		if c.May(do, o) {
			v.Deeds = append(v.Deeds, deed{About: d, Path: v.Path + "/" + way, Article: article(d.Article), Extend: d.Do == rectify.Extend, Move: d.Do == rectify.Move || d.Do == rectify.Assign})
		}
	}
	if v.Steps, err = p.steps(c, a, k, c.May(account.ReviewOrders, o)); err != nil {
		return err
	}
	return c.ShowStatus(status, "orders/one", v)
}

func nameOf(a *directory.Atlas, unit string, today directory.Day) string {
	if r, ok := a.At(directory.Unit, unit, today); ok {
		return r.Name
	}
	return unit
}

// article names an article of the regulation as people read it.
func article(n int) string {
	return map[int]string{6: "第六条", 8: "第八条", 16: "第十六条", 17: "第十七条", 18: "第十八条", 23: "第二十三条"}[n]
}

// steps returns the history of a part, the last first.
func (p *pages) steps(c *web.Call, a *directory.Atlas, k rectify.Kept, clues bool) (all []step, err error) {
	history, err := p.Orders.History(c.R.Context(), k.Order, clues)
	if err != nil {
		return nil, err
	}
	for _, h := range ofPart(history, k.Part) {
		all = append(all, p.step(c, a, h))
	}
	return all, nil
}

// ofPart returns what of an order's history is about one part, the last first.
func ofPart(history []rectify.Step, part int64) (all []rectify.Step) {
	for _, h := range slices.Backward(history) {
		if h.Part == 0 || h.Part == part {
			all = append(all, h)
		}
	}
	return all
}

// step returns an act in words.
func (p *pages) step(c *web.Call, a *directory.Atlas, h rectify.Step) step {
	s := step{At: web.Clock(h.At.UnixMilli()), What: "收到差评，开立工单", Who: "系统", Text: h.Text, Erased: h.Erased}
	if h.Source != rectify.Source {
		s.Who = p.Name(c.R.Context(), h.Source)
	}
	if about, ok := h.Do.About(); ok {
		s.What = about.Chinese
	} else if h.Part != 0 {
		s.What = "增列承办单位"
	}
	switch h.Do {
	case rectify.Extend:
		s.What += fmt.Sprintf("，合计 %d 个工作日", h.Event.Days)
	case rectify.Move, rectify.Assign:
		s.What += "：" + nameOf(a, h.Event.Unit, directory.DayOf(h.At))
	}
	return s
}

// does does what a form says, which must be for one hand.
func (p *pages) does(hand rectify.Hand) func(*web.Call) error {
	return func(c *web.Call) error {
		_, k, err := p.part(c)
		if err != nil {
			return err
		}
		e := rectify.Event{Do: rectify.Deed(c.R.PostFormValue("deed")), Unit: c.R.PostFormValue("unit")}
		about, ok := e.Do.About()
		if !ok || about.By != hand {
			return p.show(c, http.StatusUnprocessableEntity, "没有这一操作，请重新选择。")
		}
		seen, err := strconv.ParseInt(c.R.PostFormValue("seen"), 10, 64)
		if err != nil || seen != k.Changed {
			return p.show(c, http.StatusConflict, rectify.ErrMeanwhile.Error())
		}
		e.Days, _ = strconv.Atoi(c.R.PostFormValue("days")) // 0 is refused where it matters
		_, err = p.Orders.Do(c.R.Context(), rectify.By{Account: c.Person.Account, Session: c.Person.By}, k, e, c.R.PostFormValue("words"))
		var refusal *rectify.Refusal
		switch {
		case errors.As(err, &refusal):
			return p.show(c, http.StatusUnprocessableEntity, refusal.Chinese)
		case errors.Is(err, rectify.ErrMeanwhile):
			return p.show(c, http.StatusConflict, rectify.ErrMeanwhile.Error())
		case err != nil:
			return err
		}
		return c.See(fmt.Sprintf("/orders/of/%d-%d", k.Order, k.Part))
	}
}
