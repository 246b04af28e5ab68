package main

import (
	"log/slog"
	"time"

	"haochaping/display"
	"haochaping/internal/boxconfig"
)

// backlightFolder is where the kernel lists backlights.
const backlightFolder = "/sys/class/backlight"

// light is a screen's light, in percent.
type light interface{ Set(percent int) error }

// dimmer darkens the screen while nobody is asked, and lights it at once when somebody is.
type dimmer struct {
	light  light         // nil if there is none, or it is not to be touched
	after  time.Duration // without anybody being asked; 0 for never
	dimmed int           // percent
	log    *slog.Logger
	failed bool

	state display.State
	since time.Time // the state has not asked for full light; zero if it does
}

// newDimmer finds the backlight. One that cannot be used is reported and left alone.
func newDimmer(c boxconfig.Screen, log *slog.Logger) dimmer {
	if c.DimAfter == 0 {
		return dimmer{}
	}
	found, err := display.FindBacklight(backlightFolder)
	if err != nil {
		log.Warn("the screen is not dimmed", "error", err)
	}
	if found == nil {
		return dimmer{}
	}
	return dimmer{light: found, after: time.Duration(c.DimAfter), dimmed: c.DimTo, log: log}
}

// step sets the light that the state asks for. Only an idle or paused window is dimmed; a fault is to be seen.
func (d *dimmer) step(now time.Time, s display.State) {
	d.state = s
	if s != display.Idle && s != display.Paused {
		d.since = time.Time{}
	} else if d.since.IsZero() {
		d.since = now
	}
	if d.light == nil {
		return
	}
	percent := 100
	if !d.since.IsZero() && now.Sub(d.since) >= d.after {
		percent = d.dimmed
	}
	err := d.light.Set(percent)
	if err != nil && !d.failed {
		d.log.Warn("the screen keeps its brightness", "error", err)
	}
	d.failed = err != nil
}

// close leaves the screen as bright as it can be, for whoever uses it next.
func (d *dimmer) close() error {
	if d.light == nil || d.failed {
		return nil
	}
	return d.light.Set(100)
}
