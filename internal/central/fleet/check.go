package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// Sight is what somebody found of a part that a box cannot look at itself.
type Sight string

// The sights.
const (
	SeenWell Sight = "well"
	SeenIll  Sight = "ill"
	SeenNone Sight = "none" // the box has no such part
)

// Checked are the parts of a Check, in their order: the picture on the screen, its QR code by a phone, the keys' lamps, the sound.
func Checked() []string { return []string{"picture", "code", "lamps", "sound"} }

// Check is what somebody who stood before a box saw and heard of its test picture.
type Check struct {
	Device  rating.DeviceID
	At      time.Time // zero: nobody ever did
	Account string
	Seen    map[string]Sight // by the names of Checked
}

// check reports a part of which nothing, or nothing known, was said.
func (c Check) check() error {
	for _, part := range Checked() {
		if !slices.Contains([]Sight{SeenWell, SeenIll, SeenNone}, c.Seen[part]) {
			return fmt.Errorf("of %s is said %q", part, c.Seen[part])
		}
	}
	if len(c.Seen) != len(Checked()) {
		return fmt.Errorf("%d parts are named, want %d", len(c.Seen), len(Checked()))
	}
	return nil
}

// KeepCheck writes what was seen of a box in the transaction of the act by which it is told. It is the last one then.
func KeepCheck(ctx context.Context, tx *db.Tx, c Check) error {
	if err := c.check(); err != nil {
		return err
	}
	seen, err := json.Marshal(c.Seen)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO device_check (device, at, account, seen) VALUES ($1, $2, $3, $4)
		ON CONFLICT (device) DO UPDATE SET at = excluded.at, account = excluded.account, seen = excluded.seen`,
		string(c.Device), c.At.UnixMilli(), c.Account, string(seen))
	return err
}

// LastCheck returns what was seen of a box last.
func (f *Fleet) LastCheck(ctx context.Context, d rating.DeviceID) (Check, error) {
	all, err := db.Query(ctx, f.db, func(s db.Scanner) (c Check, err error) {
		var at int64
		var seen string
		if err := s.Scan(&c.Device, &at, &c.Account, &seen); err != nil {
			return c, err
		}
		c.At = time.UnixMilli(at)
		return c, json.Unmarshal([]byte(seen), &c.Seen)
	}, "SELECT device, at, account, seen FROM device_check WHERE device = $1", string(d))
	if err != nil {
		return Check{}, fmt.Errorf("read what was seen of %s: %w", d, err)
	}
	if len(all) == 0 {
		return Check{Device: d}, nil
	}
	return all[0], nil
}

// LastSelfTest returns the last self-test of a box that it has answered, among those that are kept; ok is false if there is none.
func (f *Fleet) LastSelfTest(ctx context.Context, d rating.DeviceID) (c Command, ok bool, err error) {
	all, err := db.Query(ctx, f.db, scanCommand, readCommands+
		"WHERE device = $1 AND name = $2 AND answered_at IS NOT NULL AND failed IS NULL ORDER BY asked_at DESC, id LIMIT 1",
		string(d), wire.CommandSelfTest)
	if err != nil {
		return c, false, fmt.Errorf("read the last self-test of %s: %w", d, err)
	}
	if len(all) == 0 {
		return c, false, nil
	}
	return all[0], true, nil
}
