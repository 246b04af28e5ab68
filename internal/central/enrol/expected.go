package enrol

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Expected is a box that a supplier delivers, with the window at which it will stand. Its password, of which the hash is kept, lets one box
// in once.
type Expected struct {
	Serial, Hall, Window string

	Ends     time.Time
	Account  string // by whom it was entered
	Made     time.Time
	Used     time.Time       // zero: not yet
	Device   rating.DeviceID // the box that was let in
	Failures int64           // tries since the last right password
	Failed   time.Time

	hash string
}

// Open reports whether the password still lets a box in.
func (e Expected) Open(now time.Time) bool { return e.Used.IsZero() && now.Before(e.Ends) }

const readExpected = "SELECT serial, hall, window_id, password, account, made, ends, used, device, failures, failed FROM enrol_expected "

func scanExpected(s db.Scanner) (e Expected, err error) {
	var made, ends, used, failed int64
	err = s.Scan(&e.Serial, &e.Hall, &e.Window, &e.hash, &e.Account, &made, &ends, &used, &e.Device, &e.Failures, &failed)
	e.Made, e.Ends = time.UnixMilli(made), time.UnixMilli(ends)
	if used > 0 {
		e.Used = time.UnixMilli(used)
	}
	if failed > 0 {
		e.Failed = time.UnixMilli(failed)
	}
	return e, err
}

// ErrNotExpected says that nobody expects a box.
var ErrNotExpected = errors.New("no box of that serial number is expected")

// ExpectedBox returns the box of a serial number, or ErrNotExpected.
func (r *Room) ExpectedBox(ctx context.Context, serial string) (Expected, error) {
	all, err := db.Query(ctx, r.db, scanExpected, readExpected+"WHERE serial = $1", serial)
	if err != nil {
		return Expected{}, fmt.Errorf("read an expected box: %w", err)
	}
	if len(all) == 0 {
		return Expected{}, ErrNotExpected
	}
	return all[0], nil
}

// Expecting returns the expected boxes of a hall by their windows, those that came among them.
func (r *Room) Expecting(ctx context.Context, hall string, n int) ([]Expected, error) {
	all, err := db.Query(ctx, r.db, scanExpected, readExpected+"WHERE hall = $1 ORDER BY window_id, serial LIMIT $2", hall, n)
	if err != nil {
		return nil, fmt.Errorf("read the expected boxes of %s: %w", hall, err)
	}
	return all, nil
}

// Forget takes an expected box off the list, in the transaction of the act by which it is done.
func Forget(ctx context.Context, tx *db.Tx, serial string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM enrol_expected WHERE serial = $1", serial)
	return err
}

// byPassword accepts a box that shows a serial number and its password.
func (r *Room) byPassword(ctx context.Context, p Pending, from Origin) error {
	now := r.now()
	e, err := r.ExpectedBox(ctx, from.Pass.Serial)
	switch {
	case errors.Is(err, ErrNotExpected):
		return refusal(Unknown)
	case err != nil:
		return err
	case !e.Used.IsZero():
		return refusal(Used)
	case !e.Open(now):
		return refusal(Ended)
	}
	if err := r.try(ctx, e, now); err != nil {
		return err
	}
	right, err := r.cfg.Passwords.Matches(ctx, from.Pass.Password, e.hash)
	if err != nil {
		return fmt.Errorf("check the password of an expected box: %w", err)
	}
	if !right {
		if err := r.tell(ctx, e, p, from); err != nil {
			return err
		}
		return refusal(Wrong)
	}
	if err := r.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE enrol_expected SET failures = 0, failed = 0 WHERE serial = $1 AND used = 0", e.Serial)
		return err
	}); err != nil {
		return err
	}
	if err := r.there(ctx, e, now); err != nil {
		return err
	}
	if err := r.mayStill(ctx, e.Account, e.Hall); err != nil {
		return err
	}
	if err := r.ask(ctx, p, func(ctx context.Context, tx *db.Tx) error { return freeFor(ctx, tx, e.Window) }); err != nil {
		return err
	}
	x := claim{hall: e.Hall, window: e.Window, account: e.Account, pass: "serial:" + e.Serial}
	return r.enter(ctx, p, x, Acceptance{Window: e.Window, Serial: e.Serial}, func(ctx context.Context, tx *db.Tx) (string, error) {
		done, err := tx.ExecContext(ctx, "UPDATE enrol_expected SET used = $1, device = $2 WHERE serial = $3 AND used = 0 AND ends > $1 AND "+
			"password = $4", now.UnixMilli(), string(p.Device), e.Serial, e.hash)
		if err != nil {
			return "", err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return "", errors.Join(err, refusal(Used))
		}
		return e.Window, freeFor(ctx, tx, e.Window)
	})
}

// there reports refusal(Gone) if the window of an expected box is not in its hall any more.
func (r *Room) there(ctx context.Context, e Expected, now time.Time) error {
	atlas, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return err
	}
	if place, ok := atlas.Window(e.Window, directory.DayOf(now)); !ok || place.Hall.ID != e.Hall {
		return refusal(Gone)
	}
	return nil
}

// try counts a try before it is made, so that many at once are not free.
func (r *Room) try(ctx context.Context, e Expected, now time.Time) error {
	n := e.Failures
	if now.Sub(e.Failed) > forgiven {
		n = 0
	}
	if now.Before(e.Failed.Add(pauseAfter(n, freeOfSerial))) {
		return refusal(TooSoon)
	}
	return r.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE enrol_expected SET failures = $1, failed = $2 WHERE serial = $3 AND failures = $4 AND "+
			"failed = $5", n+1, now.UnixMilli(), e.Serial, e.Failures, millis(e.Failed))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, refusal(TooSoon)) // another try is under way
		}
		return nil
	})
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// tell enters that a wrong password was tried.
func (r *Room) tell(ctx context.Context, e Expected, p Pending, from Origin) error {
	atlas, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return err
	}
	act := journal.Act{Do: "enrol.guess", Object: e.Serial, Data: fmt.Appendf(nil, `{"device":%q,"address":%q}`, p.Device, from.Address)}
	if hall, ok := atlas.At(directory.Hall, e.Hall, directory.DayOf(r.now())); ok {
		act.Domain = hall.Area
	}
	_, err = r.journal.Do(ctx, Account, "", act, nil)
	return err
}

// Expect writes boxes that a preview has found in order, in the transaction of the act by which it is done. It is ErrMeanwhile if a window
// has got a box since.
func Expect(ctx context.Context, tx *db.Tx, p Preview, account string, now time.Time) error {
	var windows []string
	for _, l := range p.Lines {
		windows = append(windows, l.Window)
	}
	there, err := fleet.Taken(ctx, tx, windows)
	if err == nil && len(there) > 0 {
		err = ErrMeanwhile
	}
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM enrol_draft WHERE account = $1", account); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM enrol_expected WHERE ends < $1", now.Add(-remembered).UnixMilli()); err != nil {
		return err
	}
	for _, l := range p.Lines {
		_, err := tx.ExecContext(ctx, `INSERT INTO enrol_expected (serial, hall, window_id, password, account, made, ends)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (serial) DO UPDATE SET hall = excluded.hall, window_id = excluded.window_id, password = excluded.password,
			account = excluded.account, made = excluded.made, ends = excluded.ends, used = 0, device = '', failures = 0, failed = 0`,
			l.Serial, l.Hall, l.Window, l.Hash, account, now.UnixMilli(), p.Ends.UnixMilli())
		if err != nil {
			return err
		}
	}
	return nil
}

// remembered is how long a list tells of boxes that came, or did not.
const remembered = 180 * day
