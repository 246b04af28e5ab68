package main

import (
	"crypto/tls"
	"log/slog"
	mathrand "math/rand/v2"
	"sync/atomic"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/sync/uplink"
	"haochaping/sync/wire"
)

// centreLine is the way to the centre: what the box tells it and what it tells the box. It is safe for concurrent use.
type centreLine struct {
	memory
	loop  *terminal.Loop
	views *audience
	wall  func() time.Time
	log   *slog.Logger

	up     *uplink.Uplink
	tls    *tls.Config
	since  *connectedSince
	unkept atomic.Pointer[rating.Window] // a window that the disk did not take
	offset atomic.Int64                  // box minus centre in milliseconds
}

// newCentreLine reads the files that the uplink needs. What is wrong with them is a configurationError.
func newCentreLine(c boxconfig.Uplink, who identity, mem memory, loop *terminal.Loop, views *audience, x *extras, counts *keyCounts, env environment, log *slog.Logger) (*centreLine, error) {
	tlsConfig, certDays, err := tlsFiles(c)
	if err != nil {
		return nil, &configurationError{err}
	}
	password, err := readPassword(c.PasswordFile)
	if err != nil {
		return nil, &configurationError{err}
	}
	username := c.Username
	if username == "" {
		username = string(who.device)
	}
	l := &centreLine{memory: mem, loop: loop, views: views, wall: env.wall, log: log, tls: tlsConfig, since: newConnectedSince(env.mono)}
	report := health{memory: mem, counts: counts, view: loop.View, offset: &l.offset, certDays: certDays, failing: x.failing}
	l.up, err = uplink.New(uplink.Config{
		Broker: c.Broker, Username: username, Password: password, TLS: tlsConfig,
		Key: who.key, Centre: []byte(c.CentreKey), Log: mem.db, AckMode: uplink.AckMode(c.Ack), Resend: time.Duration(c.Resend),
		Presence:   wire.Presence{V: wire.Version, Version: version(), Boot: mem.clock.boot},
		Generation: generation(mem.start.Window), Health: report.report,
		OnConfig: l.configured, OnCommand: func(c wire.Command) error { return execute(c, loop, mem.clock) },
		OnState: l.connected, OnAck: l.acknowledged,
		Now: env.wall, Synced: env.synced, Passed: mem.passed, Random: mathrand.Float64, Logger: log,
	})
	return l, err
}

// configured takes what the centre has assigned. The staff first: once the window is kept, the same configuration is not
// taken again.
func (l *centreLine) configured(c wire.Config) {
	listed := l.staff.lists(l.loop.View().Signed.ID)
	if err := l.staff.replace(c.Roster); err != nil {
		l.log.Error("the window's staff cannot be kept; it is known until the next restart", "error", err)
	}
	l.unkept.Store(&c.Window)
	l.keepUnkept()
	l.loop.Post(terminal.Configured{At: l.clock.now(), Window: c.Window})
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
	l.offset.Store(l.wall().Sub(centre).Milliseconds())
	at := l.up.Passed()
	if at.Sub(l.passed) < passedStep {
		return
	}
	l.passed = at
	if err := keepPassed(l.db, at); err != nil {
		l.log.Error("the time cannot be kept for the next start", "error", err)
	}
}

// keepUnkept keeps the window that the centre has assigned, if that has not been done.
func (l *centreLine) keepUnkept() {
	w := l.unkept.Load()
	if w == nil {
		return
	}
	if err := keepWindow(l.db, *w); err != nil {
		l.log.Error("the window that the centre assigned cannot be kept; it is tried again", "error", err)
		return
	}
	l.unkept.CompareAndSwap(w, nil)
}
