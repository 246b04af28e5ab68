package people

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
)

//go:embed *.html
var files embed.FS

// Config holds what the pages need.
type Config struct {
	Accounts *account.Accounts
	Journal  *journal.Journal
	// AreaOf returns where a unit, hall or member of staff is, false if there is none. Without it, the area is written by hand.
	AreaOf func(ctx context.Context, r account.Reach, id string) (area string, ok bool, err error)
	Look   int // how many acts one page of the audit looks through; 0: 20,000
}

type pages struct {
	Config
	turns *web.Turns // of exports
}

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg, new(web.Turns)}
	edit := func(path string, do func(*web.Call) error) web.Route {
		return web.Route{Method: "POST", Path: path, Action: account.EditAccounts, Object: p.area, Do: do}
	}
	return web.Section{Name: "people", Files: files, Needs: p.needs, Routes: append(p.programs(), []web.Route{
		{Method: "GET", Path: "/accounts", Action: account.SeeAccounts, Nav: "账号", Do: p.list},
		{Method: "POST", Path: "/accounts", Action: account.EditAccounts, Do: p.add},
		{Method: "GET", Path: "/accounts/{account}", Action: account.SeeAccounts, Object: p.area, Do: p.show},
		edit("/accounts/{account}/change", p.change), edit("/accounts/{account}/bar", p.bar), edit("/accounts/{account}/link", p.link),
		edit("/accounts/{account}/second", p.second), edit("/accounts/{account}/grants", p.grant),
		edit("/accounts/{account}/grants/{grant}/revoke", p.revoke),
		{Method: "GET", Path: "/audit", Action: account.SeeAudit, Nav: "审计", Do: p.audit},
		{Method: "GET", Path: "/audit.csv", Action: account.TakeAudit, Do: p.export},
	}...)}
}

// area is the object of the pages of one account: the area of its office.
func (p *pages) area(c *web.Call) (account.Object, error) {
	x, err := p.Accounts.Account(c.R.Context(), c.R.PathValue("account"))
	return account.Object{Area: x.Area}, err
}

// entry is an account as the pages show it.
type entry struct {
	account.Account
	Grants  []account.Grant
	Missing bool // of the second factor that its roles need
	Editor  bool // whoever asks may change it
}

// entry returns an account with what may be done to it.
func (p *pages) entry(c *web.Call, x account.Account) (entry, error) {
	grants, err := p.Accounts.Grants(c.R.Context(), x.ID)
	return entryOf(c, x, grants), err
}

func entryOf(c *web.Call, x account.Account, grants []account.Grant) entry {
	e := entry{Account: x, Grants: grants}
	at := c.Now().UnixMilli()
	e.Missing = !x.Second && slices.ContainsFunc(e.Grants, func(g account.Grant) bool { return g.Holds(at) && g.Role.NeedsSecond() })
	e.Editor = x.ID != c.Person.Account
	for _, o := range account.Objects(x, e.Grants, at) {
		e.Editor = e.Editor && c.May(account.EditAccounts, o)
	}
	return e
}

// mine returns the account of the address for somebody who changes it. One that sees more than they do, or is their own, is none.
func (p *pages) mine(c *web.Call) (entry, error) {
	x, err := p.Accounts.Account(c.R.Context(), c.R.PathValue("account"))
	if err != nil {
		return entry{}, err
	}
	e, err := p.entry(c, x)
	if err == nil && !e.Editor {
		err = web.ErrNotFound
	}
	return e, err
}

// all returns the accounts that the person may see.
func (p *pages) all(c *web.Call) (some []entry, err error) {
	all, err := p.Accounts.All(c.R.Context())
	if err != nil {
		return nil, err
	}
	grants, err := p.Accounts.AllGrants(c.R.Context())
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		if c.May(account.SeeAccounts, account.Object{Area: x.Area}) {
			some = append(some, entryOf(c, x, grants[x.ID]))
		}
	}
	return some, nil
}

// needs returns what whoever looks after accounts should see to.
func (p *pages) needs(c *web.Call) (needs []web.Need, err error) {
	if !c.Ever(account.EditAccounts) {
		return nil, nil
	}
	all, err := p.all(c)
	if err != nil {
		return nil, err
	}
	waiting, missing, ending := 0, 0, 0
	at, soon := c.Now().UnixMilli(), c.Now().Add(14*24*time.Hour).UnixMilli()
	for _, e := range all {
		if e.Disabled || !e.Editor {
			continue
		}
		if !e.Password && e.Subject == "" {
			waiting++
		} else if e.Missing {
			missing++
		}
		for _, g := range e.Grants {
			if g.Holds(at) && g.To != 0 && g.To < soon {
				ending++
			}
		}
	}
	for _, n := range []struct {
		many  int
		words string
	}{{waiting, "个账号还没有设置密码"}, {missing, "个账号还没有绑定必需的动态口令"}, {ending, "项授权将在两周内到期"}} {
		if n.many > 0 {
			needs = append(needs, web.Need{Words: fmt.Sprint(n.many, " ", n.words), Path: "/accounts"})
		}
	}
	return needs, nil
}

// list is what the page of accounts shows.
type list struct {
	Accounts []entry
	Search   string
	More     int
	Editor   bool
	Roles    []account.Role
	Area     string
}

// listed bounds the accounts on one page.
const listed = 200

func (p *pages) list(c *web.Call) error {
	v := list{Search: strings.TrimSpace(c.R.FormValue("q")), Editor: c.Ever(account.EditAccounts), Roles: account.Roles(), Area: firstArea(c)}
	all, err := p.all(c)
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.fits(v.Search) {
			v.Accounts = append(v.Accounts, e)
		}
	}
	v.More = max(0, len(v.Accounts)-listed)
	v.Accounts = v.Accounts[:min(listed, len(v.Accounts))]
	return c.Show("people/accounts", v)
}

func firstArea(c *web.Call) string {
	for _, g := range account.Grants(c.Person, account.EditAccounts) {
		return g.Area
	}
	return ""
}

// appointment reads a grant from a form, and checks that the person may make it.
func (p *pages) appointment(c *web.Call) (account.Grant, error) {
	g := account.Grant{Role: account.Role(c.R.PostFormValue("role")), Scope: strings.TrimSpace(c.R.PostFormValue("scope")),
		Area: strings.TrimSpace(c.R.PostFormValue("area"))}
	if g.Role.Scope() == account.InArea {
		g.Scope = g.Area
	} else if p.AreaOf != nil {
		area, ok, err := p.AreaOf(c.R.Context(), g.Role.Scope(), g.Scope)
		if err != nil {
			return g, err
		}
		if !ok {
			return g, &web.Refusal{Status: http.StatusUnprocessableEntity,
				Words: fmt.Sprintf("机构资料中没有 %q。The organisation has no such scope.", g.Scope)}
		}
		g.Area = area
	}
	if until := c.R.PostFormValue("until"); until != "" {
		day, err := time.ParseInLocation("2006-01-02", until, web.Zone())
		if err != nil {
			return g, &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "截止日期请写成 2027-01-31 的样子。Write the day as 2027-01-31."}
		}
		g.To = day.Add(24 * time.Hour).UnixMilli()
	}
	if !account.IsArea(g.Area) || !c.May(account.EditAccounts, account.Object{Area: g.Area}) {
		return g, &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "只能在您自己的区划内授权。You appoint within your own area only."}
	}
	return g, nil
}

func (p *pages) add(c *web.Call) error {
	g, err := p.appointment(c)
	if err != nil {
		return err
	}
	x, err := p.Accounts.Add(c.R.Context(), c.By(""), c.R.PostFormValue("login"), strings.TrimSpace(c.R.PostFormValue("name")), g.Area, g)
	if err != nil {
		return mendable(err)
	}
	return p.showLink(c, x)
}

// mendable makes an error that people can mend a Refusal.
func mendable(err error) error {
	if errors.Is(err, account.ErrLogin) {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "这个登录名已有人使用，请换一个。The name is taken."}
	}
	return err
}

// one is what the page of one account shows.
type one struct {
	entry
	Sessions []account.Session
	Roles    []account.Role
	Link     string // shown once
	At       int64
}

func (p *pages) show(c *web.Call) error { return p.showOne(c, c.R.PathValue("account"), "") }

func (p *pages) showOne(c *web.Call, id, link string) error {
	x, err := p.Accounts.Account(c.R.Context(), id)
	if err != nil {
		return err
	}
	v := one{Roles: account.Roles(), Link: link, At: c.Now().UnixMilli()}
	if v.entry, err = p.entry(c, x); err != nil {
		return err
	}
	if v.Sessions, err = p.Accounts.Sessions(c.R.Context(), id); err != nil {
		return err
	}
	return c.Show("people/account", v)
}

// showLink makes a link by which the person chooses a password, and shows it once.
func (p *pages) showLink(c *web.Call, x account.Account) error {
	secret, err := p.Accounts.Link(c.R.Context(), c.By(""), x, account.ChoosesPassword)
	if err != nil {
		return err
	}
	return p.showOne(c, x.ID, c.Base()+"/enter/"+secret)
}

// do does something to the account of the address and shows it again.
func (p *pages) do(c *web.Call, f func(entry) error) error {
	e, err := p.mine(c)
	if err != nil {
		return err
	}
	if err := f(e); err != nil {
		return mendable(err)
	}
	return c.See("/accounts/" + e.ID)
}

func (p *pages) change(c *web.Call) error {
	return p.do(c, func(e entry) error {
		area := strings.TrimSpace(c.R.PostFormValue("area"))
		if !c.May(account.EditAccounts, account.Object{Area: area}) || area == "" {
			return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "只能在您自己的区划内。Within your own area only."}
		}
		if c.R.PostFormValue("changed") != fmt.Sprint(e.Changed) {
			return account.ErrChanged
		}
		return p.Accounts.Rename(c.R.Context(), c.By(""), e.Account, strings.TrimSpace(c.R.PostFormValue("name")), area)
	})
}

func (p *pages) bar(c *web.Call) error {
	return p.do(c, func(e entry) error {
		return p.Accounts.Disable(c.R.Context(), c.By(c.R.PostFormValue("reason")), e.Account, c.R.PostFormValue("bar") == "1")
	})
}

func (p *pages) link(c *web.Call) error {
	e, err := p.mine(c)
	if err != nil {
		return err
	}
	return p.showLink(c, e.Account)
}

func (p *pages) second(c *web.Call) error {
	return p.do(c, func(e entry) error {
		return p.Accounts.ClearSecond(c.R.Context(), c.By(c.R.PostFormValue("reason")), e.Account)
	})
}

func (p *pages) grant(c *web.Call) error {
	return p.do(c, func(e entry) error {
		g, err := p.appointment(c)
		if err == nil {
			_, err = p.Accounts.Grant(c.R.Context(), c.By(""), e.Account, g)
		}
		return err
	})
}

func (p *pages) revoke(c *web.Call) error {
	return p.do(c, func(e entry) error {
		i := slices.IndexFunc(e.Grants, func(g account.Grant) bool { return g.ID == c.R.PathValue("grant") })
		if i < 0 {
			return web.ErrNotFound
		}
		return p.Accounts.Revoke(c.R.Context(), c.By(c.R.PostFormValue("reason")), e.Grants[i])
	})
}
