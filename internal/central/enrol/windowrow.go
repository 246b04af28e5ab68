package enrol

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// windowRow is a certificate for a window's PC as the table has it.
type windowRow struct {
	serial     string
	device     rating.DeviceID
	names      string
	generation uint32
	ends       time.Time
}

// enterWindow enters a certificate for a window's PC, if it may still be issued. One that is as the last one was is no act: it comes each
// day, from each box.
func (r *Room) enterWindow(ctx context.Context, x windowRow, names []string, area string, may still) error {
	same, err := r.sameWindow(ctx, x)
	if err != nil {
		return err
	}
	enter := func(ctx context.Context, tx *db.Tx) error {
		if err := lockCertificates(ctx, tx, x.device); err != nil {
			return err
		}
		if err := may(ctx, tx); err != nil {
			return err
		}
		return putWindow(ctx, tx, x, r.now())
	}
	if same {
		return r.db.Write(ctx, func(tx *db.Tx) error { return enter(ctx, tx) })
	}
	data, err := json.Marshal(windowAct{x.serial, x.ends.UTC().Format(time.DateOnly), names})
	if err != nil {
		return err
	}
	act := journal.Act{Do: "enrol.window", Object: string(x.device), Data: data, Domain: area}
	_, err = r.journal.Do(ctx, Account, "", act, func(ctx context.Context, tx *db.Tx, _ int64) error { return enter(ctx, tx) })
	return err
}

// sameWindow reports whether a box has a certificate that holds, for the same names and place.
func (r *Room) sameWindow(ctx context.Context, x windowRow) (yes bool, err error) {
	err = r.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM enrol_window WHERE device = $1 AND names = $2 AND generation = $3 AND "+
			"revoked = 0 AND ends > $4)", string(x.device), x.names, int64(x.generation), r.now().UnixMilli()).Scan(&yes)
	})
	if err != nil {
		return false, fmt.Errorf("read the certificates for the window's PC of %s: %w", x.device, err)
	}
	return yes, nil
}

// lockCertificates lets a revocation of a box's certificates come before or after a transaction, and not within it.
func lockCertificates(ctx context.Context, tx *db.Tx, d rating.DeviceID) error {
	_, err := tx.ExecContext(ctx, "UPDATE enrol_certificate SET revoked = revoked WHERE device = $1", string(d))
	return err
}

// putWindow enters a certificate. Those that the box had under other names or at another window are not its any more.
func putWindow(ctx context.Context, tx *db.Tx, x windowRow, now time.Time) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM enrol_window WHERE device = $1 AND ends <= $2", string(x.device),
		now.UnixMilli()); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE enrol_window SET revoked = $1 WHERE device = $2 AND revoked = 0 AND "+
		"(names <> $3 OR generation <> $4)", now.UnixMilli(), string(x.device), x.names, int64(x.generation)); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO enrol_window (serial, device, names, generation, issued, ends) VALUES ($1, $2, $3, $4, $5, $6)",
		x.serial, string(x.device), x.names, int64(x.generation), now.UnixMilli(), x.ends.UnixMilli())
	return err
}

// revokeWindows writes, in a transaction, that no certificate of a box for its window's PC is good any more.
func revokeWindows(ctx context.Context, tx *db.Tx, d rating.DeviceID, now time.Time) error {
	_, err := tx.ExecContext(ctx, "UPDATE enrol_window SET revoked = $1 WHERE device = $2 AND revoked = 0", now.UnixMilli(), string(d))
	return err
}

// revokedWindows returns the revoked certificates for windows' PCs that have not ended.
func (r *Room) revokedWindows(ctx context.Context) ([]Revocation, error) {
	all, err := db.Query(ctx, r.db, scanRevocation,
		"SELECT serial, revoked FROM enrol_window WHERE revoked > 0 AND ends > $1 ORDER BY revoked, serial", r.now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read the revoked certificates for windows' PCs: %w", err)
	}
	return all, nil
}

// WindowCertificates returns a box's certificates for its window's PC that have not ended, the latest first.
func (r *Room) WindowCertificates(ctx context.Context, d rating.DeviceID, n int) ([]Certificate, error) {
	all, err := db.Query(ctx, r.db, scanCertificate, "SELECT serial, issued, ends, revoked FROM enrol_window WHERE device = $1 AND ends > $2 "+
		"ORDER BY issued DESC, serial LIMIT $3", string(d), r.now().UnixMilli(), n)
	if err != nil {
		return nil, fmt.Errorf("read the certificates for the window's PC of %s: %w", d, err)
	}
	return all, nil
}
