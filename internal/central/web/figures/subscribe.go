package figures

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/subscribe"
	"haochaping/internal/central/web"
)

// Subscriptions is what the pages need of who wants figures told.
type Subscriptions interface {
	Add(context.Context, subscribe.Subscription) error
	Of(ctx context.Context, account string) ([]subscribe.Subscription, error)
	Looked(ctx context.Context, account string, n int64, end directory.Day) error
	Drop(ctx context.Context, account string, n int64) error
	Choose(ctx context.Context, account string, n int64, way subscribe.Way, address string, from directory.Day) error
}

// Ways says how somebody can be told besides the home page.
type Ways struct {
	Mail    func(address string) (string, error) // the address as it is written to, or what is wrong with it; nil: there is no mail
	Webhook bool
}

// subscriptions returns the routes of subscriptions.
func (p *pages) subscriptions() []web.Route {
	see := account.SeeFigures
	return []web.Route{
		{Method: "GET", Path: "/figures/subscriptions", Action: see, Do: func(c *web.Call) error { return p.subscribed(c, http.StatusOK, "") }},
		{Method: "POST", Path: "/figures/subscriptions", Action: see, Do: p.subscribe},
		{Method: "POST", Path: "/figures/subscriptions/drop", Action: see, Do: p.unsubscribe},
		{Method: "POST", Path: "/figures/subscriptions/way", Action: see, Do: p.choose},
		{Method: "GET", Path: "/figures/subscriptions/look", Action: see, Do: p.look},
	}
}

// LastOf returns the last period of an interval that can be told: a week from Monday on that is over, or a month that is closed.
func LastOf(e subscribe.Every, now time.Time) directory.Period {
	if e == subscribe.Month {
		return closedMonth(now)
	}
	today := directory.DayOf(now)
	monday := today - directory.Day((today.Start().In(web.Zone()).Weekday()+6)%7)
	return directory.Period{From: monday - 7, To: monday}
}

// subscribe keeps what a form asks for.
func (p *pages) subscribe(c *web.Call) error {
	e := subscribe.Every(c.R.PostFormValue("every"))
	form := make(url.Values)
	for _, name := range parameters() {
		if s := c.R.PostFormValue(name); s != "" && name != "from" && name != "to" {
			form.Set(name, s)
		}
	}
	q, err := p.questionOf(c, form)
	if err == nil && (e.Chinese() == "" || q.viewer.guarded && e == subscribe.Week) {
		err = &web.Refusal{Words: "请选择每周或每月；大厅的汇总只按月。Choose week or month; a hall's figures stand by month."}
	}
	if err == nil {
		v := q.values()
		v.Del("from")
		v.Del("to")
		err = p.Subscriptions.Add(c.R.Context(), subscribe.Subscription{Account: c.Person.Account, Every: e, Query: v.Encode(),
			Words: q.scope() + "，按" + q.By.Chinese})
	}
	var refusal *web.Refusal
	switch {
	case errors.As(err, &refusal):
		return p.subscribed(c, http.StatusUnprocessableEntity, refusal.Words)
	case errors.Is(err, subscribe.ErrMany):
		return p.subscribed(c, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		return err
	}
	return c.See("/figures/subscriptions")
}

// unsubscribe ends what a form names.
func (p *pages) unsubscribe(c *web.Call) error {
	n, err := strconv.ParseInt(c.R.PostFormValue("n"), 10, 64)
	if err != nil {
		return web.ErrNotFound
	}
	if err := p.Subscriptions.Drop(c.R.Context(), c.Person.Account, n); err != nil {
		return err
	}
	return c.See("/figures/subscriptions")
}

// choose keeps how somebody is told, from the next period on.
func (p *pages) choose(c *web.Call) error {
	n, err := strconv.ParseInt(c.R.PostFormValue("n"), 10, 64)
	if err != nil {
		return web.ErrNotFound
	}
	all, err := p.Subscriptions.Of(c.R.Context(), c.Person.Account)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(s subscribe.Subscription) bool { return s.N == n })
	if i < 0 {
		return web.ErrNotFound
	}
	way, address := subscribe.Way(c.R.PostFormValue("way")), ""
	switch {
	case way == subscribe.HomePage, way == subscribe.Webhook && p.Ways.Webhook:
	case way == subscribe.Mail && p.Ways.Mail != nil:
		if address, err = p.Ways.Mail(c.R.PostFormValue("address")); err != nil {
			return p.subscribed(c, http.StatusUnprocessableEntity, err.Error())
		}
	default:
		return p.subscribed(c, http.StatusUnprocessableEntity, "没有这种通知方式。There is no such way.")
	}
	if err := p.Subscriptions.Choose(c.R.Context(), c.Person.Account, n, way, address, LastOf(all[i].Every, c.Now()).To); err != nil {
		return err
	}
	return c.See("/figures/subscriptions")
}

// subscriptionLine is a subscription in words.
type subscriptionLine struct {
	N                  int64
	Every, Words, Days string
	New                bool
	Way                subscribe.Way
	Address, Trouble   string
}

func (p *pages) subscribed(c *web.Call, status int, problem string) error {
	all, err := p.Subscriptions.Of(c.R.Context(), c.Person.Account)
	if err != nil {
		return err
	}
	var v struct {
		Problem       string
		Mail, Webhook bool // there is that way
		Lines         []subscriptionLine
	}
	v.Problem, v.Mail, v.Webhook = problem, p.Ways.Mail != nil, p.Ways.Webhook
	for _, s := range all {
		days := LastOf(s.Every, c.Now())
		v.Lines = append(v.Lines, subscriptionLine{s.N, s.Every.Chinese(), s.Words, spelled(days), s.Seen < days.To, s.Way, s.Address, s.Trouble})
	}
	return c.ShowStatus(status, "figures/subscriptions", v)
}

func spelled(p directory.Period) string { return fmt.Sprintf("%s 至 %s", p.From, p.To-1) }

// look leads to the figures of the last period, and notes that they were looked at.
func (p *pages) look(c *web.Call) error {
	named := c.R.URL.Query().Get("n")
	if named == "" { // the address alone shows which there are
		return p.subscribed(c, http.StatusOK, "")
	}
	n, err := strconv.ParseInt(named, 10, 64)
	if err != nil {
		return web.ErrNotFound
	}
	all, err := p.Subscriptions.Of(c.R.Context(), c.Person.Account)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.N != n {
			continue
		}
		days := LastOf(s.Every, c.Now())
		if err := p.Subscriptions.Looked(c.R.Context(), c.Person.Account, n, days.To); err != nil {
			return err
		}
		return c.See(fmt.Sprintf("/figures?%s&from=%s&to=%s", s.Query, days.From, days.To-1))
	}
	return web.ErrNotFound
}

// needs says which figures are there that somebody wanted to be told.
func (p *pages) needs(c *web.Call) (all []web.Need, err error) {
	if !c.Ever(account.SeeFigures) {
		return nil, nil
	}
	some, err := p.Subscriptions.Of(c.R.Context(), c.Person.Account)
	for _, s := range some {
		if days := LastOf(s.Every, c.Now()); s.Seen < days.To {
			all = append(all, web.Need{Words: fmt.Sprintf("统计已出（%s）：%s，%s", s.Every.Chinese(), s.Words, spelled(days)),
				Path: fmt.Sprintf("/figures/subscriptions/look?n=%d", s.N), Says: true})
		}
	}
	return all, err
}
