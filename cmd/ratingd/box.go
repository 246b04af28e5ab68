package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"haochaping/display"
	"haochaping/internal/boxconfig"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
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
	recorder *opsapi.Recorder
	metrics  *opsapi.Metrics
	loop     *terminal.Loop
	links    *linkBook
	screen   *panels
	lamps    lampPanel
	speaker  speaker
	line     *centreLine
	browser  net.Listener // nil for none
	pcs      *windowPCs
	ops      operationsListeners
	box      *operations
	monitor  *opsapi.Monitor
}

// runBox makes the parts, joins them, and runs them until ctx ends.
func runBox(ctx context.Context, cfg boxconfig.Config, who identity, env environment, service manager, log *slog.Logger) (err error) {
	mem, err := openMemory(cfg, env, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mem.db.Close()) }()
	d := &daemon{cfg: cfg, who: who, env: env, log: log, memory: mem,
		monitor: opsapi.NewMonitor(opsapi.Clocks{Mono: env.mono, Wall: env.wall})}
	if d.keys, err = newKeypadReader(cfg.Keys, mem.clock, env, log); err != nil {
		return err
	}
	d.joinTerminal()
	if err := d.joinScreen(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.screen.Close()) }()
	if d.line, err = newCentreLine(cfg.Uplink, who, mem, d.loop, d.views, &d.keys.counts, env, log); err != nil {
		return err
	}
	if err := d.joinListeners(ctx); err != nil {
		return err
	}
	d.joinOperations()
	if err := writeAddresses(cfg.Addresses, d.addresses()); err != nil {
		return err
	}
	log.Info("ratingd runs", "version", version(), "device", cfg.Device, "epoch", mem.db.Epoch(), "boot", mem.clock.boot,
		"fingerprint", who.fingerprint(), "pending", mem.db.Backlog().Pending)
	return stages.Run(ctx, d.stages(service)...)
}

// joinTerminal makes the behaviour between the log and those who see what it shows.
func (d *daemon) joinTerminal() {
	d.views = newAudience(d.keys.source.prompt, d.monitor.Wake)
	d.journal = windowapi.NewJournal(d.who.key.Seed())
	d.metrics = opsapi.NewMetrics()
	d.recorder = opsapi.NewRecorder(d.db, d.env.mono, d.metrics)
	d.loop = terminal.NewLoop(terminal.LoopConfig{
		Timings: terminal.Timings{Wait: time.Duration(d.cfg.Visit.Wait), Thanks: time.Duration(d.cfg.Visit.Thanks)},
		Log:     journalled{d.recorder, d.db.Epoch, d.journal}, Now: d.clock.now, Random: rand.Reader, Logger: d.log,
		KeepStaff: func(s rating.Staff) {
			if err := keepStaff(d.db, s); err != nil {
				d.log.Error("who is signed in cannot be kept; after a restart they have to sign in again", "error", err)
			}
		},
		Show: d.views.show,
	})
}

// joinScreen makes what citizens see and hear.
func (d *daemon) joinScreen() error {
	fonts, err := display.LoadFonts(d.cfg.Screen.Fonts)
	if err != nil {
		return err
	}
	if d.screen, err = openPanels(d.cfg.Screen, display.NewRenderer(fonts), d.log); err != nil {
		return err
	}
	order := d.keys.levels.Order()
	d.links = &linkBook{who: d.who, base: d.cfg.Link.Base}
	d.lamps = lampPanel{d.cfg.Lamps, order, d.env.openOutputs, d.env.mono, d.log}
	d.speaker = newSpeaker(d.cfg.Sound, order, d.env, d.log)
	return nil
}

// joinListeners opens what others call, so that a wrong address ends the start and not the day.
func (d *daemon) joinListeners(ctx context.Context) (err error) {
	if d.browser, err = listen(d.cfg.Screen.Browser); err != nil {
		return fmt.Errorf("screen.browser: %w", err)
	}
	offline := func() bool { return !d.views.shown.get().online }
	if d.pcs, err = newWindowPCs(ctx, d.cfg, window{d.loop, offline, d.links, d.staff}, d.journal, d.db, d.env.wall, d.log); err != nil {
		return err
	}
	d.ops, err = listenOperations(d.cfg.Operations, d.log)
	return err
}

// joinOperations shows the whole box to those who run it.
func (d *daemon) joinOperations() {
	d.box = &operations{
		cfg: d.cfg, who: d.who, clock: d.clock, started: d.start.At, db: d.db, recorder: d.recorder, loop: d.loop, keys: d.keys,
		shown: d.views.shown, screen: d.screen, line: d.line, offset: &sampled{mono: d.env.mono, read: d.line.offset.Load}, monitor: d.monitor,
	}
	d.monitor.Add(d.box.parts()...)
	d.metrics.Watch(d.box.status)
}

// addresses returns what was bound and who the box is, for a supervisor that let the system choose the ports.
func (d *daemon) addresses() map[string]string {
	return map[string]string{
		"operations": address(d.ops.loopback), "operations_socket": address(d.ops.socket),
		"device": string(d.who.device), "public_key": base64.RawURLEncoding.EncodeToString(d.who.public()),
		"browser": address(d.browser), "window_api": address(d.pcs.loopback), "window_api_lan": address(d.pcs.lan),
	}
}

// stages returns the parts in the order of shutdown: nothing new comes in, what has come in is recorded, what is recorded gets a
// moment to reach the centre, and the screen stays to the end. The caller closes the store last of all.
func (d *daemon) stages(service manager) []stages.Stage {
	scene := scene{links: d.links, order: d.keys.levels.Order(), photos: &photos{staff: d.staff, log: d.log}}
	return []stages.Stage{
		{Name: "supervision", Run: d.supervisor(service).run},
		{Name: "keys", Run: func(ctx context.Context) error { return d.keys.run(ctx, d.loop) }},
		{Name: "window API", Run: d.pcs.run},
		{Name: "cards", Run: func(ctx context.Context) error {
			return cardReader{d.cfg.Cards, d.staff, d.loop, d.clock, d.log}.run(ctx, d.env.mono)
		}},
		{Name: "operations", Run: func(ctx context.Context) error {
			return d.ops.run(ctx, opsapi.New(opsapi.Config{Monitor: d.monitor, Metrics: d.metrics, Status: d.box.status, Logger: d.log}))
		}},
		{Name: "monitor", Run: d.watch},
		{Name: "terminal", Run: func(ctx context.Context) error { return d.loop.Run(ctx, d.start) }},
		{Name: "uplink", Run: d.line.up.Run},
		{Name: "clock", Run: func(ctx context.Context) error { return watchClock(ctx, d.clock, d.loop.Post) }},
		{Name: "upkeep", Run: func(ctx context.Context) error { return upkeep(ctx, d.db, d.clock, d.log, d.line.keepUnkept) }},
		{Name: "browser", Run: d.serveBrowser},
		{Name: "lamps", Run: func(ctx context.Context) error { return d.lamps.run(ctx, d.views.lamps) }},
		{Name: "sound", Run: func(ctx context.Context) error { return d.speaker.run(ctx, d.views.heard) }},
		{Name: "screen", Run: func(ctx context.Context) error { return d.screen.run(ctx, d.views.shown, scene) }},
	}
}

// supervisor returns what feeds the service manager's watchdog.
func (d *daemon) supervisor(service manager) supervisor {
	return supervisor{
		manager: service, ready: d.views.shown.first, logger: d.log,
		parts: []part{
			{"keys", d.keys.handed.probe}, {"terminal", d.loop.Probe},
			{"store", func(context.Context) error { return d.db.Probe() }}, {"screen", d.views.shown.probe},
		},
		status: func() string { return statusText(d.views.shown.get(), d.who, d.box.pending().Pending) },
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

// serveBrowser shows the screen to browsers on this machine. It shows what a citizen answers: no web page may read it by a
// name that points here.
func (d *daemon) serveBrowser(ctx context.Context) error {
	if d.browser == nil {
		return idle(ctx)
	}
	pending := func() uint64 { return d.db.Backlog().Pending }
	return serve(ctx, d.browser, opsapi.OnLoopback(browserPage(d.screen.frames(), d.keys.source.simulated, d.loop, d.views.shown, d.links, d.cfg.Keys, pending)))
}
