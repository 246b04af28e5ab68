package enrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// CertifyLife is how long a box that was entered by hand may take to ask for its certificate.
const CertifyLife = 30 * day

// Certify lets an enrolled box have its first certificate without a code, in the transaction of the act by which it is done: whoever asks
// in its name proves the key for records that was entered for it.
func Certify(ctx context.Context, tx *db.Tx, d rating.DeviceID, account string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO enrol_certify (device, account, ends) VALUES ($1, $2, $3)
		ON CONFLICT (device) DO UPDATE SET account = excluded.account, ends = excluded.ends`, string(d), account,
		now.Add(CertifyLife).UnixMilli())
	return err
}

// Uncertified returns which of the enrolled boxes have never got a certificate and are not replaced.
func (r *Room) Uncertified(ctx context.Context) (all []fleet.Device, err error) {
	have, err := db.Query(ctx, r.db, func(s db.Scanner) (id rating.DeviceID, err error) { return id, s.Scan(&id) },
		"SELECT DISTINCT device FROM enrol_certificate")
	if err != nil {
		return nil, fmt.Errorf("read which boxes have certificates: %w", err)
	}
	known := make(map[rating.DeviceID]bool, len(have))
	for _, id := range have {
		known[id] = true
	}
	devices, err := r.boxes.Devices(ctx)
	for _, d := range devices {
		if !known[d.ID] && d.Retired == nil {
			all = append(all, d)
		}
	}
	return all, err
}

// certified accepts an enrolled box that somebody has let have a certificate, and reports whether it did.
func (r *Room) certified(ctx context.Context, p Pending) (bool, error) {
	now := r.now()
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (account string, err error) { return account, s.Scan(&account) },
		"SELECT account FROM enrol_certify WHERE device = $1 AND ends > $2", string(p.Device), now.UnixMilli())
	if err != nil {
		return false, fmt.Errorf("ask whether a box may have a certificate: %w", err)
	}
	if len(all) == 0 {
		return false, nil
	}
	d, err := r.boxes.Device(ctx, p.Device)
	if err != nil || d.Retired != nil {
		return false, err
	}
	data, err := json.Marshal(Acceptance{Window: d.Window.ID, Digits: p.Digits, Address: p.Address, Board: p.Board, Certified: true})
	if err != nil {
		return false, err
	}
	act := journal.Act{Do: "enrol.accept", Object: string(p.Device), Data: data, Domain: d.Window.Area}
	_, err = r.journal.Do(ctx, all[0], "", act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		done, err := tx.ExecContext(ctx, "DELETE FROM enrol_certify WHERE device = $1 AND ends > $2", string(p.Device), now.UnixMilli())
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errUnclaimed)
		}
		return accept(ctx, tx, p, claim{window: d.Window.ID, account: all[0], seated: true}, now)
	})
	if errors.Is(err, errUnclaimed) || errors.Is(err, ErrNoCode) {
		return false, nil
	}
	return err == nil, err
}
