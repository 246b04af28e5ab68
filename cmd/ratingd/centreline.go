package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"time"

	"haochaping/internal/boxconfig"
	keys "haochaping/internal/identity"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/internal/windowapi"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// centreLine is the way to the centre: what the box tells it and what it tells the box. It is safe for concurrent use.
type centreLine struct {
	memory
	box    boxconfig.Config
	cfg    boxconfig.Uplink // of box
	who    identity
	env    environment
	loop   *terminal.Loop
	views  *audience
	report health
	orders orders
	rules  *rulebook
	order  [5]rating.Level // what the keys mean, from the left
	log    *slog.Logger

	up    atomic.Pointer[uplink.Uplink]    // nil until the files that it needs could be read
	cert  atomic.Pointer[x509.Certificate] // the box's own at the broker, nil if it has none
	since *connectedSince
	// certified has a value when the box has got a certificate.
	certified chan struct{}
	unkept    atomic.Pointer[assigned] // what the disk did not take
	offset    atomic.Int64             // box minus centre in milliseconds
}

// newCentreLine returns a line that reads and opens nothing before run.
func newCentreLine(box boxconfig.Config, who identity, mem memory, loop *terminal.Loop, views *audience, parts func() opsapi.Health,
	counts *keyCounts, restart func(), env environment, log *slog.Logger) *centreLine {
	l := &centreLine{memory: mem, box: box, cfg: box.Uplink, certified: make(chan struct{}, 1), who: who, env: env, loop: loop, views: views,
		log: log, since: newConnectedSince(env.mono)}
	l.report = health{memory: mem, who: who, counts: counts, tells: loop.View, offset: &l.offset, cert: l.cert.Load, parts: parts}
	l.orders = orders{loop: loop, clock: mem.clock, notes: mem.db, parts: parts, restart: restart, programs: askForPrograms(box),
		tokens: filepath.Join(box.State, windowapi.TokensFile), wall: env.wall, log: log}
	return l
}

// run hands the records over until ctx ends. It returns when a file that it needs cannot be used.
func (l *centreLine) run(ctx context.Context, report func(error)) error {
	c := l.cfg
	login, err := l.box.Login()
	for l.box.Enrols() && errors.Is(err, fs.ErrNotExist) {
		report(errUncertified)
		select {
		case <-ctx.Done():
			return nil
		case <-l.certified:
		}
		login, err = l.box.Login()
	}
	if err != nil {
		return err
	}
	up, err := uplink.New(uplink.Config{
		Brokers: c.Broker, Username: login.Username, Password: login.Password, TLS: login.TLS,
		Key: l.who.key, Centre: []byte(c.CentreKey), Log: l.db, AckMode: uplink.AckMode(c.Ack), Resend: time.Duration(c.Resend),
		Presence:   wire.Presence{V: wire.Version, Version: version(), Boot: l.clock.boot},
		Generation: generation(l.start.Window), Health: l.report.report,
		OnConfig: l.configured, OnCommand: l.orders.carryOut,
		OnState: l.connected, OnAck: l.acknowledged,
		OnKinds: (&kinds{l.db, c.CentreKey, l.loop, l.clock, l.log, l.start.Kinds}).said,
		Now:     l.env.wall, Synced: l.env.synced, Passed: l.passed, Random: mathrand.Float64, Logger: l.log,
	})
	if err != nil {
		return err
	}
	l.cert.Store(login.Certificate)
	l.up.Store(up)
	report(nil)
	following, stop := context.WithCancel(ctx)
	defer stop()
	go followUpdates(following, updates, up.Tell)
	return up.Run(ctx)
}

// errUncertified says why there is no way to the centre yet. Under which code the box waits says the part that asks for the certificate.
var errUncertified = errors.New("the box has no certificate yet and waits to be accepted")

// recertified takes that the box has got a certificate, the first or the next one.
func (l *centreLine) recertified() {
	if login, err := l.box.Login(); err == nil {
		l.cert.Store(login.Certificate)
	}
	select {
	case l.certified <- struct{}{}:
	default:
	}
}

// answer answers a command later than it came, if there is a way to the centre.
func (l *centreLine) answer(id string, parts []wire.Part, err error) {
	if up := l.up.Load(); up != nil {
		up.Answer(id, parts, err)
	}
}

// refused reports whether the broker does not take the box's certificate.
func (l *centreLine) refused() bool {
	f := l.link().Fault
	return f == uplink.FaultLogin || f == uplink.FaultCertificate
}

// lastPassed returns a time that has surely passed.
func (l *centreLine) lastPassed() time.Time {
	if up := l.up.Load(); up != nil {
		return up.Passed()
	}
	return l.passed
}

// trust returns by what the centre's servers are known, and by which time.
func (l *centreLine) trust() keys.Trust {
	return keys.Trust{Roots: l.box.Roots(), Now: l.env.wall, Synced: l.env.synced, Passed: l.lastPassed}
}

// broker returns the address of the broker that is connected to, or tried.
func (l *centreLine) broker() string {
	if up := l.up.Load(); up != nil {
		return up.Broker()
	}
	return l.cfg.Broker[0]
}

// link returns how the way to the centre is.
func (l *centreLine) link() uplink.Link {
	if up := l.up.Load(); up != nil {
		return up.Link()
	}
	return uplink.Link{Fault: uplink.FaultUnreached}
}

// tell has the box say within seconds how it is.
func (l *centreLine) tell() {
	if up := l.up.Load(); up != nil {
		up.Tell()
	}
}

// stats returns what the uplink has counted.
func (l *centreLine) stats() uplink.Stats {
	if up := l.up.Load(); up != nil {
		return up.Stats()
	}
	return uplink.Stats{}
}

// configured takes what the centre has assigned. The staff first: once the window is kept, the same configuration is not
// taken again.
func (l *centreLine) configured(c wire.Config) {
	listed := l.staff.lists(l.loop.View().Signed.ID)
	if err := l.staff.replace(c.Roster); err != nil {
		l.log.Error("the window's staff cannot be kept; it is known until the next restart", "error", err)
	}
	e := terminal.Configured{At: l.clock.now(), Window: c.Window}
	if r, ok := l.rules.take(c.Rules); ok {
		manner := mannerOf(l.box, l.order, r)
		e.Manner = &manner
	}
	l.unkept.Store(&assigned{c.Window, c.Rules})
	l.keepUnkept()
	l.loop.Post(e)
	if listed && !l.staff.lists(l.loop.View().Signed.ID) {
		l.loop.Post(terminal.SignOut{At: l.clock.now(), Via: "assignment"})
	}
}

// connected takes whether there is a connection.
func (l *centreLine) connected(yes bool) {
	l.since.set(yes)
	l.views.connected(yes)
}

// acknowledged takes the centre's time. The uplink calls it from one goroutine at a time.
func (l *centreLine) acknowledged(centre time.Time) {
	l.offset.Store(l.env.wall().Sub(centre).Milliseconds())
	at := l.up.Load().Passed()
	if at.Sub(l.passed) < passedStep {
		return
	}
	l.passed = at
	if err := keepPassed(l.db, at); err != nil {
		l.log.Error("the time cannot be kept for the next start", "error", err)
	}
}

// assigned is what a configuration has brought.
type assigned struct {
	window rating.Window
	rules  json.RawMessage
}

// keepUnkept keeps what the centre has assigned, if that has not been done. The window comes last: without it, the same configuration is
// taken again after a restart.
func (l *centreLine) keepUnkept() {
	a := l.unkept.Load()
	if a == nil {
		return
	}
	err := l.rules.keep(a.rules)
	if err == nil {
		err = keepWindow(l.db, a.window)
	}
	if err != nil {
		l.log.Error("what the centre has assigned cannot be kept; it is tried again", "error", err)
		return
	}
	l.unkept.CompareAndSwap(a, nil)
}
