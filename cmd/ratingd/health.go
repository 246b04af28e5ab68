package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/sync/wire"
)

// health gathers what the box reports each minute.
type health struct {
	clock    clock
	started  rating.Stamp
	state    string // folder
	counts   *keyCounts
	view     func() terminal.View
	pending  func() (n uint64, oldest rating.Stamp)
	offset   func() time.Duration // box minus centre, as of the last acknowledgement
	certDays func(now time.Time) *int
}

func (h health) report() wire.Health {
	now := h.clock.now()
	v := h.view()
	n, oldest := h.pending()
	r := wire.Health{
		V: wire.Version, Pending: n, Wall: now.Wall, Synced: now.Synced, OffsetMS: h.offset().Milliseconds(),
		UptimeSec: int64(now.Sub(h.started) / time.Second), KeysOK: !h.counts.lost.Load(),
		StoreOK: v.Problem != terminal.StoreProblem, UnknownKeys: h.counts.unknown.Load(), StuckKeys: h.counts.stuck.Load(),
		TemperatureC: temperature(), CertDays: h.certDays(now.Time()), State: string(v.State.Public()),
	}
	if v.Problem != "" {
		r.State = "fault"
	}
	if n > 0 {
		r.OldestSec = -1
		if oldest.Boot == now.Boot {
			r.OldestSec = int64(now.Sub(oldest) / time.Second)
		}
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(h.state, &fs); err == nil {
		r.FreeBytes = fs.Bavail * uint64(fs.Bsize)
	}
	return r
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
