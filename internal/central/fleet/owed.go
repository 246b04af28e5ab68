package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Owed is a box that was taken off its window, and which of the records that it has vouched for have not come. Saying that they are lost
// is a person's act: it ends that somebody is asked, and refuses nothing that comes all the same.
type Owed struct {
	Device  rating.DeviceID
	Until   journal.Until // how far it has vouched; zero: it has never said
	Lack    journal.Lack
	Closed  time.Time // when somebody said that the rest is lost; zero: nobody has
	Missing uint64    // then
	Account string
	Why     string
}

// Open reports whether somebody has still to look after it.
func (o Owed) Open() bool { return o.Closed.IsZero() && o.Lack.Count > 0 }

// ErrNotOwed says that nothing of a box is missing, or that somebody has already said that it is lost.
var ErrNotOwed = errors.New("nothing of the box is missing that somebody has not given up")

// owes writes, in the transaction that writes a device, whether it may still hold records.
func owes(ctx context.Context, tx *db.Tx, d Device) error {
	text := "DELETE FROM device_owed WHERE device = $1"
	if d.Retired != nil {
		text = "INSERT INTO device_owed (device) VALUES ($1) ON CONFLICT (device) DO NOTHING"
	}
	_, err := tx.ExecContext(ctx, text, string(d.ID))
	return err
}

const readOwed = "SELECT device, closed, missing, account, why FROM device_owed "

func scanOwed(s db.Scanner) (o Owed, err error) {
	var closed, missing int64
	err = s.Scan(&o.Device, &closed, &missing, &o.Account, &o.Why)
	o.Closed, o.Missing = moment(closed), uint64(missing)
	return o, err
}

// Owes returns what is missing of a box that was taken off its window. It is ErrNotOwed of another one.
func (f *Fleet) Owes(ctx context.Context, id rating.DeviceID) (Owed, error) {
	o, _, err := f.owed(ctx, id)
	return o, err
}

// owed returns what Owes does, and after which change of the device.
func (f *Fleet) owed(ctx context.Context, id rating.DeviceID) (o Owed, changed int64, err error) {
	d, err := f.Device(ctx, id)
	if errors.Is(err, ErrNoDevice) || err == nil && d.Retired == nil {
		return Owed{}, 0, ErrNotOwed
	}
	if err != nil {
		return Owed{}, 0, err
	}
	all, err := db.Query(ctx, f.db, scanOwed, readOwed+"WHERE device = $1", string(id))
	if err != nil {
		return Owed{}, 0, fmt.Errorf("read what is missing of %s: %w", id, err)
	}
	o = Owed{Device: id} // of one from before the table there is no row
	if len(all) > 0 {
		o = all[0]
	}
	o.Until = *d.Retired
	o.Lack, err = f.journal.Lacks(ctx, id, o.Until)
	return o, d.Changed, err
}

// owedAtOnce is how many boxes are read at once, and about how many are told of that owe something.
const owedAtOnce = 200

// AllOwed returns the boxes of which something is missing that nobody has given up. One of which all has come is looked at once, since it
// can owe nothing any more.
func (f *Fleet) AllOwed(ctx context.Context) (all []Owed, err error) {
	for last := ""; ; {
		some, err := db.Query(ctx, f.db, scanOwed, readOwed+"WHERE closed = 0 AND device > $1 ORDER BY device LIMIT $2", last, owedAtOnce)
		if err != nil {
			return nil, fmt.Errorf("read what is missing of boxes: %w", err)
		}
		for _, o := range some {
			last = string(o.Device)
			o, changed, err := f.owed(ctx, o.Device)
			switch {
			case errors.Is(err, ErrNotOwed):
			case err != nil:
				return nil, err
			case o.Open():
				all = append(all, o)
			case o.Lack.Count == 0:
				if err := f.settled(ctx, o.Device, changed); err != nil {
					return nil, err
				}
			}
		}
		if len(some) < owedAtOnce || len(all) >= owedAtOnce {
			return all, nil
		}
	}
}

// settled notes that all of a box has come, unless the device has changed since: it may owe something else then.
func (f *Fleet) settled(ctx context.Context, id rating.DeviceID, changed int64) error {
	err := f.db.Write(ctx, func(tx *db.Tx) error {
		// The device's row is held until the end, as by whoever writes it and then what it owes.
		same, err := tx.ExecContext(ctx, "UPDATE device SET changed = changed WHERE id = $1 AND changed = $2", string(id), changed)
		if err != nil {
			return err
		}
		if n, err := same.RowsAffected(); err != nil || n == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM device_owed WHERE device = $1 AND closed = 0", string(id))
		return err
	})
	if err != nil {
		return fmt.Errorf("note that all of %s has come: %w", id, err)
	}
	return nil
}

// GiveUp notes, in the transaction of the act by which it is said, that what is missing of a box is lost.
func GiveUp(ctx context.Context, tx *db.Tx, o Owed) error {
	done, err := tx.ExecContext(ctx, `INSERT INTO device_owed (device, closed, missing, account, why) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (device) DO UPDATE SET closed = excluded.closed, missing = excluded.missing, account = excluded.account, why = excluded.why
		WHERE device_owed.closed = 0`, string(o.Device), o.Closed.UnixMilli(), int64(o.Missing), o.Account, o.Why)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrNotOwed)
	}
	return nil
}

// keptOwed is what a backup has of a box whose missing records were given up.
type keptOwed struct {
	Owed struct {
		Device  rating.DeviceID `json:"device"`
		Closed  int64           `json:"closed"`
		Missing uint64          `json:"missing"`
		Account string          `json:"account"`
		Why     string          `json:"why"`
	} `json:"owed"`
}

// exportOwed writes what was given up into a backup, after the devices.
func (f *Fleet) exportOwed(ctx context.Context, put func([]byte) error) error {
	all, err := db.Query(ctx, f.db, scanOwed, readOwed+"WHERE closed > 0 ORDER BY device")
	if err != nil {
		return err
	}
	for _, o := range all {
		var k keptOwed
		k.Owed.Device, k.Owed.Closed, k.Owed.Missing, k.Owed.Account, k.Owed.Why = o.Device, o.Closed.UnixMilli(), o.Missing, o.Account, o.Why
		b, err := json.Marshal(k)
		if err == nil {
			err = put(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
