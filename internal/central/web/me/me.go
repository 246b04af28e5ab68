package me

import (
	"embed"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
)

//go:embed *.html
var files embed.FS

// Config holds what the pages need.
type Config struct {
	Accounts *account.Accounts
	Provider *Provider // of OpenID Connect; nil: people sign in here alone
}

// pages are the pages.
type pages struct {
	accounts *account.Accounts
	provider *Provider
}

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg.Accounts, cfg.Provider}
	public := func(method, path string, do func(*web.Call) error) web.Route {
		return web.Route{Method: method, Path: path, Public: true, Do: do}
	}
	own := func(method, path, nav string, do func(*web.Call) error) web.Route {
		return web.Route{Method: method, Path: path, Action: account.UseOwn, Object: web.Own, Nav: nav, Do: do}
	}
	routes := []web.Route{
		public("GET", "/signin", p.signIn), public("POST", "/signin", p.signInNow),
		public("GET", "/signin/code", p.code), public("POST", "/signin/code", p.codeNow),
		public("GET", "/enter/{link}", p.link), public("POST", "/enter/{link}", p.linkNow),
		public("POST", "/signout", p.signOut),
		own("GET", "/me", "我的账号", p.account), own("POST", "/me/password", "", p.password),
		own("GET", "/me/second", "", p.second), own("POST", "/me/second", "", p.secondBegin),
		own("POST", "/me/second/confirm", "", p.secondConfirm),
		own("POST", "/me/recovery", "", p.recovery), own("POST", "/me/sessions/{session}/end", "", p.endSession),
		own("POST", "/me/tokens", "", p.addToken), own("POST", "/me/tokens/{token}/drop", "", p.dropToken),
	}
	if p.provider != nil {
		routes = append(routes, public("GET", providerPath, p.leaveForProvider), public("GET", providerPath+"/back", p.backFromProvider))
	}
	return web.Section{Name: "me", Files: files, Routes: routes, Needs: p.needs}
}

// needs returns what of their own account somebody should look after.
func (p *pages) needs(c *web.Call) (all []web.Need, err error) {
	x, err := p.accounts.Account(c.R.Context(), c.Person.Account)
	if err != nil {
		return nil, err
	}
	if x.Subject != "" {
		return nil, nil // the second factor is the provider's duty
	}
	if !x.Second {
		words := "还没有绑定动态口令，建议绑定"
		if c.Person.NeedsSecond() {
			words = "还没有绑定动态口令，您的角色必须绑定" // who came in by a one-time link of the centre's machine can read this
		}
		return []web.Need{{Words: words, Path: "/me/second"}}, nil
	}
	left, err := p.accounts.RecoveryLeft(c.R.Context(), x.ID)
	if err == nil && left < 3 {
		all = append(all, web.Need{Words: "备用恢复码快用完了，请重新生成", Path: "/me"})
	}
	return all, err
}
