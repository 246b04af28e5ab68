package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/cases"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/ingest"
	"haochaping/internal/central/intake"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/openpage"
	"haochaping/internal/central/ops"
	"haochaping/internal/central/ratepage"
	"haochaping/internal/central/web/live"
	"haochaping/internal/rating"
	"haochaping/internal/sdnotify"
	"haochaping/internal/stages"
)

// serve runs the centre until ctx ends, and begins anew when another policy holds: so all parts have what it sets, and none has half.
func (c *command) serve(ctx context.Context) error {
	cfg, err := c.config()
	if err != nil {
		return &configurationError{err}
	}
	for {
		if again, err := c.serveUntilPolicy(ctx, cfg); !again || err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// serveUntilPolicy joins the parts in the order in which a record passes through them, and runs them until ctx ends or another policy
// holds.
func (c *command) serveUntilPolicy(ctx context.Context, cfg config) (again bool, err error) {
	log := c.logger(cfg)
	manager, err := c.env.manager()
	if err != nil {
		log.Error("the service manager cannot be told how the centre is", "error", err)
	}
	x, err := c.open(ctx, cfg)
	if err != nil {
		return false, askedToEnd(ctx, err, log)
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if err := c.takeOver(ctx, x, log, manager); err != nil {
		return false, askedToEnd(ctx, err, log)
	}
	x.namePolicy(log)
	p, err := c.parts(x, x.cfg, log)
	if err != nil {
		return false, err
	}
	log.Info("centrald runs", "version", version(), "broker", p.broker, "rate", p.addresses.Rate, "admin", p.addresses.Admin)
	until, other := context.WithCancel(ctx)
	defer other()
	watch := func(ctx context.Context) error { return c.watchPolicy(ctx, x, other, log) }
	all := append([]stages.Stage{{Name: "policy", Run: watch}, {Name: "level above", Run: p.above}}, c.stages(x, p, manager, log)...)
	err = stages.Run(until, all...)
	return until.Err() != nil && ctx.Err() == nil, err
}

// askedToEnd returns nothing for an error of a start that was told to end, which is no failure of the unit.
func askedToEnd(ctx context.Context, err error, log *slog.Logger) error {
	if ctx.Err() == nil {
		return err
	}
	log.Info("centrald was told to end while it started", "at", err)
	return nil
}

// parts is what serves boxes, phones and people, and what it was made of.
type parts struct {
	broker         string // where boxes are listened to
	in             *ingest.Ingest
	check          *brokerCheck
	watched        watched
	brokers, doors []stages.Stage
	boxes          *fleet.Watch
	stager         *fleet.Stager
	alerts, orders func(context.Context) error
	subscribed     func(context.Context) error // tells of figures
	texts          func(context.Context) error // orders' messages
	push           func(context.Context) error // of what goes upward
	above          func(context.Context) error // takes policies of the level above
	rate, admin    site
	addresses      bound
}

// parts makes the parts, which listen and do nothing yet.
func (c *command) parts(x *rooms, cfg config, log *slog.Logger) (p parts, err error) {
	mqtt, brokers, err := c.broker(x, log)
	if err != nil {
		return p, err
	}
	counted := ops.NewMetrics()
	mqtt.Journal, mqtt.Fleet, mqtt.Key, mqtt.Now, mqtt.Logger = counted.Journal(x.journal), counting{x.fleet, counted}, x.key, c.env.now, log
	mqtt.Leases = journal.Leases{Journal: x.journal, Holder: x.holder}
	mqtt.Held, mqtt.Missed = x.checkHead, x.missed
	mqtt.ClientID = "centre-" + strings.ToLower(rand.Text()[:10])
	p.broker, p.brokers = mqtt.Broker, brokers
	if p.in, err = ingest.New(mqtt); err != nil {
		return p, err
	}
	in, check := p.in, &brokerCheck{probe: probeOf(mqtt), now: c.env.now, log: log}
	p.check = check
	trouble := func() live.Trouble { return authorityTrouble(check.trouble(in.Trouble()), cfg, x.enrol.Authority()) }
	p.watched = watched{x, trouble, newLag(x.journal.Head, x.books.Position, c.env.now), newLag(x.journal.Head, x.sealed, c.env.now),
		c.sealChecks(x, log)}
	if p.boxes, err = c.watch(x, p.in, log); err != nil {
		return p, err
	}
	if p.stager, err = c.stager(x, in, log); err != nil {
		return p, err
	}
	if p.alerts, err = c.alertHook(x, log); err != nil {
		return p, err
	}
	if p.subscribed, err = c.tellSubscribed(x, log); err != nil {
		return p, err
	}
	if p.push, err = c.upwardPush(x, log); err != nil {
		return p, err
	}
	if p.above, err = c.pullPolicy(x, log); err != nil {
		return p, err
	}
	if p.orders, err = c.orderHook(x, log); err != nil {
		return p, err
	}
	if p.texts, err = c.tellCitizens(x, log); err != nil {
		return p, err
	}
	if err := p.listen(c, cfg, counted, log); err != nil {
		return p, err
	}
	if a := x.enrol.Authority(); a != nil && a.Trouble() != nil {
		log.Warn("the certificate authority needs its root", "error", a.Trouble())
	}
	return p, nil
}

// listen opens the doors of the centre, and writes down where they are.
func (p *parts) listen(c *command, cfg config, counted *ops.Metrics, log *slog.Logger) error {
	broker, err := url.Parse(p.broker)
	if err != nil {
		return fmt.Errorf("broker.url: %w", err)
	}
	if p.rate, p.admin, err = c.pages(cfg, p.watched, p.in, counted, log); err != nil {
		return err
	}
	p.addresses = bound{MQTT: broker.Host, Rate: p.rate.listener.Addr().String(), Admin: p.admin.listener.Addr().String(),
		PublicKey: keyText(p.watched.rooms.key.Public().(ed25519.PublicKey))}
	if p.doors, err = c.doors(cfg, p.watched, counted, &p.addresses, log); err != nil {
		return err
	}
	return p.addresses.write(cfg.Addresses)
}

// stages returns what runs, in the order of shutdown: no citizen begins anything new, what boxes have sent is taken, and the broker goes
// when nobody uses it any more. Whoever runs them closes the journal last of all.
func (c *command) stages(x *rooms, p parts, manager *sdnotify.Manager, log *slog.Logger) (all []stages.Stage) {
	status := func() string {
		t := p.watched.trouble()
		return statusText(t.Since, fmt.Sprint(t.Err), p.addresses.Rate)
	}
	if x.cfg.Broker.URL != "" {
		all = append(all, stages.Stage{Name: "broker check", Run: p.check.run})
	}
	all = append(all, p.doors...)
	all = append(all, stages.Stage{Name: "supervision", Run: supervisor{manager, x.journal.Check, x.journal.Alive, status, log}.run},
		stages.Stage{Name: "rating page", Run: p.rate.run}, stages.Stage{Name: "centre's page", Run: p.admin.run},
		stages.Stage{Name: "ingest", Run: p.in.Run}, stages.Stage{Name: "boxes", Run: p.boxes.Run},
		stages.Stage{Name: "staged changes", Run: p.stager.Run}, stages.Stage{Name: "alerts", Run: p.alerts},
		stages.Stage{Name: "subscriptions", Run: p.subscribed},
		stages.Stage{Name: "orders' webhook", Run: p.orders}, stages.Stage{Name: "orders' messages", Run: p.texts},
		stages.Stage{Name: "certificates", Run: x.shown.watch(log)},
		stages.Stage{Name: "windows", Run: func(ctx context.Context) error { return c.keepWindows(ctx, x, log) }})
	all = append(all, p.brokers...)
	all = append(all, stages.Stage{Name: "push upward", Run: p.push}, stages.Stage{Name: "upward", Run: x.keepUpward})
	all = append(all, stages.Stage{Name: "signs", Run: x.integrity.Run}, stages.Stage{Name: "proposals", Run: c.proposals(x, log)},
		stages.Stage{Name: "figures", Run: x.reports.Run},
		stages.Stage{Name: "orders", Run: x.orders.Run},
		stages.Stage{Name: "deadlines", Run: x.deadlines.Run}, stages.Stage{Name: "verification", Run: p.watched.checks.Run},
		stages.Stage{Name: "books' age", Run: func(ctx context.Context) error { return p.watched.books.run(ctx, log) }},
		stages.Stage{Name: "books", Run: func(ctx context.Context) error { return c.keepBooks(ctx, x, p.in.Behind, log, manager) }},
		stages.Stage{Name: "seal", Run: func(ctx context.Context) error { return x.keepSeal(ctx, log) }})
	if os.Getenv("GOGC") == "" { // else it is the administrator's
		all = append(all, stages.Stage{Name: "heap", Run: ops.KeepHeap})
	}
	return all
}

// doors returns the listeners that are only there where they are configured, and notes their addresses.
func (c *command) doors(cfg config, w watched, m *ops.Metrics, at *bound, log *slog.Logger) (all []stages.Stage, err error) {
	if cfg.Enrol.Listen != "" {
		door, err := c.enrolDoor(w.rooms, m, log)
		if err != nil {
			return nil, err
		}
		at.Enrol = door.listener.Addr().String()
		all = append(all, stages.Stage{Name: "new boxes", Run: door.run})
	}
	if cfg.Cases.Listen != "" {
		door, err := c.cases(cfg.Cases, w.rooms, log)
		if err != nil {
			return nil, err
		}
		door.handler = m.Site("cases", door.handler)
		all = append(all, stages.Stage{Name: "business systems", Run: door.run})
	}
	if path := cfg.Deadline.SMS.Replies; path != "" {
		pull := &intake.Pull{Path: path, Hotline: w.rooms.hotline(cases.Door{}, nil), Every: 10 * time.Second, Logger: log}
		all = append(all, stages.Stage{Name: "replies", Run: pull.Run})
	}
	if cfg.Seal.Listen != "" {
		seal := site{handler: sealPages(cfg.Seal, w.rooms, log), logger: log}
		if seal.listener, err = bind(string(cfg.Seal.Listen)); err != nil {
			return nil, fmt.Errorf("seal.listen: %w", err)
		}
		all = append(all, stages.Stage{Name: "seal's page", Run: seal.run})
	}
	if cfg.Ops.Listen != "" {
		own, err := c.opsSite(cfg.Ops, w, m, log)
		if err != nil {
			return nil, err
		}
		at.Ops = own.listener.Addr().String()
		all = append(all, stages.Stage{Name: "operations", Run: own.run})
	}
	return all, nil
}

// pages returns the rating page and the centre's page on their listeners.
func (c *command) pages(cfg config, w watched, in *ingest.Ingest, m *ops.Metrics, log *slog.Logger) (rate, admin site, err error) {
	x := w.rooms
	reasons, err := cfg.reasons()
	if err != nil {
		return rate, admin, fmt.Errorf("rate.catalogue: %w", err)
	}
	links, err := c.links(x)
	if err != nil {
		return rate, admin, err
	}
	ratePage, err := ratepage.New(ratepage.Config{
		Fleet: x.fleet, Journal: x.journal, Books: x.books, Links: links.Keeper, Terminals: x.intake, Notify: in.PhoneRated, Heard: in.Heard,
		Reasons: reasons.Limit(rating.ReasonSet(cfg.Rate.Reasons)), Logger: log,
		Now: c.env.now, Random: c.env.random, Complain: x.complain, Orders: told{x.orders}, Receipt: receipt, Phoned: x.phoned(log),
		Base: cfg.Rate.Base, FrameAncestors: texts(cfg.Rate.FrameAncestors),
	})
	if err != nil {
		return rate, admin, err
	}
	adminPage, err := c.site(cfg, w, in.Command, reasons, log)
	if err != nil {
		return rate, admin, err
	}
	ready := ops.Ready(x.ready, c.env.now)
	phones := http.NewServeMux()
	open, err := openpage.New(openpage.Config{Dossiers: x.dossiers, Logger: log, Now: c.env.now})
	if err != nil {
		return rate, admin, err
	}
	phones.Handle("/", ratePage)
	phones.Handle("/published", open)
	phones.Handle("/published/", open)
	phones.Handle("GET /readyz", ready)
	rate = site{handler: m.Site("rate", phones), logger: log}
	if rate.listener, err = x.shown.listen("rate.cert_file", string(cfg.Rate.Listen), cfg.Rate.CertFile, cfg.Rate.KeyFile); err != nil {
		return rate, admin, fmt.Errorf("rate.listen: %w", err)
	}
	pages := http.NewServeMux()
	pages.Handle("/", adminPage)
	pages.Handle("/published", open)
	pages.Handle("/published/", open)
	pages.Handle("GET /readyz", ready)
	pages.Handle("/seal/", http.StripPrefix("/seal", sealPages(cfg.Seal, x, log)))
	admin = site{handler: m.Site("admin", pages), logger: log, endless: true}
	if admin.listener, err = x.shown.listen("admin.cert_file", string(cfg.Admin.Listen), cfg.Admin.CertFile, cfg.Admin.KeyFile); err != nil {
		return rate, admin, fmt.Errorf("admin.listen: %w", errors.Join(err, rate.listener.Close()))
	}
	return rate, admin, nil
}

// A box that comes back is told of so many answers by phone at most, which are no older.
const (
	missedMost = 100
	missedLife = 24 * time.Hour
)

// missed tells a box of what phones have rated, as far as it may still ask it. The oldest come first.
func (x *rooms) missed(ctx context.Context, d rating.DeviceID, tell func(rating.VisitID, rating.Question) error) error {
	all, err := x.books.OpenByPhone(ctx, d, time.UnixMilli(x.journal.Now()).Add(-missedLife), missedMost)
	if err != nil {
		return err
	}
	for _, p := range slices.Backward(all) {
		if err := tell(p.Visit, p.Question); err != nil {
			return err
		}
	}
	return nil
}

func texts[T ~string](all []T) []string {
	var out []string
	for _, s := range all {
		out = append(out, string(s))
	}
	return out
}

// reasons returns the catalogue of the policy that holds, else of the file.
func (c config) reasons() (rating.Catalogue, error) {
	if c.policy.Catalogue != nil {
		return *c.policy.Catalogue, nil
	}
	return catalogue(c.Rate.Catalogue)
}

// catalogue returns the catalogue of reasons of a file, the built-in one without a file.
func catalogue(file string) (rating.Catalogue, error) {
	if file == "" {
		return rating.BuiltInCatalogue()
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return rating.Catalogue{}, err
	}
	return rating.ParseCatalogue(b)
}
