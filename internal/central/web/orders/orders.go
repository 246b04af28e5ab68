package orders

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

//go:embed *.html *.css
var files embed.FS

// Config holds what the pages need. All fields are mandatory.
type Config struct {
	Orders    *rectify.Orders
	Directory scope.Directory
	// Name returns the name of an account, its id if it has none.
	Name func(ctx context.Context, account string) string
}

// pages are the pages.
type pages struct{ Config }

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg}
	see := account.SeeOrders
	return web.Section{Name: "orders", Files: files, Needs: p.needs, Routes: []web.Route{
		{Method: "GET", Path: "/orders", Action: see, Nav: "工单", Do: p.list},
		{Method: "GET", Path: "/orders/of/{order}", Action: see, Object: p.object, Do: p.one},
		{Method: "POST", Path: "/orders/of/{order}/work", Action: account.WorkOrders, Object: p.object, Do: p.does(rectify.Unit)},
		{Method: "POST", Path: "/orders/of/{order}/review", Action: account.ReviewOrders, Object: p.object, Do: p.does(rectify.Office)},
	}}
}

// part returns the part of an order that an address names.
func (p *pages) part(c *web.Call) (rectify.Order, rectify.Kept, error) {
	id, part, _ := strings.Cut(c.R.PathValue("order"), "-")
	order, err := strconv.ParseInt(id, 10, 64)
	n, err2 := strconv.ParseInt(part, 10, 64)
	if err != nil || err2 != nil {
		return rectify.Order{}, rectify.Kept{}, web.ErrNotFound
	}
	x, err := p.Orders.Order(c.R.Context(), order)
	if errors.Is(err, rectify.ErrNoOrder) {
		err = web.ErrNotFound
	}
	if err != nil {
		return x, rectify.Kept{}, err
	}
	i := slices.IndexFunc(x.Parts, func(k rectify.Kept) bool { return k.Part == n })
	if i < 0 {
		return x, rectify.Kept{}, web.ErrNotFound
	}
	return x, x.Parts[i], nil
}

// object returns what the part is about that an address names.
func (p *pages) object(c *web.Call) (account.Object, error) {
	_, k, err := p.part(c)
	if err != nil {
		return account.Object{}, err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	return object(a, k.Body, directory.DayOf(c.Now())), err
}

// object returns what a part is about: its unit with those above it, as they are now, and its area.
func object(a *directory.Atlas, p rectify.Part, today directory.Day) account.Object {
	o := account.Object{Area: p.Area}
	for _, u := range a.Units(p.Unit, today) {
		o.Units = append(o.Units, u.ID)
	}
	if len(o.Units) == 0 && p.Unit != "" {
		o.Units = []string{p.Unit}
	}
	return o
}

// row is a part in words.
type row struct {
	rectify.Listed
	Path     string
	State    string
	Level    string
	Unit     string // name, code if the organisation does not have it
	Due      string
	Left     string
	Urgency  rectify.Urgency
	RatedDay string
}

func (p *pages) row(a *directory.Atlas, l rectify.Listed, now time.Time) row {
	r := row{Listed: l, Path: fmt.Sprintf("/orders/of/%d-%d", l.Order, l.Part), State: l.Body.State.Chinese(), Level: l.About.Level.Chinese(), Unit: l.Body.Unit,
		Urgency: rectify.Calm, RatedDay: web.Clock(l.About.RatedAt)}
	if u, ok := a.At(directory.Unit, l.Body.Unit, directory.DayOf(now)); ok {
		r.Unit = u.Name
	}
	if l.Due == 0 {
		return r
	}
	due := time.UnixMilli(l.Due)
	left, late := p.Orders.Terms().Left(due, now)
	r.Urgency, r.Due = p.Orders.Terms().Urgency(due, now), due.Add(-time.Second).In(rating.Shanghai()).Format("2006-01-02")
	switch {
	case late:
		r.Left = fmt.Sprintf("逾期 %d 个工作日", left)
	case left == 0:
		r.Left = "今天到期"
	default:
		r.Left = fmt.Sprintf("还有 %d 个工作日", left)
	}
	return r
}

const (
	shown   = 50
	scanned = 5000 // parts that one page looks at; the rest is behind its link
)

// listed is what the list shows.
type listed struct {
	Rows []row
	More string // address of the next page
	Late int    // of those shown
}

func (p *pages) list(c *web.Call) error {
	after, err := placeOf(c.R.FormValue("after"))
	if err != nil {
		return err
	}
	v, _, err := p.due(c, after, shown)
	if err != nil {
		return err
	}
	return c.Show("orders/list", v)
}

// due returns the parts that the person may see by what is due first, and whether that are all.
func (p *pages) due(c *web.Call, after rectify.Place, most int) (v listed, all bool, err error) {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return v, false, err
	}
	today := directory.DayOf(c.Now())
	f := rectify.Filter{Units: units(c, a, today), After: after, Limit: 200}
	for seen := 0; ; {
		some, err := p.Orders.Due(c.R.Context(), f)
		if err != nil {
			return v, false, err
		}
		for _, l := range some {
			if len(v.Rows) == most || seen == scanned {
				v.More = fmt.Sprintf("/orders?after=%d.%d.%d", f.After.Due, f.After.Order, f.After.Part)
				return v, false, nil
			}
			seen++
			f.After = l.Place()
			if !c.May(account.SeeOrders, object(a, l.Body, today)) {
				continue
			}
			r := p.row(a, l, c.Now())
			if r.Urgency == rectify.Overdue || r.Urgency == rectify.Escalated {
				v.Late++
			}
			v.Rows = append(v.Rows, r)
		}
		if len(some) < f.Limit {
			return v, true, nil
		}
	}
}

// units returns the units whose orders somebody sees who sees no area's, so that the table is asked for no others; nil for everybody else.
func units(c *web.Call, a *directory.Atlas, today directory.Day) []string {
	var of []string
	for _, g := range c.Grants(account.SeeOrders) {
		if g.Role.Scope() != account.InUnit {
			return nil
		}
		of = append(of, g.Scope)
	}
	if len(of) == 0 || c.Everybody {
		return nil
	}
	all := slices.Clone(of)
	for u := range a.Each(directory.Unit, today) {
		for _, above := range a.Units(u.ID, today) {
			if slices.Contains(of, above.ID) && !slices.Contains(all, u.ID) {
				all = append(all, u.ID)
			}
		}
	}
	return all
}

func placeOf(s string) (p rectify.Place, err error) {
	if s == "" {
		return p, nil
	}
	if _, err := fmt.Sscanf(s, "%d.%d.%d", &p.Due, &p.Order, &p.Part); err != nil {
		return p, &web.Refusal{Words: "这个地址不完整，请回到第一页。The address names no place in the list."}
	}
	return p, nil
}

// needs returns what is due today or overdue.
func (p *pages) needs(c *web.Call) ([]web.Need, error) {
	if !c.Ever(account.SeeOrders) {
		return nil, nil
	}
	const most = 100
	v, _, err := p.due(c, rectify.Place{}, most)
	if err != nil {
		return nil, err
	}
	soon := 0
	for _, r := range v.Rows {
		if r.Urgency == rectify.Soon {
			soon++
		}
	}
	var all []web.Need
	if v.Late > 0 {
		words := fmt.Sprintf("%d 份差评工单逾期", v.Late)
		if v.Late == most {
			words = fmt.Sprintf("%d 份以上差评工单逾期", most)
		}
		all = append(all, web.Need{Words: words, Path: "/orders", Grave: true})
	}
	if soon > 0 {
		all = append(all, web.Need{Words: fmt.Sprintf("%d 份差评工单今天到期", soon), Path: "/orders"})
	}
	return all, nil
}
