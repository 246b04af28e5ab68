package main

import (
	"context"
	"crypto/rand"
	"errors"
	"image"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"haochaping/display"
	"haochaping/internal/boxconfig"
	"haochaping/internal/condition"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
	"haochaping/internal/sdnotify"
	"haochaping/internal/stages"
	"haochaping/internal/terminal"
	"haochaping/internal/windowapi"
)

// daemon is the parts of a running box, in the order of the picture in ARCHITECTURE.md. Each is joined to those before it.
type daemon struct {
	cfg boxconfig.Config
	who identity
	env environment
	log *slog.Logger

	memory
	keys     *keypadReader
	views    *audience
	journal  *windowapi.Journal
	rules    *rulebook
	recorder *opsapi.Recorder
	metrics  *opsapi.Metrics
	loop     *terminal.Loop
	links    *linkBook
	screen   *panels
	scene    scene
	around   []*extra // what else is seen and heard of the window
	line     *centreLine
	teacher  *teacher
	tester   *tester
	bundler  bundler
	eraser   eraser
	uplink   *extra
	// enrolment gets the box its certificate; empty where it has one from elsewhere.
	enrolment []*extra
	pcs       *windowPCs
	cards     []*extra
	ops       []*extra
	box       *operations
	monitor   *opsapi.Monitor
	extras    *extras
	book      *addressBook
}

// runBox makes the parts, joins them, and runs them until ctx ends.
func runBox(ctx context.Context, cfg boxconfig.Config, who identity, env environment, service sdnotify.Told, log *slog.Logger) (err error) {
	mem, err := openMemory(cfg, env, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mem.db.Close()) }()
	d := &daemon{cfg: cfg, who: who, env: env, log: log, memory: mem,
		monitor: opsapi.NewMonitor(opsapi.Clocks{Mono: env.mono, Wall: env.wall}),
		book: newAddressBook(cfg.Addresses, map[string]string{
			"device": string(who.device), "public_key": recordkey.Text(who.public()),
		}, log),
	}
	if d.keys, err = newKeypadReader(cfg.Keys, mem.clock, env, log); err != nil {
		return err
	}
	d.keys.source.watch.notes = mem.db
	d.joinTerminal()
	d.joinScreen()
	defer func() { err = errors.Join(err, d.screen.Close()) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var reborn atomic.Bool
	d.joinCentre(stop, func() { reborn.Store(!env.supervised); stop() })
	d.joinWindowPCs()
	d.joinOperations()
	d.book.begin()
	log.Info("ratingd runs", "version", version(), "device", cfg.Device, "epoch", mem.db.Epoch().String(), "boot", mem.clock.boot,
		"fingerprint", who.fingerprint(), "algorithm", who.algorithm(), "pending", mem.db.Backlog().Pending)
	err = stages.Run(ctx, d.stages(service)...)
	if reborn.Load() {
		err = errors.Join(err, errReborn)
	}
	return err
}

// joinTerminal makes the behaviour between the log and those who see what it shows.
func (d *daemon) joinTerminal() {
	d.views = newAudience(d.keys.source.prompt, d.monitor.Wake)
	d.journal = windowapi.NewJournal(recordkey.Seed(d.who.key))
	d.metrics = opsapi.NewMetrics()
	d.recorder = opsapi.NewRecorder(d.db, d.env.mono, d.metrics)
	rules, set := openRules(d.db, d.log)
	d.rules = rules
	manner := mannerOf(d.cfg, d.keys.levels.Order(), set)
	d.loop = terminal.NewLoop(terminal.LoopConfig{
		Timings: manner.Timings, Reasons: manner.Reasons, Texts: manner.Texts,
		Log: journalled{d.recorder, d.db.Epoch, d.journal}, Visits: d.journal, Now: d.clock.now, Random: rand.Reader, Logger: d.log,
		KeepStaff: func(s rating.Staff) {
			if err := keepStaff(d.db, s); err != nil {
				d.log.Error("who is signed in cannot be kept; after a restart they have to sign in again", "error", err)
			}
		},
		Show: d.views.show,
	})
	d.extras = &extras{mono: d.env.mono, noticed: d.monitor.Wake, log: d.log, record: func(part string, why error) {
		e := terminal.PartTrouble{At: d.clock.now(), Part: part}
		if why != nil {
			e.Err = why.Error()
		}
		d.loop.Post(e)
	}}
}

// joinCentre makes the way to the centre, and what it may command. Stop ends the daemon, reborn has it begin anew having forgotten all.
func (d *daemon) joinCentre(stop, reborn func()) {
	cfg, env, log := d.cfg, d.env, d.log
	var restart func()
	if env.supervised {
		restart = stop
	}
	d.line = newCentreLine(cfg, d.who, d.memory, d.loop, d.views, d.monitor.Last, &d.keys.counts, restart, env, log)
	d.line.rules, d.line.order, d.line.report.rules = d.rules, d.keys.levels.Order(), d.rules.id
	d.teacher = newTeacher(cfg, d.keys.source, d.loop, d.views, env.mono, restart, log)
	d.teacher.lost, d.teacher.gpio = d.keys.counts.lost.Load, boardLines{free: env.freeGPIO, open: env.openGPIO}
	d.teacher.answer, d.line.orders.keys = d.line.answer, d.teacher
	d.tester = newTester(cfg.Screen, d.keys.source.watch, d.views, log)
	d.line.orders.tester = d.tester
	d.eraser = eraser{cfg: cfg, pending: func() uint64 { return d.db.Backlog().Pending }, window: d.loop, settle: settles,
		asked: make(chan order, 1), answer: d.line.answer, reborn: reborn, log: log}
	d.line.orders.erase = d.eraser.ask
	d.bundler = newBundler(cfg, env, d.line, func(ctx context.Context) (opsapi.Status, error) { return d.box.status(ctx), nil }, log)
	d.line.orders.bundle = d.bundler.ask
	d.uplink = d.extras.add(linkPart, "link.files", d.line.run)
	d.uplink.crashed = "link.crashed"
	if cfg.Enrols() {
		d.joinEnrolment()
	}
}

// joinEnrolment makes what gets the box its certificates.
func (d *daemon) joinEnrolment() {
	cfg, env, log := d.cfg, d.env, d.log
	place, err := stands(d.db, boardName(cfg.Enrol.Board))
	if err != nil {
		log.Error("how the box stands with the centre cannot be kept", "error", err)
	}
	d.start.Barred = place.out()
	d.enrolment = append(d.enrolment, d.extras.add(enrolmentPart, "enrolment.waits",
		(certifier{cfg, d.who, env, d.views, d.line, place, d.eraser.ask, new(string), log}).run))
	if cfg.WindowAPI.LANListen != "" {
		d.enrolment = append(d.enrolment, d.extras.add("window_certificate", "window_certificate.waits",
			windowCertificate{cfg, env, d.views, d.line, log}.run))
	}
}

// joinScreen makes what citizens see and hear.
func (d *daemon) joinScreen() {
	c, order := d.cfg, d.keys.levels.Order()
	fonts := &fontFiles{paths: c.Screen.Fonts, renderers: make(chan *display.Renderer)}
	folder := screenFolder{path: c.Screen.Files, size: image.Pt(c.Screen.Width, c.Screen.Height), panels: make(chan *filePanel)}
	d.screen = openPanels(c.Screen, display.NewRenderer(fonts.load()), d.log)
	d.screen.fonts, d.screen.folders = fonts.renderers, folder.panels
	d.links = &linkBook{who: d.who, base: c.Link.Base}
	if fault := c.SharedFault; fault != nil {
		d.around = append(d.around, d.extras.add("shared", "shared.file", func(ctx context.Context, report func(error)) error {
			report(fault) // until somebody has written another and started the box
			return idle(ctx)
		}))
	}
	photo := d.extras.add("photos", "photos.file", func(ctx context.Context, _ func(error)) error { return idle(ctx) })
	d.scene = scene{links: d.links, order: order, page: c.Enrol.Page, photos: &photos{staff: d.staff, report: photo.report}}
	lamps := lampPanel{c.Lamps, !c.Screen.Seen(), order, d.env.openOutputs, d.env.mono}
	speaker := newSpeaker(c.Sound, order, d.env, d.log)
	add := func(wanted bool, name string, code condition.Code, run func(context.Context, func(error)) error) {
		if wanted {
			d.around = append(d.around, d.extras.add(name, code, run))
		}
	}
	add(c.Reasons.Ask, "reasons", "reasons.catalogue", catalogueFile{c.Reasons.Catalogue, func(known rating.Catalogue) {
		d.loop.Post(terminal.CatalogueRead{At: d.clock.now(), Catalogue: known})
	}}.run)
	add(true, "rules", "rules.refused", d.rules.run)
	add(len(c.Screen.Fonts) > 0, "fonts", "fonts.file", fonts.run)
	add(c.Screen.Files != "", "screen_files", "screen_files.folder", folder.run)
	add(c.Screen.Browser != "", "browser", "browser.address", d.browser().run)
	add(lamps.wanted(), "lamps", "lamps.failed", func(ctx context.Context, report func(error)) error {
		return lamps.run(ctx, d.views.lamps, report)
	})
	add(c.Sound.Asking != "" || c.Sound.Thanks != "" || c.Sound.Speaker() != "", "prompts", "prompts.file", speaker.loadPrompts)
	add(true, "sound", "sound.failed", func(ctx context.Context, report func(error)) error {
		return speaker.run(ctx, d.views.heard, report)
	})
}

// browser returns the door at which browsers on this machine see the screen. It shows what a citizen answers: no web page may
// read it by a name that points here.
func (d *daemon) browser() door {
	pending := func() uint64 { return d.db.Backlog().Pending }
	return d.door("browser", "screen.browser", d.cfg.Screen.Browser, func() http.Handler {
		page := browserPage(d.screen.frames(), d.keys.source.simulated, d.views.shown, d.links, d.cfg.Keys, pending)
		return opsapi.OnLoopback(page)
	})
}

// door returns a door on this machine, at which what page returns answers. Without an address it is not waited for.
func (d *daemon) door(name, field, address string, page func() http.Handler) door {
	if address != "" {
		d.book.expect(name)
	}
	return door{name: name, field: field, address: address, book: d.book,
		open:  func(context.Context) (net.Listener, error) { return net.Listen("tcp", address) },
		serve: func(ctx context.Context, l net.Listener) error { return serve(ctx, l, page()) },
	}
}

// joinWindowPCs makes what the window's PCs and the staff's cards reach.
func (d *daemon) joinWindowPCs() {
	d.pcs = newWindowPCs(d.cfg, window{d.loop, d.views.offline, d.links, d.staff}, d.journal, d.db, d.env.wall, d.extras, d.book, d.log)
	if d.cfg.Cards.Configured() {
		reader := cardReader{d.cfg.Cards, d.staff, d.loop, d.clock, d.log}
		d.cards = append(d.cards, d.extras.add("cards", "cards.reader", func(ctx context.Context, report func(error)) error {
			return reader.run(ctx, d.env.mono, report)
		}))
	}
}

// joinOperations shows the whole box to those who run it.
func (d *daemon) joinOperations() {
	d.box = &operations{
		cfg: d.cfg, who: d.who, clock: d.clock, started: d.start.At, db: d.db, recorder: d.recorder, loop: d.loop, keys: d.keys,
		views: d.views, screen: d.screen, line: d.line, uplink: d.uplink, monitor: d.monitor,
		offset: &sampled{mono: d.env.mono, read: d.line.offset.Load},
	}
	api := opsapi.New(opsapi.Config{Monitor: d.monitor, Metrics: d.metrics, Status: d.box.status, Keys: d.keys.source.watch.keys(d.loop),
		Logger: d.log})
	c := d.cfg.Operations
	if c.Listen != "" {
		at := d.door("operations", "operations.listen", c.Listen, func() http.Handler { return opsapi.OnLoopback(api) })
		d.ops = append(d.ops, d.extras.add("operations", "operations.address", at.run))
	}
	if c.Socket != "" {
		at := d.door("operations_socket", "operations.socket", c.Socket, func() http.Handler { return api })
		at.open = func(context.Context) (net.Listener, error) { return opsapi.ListenUnix(c.Socket) }
		d.ops = append(d.ops, d.extras.add("operations_socket", "operations_socket.address", at.run))
	}
	d.monitor.Add(d.box.parts()...)
	d.monitor.Add(d.extras.watched()...)
	changes := news{tell: d.line.tell}
	d.monitor.Tell(func(h opsapi.Health) {
		d.views.reaches(h.Part(linkPart).OK)
		changes.heard(h)
	})
	d.metrics.Watch(d.box.status)
}

// stages returns the parts in the order of shutdown: nothing new comes in, what has come in is recorded, what is recorded gets a
// moment to reach the centre, and the screen stays to the end. The caller closes the store last of all.
func (d *daemon) stages(service sdnotify.Told) []stages.Stage {
	return []stages.Stage{
		{Name: "supervision", Run: d.supervisor(service).run},
		{Name: "keys", Run: func(ctx context.Context) error { return d.keys.run(ctx, d.loop) }},
		{Name: "lessons", Run: d.teacher.run},
		{Name: "test picture", Run: d.tester.run},
		{Name: "eraser", Run: d.eraser.run},
		{Name: "bundle", Run: d.bundler.run},
		{Name: "window API", Run: d.pcs.run},
		{Name: "cards", Run: func(ctx context.Context) error { return together(ctx, d.cards...) }},
		{Name: "operations", Run: func(ctx context.Context) error { return together(ctx, d.ops...) }},
		{Name: "monitor", Run: d.watch},
		{Name: "terminal", Run: func(ctx context.Context) error { return d.loop.Run(ctx, d.start) }},
		{Name: "enrolment", Run: func(ctx context.Context) error { return together(ctx, d.enrolment...) }},
		{Name: "uplink", Run: d.uplink.supervise},
		{Name: "clock", Run: func(ctx context.Context) error { return watchClock(ctx, d.clock, d.loop.Post) }},
		{Name: "upkeep", Run: func(ctx context.Context) error { return upkeep(ctx, d.db, d.clock, d.log, d.line.keepUnkept) }},
		{Name: "lamps, sound and files", Run: func(ctx context.Context) error { return together(ctx, d.around...) }},
		{Name: "screen", Run: func(ctx context.Context) error { return d.screen.run(ctx, d.views.shown, d.scene) }},
	}
}

// supervisor returns what feeds the service manager's watchdog.
func (d *daemon) supervisor(service sdnotify.Told) supervisor {
	return supervisor{
		manager: service, ready: d.views.shown.first, logger: d.log,
		watched: d.monitor, parts: []string{"keys", "terminal", "store", "screen"},
		status: func() string {
			return statusText(d.loop.View(), d.who, d.monitor.Last(), d.box.pending().Pending)
		},
	}
}

// watch lets the monitor look once the first screen is shown: what has not begun yet does not hang.
func (d *daemon) watch(ctx context.Context) error {
	select {
	case <-d.views.shown.first:
		return d.monitor.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}
