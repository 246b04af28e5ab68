package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"haochaping/internal/central/db"
)

// kept is a device as a backup has it.
type kept struct {
	Device
	EnrolledAt int64 `json:"enrolled_at"` // milliseconds since 1970-01-01 UTC
}

// Room implements journal.Room.
func (f *Fleet) Room() string { return "fleet" }

// Export writes the devices, with who may sign in at their windows, and the halls' hours into a backup of the journal. What boxes said,
// alerts and commands are of the moment and are left out. It implements journal.Room.
func (f *Fleet) Export(ctx context.Context, put func([]byte) error) error {
	hours, err := db.Query(ctx, f.db, scanHours, "SELECT hall, opens, closes, daily FROM fleet_hours ORDER BY hall")
	if err != nil {
		return err
	}
	for _, h := range hours {
		b, err := json.Marshal(h)
		if err == nil {
			err = put(b)
		}
		if err != nil {
			return err
		}
	}
	rules, err := db.Query(ctx, f.db, scanRules, "SELECT rules FROM fleet_rules ORDER BY id")
	if err != nil {
		return err
	}
	for _, r := range rules {
		b, err := json.Marshal(r)
		if err == nil {
			err = put(b)
		}
		if err != nil {
			return err
		}
	}
	const step = 50
	for after := int64(0); ; {
		some, err := f.Changed(ctx, after, step)
		if err != nil {
			return err
		}
		for _, d := range some {
			b, err := json.Marshal(kept{d, d.EnrolledAt.UnixMilli()})
			if err != nil {
				return err
			}
			if err := put(b); err != nil {
				return err
			}
			after = d.Changed
		}
		if len(some) < step {
			return f.exportOwed(ctx, put)
		}
	}
}

// Import writes a device, or a hall's hours, of a backup. It implements journal.Room.
func (f *Fleet) Import(ctx context.Context, section []byte) error {
	var h hallHours
	if err := json.Unmarshal(section, &h); err == nil && h.Hall != "" {
		return f.db.Write(ctx, func(tx *db.Tx) error { return SetHours(ctx, tx, h.Hall, h.Hours) })
	}
	var r keptRules
	if err := json.Unmarshal(section, &r); err == nil && len(r.Rules) > 0 {
		return f.db.Write(ctx, func(tx *db.Tx) error { return keepRules(ctx, tx, r.Rules) })
	}
	var o keptOwed
	if err := json.Unmarshal(section, &o); err == nil && o.Owed.Device != "" {
		x := Owed{Device: o.Owed.Device, Closed: moment(o.Owed.Closed), Missing: o.Owed.Missing, Account: o.Owed.Account, Why: o.Owed.Why}
		return f.db.Write(ctx, func(tx *db.Tx) error { return GiveUp(ctx, tx, x) })
	}
	var k kept
	if err := json.Unmarshal(section, &k); err != nil {
		return fmt.Errorf("a device of the backup: %w", err)
	}
	d := k.Device
	d.EnrolledAt = time.UnixMilli(k.EnrolledAt)
	if err := d.check(); err != nil {
		return fmt.Errorf("device %s of the backup: %w", d.ID, err)
	}
	text, err := d.text()
	if err != nil {
		return err
	}
	return f.db.Write(ctx, func(tx *db.Tx) error { return write(ctx, tx, d, text, d.Changed) })
}

// keptRules are rules as a backup has them.
type keptRules struct {
	Rules json.RawMessage `json:"box_rules"`
}

func scanRules(s db.Scanner) (r keptRules, err error) {
	var b []byte
	err = s.Scan(&b)
	r.Rules = b
	return r, err
}
