package fleet

import (
	"context"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

const readStates = `SELECT d.id, d.assignment, s.presence, s.presence_at, s.health, s.health_at, s.acked_at, s.refused, s.refused_at,
	s.refused_why
	FROM device d LEFT JOIN device_state s ON s.id = d.id `

// At returns the states of the boxes that serve some windows of the organisation, by their names. Nothing else is read.
func (f *Fleet) At(ctx context.Context, windows []string) (all []State, err error) {
	const step = 500
	for len(windows) > 0 {
		some := windows[:min(step, len(windows))]
		windows = windows[len(some):]
		args := make([]any, len(some))
		marks := make([]string, len(some))
		for i, w := range some {
			args[i], marks[i] = w, fmt.Sprintf("$%d", i+1)
		}
		states, err := db.Query(ctx, f.db, scanState, readStates+"WHERE d.serves IN ("+strings.Join(marks, ", ")+") ORDER BY d.id", args...)
		if err != nil {
			return nil, fmt.Errorf("read the boxes of %d windows: %w", len(some), err)
		}
		all = append(all, states...)
	}
	return all, nil
}

// State returns the state of an enrolled device, or ErrNoDevice.
func (f *Fleet) State(ctx context.Context, id rating.DeviceID) (State, error) {
	all, err := db.Query(ctx, f.db, scanState, readStates+"WHERE d.id = $1", string(id))
	if err != nil {
		return State{}, fmt.Errorf("read the state of %s: %w", id, err)
	}
	if len(all) == 0 {
		return State{}, fmt.Errorf("device %s: %w", id, ErrNoDevice)
	}
	return all[0], nil
}

// serves returns the window of the organisation that the device serves, empty for one that was entered by hand.
func (d Device) serves() string {
	if !d.Follows {
		return ""
	}
	return d.Window.ID
}

// findWindows fills in which windows the devices serve that were enrolled before the table said so.
func (f *Fleet) findWindows(ctx context.Context) error {
	const step = 500
	for {
		some, err := db.Query(ctx, f.db, scanDevice, readDevice+"WHERE serves IS NULL ORDER BY id LIMIT $1", step)
		if err != nil || len(some) == 0 {
			return err
		}
		var rows [][]any
		for _, d := range some {
			rows = append(rows, []any{d.serves(), string(d.ID)})
		}
		err = f.db.Write(ctx, func(tx *db.Tx) error {
			return tx.Each(ctx, "UPDATE device SET serves = $1 WHERE id = $2 AND serves IS NULL", rows)
		})
		if err != nil {
			return err
		}
	}
}
