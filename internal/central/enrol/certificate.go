package enrol

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

const (
	// Grace is how long after its end a certificate still gets the next one.
	Grace = 180 * day
	// renewedOnce is how long an answer to the same request is the same certificate.
	renewedOnce = day
)

// serialOf returns a certificate's number as the table has it.
func serialOf(c *x509.Certificate) string { return c.SerialNumber.Text(16) }

// issued returns the certificate of a box's key that holds for a while, nil if there is none.
func (r *Room) issued(ctx context.Context, q identity.Request) (*x509.Certificate, error) {
	c, err := r.newest(ctx, "key_hash = $1 AND device = $2 AND revoked = 0 AND ends > $3", q.Hash[:], string(q.Device),
		r.now().Add(BoxLife/10).UnixMilli())
	if c != nil && r.authority.Verify(c, r.now()) != nil {
		return nil, nil // of an issuing key that is not believed any more
	}
	return c, err
}

func (r *Room) newest(ctx context.Context, where string, args ...any) (*x509.Certificate, error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT body FROM enrol_certificate WHERE "+where+" ORDER BY issued DESC LIMIT 1", args...)
	if err != nil {
		return nil, fmt.Errorf("read a box's certificate: %w", err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return x509.ParseCertificate(all[0])
}

// issuedAct is what the journal says of a certificate.
type issuedAct struct {
	Serial string `json:"serial"`
	Ends   string `json:"ends"`
	Why    string `json:"why"` // first, renewal, or late: the last one had ended
}

// still asks, in the transaction that enters a certificate, whether it may still be issued. Acts stand one after the other, so no
// revocation comes between.
type still func(context.Context, *db.Tx) error

// accepted is still for a first certificate.
func accepted(q identity.Request) still {
	return func(ctx context.Context, tx *db.Tx) error {
		var yes bool
		err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM enrol_request WHERE key_hash = $1 AND device = $2 AND accepted > 0 AND "+
			"seated = 1)",
			q.Hash[:], string(q.Device)).Scan(&yes)
		if err == nil && !yes {
			err = fmt.Errorf("%w: it is not accepted any more; an administrator has to accept it again", ErrRefused)
		}
		return err
	}
}

// good is still for a certificate that follows another one.
func good(shown *x509.Certificate) still {
	return func(ctx context.Context, tx *db.Tx) error {
		yes, err := wasRevoked(ctx, tx, shown)
		if err == nil && yes {
			err = errRevoked
		}
		return err
	}
}

var errRevoked = fmt.Errorf("%w: its certificate was revoked; an administrator has to accept the box again", ErrRefused)

// issue issues a certificate and enters it.
func (r *Room) issue(ctx context.Context, q identity.Request, why string, may still) (*x509.Certificate, error) {
	d, err := r.boxes.Device(ctx, q.Device)
	if err != nil {
		return nil, err
	}
	c, err := r.authority.Box(q)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(issuedAct{serialOf(c), c.NotAfter.UTC().Format(time.DateOnly), why})
	if err != nil {
		return nil, err
	}
	act := journal.Act{Do: "enrol.issue", Object: string(q.Device), Data: data, Domain: d.Window.Area}
	_, err = r.journal.Do(ctx, Account, "", act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		if err := may(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO enrol_certificate (serial, device, key_hash, issued, ends, body) VALUES ($1, $2, $3, $4, "+
			"$5, $6)",
			serialOf(c), string(q.Device), q.Hash[:], r.now().UnixMilli(), c.NotAfter.UnixMilli(), c.Raw)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Renew answers a box that shows a certificate and asks for the next one.
func (r *Room) Renew(ctx context.Context, q identity.Request, shown *x509.Certificate) (*x509.Certificate, error) {
	now := r.now()
	late := now.After(shown.NotAfter)
	at := now
	if late {
		at = shown.NotAfter
	}
	if err := r.authority.Verify(shown, at); err != nil {
		return nil, fmt.Errorf("%w: its certificate is not of this centre: %w", ErrRefused, err)
	}
	if shown.Subject.CommonName != string(q.Device) {
		return nil, fmt.Errorf("%w: the certificate is that of %s", ErrRefused, shown.Subject.CommonName)
	}
	if identity.KeyHash(shown) != q.Hash {
		return nil, fmt.Errorf("%w: it asks for a certificate of another key than that of the one it shows; ask with the same key, or have an "+
			"administrator accept the box again", ErrRefused)
	}
	if now.Sub(shown.NotAfter) > Grace {
		return nil, fmt.Errorf("%w: its certificate ended on %s, more than %d days ago; an administrator has to accept the box again", ErrRefused,
			shown.NotAfter.UTC().Format(time.DateOnly), Grace/day)
	}
	revoked, err := r.revoked(ctx, shown)
	if err != nil {
		return nil, err
	}
	if revoked {
		return nil, errRevoked
	}
	d, err := r.boxes.Device(ctx, q.Device)
	if errors.Is(err, fleet.ErrNoDevice) || err == nil && !bytes.Equal(d.Key, q.Record) {
		return nil, fmt.Errorf("%w: no box is enrolled as %s with this key for records", ErrRefused, q.Device)
	}
	if err != nil {
		return nil, err
	}
	c, err := r.newest(ctx, "key_hash = $1 AND device = $2 AND revoked = 0 AND issued > $3 AND serial <> $4", q.Hash[:], string(q.Device),
		now.Add(-renewedOnce).UnixMilli(), serialOf(shown))
	if err != nil || c != nil {
		return c, err
	}
	if late {
		return r.issue(ctx, q, "late", good(shown))
	}
	return r.issue(ctx, q, "renewal", good(shown))
}

// revoked reports whether a certificate was revoked.
func (r *Room) revoked(ctx context.Context, c *x509.Certificate) (yes bool, err error) {
	err = r.db.Read(ctx, func(tx *db.Tx) error {
		yes, err = wasRevoked(ctx, tx, c)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("ask whether a certificate was revoked: %w", err)
	}
	return yes, nil
}

func wasRevoked(ctx context.Context, tx *db.Tx, c *x509.Certificate) (yes bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM enrol_certificate WHERE serial = $1 AND revoked > 0)", serialOf(c)).Scan(&yes)
	return yes, err
}

// Revocation is a certificate that opens nothing any more.
type Revocation struct {
	Serial string
	At     time.Time
}

func scanRevocation(s db.Scanner) (v Revocation, err error) {
	var at int64
	err = s.Scan(&v.Serial, &at)
	v.At = time.UnixMilli(at)
	return v, err
}

// Revoked returns the revoked certificates that would else still open the broker.
func (r *Room) Revoked(ctx context.Context) ([]Revocation, error) {
	all, err := db.Query(ctx, r.db, scanRevocation,
		"SELECT serial, revoked FROM enrol_certificate WHERE revoked > 0 AND ends > $1 ORDER BY revoked, serial",
		r.now().Add(-Grace).UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read the revoked certificates: %w", err)
	}
	return all, nil
}

// Revoke writes, in the transaction of the act by which it is done, that no certificate of a box opens anything any more, and that it gets
// none for its window's PC. A request that was accepted and has no certificate yet has to be accepted again.
func Revoke(ctx context.Context, tx *db.Tx, d rating.DeviceID, now time.Time) (n int64, err error) {
	done, err := tx.ExecContext(ctx, "UPDATE enrol_certificate SET revoked = $1 WHERE device = $2 AND revoked = 0", now.UnixMilli(), string(d))
	if err != nil {
		return 0, err
	}
	if err := revokeWindows(ctx, tx, d, now); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM enrol_certify WHERE device = $1", string(d)); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE enrol_request SET accepted = 0, code_until = 0 WHERE device = $1 AND accepted > 0",
		string(d)); err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

// Certificate is what a page shows of a box's certificate.
type Certificate struct {
	Serial       string
	Issued, Ends time.Time
	Revoked      time.Time // zero: it is not
}

func scanCertificate(s db.Scanner) (c Certificate, err error) {
	var issued, ends, revoked int64
	err = s.Scan(&c.Serial, &issued, &ends, &revoked)
	c.Issued, c.Ends = time.UnixMilli(issued), time.UnixMilli(ends)
	if revoked > 0 {
		c.Revoked = time.UnixMilli(revoked)
	}
	return c, err
}

// Certificates returns the certificates of a box, the latest first.
func (r *Room) Certificates(ctx context.Context, d rating.DeviceID, n int) ([]Certificate, error) {
	all, err := db.Query(ctx, r.db, scanCertificate,
		"SELECT serial, issued, ends, revoked FROM enrol_certificate WHERE device = $1 ORDER BY issued DESC, serial LIMIT $2", string(d), n)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of %s: %w", d, err)
	}
	return all, nil
}

func tables() []string { return []string{"enrol_certificate", "enrol_window"} }

// Room implements journal.Room.
func (r *Room) Room() string { return "enrol" }

// Export writes the certificates into a backup. Boxes that wait are of the moment. It implements journal.Room.
func (r *Room) Export(ctx context.Context, put func([]byte) error) error {
	return r.db.Dump(ctx, tables(), put)
}

// Import writes a row of a backup. It implements journal.Room.
func (r *Room) Import(ctx context.Context, section []byte) error {
	return r.db.Fill(ctx, tables(), section)
}
