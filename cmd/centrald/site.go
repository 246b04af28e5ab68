package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/assess"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	rules "haochaping/internal/central/policy"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/api"
	"haochaping/internal/central/web/copies"
	"haochaping/internal/central/web/dossiers"
	"haochaping/internal/central/web/evaluations"
	"haochaping/internal/central/web/figures"
	"haochaping/internal/central/web/findings"
	"haochaping/internal/central/web/fleet"
	"haochaping/internal/central/web/live"
	"haochaping/internal/central/web/me"
	"haochaping/internal/central/web/orders"
	"haochaping/internal/central/web/organisation"
	"haochaping/internal/central/web/paper"
	"haochaping/internal/central/web/people"
	"haochaping/internal/central/web/policy"
	"haochaping/internal/central/web/seal"
	"haochaping/internal/central/web/upward"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// site joins the sections of the centre's pages, in the order of the navigation.
func (c *command) site(cfg config, w watched, send func(context.Context, wire.Command) error, reasons rating.Catalogue,
	log *slog.Logger) (*web.Site, error) {
	x := w.rooms
	proxies, err := cfg.Admin.proxies()
	if err != nil {
		return nil, err
	}
	provider, err := c.provider(cfg.Admin.OIDC, x)
	if err != nil {
		return nil, err
	}
	ways, err := cfg.Subscriptions.ways()
	if err != nil {
		return nil, err
	}
	silence, err := cfg.silence()
	if err != nil {
		return nil, err
	}
	days, err := cfg.workingDays()
	if err != nil {
		return nil, fmt.Errorf("deadline.calendars: %w", err)
	}
	return web.New(web.Config{
		Accounts: x.people, Journal: x.journal, Logger: log, Now: c.env.now, Hosts: texts(cfg.Admin.Hosts),
		FrameAncestors: texts(cfg.Admin.FrameAncestors), Proxies: proxies, Loopback: !cfg.Admin.Listen.exposed(),
		Name: x.nameOf,
	},
		live.Section(live.Config{
			Books: x.books, Fleet: x.fleet, Logger: log, Now: c.env.now, Trouble: w.trouble, Late: w.books.late, Place: x.where,
			Reason: reasonWords(reasons),
		}),
		evaluations.Section(evaluations.Config{Books: x.books, Journal: x.journal, Directory: x.directory, Reason: reasonWords(reasons),
			Silence: silence, Awaited: x.awaited}),
		figures.Section(figures.Config{Reports: x.reports, Directory: x.directory, Cause: causeWords(reasons), Paces: x.integrity.Paces,
			Subscriptions: x.subscribed, Ways: ways, Ranked: cfg.Figures.Ranked}),
		fleet.Section(fleet.Config{Fleet: x.fleet, Directory: x.directory, Enrol: x.enrol, Send: send, Days: days, Waits: x.waits,
			Random: rand.Text}),
		findings.Section(findings.Config{Books: x.books, Fleet: x.fleet, Directory: x.directory, Silences: x.deadlines.Silences}),
		upward.Section(x.upwardPages()),
		policy.Section(policy.Config{Room: x.policy, Local: x.wanted, Key: x.ownKey(), Line: cfg.Above.URL != "", Boxes: x.boxesTold,
			Areas: x.hallAreas,
			Draft: func(ctx context.Context) (rules.Document, error) { return x.draft(ctx, c.env.now()) }}),
		orders.Section(orders.Config{Orders: x.orders, Directory: x.directory, Name: x.accountName, Random: rand.Text}),
		dossiers.Section(dossiers.Config{Dossiers: x.dossiers, Directory: x.directory, Name: x.accountName, Find: dossiers.FindIn(x.people),
			Publications: report.Publications{Reports: x.reports, Dossiers: x.dossiers},
			Sheets: assess.Sheets{Reports: x.reports, Directory: x.directory, Dossiers: x.dossiers, Now: c.env.now,
				Least: account.LeastCounted}}),
		organisation.Section(organisation.Config{Directory: x.directory}),
		paper.Section(paper.Config{Directory: x.directory, Room: x.intake}),
		people.Section(people.Config{Accounts: x.people, Journal: x.journal, AreaOf: x.areaOf}),
		w.checks.Section(),
		copies.Section(copies.Config{Copies: cfg.Seal.copies()}),
		me.Section(me.Config{Accounts: x.people, Provider: provider}),
		api.Section(),
	)
}

// sealChecks returns the pages of the seal.
func (c *command) sealChecks(x *rooms, log *slog.Logger) *seal.Pages {
	return seal.New(seal.Config{Journal: x.journal, Key: x.seal.Public().(ed25519.PublicKey), Older: x.checkHead, Now: c.env.now, Logger: log})
}

// silence returns by which days silence becomes an answer, nil where it never does.
func (c config) silence() (*rating.Calendar, error) {
	if !c.Deadline.Defaults {
		return nil, nil
	}
	days, err := c.workingDays()
	if err != nil {
		return nil, fmt.Errorf("deadline.calendars: %w", err)
	}
	return &days, nil
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

// causeWords returns what aggregates call reasons in words, with the version of a catalogue that is not this one, and what of article 9
// they are about.
func causeWords(reasons rating.Catalogue) func(string) (string, rating.Aspect) {
	return func(cause string) (string, rating.Aspect) {
		code, version, _ := strings.Cut(cause, "/")
		r, ok := reasons.Find(code)
		if !ok {
			return "原因 " + cause, ""
		}
		if version != strconv.FormatUint(uint64(reasons.Version), 10) {
			return r.Text + "（目录第 " + version + " 版）", r.Aspect
		}
		return r.Text, r.Aspect
	}
}

// kindOf returns of which kind the thing is that a grant reaches.
func kindOf(r account.Reach) (directory.Kind, bool) {
	k, ok := map[account.Reach]directory.Kind{account.InArea: directory.Area, account.InUnit: directory.Unit, account.InHall: directory.Hall,
		account.OfStaff: directory.Staff}[r]
	return k, ok
}

// nameOf returns how what a grant reaches is called today, empty if that is not known.
func (x *rooms) nameOf(ctx context.Context, r account.Reach, id string) string {
	kind, ok := kindOf(r)
	if !ok {
		return ""
	}
	record, err := x.directory.At(ctx, kind, id, directory.DayOf(time.UnixMilli(x.journal.Now())))
	if err != nil {
		return "" // the id stands beside it
	}
	return record.Name
}

// areaOf returns where a unit, hall or member of staff is today, false if the organisation has none of that id. Staff are where their
// window is, or without one their unit.
func (x *rooms) areaOf(ctx context.Context, r account.Reach, id string) (area string, ok bool, err error) {
	kind, ok := kindOf(r)
	if !ok || kind == directory.Area {
		return "", false, nil
	}
	today := directory.DayOf(time.UnixMilli(x.journal.Now()))
	record, err := x.directory.At(ctx, kind, id, today)
	if errors.Is(err, directory.ErrUnknown) {
		return "", false, nil
	}
	if err != nil || kind != directory.Staff {
		return record.Area, err == nil, err
	}
	atlas, err := x.directory.Atlas(ctx)
	if err != nil {
		return "", false, err
	}
	if place, ok := atlas.Window(record.Window, today); ok {
		return place.Hall.Area, true, nil
	}
	unit, ok := atlas.At(directory.Unit, record.Unit, today)
	return unit.Area, ok, nil
}

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

// accountName returns the name of an account, or what else did something, as the program itself.
func (x *rooms) accountName(ctx context.Context, id string) string {
	a, err := x.people.Account(ctx, id)
	if err != nil {
		return web.Actor(id)
	}
	return a.Name
}

// copies returns the copies of other centres' journals for the pages.
func (c sealConfig) copies() (all []copies.Copy) {
	for _, k := range c.Copies {
		all = append(all, copies.Copy{Name: k.Name, Folder: k.Folder})
	}
	return all
}
