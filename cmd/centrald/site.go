package main

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/evaluations"
	"haochaping/internal/central/web/live"
	"haochaping/internal/central/web/me"
	"haochaping/internal/central/web/organisation"
	"haochaping/internal/central/web/people"
	"haochaping/internal/rating"
)

// site joins the sections of the centre's pages, in the order of the navigation.
func (c *command) site(cfg config, x *rooms, trouble func() live.Trouble, late func() error, reasons rating.Catalogue, log *slog.Logger) (*web.Site, error) {
	proxies, err := cfg.Admin.proxies()
	if err != nil {
		return nil, err
	}
	return web.New(web.Config{
		Accounts: x.people, Journal: x.journal, Logger: log, Now: c.env.now, Hosts: texts(cfg.Admin.Hosts),
		FrameAncestors: texts(cfg.Admin.FrameAncestors), Proxies: proxies, Loopback: cfg.Admin.loopback(),
	},
		live.Section(live.Config{
			Books: x.books, Fleet: x.fleet, Logger: log, Now: c.env.now, Trouble: trouble, Late: late, Place: x.where,
			Reason: reasonWords(reasons),
		}),
		evaluations.Section(evaluations.Config{Books: x.books, Journal: x.journal, Directory: x.directory, Reason: reasonWords(reasons)}),
		organisation.Section(organisation.Config{Directory: x.directory}),
		people.Section(people.Config{Accounts: x.people, Journal: x.journal, AreaOf: x.areaOf}),
		me.Section(me.Config{Accounts: x.people}),
	)
}

// reasonWords returns the words of reasons by their codes, and codes that are unknown as they are.
func reasonWords(reasons rating.Catalogue) func(string) string {
	return func(code string) string {
		if r, ok := reasons.Find(code); ok {
			return r.Text
		}
		return code
	}
}

// areaOf returns where a unit or hall is today, false if the organisation has none of that id. A member of staff's area is written by hand.
func (x *rooms) areaOf(ctx context.Context, r account.Reach, id string) (area string, ok bool, err error) {
	kind := map[account.Reach]directory.Kind{account.InUnit: directory.Unit, account.InHall: directory.Hall}[r]
	if kind == "" {
		return "", true, nil
	}
	atlas, err := x.directory.Atlas(ctx)
	if err != nil {
		return "", false, err
	}
	record, ok := atlas.At(kind, id, directory.DayOf(time.UnixMilli(x.journal.Now())))
	return record.Area, ok, nil
}

// loopback reports whether only this machine reaches the centre's pages.
func (a adminConfig) loopback() bool { return new(loopback).UnmarshalText([]byte(a.Listen)) == nil }

// proxies returns the networks of the proxies that are trusted.
func (a adminConfig) proxies() (all []netip.Prefix, err error) {
	for _, n := range a.Proxies {
		p, err := n.prefix()
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
