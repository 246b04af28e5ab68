package me

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
)

// form is what the pages for signing in show.
type form struct {
	To      string // where to go then
	Login   string
	Problem string
	Account account.Account
	Link    string
	Least   int // characters of a password
	// Provider is what the provider is called, Away where one signs in there; empty: there is none.
	Provider, Away string
}

func (p *pages) form(c *web.Call) form {
	f := form{To: destination(c.R.FormValue("to")), Least: account.LeastPassword}
	if p.provider != nil {
		f.Provider, f.Away = p.provider.cfg.Name, providerPath+"?to="+url.QueryEscape(f.To)
	}
	return f
}

// destination returns a path of this site, "/" for anything else.
func destination(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}

// problem returns the status and the words for a sign-in that failed, or the error if it is none of those.
func problem(c *web.Call, err error) (status int, words string, other error) {
	var soon *account.TooSoon
	switch {
	case errors.As(err, &soon), errors.Is(err, account.ErrBusy):
		return 0, "", err // the frame says when to come back
	case errors.Is(err, account.ErrWrong), errors.Is(err, account.ErrPassword):
		return http.StatusUnprocessableEntity, err.Error(), nil
	}
	return 0, "", err
}

func (p *pages) signIn(c *web.Call) error {
	if c.Person.Account != "" {
		return c.See(destination(c.R.FormValue("to")))
	}
	return c.Show("me/signin", p.form(c))
}

func (p *pages) signInNow(c *web.Call) error {
	if !c.Secure() {
		return web.ErrPlain
	}
	f := p.form(c)
	f.Login = c.R.PostFormValue("login")
	e, err := p.accounts.SignIn(c.R.Context(), f.Login, c.R.PostFormValue("password"), c.Browser())
	if err != nil {
		status, words, other := problem(c, err)
		if other != nil {
			return other
		}
		f.Problem = words
		return c.ShowStatus(status, "me/signin", f)
	}
	return p.goOn(c, e, f.To)
}

// goOn gives the browser its new session. The one it had before, if any, is ended: nobody goes on with a secret from before.
func (p *pages) goOn(c *web.Call, e account.Entered, to string) error {
	if old := c.Secret(); old != "" && old != e.Secret {
		if err := p.accounts.SignOut(c.R.Context(), old); err != nil {
			return err
		}
	}
	c.Enter(e)
	if e.Stage == account.AwaitsCode {
		return c.See("/signin/code?to=" + url.QueryEscape(to))
	}
	return c.See(to)
}

func (p *pages) code(c *web.Call) error {
	if c.Secret() == "" || c.Person.Account != "" {
		return c.See("/signin")
	}
	return c.Show("me/code", p.form(c))
}

func (p *pages) codeNow(c *web.Call) error {
	f := p.form(c)
	e, err := p.accounts.Code(c.R.Context(), c.Secret(), c.R.PostFormValue("code"), c.Browser())
	if errors.Is(err, account.ErrSignedOut) {
		return c.See("/signin")
	}
	if err != nil {
		status, words, other := problem(c, err)
		if other != nil {
			return other
		}
		f.Problem = words
		return c.ShowStatus(status, "me/code", f)
	}
	c.Enter(e)
	return c.See(f.To)
}

func (p *pages) signOut(c *web.Call) error {
	if c.Secret() != "" {
		if err := p.accounts.SignOut(c.R.Context(), c.Secret()); err != nil {
			return err
		}
	}
	c.Leave()
	return c.See("/signin")
}

// linked reads the link of the address, with the account that it is for and what it opens.
func (p *pages) linked(c *web.Call) (f form, opens account.Opens, err error) {
	if !c.Secure() {
		return f, opens, web.ErrPlain
	}
	f = p.form(c)
	f.Link = c.R.PathValue("link")
	f.Account, opens, err = p.accounts.LinkOf(c.R.Context(), f.Link)
	return f, opens, err
}

// link shows what a link does. Programs that look at addresses before people do use nothing up.
func (p *pages) link(c *web.Call) error {
	f, opens, err := p.linked(c)
	if err != nil {
		return err
	}
	if opens == account.SignsIn {
		return c.Show("me/enter", f)
	}
	return c.Show("me/choose", f)
}

// linkNow uses a link.
func (p *pages) linkNow(c *web.Call) error {
	f, opens, err := p.linked(c)
	if err != nil {
		return err
	}
	if opens == account.SignsIn {
		e, err := p.accounts.EnterByLink(c.R.Context(), f.Link, c.Browser())
		if err != nil {
			return err
		}
		return p.goOn(c, e, f.To)
	}
	password := c.R.PostFormValue("password")
	if password != c.R.PostFormValue("again") {
		f.Problem = "两次输入的密码不一样 (the two passwords differ)"
		return c.ShowStatus(http.StatusUnprocessableEntity, "me/choose", f)
	}
	err = p.accounts.ChooseByLink(c.R.Context(), f.Link, password, c.Browser())
	if errors.Is(err, account.ErrPassword) {
		f.Problem = err.Error()
		return c.ShowStatus(http.StatusUnprocessableEntity, "me/choose", f)
	}
	if err != nil {
		return err
	}
	// Whoever has just chosen it signs in with it, and with the second factor if there is one.
	e, err := p.accounts.SignIn(c.R.Context(), f.Account.Login, password, c.Browser())
	if err != nil {
		return err
	}
	return p.goOn(c, e, "/")
}
