package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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

// leastRoom is below how many free bytes the next write may fail at any moment.
const leastRoom = 1 << 20

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
	shown    *latest[picture]
	screen   *panels
	line     *centreLine
	offset   *sampled
	monitor  *opsapi.Monitor
}

// parts returns what is looked at. Looks may hang with their parts, and are waited for by the Monitor alone.
func (o *operations) parts() []opsapi.Watched {
	return []opsapi.Watched{
		{Name: "store", Vital: true, Look: func(context.Context) opsapi.Finding { return o.lookAtStore() }},
		{Name: "terminal", Vital: true, Look: func(ctx context.Context) opsapi.Finding {
			if err := o.loop.Probe(ctx); err != nil {
				return failed("评价程序已停止", "the terminal has stopped", err)
			}
			return fine("正常", "it works")
		}},
		{Name: "keys", Vital: true, Look: func(ctx context.Context) opsapi.Finding {
			if err := o.keys.handed.probe(ctx); err != nil {
				return failed("按键没有响应", "the keys hang", err)
			}
			if o.keys.counts.lost.Load() {
				return failed("读不到键盘，按键无效；二维码仍可评价", "the keypad cannot be read; the QR code works", o.keys.counts.lostWhy())
			}
			if o.loop.View().StuckKey {
				return failed("有按键卡住，不计入评价；其余按键有效", "a key is stuck and counts for nothing; the others work", nil)
			}
			return fine("正常", "they are read")
		}},
		{Name: "screen", Look: func(ctx context.Context) opsapi.Finding {
			if err := o.shown.probe(ctx); err != nil {
				return failed("屏幕没有响应", "the screen hangs", err)
			}
			if why := o.screen.trouble.Load(); why != nil {
				return failed("屏幕无法显示；按键仍可评价", "the screen is not shown; the keys work", errors.New(*why))
			}
			if o.cfg.Screen.Panel == "none" {
				return fine("未配置屏幕", "no screen is configured")
			}
			return fine("正常", "it is shown")
		}},
		{Name: "centre", Fickle: true, Look: func(context.Context) opsapi.Finding {
			if !o.line.isConnected() {
				return opsapi.Finding{What: opsapi.Text{ZH: "未连接；评价保存在本机，连接后自动上传", EN: "not connected; evaluations are kept here and sent later"}}
			}
			return fine("已连接", "connected")
		}},
	}
}

func fine(zh, en string) opsapi.Finding {
	return opsapi.Finding{OK: true, What: opsapi.Text{ZH: zh, EN: en}}
}

func failed(zh, en string, err error) opsapi.Finding {
	if err != nil {
		zh, en = zh+"："+err.Error(), en+": "+err.Error()
	}
	return opsapi.Finding{What: opsapi.Text{ZH: zh, EN: en}}
}

// lookAtStore writes nothing: a memory card has better uses for its writes. A disk that refuses shows when it is next written
// to, one that has become read-only or full at once.
func (o *operations) lookAtStore() opsapi.Finding {
	if err := o.db.Probe(); err != nil {
		return failed("评价存储无法使用", "the store cannot be used", err)
	}
	if o.loop.View().Problem == terminal.StoreProblem {
		return failed("上次写入失败，按键停用；二维码仍可评价", "the last write failed, the keys are out of service; the QR code works", nil)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(o.cfg.State, &fs); err != nil {
		return failed("看不到存储目录", "the state folder cannot be seen", err)
	}
	if fs.Flags&unix.ST_RDONLY != 0 {
		return failed("存储卡已变为只读", "the disk is read-only", nil)
	}
	if fs.Bavail*uint64(fs.Bsize) < leastRoom {
		return failed("存储空间已满", "the disk is full", nil)
	}
	return fine("可以写入", "it can be written")
}

// pending returns what waits for the centre.
func (o *operations) pending() opsapi.Queue {
	b, now := o.db.Backlog(), o.clock.now()
	q := opsapi.Queue{Pending: o.recorder.Waiting(b.Pending, o.db.Released())}
	switch {
	case q.Pending == 0:
	case b.Oldest.Boot == now.Boot:
		q.OldestSec = int64(now.Sub(b.Oldest) / time.Second)
	case b.Oldest.Synced && now.Synced:
		q.OldestSec = max(0, (now.Wall-b.Oldest.Wall)/1000)
	default:
		q.OldestSec = -1
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
		Started: now.Time().Add(-uptime), UptimeSec: int64(uptime / time.Second), State: string(v.State.Public()),
		Healthy: h.OK, Parts: h.Parts, LastFault: o.monitor.LastFault(), Queue: o.pending(),
		Centre: opsapi.Centre{Broker: withoutUser(o.line.broker()), Connections: stats.Connections, Silences: stats.Silences, Unsigned: stats.Refused > 0},
		Disk:   opsapi.Disk{Folder: o.cfg.State}, Clock: opsapi.Clock{Now: now.Time(), Synced: now.Synced},
		TemperatureC: temperature(), UnknownKeys: o.keys.counts.unknown.Load(), StuckKeys: o.keys.counts.stuck.Load(),
	}
	if stuck := o.line.stuck(); len(stuck) > 0 {
		s.Centre.TooLarge = &opsapi.TooLarge{Seq: stuck[0].Seq, Bytes: stuck[0].Bytes, Limit: stuck[0].Limit, Count: len(stuck)}
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

// leaf returns the box's own certificate, nil if it has none.
func leaf(c *tls.Config) *x509.Certificate {
	if len(c.Certificates) == 0 {
		return nil
	}
	return c.Certificates[0].Leaf
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
