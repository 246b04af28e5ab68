package main

import (
	"context"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"haochaping/internal/boxconfig"
	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/store"
)

// operations shows the whole box to those who run it. It is the one place that knows both.
type operations struct {
	cfg      boxconfig.Config
	who      identity
	clock    clock
	started  rating.Stamp
	db       *store.Store
	recorder *opsapi.Recorder
	loop     *terminal.Loop
	keys     *keypadReader
	views    *audience
	screen   *panels
	line     *centreLine
	uplink   *extra
	offset   *sampled
	monitor  *opsapi.Monitor
}

// pending returns what waits for the centre.
func (o *operations) pending() opsapi.Queue {
	b, now := o.db.Backlog(), o.clock.now()
	q := opsapi.Queue{Pending: o.recorder.Waiting(b.Pending, o.db.Released())}
	if q.Pending > 0 {
		q.OldestSec = age(b, now)
	}
	return q
}

// status gathers everything. It looks at the parts, so that it may take two seconds when one hangs.
func (o *operations) status(ctx context.Context) opsapi.Status {
	h := o.monitor.Health(ctx)
	now, v, stats := o.clock.now(), o.loop.View(), o.line.stats()
	uptime := now.Sub(o.started)
	s := opsapi.Status{
		V: opsapi.StatusVersion, Device: string(o.who.device), Version: version(), Fingerprint: o.who.fingerprint(),
		Algorithm: string(o.who.algorithm()),
		Started:   now.Time().Add(-uptime), UptimeSec: int64(uptime / time.Second), State: v.Word(),
		Healthy: h.OK, Parts: h.Parts, LastFault: o.monitor.LastFault(), Queue: o.pending(),
		Centre: opsapi.Centre{Broker: withoutUser(o.line.broker()), Connections: stats.Connections, Silences: stats.Silences,
			Unsigned: stats.Refused > 0},
		Disk: opsapi.Disk{Folder: o.cfg.State}, Clock: opsapi.Clock{Now: now.Time(), Synced: now.Synced},
		TemperatureC: temperature(), UnknownKeys: o.keys.counts.unknown.Load(), StuckKeys: o.keys.counts.stuck.Load(),
	}
	if large := o.line.link().TooLarge; len(large) > 0 {
		s.Centre.TooLarge = &opsapi.TooLarge{Seq: large[0].Seq, Bytes: large[0].Bytes, Limit: large[0].Limit, Count: len(large)}
	}
	var since time.Duration
	s.Centre.Connected, since = o.line.since.get()
	s.Centre.Since = now.Time().Add(since - o.clock.mono()).Round(time.Millisecond)
	if v.Window.ID != "" {
		s.Window = &opsapi.Window{ID: v.Window.ID, Name: v.Window.Name, Hall: v.Window.Hall, Generation: v.Window.Generation}
	}
	if stats.Acks > 0 {
		ms := o.offset.get()
		s.Clock.OffsetMS = &ms
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(o.cfg.State, &fs); err == nil { // else the store's part says so
		s.Disk.FreeBytes, s.Disk.SizeBytes = opsapi.Room(fs.Bavail*uint64(fs.Bsize)), fs.Blocks*uint64(fs.Bsize)
	}
	if c := o.line.cert.Load(); c != nil {
		s.Certificate = &opsapi.Certificate{NotAfter: c.NotAfter, Days: *daysLeft(c, now.Time())}
	}
	return s
}

// withoutUser returns an address without a user and a password that somebody may have written into it.
func withoutUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}

// connectedSince remembers since when there is or is no connection. It is safe for concurrent use.
type connectedSince struct {
	mono func() time.Duration

	mu        sync.Mutex
	connected bool          // guarded by mu
	since     time.Duration // guarded by mu; since the machine started
}

func newConnectedSince(mono func() time.Duration) *connectedSince {
	return &connectedSince{mono: mono, since: mono()}
}

func (c *connectedSince) set(connected bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if connected != c.connected {
		c.connected, c.since = connected, c.mono()
	}
}

func (c *connectedSince) get() (bool, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connected, c.since
}

// samplePause is for how long a sample holds.
const samplePause = time.Minute

// sampled is a figure that is read at most once a minute, since it changes with each acknowledgement, also that of a
// correction. It is safe for concurrent use.
type sampled struct {
	mono func() time.Duration
	read func() int64

	mu    sync.Mutex
	ever  bool          // guarded by mu
	at    time.Duration // guarded by mu
	value int64         // guarded by mu
}

func (s *sampled) get() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.mono(); !s.ever || now-s.at >= samplePause {
		s.ever, s.at, s.value = true, now, s.read()
	}
	return s.value
}
