package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	"haochaping/device"
	"haochaping/display"
	"haochaping/internal/boxconfig"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/stages"
	"haochaping/internal/terminal"
	"haochaping/internal/windowapi"
	"haochaping/store"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// configurationError says that the configuration or a file that it names is wrong: starting again helps only when somebody has changed it.
type configurationError struct{ err error }

func (e *configurationError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong.
func (e *configurationError) Unwrap() error { return e.err }

// run is the daemon: it reads the configuration, joins the parts in the order in which a press passes through them, and
// runs them until ctx ends.
func run(ctx context.Context, args []string, env environment) error {
	flags := flag.NewFlagSet("ratingd", flag.ContinueOnError)
	flags.SetOutput(env.stderr)
	path := flags.String("config", "/etc/ratingd.toml", "the configuration `file`")
	printConfig := flags.Bool("print-config", false, "print the documented defaults and end")
	printVersion := flags.Bool("version", false, "print the version and end")
	checkConfig := flags.Bool("check-config", false, "check the configuration and the files that it names, and end, with status 78 if something is wrong")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("argument %q is unexpected; ratingd -help lists what there is", flags.Arg(0))
	case *printConfig:
		_, err := io.WriteString(env.stdout, boxconfig.DefaultTOML())
		return err
	case *printVersion:
		_, err := fmt.Fprintln(env.stdout, "ratingd", version())
		return err
	}
	cfg, err := boxconfig.Load(*path)
	if err != nil {
		return &configurationError{err}
	}
	if *checkConfig {
		_, _, certErr := tlsFiles(cfg.Uplink)
		_, passwordErr := readPassword(cfg.Uplink.PasswordFile)
		_, secretErr := webhookSecret(cfg.WindowAPI)
		_, catalogueErr := boxconfig.Catalogue(cfg.Reasons.Catalogue)
		if err := errors.Join(certErr, passwordErr, secretErr, catalogueErr); err != nil {
			return &configurationError{err}
		}
		_, err := fmt.Fprintf(env.stdout, "%s 无误 / is in order\n", *path)
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.LogLevel)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(env.stderr, &slog.HandlerOptions{Level: level}))
	// Without its manager the box works as well; it is the manager that will be dissatisfied.
	supervised, err := env.manager()
	if err != nil {
		log.Error("the service manager cannot be told how the box is", "error", err)
	}
	key, err := boxconfig.Identity(cfg.State)
	if err != nil {
		return err
	}
	return runBox(ctx, cfg, identity{cfg.Device, key}, env, supervised, log)
}

func runBox(ctx context.Context, cfg boxconfig.Config, who identity, env environment, service manager, log *slog.Logger) (err error) {
	// The store, and what it remembers of the time before this start.
	db, err := store.Open(filepath.Join(cfg.State, "log.db"), store.Options{
		Device: cfg.Device, Random: rand.Reader, Logger: log,
		Retain: store.Retention{Days: cfg.Retention.Days, Bytes: cfg.Retention.MegaBytes << 20},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	bootCount := countBoot(db, env, log)
	clk := clock{bootCount, env.mono, env.wall, env.synced}
	start := terminal.Started{At: clk.now(), Version: version()}
	// What cannot be read here must not keep the window closed: the centre sends the window again, and a visit whose end is
	// not known stands in the log for everybody to see.
	if start.Window, err = keptWindow(db); err != nil {
		log.Error("the window that the centre assigned cannot be read; the box waits for it to be sent again", "error", err)
		start.Window = nil
	}
	if start.Open, start.Rated, err = openVisit(db); err != nil {
		log.Error("the log's end cannot be read; a visit that was open stays without an outcome", "error", err)
	}
	if start.Answered, err = answered(db); err != nil {
		log.Error("the log's end cannot be read; a case that was rated may be asked about again, which the centre does not count", "error", err)
	}
	if start.Paused, err = wasPaused(db); err != nil {
		log.Error("the log's end cannot be read; a window that was paused is open", "error", err)
	}
	if start.Staff, err = keptStaff(db); err != nil {
		log.Error("who was signed in cannot be read; they have to sign in again", "error", err)
	}
	if start.Kinds, err = keptKinds(db, cfg.Uplink.CentreKey); err != nil {
		log.Error("which records the centre knows cannot be read; it says so anew", "error", err)
	}
	staff, err := newRoster(cfg.State)
	if err != nil {
		log.Error("the window's staff cannot be read; the box waits for the list to be sent again", "error", err)
	}

	// The keys.
	keys, err := keyMap(cfg.Keys)
	if err != nil {
		return err
	}
	source, err := newKeySource(cfg.Keys, env, log)
	if err != nil {
		return err
	}
	var counts keyCounts

	// The screen.
	fonts, err := display.LoadFonts(cfg.Screen.Fonts)
	if err != nil {
		return err
	}
	screen, err := openPanels(cfg.Screen, display.NewRenderer(fonts), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, screen.Close()) }()
	shown := newLatest(picture{})
	lampsShown, heard := newLatest(terminal.View{State: terminal.Starting}), newLatest(terminal.View{State: terminal.Starting})
	speaker := newSpeaker(cfg.Sound, keys.Order(), env, log)
	lampsPanel := lampPanel{cfg.Lamps, keys.Order(), env.openOutputs, env.mono, log}

	// The behaviour, and what the window's PC may know of it.
	journal := windowapi.NewJournal(who.key.Seed())
	var watch *opsapi.Monitor // before anything is shown
	metrics := opsapi.NewMetrics()
	recorder := opsapi.NewRecorder(db, env.mono, metrics)
	loop := terminal.NewLoop(terminal.LoopConfig{
		Timings: terminal.Timings{Wait: time.Duration(cfg.Visit.Wait), Thanks: time.Duration(cfg.Visit.Thanks)},
		Reasons: loadReasons(cfg.Reasons, keys.Order(), log),
		Log:     journalled{recorder, db.Epoch, journal}, Now: clk.now, Random: rand.Reader, Logger: log,
		KeepStaff: func(s rating.Staff) {
			if err := keepStaff(db, s); err != nil {
				log.Error("who is signed in cannot be kept; after a restart they have to sign in again", "error", err)
			}
		},
		Show: func(v terminal.View) {
			if shown.get().view.Problem != v.Problem {
				watch.Wake()
			}
			shown.update(func(p *picture) { p.view = v })
			lampsShown.update(func(p *terminal.View) { *p = v })
			heard.update(func(p *terminal.View) { *p = v })
			if source.prompt != nil {
				source.prompt(v)
			}
		},
	})

	// The way to the centre.
	var unkept atomic.Pointer[rating.Window] // a window that the disk did not take
	var offset atomic.Int64                  // box minus centre in milliseconds
	line := newConnectedSince(env.mono)
	tlsConfig, certDays, err := tlsFiles(cfg.Uplink)
	if err != nil {
		return &configurationError{err}
	}
	password, err := readPassword(cfg.Uplink.PasswordFile)
	if err != nil {
		return &configurationError{err}
	}
	state := health{
		clock: clk, started: start.At, state: cfg.State, counts: &counts, view: loop.View,
		pending: func() (uint64, rating.Stamp) { b := db.Backlog(); return b.Pending, b.Oldest },
		offset:  func() time.Duration { return time.Duration(offset.Load()) * time.Millisecond }, certDays: certDays,
	}
	username := cfg.Uplink.Username
	if username == "" {
		username = string(cfg.Device)
	}
	passed, err := keptPassed(db)
	if err != nil {
		log.Error("the last known time cannot be read; while the clock is not set, certificates that ended are not noticed", "error", err)
	}
	var up *uplink.Uplink
	up, err = uplink.New(uplink.Config{
		Broker: cfg.Uplink.Broker, Username: username, Password: password, TLS: tlsConfig,
		Key: who.key, Centre: []byte(cfg.Uplink.CentreKey), Log: db, AckMode: uplink.AckMode(cfg.Uplink.Ack),
		Resend:   time.Duration(cfg.Uplink.Resend),
		Presence: wire.Presence{V: wire.Version, Version: version(), Boot: bootCount}, Generation: generation(start.Window),
		Health: state.report,
		OnConfig: func(c wire.Config) {
			// The staff first: once the window is kept, the same configuration is not taken again.
			listed := staff.lists(loop.View().Signed.ID)
			if err := staff.replace(c.Roster); err != nil {
				log.Error("the window's staff cannot be kept; it is known until the next restart", "error", err)
			}
			unkept.Store(&c.Window)
			keepUnkept(db, &unkept, log)
			loop.Post(terminal.Configured{At: clk.now(), Window: c.Window})
			if listed && !staff.lists(loop.View().Signed.ID) {
				loop.Post(terminal.SignOut{At: clk.now(), Via: "assignment"})
			}
		},
		OnCommand: func(c wire.Command) error { return execute(c, loop, clk) },
		OnState: func(connected bool) {
			line.set(connected)
			watch.Wake()
			shown.update(func(p *picture) { p.online = connected })
		},
		OnAck: func(centre time.Time) {
			offset.Store(env.wall().Sub(centre).Milliseconds())
			if at := up.Passed(); at.Sub(passed) >= passedStep {
				passed = at
				if err := keepPassed(db, at); err != nil {
					log.Error("the time cannot be kept for the next start", "error", err)
				}
			}
		},
		OnKinds: (&kinds{db, cfg.Uplink.CentreKey, loop, clk, log, start.Kinds}).said,
		Now:     env.wall, Synced: env.synced, Passed: passed, Random: mathrand.Float64, Logger: log,
	})
	if err != nil {
		return err
	}

	// The listeners, so that a wrong address ends the start and not the day.
	browser, err := listen(cfg.Screen.Browser)
	if err != nil {
		return fmt.Errorf("screen.browser: %w", err)
	}
	links := &linkBook{who: who, base: cfg.Link.Base}
	offline := func() bool { return !shown.get().online }
	pcs, err := newWindowPCs(ctx, cfg, window{loop, offline, links, staff}, journal, db, env.wall, log)
	if err != nil {
		return err
	}
	ops, err := listenOperations(cfg.Operations, log)
	if err != nil {
		return err
	}
	addresses := map[string]string{
		"operations": address(ops.loopback), "operations_socket": address(ops.socket),
		"device": string(cfg.Device), "public_key": base64.RawURLEncoding.EncodeToString(who.public()),
		"browser": address(browser), "window_api": address(pcs.loopback), "window_api_lan": address(pcs.lan),
	}

	drawing := scene{links: links, order: keys.Order(), photos: &photos{staff: staff, log: log}}
	interpreter := device.NewInterpreter(keys, device.Code(cfg.Keys.Staff))
	handed := newHanding()
	box := operations{
		cfg: cfg, who: who, clock: clk, started: start.At, db: db, recorder: recorder, loop: loop, counts: &counts, shown: shown,
		screen: screen, keys: handed.probe, up: up, line: line, offset: &sampled{mono: env.mono, read: offset.Load}, certificate: leaf(tlsConfig),
	}
	watch = opsapi.NewMonitor(opsapi.Clocks{Mono: env.mono, Wall: env.wall}, box.parts()...)
	box.monitor = watch
	metrics.Watch(box.status)
	// In the order of shutdown: nothing new comes in, what has come in is recorded, what is recorded gets a moment to
	// reach the centre, and the screen stays to the end. The store is closed last of all, by the deferred call above.
	parts := []stages.Stage{
		{Name: "supervision", Run: supervisor{
			manager: service, ready: shown.first, logger: log,
			parts: []part{
				{"keys", handed.probe}, {"terminal", loop.Probe},
				{"store", func(context.Context) error { return db.Probe() }}, {"screen", shown.probe},
			},
			status: func() string { return statusText(shown.get(), who, box.pending().Pending) },
		}.run},
		{Name: "keys", Run: func(ctx context.Context) error {
			return source.run(ctx, func(e device.Event) {
				handed.do(func() {
					for _, s := range interpreter.Step(e) {
						if event, ok := onSignal(s, clk.at(s.At), &counts, loop.Fresh, log); ok {
							loop.Post(event)
						}
					}
				})
			})
		}},
		{Name: "window API", Run: pcs.run},
		{Name: "cards", Run: func(ctx context.Context) error {
			return cardReader{cfg.Cards, staff, loop, clk, log}.run(ctx, env.mono)
		}},
		{Name: "operations", Run: func(ctx context.Context) error {
			return ops.run(ctx, opsapi.New(opsapi.Config{Monitor: watch, Metrics: metrics, Status: box.status, Logger: log}))
		}},
		{Name: "monitor", Run: func(ctx context.Context) error {
			select {
			case <-shown.first: // what has not begun yet does not hang
			case <-ctx.Done():
				return nil
			}
			return watch.Run(ctx)
		}},
		{Name: "terminal", Run: func(ctx context.Context) error { return loop.Run(ctx, start) }},
		{Name: "uplink", Run: up.Run},
		{Name: "clock", Run: func(ctx context.Context) error { return watchClock(ctx, clk, loop.Post) }},
		{Name: "upkeep", Run: func(ctx context.Context) error {
			return upkeep(ctx, db, clk, log, func() { keepUnkept(db, &unkept, log) })
		}},
		{Name: "browser", Run: func(ctx context.Context) error {
			if browser == nil {
				return idle(ctx)
			}
			// The screen shows what a citizen answers: no web page may read it by a name that points here.
			return serve(ctx, browser, opsapi.OnLoopback(browserPage(screen.frames(), source.simulated, loop, shown, links, cfg.Keys,
				func() uint64 { return db.Backlog().Pending })))
		}},
		{Name: "lamps", Run: func(ctx context.Context) error { return lampsPanel.run(ctx, lampsShown) }},
		{Name: "sound", Run: func(ctx context.Context) error { return speaker.run(ctx, heard) }},
		{Name: "screen", Run: func(ctx context.Context) error { return screen.run(ctx, shown, drawing) }},
	}
	if err := writeAddresses(cfg.Addresses, addresses); err != nil {
		return err
	}
	log.Info("ratingd runs", "version", version(), "device", cfg.Device, "epoch", db.Epoch(), "boot", bootCount,
		"fingerprint", who.fingerprint(), "pending", db.Backlog().Pending)
	return stages.Run(ctx, parts...)
}

// generation returns that of the window that the box knows, 0 if none.
func generation(w *rating.Window) uint32 {
	if w == nil {
		return 0
	}
	return w.Generation
}

// execute carries out a command of the centre.
func execute(c wire.Command, loop *terminal.Loop, clk clock) error {
	if c.Name != wire.CommandPhoneRated {
		return fmt.Errorf("command %q is unknown to this version", c.Name)
	}
	id, err := rating.ParseVisitID(c.Args["visit"])
	subject := rating.Subject(c.Args["subject"])
	if err != nil || !subject.Valid() {
		return fmt.Errorf("command %s: visit %q, subject %q: not understood", c.Name, c.Args["visit"], c.Args["subject"])
	}
	loop.Post(terminal.PhoneRated{At: clk.now(), Visit: id, Subject: subject, Case: c.Args["case"]})
	return nil
}

func idle(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func address(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// version returns the version that the build was stamped with.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
