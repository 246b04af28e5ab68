package main

import (
	"fmt"
	"log/slog"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/ingest"
	"haochaping/internal/central/journal"
)

// watch returns what looks at the boxes, writes what changes of them, and opens and ends alerts.
func (c *command) watch(x *rooms, in *ingest.Ingest, log *slog.Logger) (*fleet.Watch, error) {
	days, err := workingDays(x.cfg.Deadline.Calendars)
	if err != nil {
		return nil, fmt.Errorf("deadline.calendars: %w", err)
	}
	return fleet.NewWatch(fleet.WatchConfig{
		Fleet: x.fleet, Organisation: x.directory, Leases: journal.Leases{Journal: x.journal, Holder: x.holder}, Days: days,
		Hears: func() bool { return in.Trouble().Since.IsZero() }, Now: c.env.now, Random: c.env.random, Logger: log,
	}), nil
}
