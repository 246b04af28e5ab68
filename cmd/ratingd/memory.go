package main

import (
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"time"

	"haochaping/internal/boxconfig"
	"haochaping/internal/terminal"
	"haochaping/store"
)

// memory is the box's log, and what it remembers of the time before this start.
type memory struct {
	folder string
	db     *store.Store
	clock  clock
	start  terminal.Started
	staff  *roster
	passed time.Time // a time that has surely passed
}

// openMemory opens the log and reads it. What cannot be read must not keep the window closed: the centre sends the window again,
// and a visit whose end is not known stands in the log for everybody to see. The caller closes db.
func openMemory(cfg boxconfig.Config, env environment, log *slog.Logger) (memory, error) {
	db, err := store.Open(filepath.Join(cfg.State, "log.db"), store.Options{
		Device: cfg.Device, Random: rand.Reader, Logger: log,
		Retain: store.Retention{Days: cfg.Retention.Days, Bytes: cfg.Retention.MegaBytes << 20},
	})
	if err != nil {
		return memory{}, err
	}
	m := memory{folder: cfg.State, db: db, clock: clock{countBoot(db, env, log), env.mono, env.wall, env.synced}}
	m.start = terminal.Started{At: m.clock.now(), Version: version()}
	m.recall(cfg.Uplink.CentreKey, log)
	if m.staff, err = newRoster(cfg.State); err != nil {
		log.Error("the window's staff cannot be read; the box waits for the list to be sent again", "error", err)
	}
	if m.passed, err = keptPassed(db); err != nil {
		log.Error("the last known time cannot be read; while the clock is not set, certificates that ended are not noticed", "error", err)
	}
	return m, nil
}

// recall reads what the terminal goes on from.
func (m *memory) recall(centre boxconfig.PublicKey, log *slog.Logger) {
	var err error
	if m.start.Window, err = keptWindow(m.db); err != nil {
		log.Error("the window that the centre assigned cannot be read; the box waits for it to be sent again", "error", err)
		m.start.Window = nil
	}
	if m.start, err = m.start.Recall(m.db); err != nil {
		log.Error("a visit that was open stays without an outcome, a case that was rated may be asked about again, which the centre does not "+
			"count, and a window that was paused is open",
			"error", err)
	}
	if m.start.Staff, err = keptStaff(m.db); err != nil {
		log.Error("who was signed in cannot be read; they have to sign in again", "error", err)
	}
	if m.start.Kinds, err = keptKinds(m.db, centre); err != nil {
		log.Error("which records the centre knows cannot be read; it says so anew", "error", err)
	}
}
