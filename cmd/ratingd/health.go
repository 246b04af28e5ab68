package main

import (
	"crypto/x509"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"haochaping/internal/opsapi"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/store"
	"haochaping/sync/wire"
)

// health gathers what the box reports each minute.
type health struct {
	memory
	who    identity
	counts *keyCounts
	tells  func() terminal.Public
	offset *atomic.Int64            // box minus centre in milliseconds, as of the last acknowledgement
	parts  func() opsapi.Health     // at the last look
	rules  func() string            // by which the box goes, as rating.RulesID names them
	cert   func() *x509.Certificate // the box's own at the broker, nil if it has none
}

func (h health) report() wire.Health {
	now := h.clock.now()
	v, parts := h.tells(), h.parts()
	keys := parts.Part("keys").Code
	log := h.db.Backlog()
	r := wire.Health{
		V: wire.Version, Pending: log.Pending, Wall: now.Wall, Synced: now.Synced, OffsetMS: h.offset.Load(),
		UptimeSec: int64(now.Sub(h.start.At) / time.Second), KeysOK: keys == "" || keys == "keys.stuck",
		StoreOK: parts.Part("store").Code == "", OldestSec: age(log, now), UnknownKeys: h.counts.unknown.Load(), StuckKeys: h.counts.stuck.Load(),
		TemperatureC: temperature(), CertDays: daysLeft(h.cert(), now.Time()), State: v.Word(), Troubles: parts.Troubles(),
		Generation: v.Window.Generation,
	}
	rules := h.rules()
	r.Rules = &rules
	r.Log, r.Programs = h.head(), installedPrograms(updates)
	var fs unix.Statfs_t
	if err := unix.Statfs(h.folder, &fs); err == nil {
		r.FreeBytes = fs.Bavail * uint64(fs.Bsize)
	}
	return r
}

// news has the box tell at once which troubles it has: the centre would show for a minute what is no longer so, as that a box is not
// enrolled.
// Those of the way to the centre are left out, since they come and go with the connection, which begins with a report.
type news struct {
	told []string
	tell func()
}

// heard takes how the parts are now.
func (n *news) heard(h opsapi.Health) {
	codes := slices.DeleteFunc(h.Troubles(), func(code string) bool { return strings.HasPrefix(code, linkPart+".") })
	if slices.Equal(codes, n.told) {
		return
	}
	n.told = codes
	n.tell()
}

// head returns how far the log goes, nil where that cannot be read.
func (h health) head() *wire.LogHead {
	out := wire.LogHead{Epoch: h.db.Epoch(), Last: h.db.Last()}
	first, records, err := h.db.Kept(out.Last, 1, 1)
	if err != nil || out.Last == 0 || len(records) != 1 || first != out.Last {
		return nil
	}
	out.Head = rating.HashOf(records[0])
	out.Sign(h.who.device, h.who.key)
	return &out
}

// age returns how old the oldest record is that the centre has not acknowledged, in seconds: 0 if there is none, -1 if an earlier start
// wrote it and no clock tells.
func age(b store.Backlog, now rating.Stamp) int64 {
	switch {
	case b.Pending == 0:
		return 0
	case b.Oldest.Boot == now.Boot:
		return int64(now.Sub(b.Oldest) / time.Second)
	case b.Oldest.Synced && now.Synced:
		return max(0, (now.Wall-b.Oldest.Wall)/1000)
	}
	return -1
}

// daysLeft returns how many whole days a certificate has left, nil for none.
func daysLeft(c *x509.Certificate, now time.Time) *int {
	if c == nil {
		return nil
	}
	days := int(math.Floor(c.NotAfter.Sub(now).Hours() / 24))
	return &days
}

// temperature returns the processor's temperature in °C, nil on a machine that does not tell.
func temperature() *int {
	b, err := os.ReadFile("/sys/class/thermal/thermal_zone0/temp")
	if err != nil {
		return nil
	}
	milli, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return nil
	}
	c := milli / 1000
	return &c
}
