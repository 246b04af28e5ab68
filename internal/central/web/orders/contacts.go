package orders

import (
	"slices"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

// contactsShown is what the page of contacts and appeals shows.
type contactsShown struct {
	header
	Year    int
	Lines   []contactLine
	Unclear int // messages of which nobody knows whether they were sent
}

// contactLine is how often one thing was chosen.
type contactLine struct {
	What, Method, Result string
	Times                int
}

// contacts counts how citizens were reached or tried, what came of it, and who has appealed, of the orders of this year.
func (p *pages) contacts(c *web.Call) error {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	now := c.Now().In(web.Zone())
	f := within(c, a, account.SeeOrders)
	f.From = time.Date(now.Year(), time.January, 1, 0, 0, 0, 0, web.Zone()).UnixMilli()
	all, err := p.Orders.Choices(c.R.Context(), f)
	if err != nil {
		return err
	}
	times := make(map[rectify.Chosen]int)
	for _, x := range all {
		if c.May(account.SeeOrders, p.objectOf(c, a, x.Unit, x.Area)) {
			times[rectify.Chosen{Do: x.Do, Method: x.Method, Result: x.Result, Side: x.Side}] += x.Times
		}
	}
	v := contactsShown{Year: now.Year()}
	for _, d := range rectify.Deeds() {
		for _, x := range inOrder(times, d.Do) {
			what := d.Chinese
			if x.Side != "" {
				what += "：" + x.Side.Chinese()
			}
			v.Lines = append(v.Lines, contactLine{what, x.Method.Chinese(), x.Result.Chinese(), times[x]})
		}
	}
	v.Unclear = times[rectify.Chosen{Do: rectify.Unclear}]
	if v.header, err = p.header(c, a, "/orders/contacts"); err != nil {
		return err
	}
	return c.Show("orders/contacts", v)
}

// inOrder returns what was chosen of a deed, as its form offers it.
func inOrder(times map[rectify.Chosen]int, do rectify.Deed) (all []rectify.Chosen) {
	add := func(x rectify.Chosen) {
		if times[x] > 0 {
			all = append(all, x)
		}
	}
	add(rectify.Chosen{Do: do})
	for _, s := range []rectify.Side{rectify.OfCitizen, rectify.OfRated, rectify.OfUnit} {
		add(rectify.Chosen{Do: do, Side: s})
	}
	for _, m := range do.Methods() {
		for _, r := range slices.Concat([]rectify.Result{""}, do.Results()) {
			add(rectify.Chosen{Do: do, Method: m, Result: r})
		}
	}
	return all
}
