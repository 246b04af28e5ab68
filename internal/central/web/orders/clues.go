package orders

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

// clues returns the door of those who were appointed for clues (articles 21 and 23). What is a clue as a whole is worked on here, and is
// nowhere else; of others there is what was referred.
func (p *pages) clues() []web.Route {
	see := account.SeeClues
	const file = rectify.MostBytes + 64<<10
	return []web.Route{
		{Method: "GET", Path: "/clues", Action: see, Nav: "线索", Do: p.listClues},
		{Method: "GET", Path: "/clues/of/{clue}", Action: see, Object: p.object, Do: p.one},
		{Method: "POST", Path: "/clues/of/{clue}/look", Action: see, Object: p.object, Do: p.lookAtClue},
		{Method: "POST", Path: "/clues/of/{clue}/do", Action: see, Object: p.object, Do: p.does},
		{Method: "POST", Path: "/clues/of/{clue}/files", Action: see, Object: p.object, Do: p.attach, MaxBody: file},
		{Method: "POST", Path: "/clues/of/{clue}/files/{enclosure}", Action: see, Object: p.object, Do: p.file},
	}
}

// cluesShown is what the list of clues shows.
type cluesShown struct {
	Rows []row
	More string
}

func (p *pages) listClues(c *web.Call) error {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	f := within(c, a, account.SeeClues)
	f.Clues = true
	if f.After, err = placeOf(c.R.FormValue("after")); err != nil {
		return err
	}
	some, next, err := p.walk(c, a, account.SeeClues, f, shown, p.Orders.Find, rectify.Listed.Opened)
	if err != nil {
		return err
	}
	var v cluesShown
	for _, l := range some {
		r := p.row(a, l, c.Now())
		r.Path = fmt.Sprintf("/clues/of/%d-%d", l.Order, l.Part)
		v.Rows = append(v.Rows, r)
	}
	if next != (rectify.Place{}) {
		v.More = "/clues?after=" + placeText(next)
	}
	return c.Show("orders/clues", v)
}

// lookAtClue shows what was said of a clue, who has said it and all that was written about it, for a reason that is entered first.
func (p *pages) lookAtClue(c *web.Call) error {
	f, err := p.part(c)
	if err != nil {
		return err
	}
	status, clues := http.StatusOK, rectify.WholeClues
	problem, err := p.lookFor(c, f)
	if err != nil {
		return err
	}
	if problem != "" {
		status, clues = http.StatusUnprocessableEntity, rectify.ThatClues
	}
	v, err := p.single(c, f, clues)
	if err != nil {
		return err
	}
	v.Problem = problem
	if problem == "" && f.Body.Secret {
		said, err := p.Orders.Said(c.R.Context(), f.order)
		if err := text(&v.Complaint.Words, said, err); err != nil {
			return err
		}
		person, err := p.Orders.Person(c.R.Context(), f.order)
		if err := text(&v.Complaint.Person, person, err); err != nil {
			return err
		}
	}
	v.Looked = problem == ""
	return c.ShowStatus(status, "orders/one", v)
}

// lookFor enters that somebody looks at a clue. What is wrong with the reason is for the page.
func (p *pages) lookFor(c *web.Call, f found) (problem string, err error) {
	var refusal *web.Refusal
	err = c.Look(account.SeeClues, object(f.atlas, f.Body, directory.DayOf(c.Now())), fmt.Sprintf("order %d-%d", f.Order, f.Part),
		c.R.PostFormValue("reason"))
	if errors.As(err, &refusal) {
		return refusal.Words, nil
	}
	return "", err
}

// needsOfClues says how many clues wait, to those who see them; and to offices that some are overdue, so that none is left lying.
func (p *pages) needsOfClues(c *web.Call, a *directory.Atlas) (all []web.Need, err error) {
	do := account.SeeClues
	if !c.Ever(do) {
		do = account.ReviewOrders
	}
	if !c.Ever(do) {
		return nil, nil
	}
	f := within(c, a, do)
	f.Clues, f.Units = true, nil
	some, _, err := p.walk(c, a, do, f, shown, p.Orders.Due, rectify.Listed.Place)
	if err != nil {
		return nil, err
	}
	open, late := 0, 0
	for _, l := range some {
		if !l.Body.Secret {
			continue
		}
		open++
		if !c.Now().Before(time.UnixMilli(l.Due)) {
			late++
		}
	}
	switch {
	case late > 0 && do == account.SeeClues:
		all = append(all, web.Need{Words: fmt.Sprintf("%d 件线索逾期，共 %d 件在办", late, open), Path: "/clues", Grave: true})
	case late > 0:
		all = append(all, web.Need{Words: fmt.Sprintf("%d 件线索逾期未办，请督促线索专员；没有专员的，请授权一名", late), Grave: true})
	case open > 0 && do == account.SeeClues:
		all = append(all, web.Need{Words: fmt.Sprintf("%d 件线索在办", open), Path: "/clues"})
	}
	return all, nil
}
