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
	// Random returns a text that nobody guesses, of letters and digits.
	Random func() string
}

// pages are the pages.
type pages struct{ Config }

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg}
	see, work, review := account.SeeOrders, account.WorkOrders, account.ReviewOrders
	const file = rectify.MostBytes + 64<<10
	routes := []web.Route{
		{Method: "GET", Path: "/orders", Action: see, Nav: "工单", Do: p.list},
		{Method: "GET", Path: "/orders/board", Action: see, Do: p.board},
		{Method: "GET", Path: "/orders/contacts", Action: see, Do: p.contacts},
		{Method: "GET", Path: "/orders/search", Action: see, Do: p.search},
		{Method: "POST", Path: "/orders/urge", Action: review, Do: p.urge},
		{Method: "GET", Path: "/orders/of/{order}", Action: see, Object: p.object, Do: p.one},
		{Method: "POST", Path: "/orders/of/{order}/work", Action: work, Object: p.object, Do: p.does},
		{Method: "POST", Path: "/orders/of/{order}/review", Action: review, Object: p.object, Do: p.does},
		{Method: "POST", Path: "/orders/of/{order}/work/files", Action: work, Object: p.object, Do: p.attach, MaxBody: file},
		{Method: "POST", Path: "/orders/of/{order}/review/files", Action: review, Object: p.object, Do: p.attach, MaxBody: file},
		{Method: "GET", Path: "/orders/of/{order}/files/{file}", Action: see, Object: p.object, Do: p.file},
		{Method: "GET", Path: "/orders/of/{order}/print.pdf", Action: see, Object: p.object, Do: p.print},
		{Method: "POST", Path: "/orders/of/{order}/words", Action: account.SeeText, Object: p.object, Do: p.words},
		{Method: "POST", Path: "/orders/of/{order}/person", Action: account.SeeIdentity, Object: p.object, Do: p.person},
		{Method: "GET", Path: "/complaints", Action: account.Complain, Do: p.complaint},
		{Method: "POST", Path: "/complaints", Action: account.Complain, Do: p.complain},
	}
	return web.Section{Name: "orders", Files: files, Needs: p.needs, Routes: slices.Concat(p.programs(), routes, p.clues())}
}

// found is the part that an address names.
type found struct {
	order rectify.Order
	rectify.Kept
	atlas *directory.Atlas
	path  string // of its page
	clue  bool   // by the door of clues
}

// part returns the part that an address names. One that is a clue as a whole is there by the door of clues alone, which has no others.
func (p *pages) part(c *web.Call) (f found, err error) {
	name, door := c.R.PathValue("order"), "/orders/of/"
	if f.clue = name == ""; f.clue {
		name, door = c.R.PathValue("clue"), "/clues/of/"
	}
	if f.order, f.Kept, err = p.named(c.R.Context(), name); err != nil {
		return f, err
	}
	if f.clue && !f.Body.Clue || !f.clue && f.Body.Secret {
		return f, web.ErrNotFound
	}
	f.path = fmt.Sprintf("%s%d-%d", door, f.Order, f.Part)
	f.atlas, err = p.Directory.Atlas(c.R.Context())
	return f, err
}

// named returns the part of an order that is named as 412-1.
func (p *pages) named(ctx context.Context, name string) (x rectify.Order, k rectify.Kept, err error) {
	id, part, _ := strings.Cut(name, "-")
	order, err := strconv.ParseInt(id, 10, 64)
	n, err2 := strconv.ParseInt(part, 10, 64)
	if err != nil || err2 != nil {
		return x, k, web.ErrNotFound
	}
	x, err = p.Orders.Order(ctx, order)
	if errors.Is(err, rectify.ErrNoOrder) {
		err = web.ErrNotFound
	}
	if err != nil {
		return x, k, err
	}
	i := slices.IndexFunc(x.Parts, func(k rectify.Kept) bool { return k.Part == n })
	if i < 0 {
		return x, k, web.ErrNotFound
	}
	return x, x.Parts[i], nil
}

// object returns what the part is about that an address names.
func (p *pages) object(c *web.Call) (account.Object, error) {
	f, err := p.part(c)
	if err != nil {
		return account.Object{}, err
	}
	return object(f.atlas, f.Body, directory.DayOf(c.Now())), nil
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
	Urgeable bool
}

func (p *pages) row(a *directory.Atlas, l rectify.Listed, now time.Time) row {
	r := row{Listed: l, Path: fmt.Sprintf("/orders/of/%d-%d", l.Order, l.Part), State: l.Body.State.Chinese(), Level: l.About.Level.Chinese(),
		Unit:    l.Body.Unit,
		Urgency: rectify.Calm, RatedDay: web.Clock(l.About.RatedAt),
		Urgeable: slices.ContainsFunc(l.Body.Next(), func(d rectify.About) bool { return d.Do == rectify.Urge })}
	if l.About.Complaint != nil {
		r.Level = "投诉"
	}
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
	case late && left == 0: // no working day has passed since
		r.Left = "已逾期"
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
	header
	Rows []row
	More string // address of the next page
	Late int    // of those shown
}

func (p *pages) list(c *web.Call) error {
	after, err := placeOf(c.R.FormValue("after"))
	if err != nil {
		return err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	some, next, err := p.due(c, a, after, shown)
	if err != nil {
		return err
	}
	v := listed{}
	if v.header, err = p.header(c, a, "/orders"); err != nil {
		return err
	}
	for _, l := range some {
		r := p.row(a, l, c.Now())
		if r.Urgency == rectify.Overdue || r.Urgency == rectify.Escalated {
			v.Late++
		}
		v.Rows = append(v.Rows, r)
	}
	if next != (rectify.Place{}) {
		v.More = "/orders?after=" + placeText(next)
	}
	return c.Show("orders/list", v)
}

// due returns up to most parts after a place that the person may see, by what is due first, and where the following ones begin: zero at the
// end.
func (p *pages) due(c *web.Call, a *directory.Atlas, after rectify.Place, most int) ([]rectify.Listed, rectify.Place, error) {
	f := within(c, a, account.SeeOrders)
	f.After = after
	return p.walk(c, a, account.SeeOrders, f, most, p.Orders.Due, rectify.Listed.Place)
}

// walk returns up to most parts of a list that the person may do something to, and where the following ones begin: zero at the end.
func (p *pages) walk(c *web.Call, a *directory.Atlas, do account.Action, f rectify.Filter, most int,
	read func(context.Context, rectify.Filter) ([]rectify.Listed, error),
	place func(rectify.Listed) rectify.Place) (all []rectify.Listed, next rectify.Place, err error) {
	today := directory.DayOf(c.Now())
	f.Limit = 200
	for seen := 0; ; {
		some, err := read(c.R.Context(), f)
		if err != nil {
			return nil, next, err
		}
		for _, l := range some {
			if len(all) == most || seen == scanned {
				return all, f.After, nil
			}
			seen++
			f.After = place(l)
			if c.May(do, object(a, l.Body, today)) {
				all = append(all, l)
			}
		}
		if len(some) < f.Limit {
			return all, next, nil
		}
	}
}

// within returns the filter of what somebody sees, so that the table is asked for nothing else. Whoever sees what lies nowhere sees all.
func within(c *web.Call, a *directory.Atlas, do account.Action) (f rectify.Filter) {
	if c.May(do, account.Object{}) {
		return f
	}
	today := directory.DayOf(c.Now())
	var of []string
	for _, g := range c.Grants(do) {
		if g.Role.Scope() == account.InUnit {
			of = append(of, g.Scope)
			continue
		}
		first, last := account.Codes(g.Scope)
		f.Areas = append(f.Areas, rectify.Codes{First: first, Last: last})
	}
	f.Units = slices.Clone(of)
	for u := range a.Each(directory.Unit, today) {
		for _, above := range a.Units(u.ID, today) {
			if slices.Contains(of, above.ID) && !slices.Contains(f.Units, u.ID) {
				f.Units = append(f.Units, u.ID)
			}
		}
	}
	return f
}

// placeText is the inverse of placeOf.
func placeText(p rectify.Place) string { return fmt.Sprintf("%d.%d.%d", p.At, p.Order, p.Part) }

func placeOf(s string) (p rectify.Place, err error) {
	if s == "" {
		return p, nil
	}
	if _, err := fmt.Sscanf(s, "%d.%d.%d", &p.At, &p.Order, &p.Part); err != nil {
		return p, &web.Refusal{Words: "这个地址不完整，请回到第一页。The address names no place in the list."}
	}
	return p, nil
}

// needs returns what is overdue, what is due today, and else what is due next.
func (p *pages) needs(c *web.Call) ([]web.Need, error) {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return nil, err
	}
	clues, err := p.needsOfClues(c, a)
	if err != nil || !c.Ever(account.SeeOrders) {
		return clues, err
	}
	const most = 100
	some, next, err := p.due(c, a, rectify.Place{}, most)
	if err != nil || len(some) == 0 {
		return clues, err
	}
	n := make(map[rectify.Urgency]int)
	for _, l := range some {
		n[p.Orders.Terms().Urgency(time.UnixMilli(l.Due), c.Now())]++
	}
	late, soon := n[rectify.Overdue]+n[rectify.Escalated], n[rectify.Soon]
	more := ""
	if next != (rectify.Place{}) {
		more = "以上" // they come by what is due first, so that it is the last of these that may be more
	}
	all := clues
	if late > 0 {
		words := fmt.Sprintf("%d 份差评工单逾期，最早的 %s 到期", late, dueDay(some[0]))
		if late == len(some) && more != "" {
			words = fmt.Sprintf("%d 份%s差评工单逾期，最早的 %s 到期", late, more, dueDay(some[0]))
		}
		all = append(all, web.Need{Words: words, Path: "/orders", Grave: true})
	}
	if soon > 0 {
		all = append(all, web.Need{Words: fmt.Sprintf("%d 份差评工单今天到期", soon), Path: "/orders"})
	}
	if calm := n[rectify.Calm]; calm > 0 {
		all = append(all, web.Need{Words: fmt.Sprintf("%d 份%s差评工单在办，下一份 %s 到期", calm, more, dueDay(some[late+soon])), Path: "/orders",
			Says: true})
	}
	return all, nil
}

// dueDay returns the last day on which a part's next step is in time.
func dueDay(l rectify.Listed) string {
	return time.UnixMilli(l.Due).Add(-time.Second).In(rating.Shanghai()).Format("01-02")
}
