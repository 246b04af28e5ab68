package enrol

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/boxcode"
	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

// Origin is from where a box asks, and what it shows.
type Origin struct {
	Address string // of the network
	Board   string // on which it stands, empty if it does not say
	Moved   bool   // it says that it stood on another one when it was accepted
	Pass    Pass   // by which it may be let in without its code
}

// Ask answers a box that asks for its first certificate: with one, or with the code under which it waits and ErrWaiting. One that it has
// is given again, unless the box has come to another board since.
func (r *Room) Ask(ctx context.Context, q identity.Request, from Origin) (*x509.Certificate, Pending, error) {
	enrolled, err := r.known(ctx, q)
	if err != nil {
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
	taken := same && p.holds(now)
	if taken && !p.seated {
		if taken, err = r.seat(ctx, p); err != nil {
			return nil, p, err
		}
	}
	if !from.Moved || taken { // what it had on the other board was revoked when it was accepted
		if c, err := r.issued(ctx, q); err != nil || c != nil {
			return c, Pending{}, err
		}
	}
	if taken {
		c, err := r.issue(ctx, q, "first", accepted(q))
		return c, p, err
	}
	if !same || !p.Accepted.IsZero() || !now.Before(p.Until) || now.Sub(p.Seen) >= seenStep {
		if p, err = r.wait(ctx, q, from, now); err != nil {
			return nil, p, err
		} else if p.holds(now) {
			return r.Ask(ctx, q, from)
		}
	}
	if enrolled && !from.Moved {
		if yes, err := r.certified(ctx, p); err != nil {
			return nil, p, err
		} else if yes {
			return r.Ask(ctx, q, from)
		}
	}
	if enrolled || from.Moved || from.Pass.empty() {
		return nil, p, ErrWaiting // whoever was let in before is let in again by people alone
	}
	if p.Word, err = r.admit(ctx, p, from); err != nil {
		return nil, p, err
	}
	if p.Word != "" {
		return nil, p, ErrWaiting
	}
	from.Pass = Pass{}
	return r.Ask(ctx, q, from)
}

// known reports whether a box is enrolled, and why no box of that name and key can be let in. A name is drawn at birth, or that of a box
// that is enrolled already.
func (r *Room) known(ctx context.Context, q identity.Request) (enrolled bool, err error) {
	d, err := r.boxes.Device(ctx, q.Device)
	switch {
	case errors.Is(err, fleet.ErrNoDevice) && len(q.Device) != rating.MaxDeviceID:
		return false, fmt.Errorf("%w: %w", ErrRefused, errNameless)
	case errors.Is(err, fleet.ErrNoDevice):
		return false, nil
	case err != nil:
		return false, err
	case !bytes.Equal(d.Key, q.Record):
		return true, fmt.Errorf("%w: another box is enrolled as %s", ErrRefused, q.Device)
	}
	return true, nil
}

// of reports whether a request is the one that waits.
func (p Pending) of(q identity.Request, from Origin) bool {
	return p.Device == q.Device && bytes.Equal(p.Record, q.Record) && p.Board == from.Board && p.Moved == from.Moved
}

// holds reports whether the box was accepted, and may still fetch its certificate.
func (p Pending) holds(now time.Time) bool {
	return !p.Accepted.IsZero() && now.Sub(p.Accepted) < acceptedLife
}

// wait notes that a box asks, and gives it a code if it has none that holds. One that was accepted in this moment stays so.
func (r *Room) wait(ctx context.Context, q identity.Request, from Origin, now time.Time) (p Pending, err error) {
	fresh, err := identity.Draw(r.random, boxcode.Letters, boxcode.Length)
	if err != nil {
		return p, err
	}
	err = r.db.Write(ctx, func(tx *db.Tx) error {
		all, err := db.Query(ctx, tx, scanPending, readPending+"WHERE key_hash = $1", q.Hash[:])
		if err != nil {
			return err
		}
		p = Pending{Hash: q.Hash[:], Code: fresh, Until: now.Add(CodeLife), Device: q.Device, Record: q.Record, Digits: q.Digits,
			Address: from.Address,
			Board:   from.Board, Moved: from.Moved, Asked: now, Seen: now}
		if len(all) == 1 {
			old := all[0]
			if old.of(q, from) && old.holds(now) {
				p = old
				return nil
			}
			if old.of(q, from) && old.Accepted.IsZero() && now.Before(old.Until) {
				p.Code, p.Until, p.Asked, p.orders = old.Code, old.Until, old.Asked, old.orders
			}
			done, err := tx.ExecContext(ctx, `UPDATE enrol_request SET code = $1, code_until = $2, device = $3, record_key = $4, digits = $5,
				address = $6, board = $7, moved = $8, seen = $9, accepted = 0, replaces = '', pass = '',
				orders = CASE WHEN code = $1 THEN orders ELSE '' END
				WHERE key_hash = $10 AND code = $11 AND accepted = $12`, p.Code, p.Until.UnixMilli(), string(p.Device), []byte(p.Record), p.Digits,
				p.Address, p.Board, flag(p.Moved), now.UnixMilli(), p.Hash, old.Code, millis(old.Accepted))
			if err != nil {
				return err
			}
			if n, err := done.RowsAffected(); err != nil || n == 1 {
				if err != nil || old.pass == "" || old.seated || old.Accepted.IsZero() {
					return err
				}
				return giveBack(ctx, tx, old.pass, old.Device) // it has not come for its window in time
			}
			p = old // it was accepted, or has asked once more, in this moment; it asks again
			return nil
		}
		if err := room(ctx, tx, from.Address, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO enrol_request (key_hash, code, code_until, device, record_key, digits, address, board, moved,
			asked, seen)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			p.Hash, p.Code, p.Until.UnixMilli(), string(p.Device), []byte(p.Record), p.Digits, p.Address, p.Board, flag(p.Moved), now.UnixMilli(),
			now.UnixMilli())
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
	if err := lapse(ctx, tx, now); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM enrol_request WHERE seen < $1 OR accepted = 0 AND seen < $2", now.Add(-forgotten).UnixMilli(),
		now.Add(-silent).UnixMilli())
	if err != nil {
		return err
	}
	var all, here int
	err = tx.QueryRowContext(ctx, "SELECT count(*), count(CASE WHEN address = $1 THEN 1 END) FROM enrol_request WHERE accepted = 0", address).
		Scan(&all, &here)
	if err == nil && (all >= waitingMost || here >= waitingOfAddress) {
		return ErrFull
	}
	return err
}
