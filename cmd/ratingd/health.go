package main

import (
	"crypto/x509"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"haochaping/internal/terminal"
	"haochaping/sync/wire"
)

// health gathers what the box reports each minute.
type health struct {
	memory
	counts  *keyCounts
	view    func() terminal.View
	offset  *atomic.Int64            // box minus centre in milliseconds, as of the last acknowledgement
	failing func() []string          // optional parts that do not work
	cert    func() *x509.Certificate // the box's own at the broker, nil if it has none
}

func (h health) report() wire.Health {
	now := h.clock.now()
	v := h.view()
	log := h.db.Backlog()
	r := wire.Health{
		V: wire.Version, Pending: log.Pending, Wall: now.Wall, Synced: now.Synced, OffsetMS: h.offset.Load(),
		UptimeSec: int64(now.Sub(h.start.At) / time.Second), KeysOK: !h.counts.lost.Load(),
		StoreOK: v.Problem != terminal.StoreProblem, UnknownKeys: h.counts.unknown.Load(), StuckKeys: h.counts.stuck.Load(),
		TemperatureC: temperature(), CertDays: daysLeft(h.cert(), now.Time()), State: string(v.State.Public()), Troubles: h.failing(),
	}
	if v.Problem != "" {
		r.State = "fault"
	}
	if log.Pending > 0 {
		r.OldestSec = -1
		if log.Oldest.Boot == now.Boot {
			r.OldestSec = int64(now.Sub(log.Oldest) / time.Second)
		}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(h.folder, &fs); err == nil {
		r.FreeBytes = fs.Bavail * uint64(fs.Bsize)
	}
	return r
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
