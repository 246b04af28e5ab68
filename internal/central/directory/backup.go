package directory

import (
	"context"
	"encoding/json"
	"fmt"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// section is a part of a backup. Each has one of the parts.
type section struct {
	Records []Record `json:"records,omitempty"`
	Version int64    `json:"version,omitempty"`
	Served  []served `json:"served,omitempty"`
}

// served is a row of the table serving.
type served struct {
	Device     rating.DeviceID `json:"device"`
	Generation uint32          `json:"generation"`
	Window     string          `json:"window"`
	Changed    int64           `json:"changed"`
}

// Room implements journal.Room.
func (d *Directory) Room() string { return "directory" }

// Export writes the organisation into a backup of the journal. It implements journal.Room.
func (d *Directory) Export(ctx context.Context, put func([]byte) error) error {
	all, v, err := d.read(ctx)
	if err != nil {
		return err
	}
	boxes, err := db.Query(ctx, d.db, func(s db.Scanner) (r served, err error) {
		return r, s.Scan(&r.Device, &r.Generation, &r.Window, &r.Changed)
	}, "SELECT device, generation, window_id, changed FROM serving ORDER BY device, generation")
	if err != nil {
		return fmt.Errorf("read which windows boxes serve: %w", err)
	}
	sections := []section{{Version: v}}
	const step = 500 // records of a section, which is restored in a transaction
	for len(all) > 0 {
		n := min(step, len(all))
		sections, all = append(sections, section{Records: all[:n]}), all[n:]
	}
	for len(boxes) > 0 {
		n := min(step, len(boxes))
		sections, boxes = append(sections, section{Served: boxes[:n]}), boxes[n:]
	}
	for _, s := range sections {
		b, err := json.Marshal(s)
		if err == nil {
			err = put(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Import writes a part of a backup. It implements journal.Room.
func (d *Directory) Import(ctx context.Context, b []byte) error {
	var s section
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("the organisation in the backup: %w", err)
	}
	var rows [][]any
	for _, r := range s.Records {
		if faults := r.clean(); len(faults) > 0 {
			return fmt.Errorf("%s in the backup: %w", r, faults[0])
		}
		rows = append(rows, r.row())
	}
	return d.db.Write(ctx, func(tx *db.Tx) error {
		if s.Version > 0 {
			if _, err := tx.ExecContext(ctx, "UPDATE organisation_state SET version = $1 WHERE id = 1", s.Version); err != nil {
				return err
			}
		}
		for _, x := range s.Served {
			if err := Served(ctx, tx, x.Device, rating.Window{ID: x.Window, Generation: x.Generation}, x.Changed); err != nil {
				return err
			}
		}
		return put(ctx, tx, rows)
	})
}
