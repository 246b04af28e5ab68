package enrol

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

//go:embed schema/*.sql
var schemas embed.FS

// Account is in whose name certificates are issued where nobody is asked.
const Account = "centre"

// Boxes knows which boxes are enrolled.
type Boxes interface {
	Device(ctx context.Context, id rating.DeviceID) (fleet.Device, error)
	// WhenRekeyed makes do a part of each transaction that gives a box another key for records.
	WhenRekeyed(do func(context.Context, *db.Tx, rating.DeviceID, time.Time) error)
}

// Room is who asks to be let in, and who was. Its methods are safe for concurrent use.
type Room struct {
	authority *Authority
	journal   *journal.Journal
	db        *db.DB
	boxes     Boxes
	random    io.Reader
	now       func() time.Time
}

// Open brings the room's tables up to date. From then on, certificates of a box that gets another key for records open nothing any more:
// they were issued for both keys.
func Open(ctx context.Context, j *journal.Journal, a *Authority, boxes Boxes, random io.Reader, now func() time.Time) (*Room, error) {
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = j.DB().Migrate(ctx, "enrol", scripts)
	}
	if err != nil {
		return nil, fmt.Errorf("open the enrolment: %w", err)
	}
	boxes.WhenRekeyed(func(ctx context.Context, tx *db.Tx, d rating.DeviceID, at time.Time) error {
		_, err := Revoke(ctx, tx, d, at)
		return err
	})
	return &Room{a, j, j.DB(), boxes, random, now}, nil
}

// Authority returns the certificate authority.
func (r *Room) Authority() *Authority { return r.authority }

const (
	// CodeLife is how long a code is good for. A box that still asks gets another one.
	CodeLife = 30 * time.Minute
	// codeLetters has no vowels, so that no code is a word.
	codeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	codeLength  = 8
	// acceptedLife is how long an accepted box may take to fetch its certificate.
	acceptedLife = 24 * time.Hour
	// forgotten is after what silence a request is forgotten.
	forgotten = 24 * time.Hour
	// silent is after what silence one is forgotten that was not accepted: a box that waits asks every few seconds.
	silent = 10 * time.Minute
	// waitingMost and waitingOfAddress bound the boxes that wait; a hall is behind one address.
	waitingMost      = 20000
	waitingOfAddress = 500
	// seenStep is how much later a sign of life must be to be worth a write.
	seenStep = 10 * time.Second
)

// Errors of the door. Their texts go to the box.
var (
	ErrWaiting  = errors.New("an administrator has to accept the box")
	ErrFull     = errors.New("too many boxes ask at once; try again later")
	ErrRefused  = errors.New("the box is not let in")
	ErrNoCode   = errors.New("no box shows this code now")
	errNameless = errors.New("the name is not one that a box draws")
)

// Pending is a box that asks.
type Pending struct {
	Hash     []byte // of its TLS key
	Code     string
	Until    time.Time // of the code
	Device   rating.DeviceID
	Record   ed25519.PublicKey
	Digits   string
	Address  string
	Board    string // on which it stands, empty if it does not say
	Moved    bool   // it stood on another one when it was accepted
	Asked    time.Time
	Seen     time.Time
	Accepted time.Time // zero: not yet
}

const readPending = "SELECT key_hash, code, code_until, device, record_key, digits, address, board, moved, asked, seen, accepted FROM enrol_request "

func scanPending(s db.Scanner) (p Pending, err error) {
	var until, moved, asked, seen, accepted int64
	var record []byte
	err = s.Scan(&p.Hash, &p.Code, &until, &p.Device, &record, &p.Digits, &p.Address, &p.Board, &moved, &asked, &seen, &accepted)
	p.Moved = moved != 0
	p.Record, p.Until, p.Asked, p.Seen = record, time.UnixMilli(until), time.UnixMilli(asked), time.UnixMilli(seen)
	if accepted > 0 {
		p.Accepted = time.UnixMilli(accepted)
	}
	return p, err
}

// CleanCode returns a code as it is kept, of one that was typed: in groups, in small letters.
func CleanCode(s string) string {
	return strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' {
			return -1
		}
		return c
	}, strings.ToUpper(s))
}

// Find returns the box that shows a code, or ErrNoCode.
func (r *Room) Find(ctx context.Context, code string) (Pending, error) {
	all, err := db.Query(ctx, r.db, scanPending, readPending+"WHERE code = $1 AND code_until > $2 AND accepted = 0", CleanCode(code), r.now().UnixMilli())
	if err != nil {
		return Pending{}, fmt.Errorf("find the box of a code: %w", err)
	}
	if len(all) == 0 {
		return Pending{}, ErrNoCode
	}
	return all[0], nil
}

// Accept writes, in the transaction of the act by which it is done, that a box is accepted. It is ErrNoCode if it has stopped waiting.
// What a box that has come to another board had before opens nothing any more: the old board may have a copy.
func Accept(ctx context.Context, tx *db.Tx, p Pending, hall, window, account string, now time.Time) error {
	if p.Moved {
		if _, err := Revoke(ctx, tx, p.Device, now); err != nil {
			return err
		}
	}
	done, err := tx.ExecContext(ctx, "UPDATE enrol_request SET accepted = $1, hall = $2, window_id = $3, account = $4 WHERE key_hash = $5 AND code = $6 AND accepted = 0",
		now.UnixMilli(), hall, window, account, p.Hash, p.Code)
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	if err == nil && n == 0 {
		return ErrNoCode
	}
	return err
}

// Waits reports, in a transaction, ErrNoCode if a box has stopped waiting under its code.
func Waits(ctx context.Context, tx *db.Tx, p Pending) error {
	var yes bool
	err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM enrol_request WHERE key_hash = $1 AND code = $2 AND accepted = 0)", p.Hash, p.Code).Scan(&yes)
	if err == nil && !yes {
		err = ErrNoCode
	}
	return err
}

// Last returns the hall and window for which an account has accepted a box last, within a day.
func (r *Room) Last(ctx context.Context, account string) (hall, window string, err error) {
	type place struct{ hall, window string }
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (p place, err error) { return p, s.Scan(&p.hall, &p.window) },
		"SELECT hall, window_id FROM enrol_request WHERE account = $1 AND accepted > $2 ORDER BY accepted DESC, window_id DESC LIMIT 1",
		account, r.now().Add(-acceptedLife).UnixMilli())
	if err != nil || len(all) == 0 {
		return "", "", err
	}
	return all[0].hall, all[0].window, nil
}

// Origin is from where a box asks.
type Origin struct {
	Address string // of the network
	Board   string // on which it stands, empty if it does not say
	Moved   bool   // it says that it stood on another one when it was accepted
}

// Ask answers a box that asks for its first certificate: with one, or with the code under which it waits and ErrWaiting. One that it has
// is given again, unless the box has come to another board since.
func (r *Room) Ask(ctx context.Context, q identity.Request, from Origin) (*x509.Certificate, Pending, error) {
	if err := r.known(ctx, q); err != nil {
		return nil, Pending{}, err
	}
	now := r.now()
	all, err := db.Query(ctx, r.db, scanPending, readPending+"WHERE key_hash = $1", q.Hash[:])
	if err != nil {
		return nil, Pending{}, fmt.Errorf("read a box's request: %w", err)
	}
	var p Pending
	same := false
	if len(all) == 1 {
		p = all[0]
		same = p.of(q, from)
	}
	taken := same && !p.Accepted.IsZero() && now.Sub(p.Accepted) < acceptedLife
	if !from.Moved || taken { // what it had on the other board was revoked when it was accepted
		if c, err := r.issued(ctx, q); err != nil || c != nil {
			return c, Pending{}, err
		}
	}
	switch {
	case taken:
		c, err := r.issue(ctx, q, "first", accepted(q))
		return c, p, err
	case same && p.Accepted.IsZero() && now.Before(p.Until) && now.Sub(p.Seen) < seenStep:
		return nil, p, ErrWaiting
	}
	p, err = r.wait(ctx, q, from, now)
	if err != nil {
		return nil, p, err
	}
	return nil, p, ErrWaiting
}

// known reports why no box of that name and key can be let in. A name is drawn at birth, or that of a box that is enrolled already.
func (r *Room) known(ctx context.Context, q identity.Request) error {
	d, err := r.boxes.Device(ctx, q.Device)
	switch {
	case errors.Is(err, fleet.ErrNoDevice) && len(q.Device) != rating.MaxDeviceID:
		return fmt.Errorf("%w: %w", ErrRefused, errNameless)
	case errors.Is(err, fleet.ErrNoDevice):
		return nil
	case err != nil:
		return err
	case !d.Key.Equal(q.Record):
		return fmt.Errorf("%w: another box is enrolled as %s", ErrRefused, q.Device)
	}
	return nil
}

// of reports whether a request is the one that waits.
func (p Pending) of(q identity.Request, from Origin) bool {
	return p.Device == q.Device && p.Record.Equal(q.Record) && p.Board == from.Board && p.Moved == from.Moved
}

// wait notes that a box asks, and gives it a code if it has none that holds.
func (r *Room) wait(ctx context.Context, q identity.Request, from Origin, now time.Time) (p Pending, err error) {
	fresh, err := identity.Draw(r.random, codeLetters, codeLength)
	if err != nil {
		return p, err
	}
	err = r.db.Write(ctx, func(tx *db.Tx) error {
		all, err := db.Query(ctx, tx, scanPending, readPending+"WHERE key_hash = $1", q.Hash[:])
		if err != nil {
			return err
		}
		p = Pending{Hash: q.Hash[:], Code: fresh, Until: now.Add(CodeLife), Device: q.Device, Record: q.Record, Digits: q.Digits, Address: from.Address,
			Board: from.Board, Moved: from.Moved, Asked: now, Seen: now}
		if len(all) == 1 {
			old := all[0]
			if old.of(q, from) && old.Accepted.IsZero() && now.Before(old.Until) {
				p.Code, p.Until, p.Asked = old.Code, old.Until, old.Asked
			}
			_, err := tx.ExecContext(ctx, `UPDATE enrol_request SET code = $1, code_until = $2, device = $3, record_key = $4, digits = $5, address = $6, board = $7, moved = $8, seen = $9, accepted = 0
				WHERE key_hash = $10`, p.Code, p.Until.UnixMilli(), string(p.Device), []byte(p.Record), p.Digits, p.Address, p.Board, flag(p.Moved), now.UnixMilli(), p.Hash)
			return err
		}
		if err := room(ctx, tx, from.Address, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO enrol_request (key_hash, code, code_until, device, record_key, digits, address, board, moved, asked, seen)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			p.Hash, p.Code, p.Until.UnixMilli(), string(p.Device), []byte(p.Record), p.Digits, p.Address, p.Board, flag(p.Moved), now.UnixMilli(), now.UnixMilli())
		return err
	})
	if err != nil {
		return p, fmt.Errorf("note a box's request: %w", err)
	}
	return p, nil
}

// flag returns how the table has a yes or no.
func flag(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// room forgets those who ask no more, and is ErrFull if one more cannot wait.
func room(ctx context.Context, tx *db.Tx, address string, now time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM enrol_request WHERE seen < $1 OR accepted = 0 AND seen < $2", now.Add(-forgotten).UnixMilli(), now.Add(-silent).UnixMilli())
	if err != nil {
		return err
	}
	var all, here int
	err = tx.QueryRowContext(ctx, "SELECT count(*), count(CASE WHEN address = $1 THEN 1 END) FROM enrol_request WHERE accepted = 0", address).Scan(&all, &here)
	if err == nil && (all >= waitingMost || here >= waitingOfAddress) {
		return ErrFull
	}
	return err
}
