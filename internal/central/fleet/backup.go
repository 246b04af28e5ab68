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

// Export writes the devices, with who may sign in at their windows, into a backup of the journal. It implements journal.Room.
func (f *Fleet) Export(ctx context.Context, put func([]byte) error) error {
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
			return nil
		}
	}
}

// Import writes a device of a backup. It implements journal.Room.
func (f *Fleet) Import(ctx context.Context, section []byte) error {
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
