package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/subscribe"
	"haochaping/internal/central/web/figures"
	"haochaping/internal/loginfiles"
	"haochaping/internal/tomlfile"
)

// subscriptionsConfig says how people are told that figures are there, besides the home page.
type subscriptionsConfig struct {
	Pages      string     `toml:"pages"`
	URL        string     `toml:"webhook_url"` // empty: nowhere
	SecretFile string     `toml:"webhook_secret_file"`
	Mail       mailConfig `toml:"mail"`
}

type mailConfig struct {
	Server       string   `toml:"server"` // empty: there is no mail
	User         string   `toml:"user"`
	PasswordFile string   `toml:"password_file"`
	CA           string   `toml:"ca_file"`
	From         string   `toml:"from"`
	Domains      []string `toml:"domains"`
}

func (s subscriptionsConfig) check(bad tomlfile.Report) {
	if err := checkHook(s.URL, s.SecretFile); err != nil {
		bad("subscriptions.webhook_url", "%v", "%v", err)
	}
	if s.Mail.Server != "" {
		if _, err := subscribe.NewPost(subscribe.PostConfig{Server: s.Mail.Server, From: s.Mail.From, Domains: s.Mail.Domains}); err != nil {
			bad("subscriptions.mail", "%v", "%v", err)
		}
		if s.Mail.User != "" && s.Mail.PasswordFile == "" {
			bad("subscriptions.mail.password_file", "没有写；请写该用户密码所在的文件", "missing; write the file with the user's password")
		}
	}
	if s.URL == "" && s.Mail.Server == "" {
		return
	}
	u, err := url.Parse(s.Pages)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		bad("subscriptions.pages", "%q 不是人们打开中心页面的地址；请写成 https://hcp.example.gov.cn",
			"%q is no address at which people find the centre's pages; write it as https://hcp.example.gov.cn", s.Pages)
	}
}

// post returns the mail server, nil where there is none.
func (m mailConfig) post() (*subscribe.Post, error) {
	if m.Server == "" {
		return nil, nil
	}
	c := subscribe.PostConfig{Server: m.Server, User: m.User, From: m.From, Domains: m.Domains}
	var err error
	if c.Password, err = loginfiles.Password(loginfiles.File{Field: "subscriptions.mail.password_file", Path: m.PasswordFile}); err != nil {
		return nil, err
	}
	if m.CA != "" {
		if c.Roots, err = loginfiles.Authorities(loginfiles.File{Field: "subscriptions.mail.ca_file", Path: m.CA}); err != nil {
			return nil, err
		}
	}
	return subscribe.NewPost(c)
}

// ways returns how people can be told besides the home page.
func (s subscriptionsConfig) ways() (w figures.Ways, err error) {
	post, err := s.Mail.post()
	if post != nil {
		w.Mail = post.Address
	}
	w.Webhook = s.URL != ""
	return w, err
}

// tellSubscribed returns what tells people of figures until its context ends.
func (c *command) tellSubscribed(x *rooms, log *slog.Logger) (func(context.Context) error, error) {
	s := x.cfg.Subscriptions
	if s.URL == "" && s.Mail.Server == "" {
		return idle, nil
	}
	t := subscribe.Teller{Room: x.subscribed, Leases: journal.Leases{Journal: x.journal, Holder: x.holder}, Last: figures.LastOf,
		Pages: strings.TrimRight(s.Pages, "/"), Now: c.env.now, Logger: log, May: x.maySeeFigures, Whole: x.figuresWhole}
	var err error
	if t.Post, err = s.Mail.post(); err != nil {
		return nil, err
	}
	if s.URL != "" {
		t.Hook.URL = s.URL
		if t.Hook.Secret, err = hookSecret("subscriptions", s.SecretFile); err != nil {
			return nil, err
		}
	}
	return t.Run, nil
}

// figuresWhole reports whether the figures are counted up to where the books are.
func (x *rooms) figuresWhole(ctx context.Context) (bool, error) {
	p, err := x.reports.Progress(ctx)
	return err == nil && !p.Counting, err
}

// maySeeFigures returns who an account is, and whether it is open and may look at figures.
func (x *rooms) maySeeFigures(ctx context.Context, id string) (login string, may bool, err error) {
	a, err := x.people.Account(ctx, id)
	if errors.Is(err, account.ErrNoAccount) {
		return "", false, nil
	}
	if err != nil || a.Disabled {
		return "", false, err
	}
	grants, err := x.people.Grants(ctx, id)
	return a.Login, err == nil && account.Ever(account.Person{Account: id, Grants: grants, At: x.journal.Now()}, account.SeeFigures), err
}
