package me

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	qr "github.com/skip2/go-qrcode"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
)

// mine is what the page about one's own account shows.
type mine struct {
	Account  account.Account
	Left     int64 // recovery codes
	Needs    bool  // a second factor is mandatory
	Sessions []account.Session
	This     string
	Tokens   []account.Token
	Actions  []account.Rule // that a token may have
	Notice   string
	Problem  string
	Codes    []string // shown once
	Token    string   // shown once
	Least    int
	At       int64
}

func (p *pages) mine(c *web.Call) (v mine, err error) {
	ctx := c.R.Context()
	v.This, v.Needs, v.Least, v.At = c.Person.By, c.Person.NeedsSecond(), account.LeastPassword, c.Now().UnixMilli()
	if v.Account, err = p.accounts.Account(ctx, c.Person.Account); err != nil {
		return v, err
	}
	if v.Left, err = p.accounts.RecoveryLeft(ctx, c.Person.Account); err != nil {
		return v, err
	}
	if v.Sessions, err = p.accounts.Sessions(ctx, c.Person.Account); err != nil {
		return v, err
	}
	for _, r := range account.Rules() {
		if r.ForTokens() && r.Action != account.Start && account.Ever(c.Person, r.Action) {
			v.Actions = append(v.Actions, r)
		}
	}
	v.Tokens, err = p.accounts.Tokens(ctx, c.Person.Account)
	return v, err
}

func (p *pages) account(c *web.Call) error { return p.say(c, "", nil) }

// say shows the page with a notice, or with what went wrong if people can mend it.
func (p *pages) say(c *web.Call, notice string, wrong error) error {
	status := http.StatusOK
	v, err := p.mine(c)
	if err != nil {
		return err
	}
	v.Notice = notice
	if wrong != nil {
		s, words, other := problem(c, wrong)
		if other != nil {
			return other
		}
		status, v.Problem = s, words
	}
	return c.ShowStatus(status, "me/account", v)
}

func (p *pages) password(c *web.Call) error {
	password := c.R.PostFormValue("password")
	if password != c.R.PostFormValue("again") {
		return p.say(c, "", fmt.Errorf("%w: 两次输入不一样 (they differ)", account.ErrPassword))
	}
	err := p.accounts.ChangePassword(c.R.Context(), c.Person, c.Secret(), c.R.PostFormValue("old"), password, c.Browser())
	if err != nil {
		return p.say(c, "", err)
	}
	return p.say(c, "密码已修改，其他设备上的登录都已结束。", nil)
}

// factor is what the page about the second factor shows.
type factor struct {
	Account account.Account
	Needs   bool
	Picture template.URL // of the QR code, empty: nothing is being enrolled
	Seed    string
	Problem string
}

func (p *pages) second(c *web.Call) error { return p.showFactor(c, account.Trial{}, nil) }

func (p *pages) showFactor(c *web.Call, t account.Trial, wrong error) error {
	x, err := p.accounts.Account(c.R.Context(), c.Person.Account)
	if err != nil {
		return err
	}
	v, status := factor{Account: x, Needs: c.Person.NeedsSecond()}, http.StatusOK
	if wrong != nil {
		s, words, other := problem(c, wrong)
		if other != nil {
			return other
		}
		status, v.Problem = s, words
	}
	if t.Seed != "" {
		png, err := qr.Encode(t.URL, qr.Medium, 440)
		if err != nil {
			return fmt.Errorf("draw the QR code: %w", err)
		}
		v.Picture = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))
		for i := 0; i < len(t.Seed); i += 4 {
			v.Seed += t.Seed[i:min(i+4, len(t.Seed))] + " "
		}
	}
	return c.ShowStatus(status, "me/second", v)
}

// again checks the password once more, of an account that has one.
func (p *pages) again(c *web.Call) error {
	x, err := p.accounts.Account(c.R.Context(), c.Person.Account)
	if err != nil || !x.Password {
		return err
	}
	return p.accounts.Again(c.R.Context(), c.Person, c.R.PostFormValue("password"), c.Browser())
}

func (p *pages) secondBegin(c *web.Call) error {
	if err := p.again(c); err != nil {
		return p.showFactor(c, account.Trial{}, err)
	}
	x, err := p.accounts.Account(c.R.Context(), c.Person.Account)
	if err != nil {
		return err
	}
	t, err := p.accounts.TrySecond(c.R.Context(), x)
	if err != nil {
		return err
	}
	return p.showFactor(c, t, nil)
}

func (p *pages) secondConfirm(c *web.Call) error {
	codes, e, err := p.accounts.Confirm(c.R.Context(), c.Person, c.Secret(), c.R.PostFormValue("code"), c.Browser())
	if errors.Is(err, account.ErrWrong) {
		x, e := p.accounts.Account(c.R.Context(), c.Person.Account)
		if e != nil {
			return e
		}
		t, e := p.accounts.Shown(c.R.Context(), x)
		if e != nil {
			return p.showFactor(c, account.Trial{}, e)
		}
		return p.showFactor(c, t, err)
	}
	if err != nil {
		return err
	}
	c.Enter(e)
	c.Person.Second = true
	return c.Show("me/codes", mine{Codes: codes})
}

func (p *pages) recovery(c *web.Call) error {
	if err := p.again(c); err != nil {
		return p.say(c, "", err)
	}
	codes, err := p.accounts.NewRecovery(c.R.Context(), c.Person)
	if err != nil {
		return err
	}
	return c.Show("me/codes", mine{Codes: codes})
}

func (p *pages) endSession(c *web.Call) error {
	id := c.R.PathValue("session")
	if err := p.accounts.End(c.R.Context(), c.By(""), c.Person.Account, id); err != nil {
		return err
	}
	if id == c.Person.By {
		c.Leave()
		return c.See("/signin")
	}
	return c.See("/me")
}

func (p *pages) addToken(c *web.Call) error {
	if c.Person.Token {
		return web.ErrNotFound
	}
	if err := p.again(c); err != nil {
		return p.say(c, "", err)
	}
	ends, err := time.ParseInLocation("2006-01-02", c.R.PostFormValue("ends"), web.Zone())
	if err != nil {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请填写令牌的截止日期，如 2027-01-31。Write the day on which the token ends."}
	}
	var actions []account.Action
	for _, a := range c.R.PostForm["action"] {
		actions = append(actions, account.Action(a))
	}
	secret, _, err := p.accounts.AddToken(c.R.Context(), c.Person, c.R.PostFormValue("label"), actions,
		strings.TrimSpace(c.R.PostFormValue("area")), ends.Add(24*time.Hour).UnixMilli())
	if errors.Is(err, account.ErrToken) {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: err.Error()}
	}
	if err != nil {
		return err
	}
	v, err := p.mine(c)
	if err != nil {
		return err
	}
	v.Token = secret
	return c.Show("me/account", v)
}

func (p *pages) dropToken(c *web.Call) error {
	if err := p.accounts.DropToken(c.R.Context(), c.By(""), c.Person.Account, c.R.PathValue("token")); err != nil {
		return err
	}
	return c.See("/me")
}
