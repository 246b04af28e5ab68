package enrol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Acceptance is what the journal keeps of a box that is accepted.
type Acceptance struct {
	Window  string `json:"window,omitempty"` // empty where a ticket says it: the box's next enrolment has it
	Digits  string `json:"digits"`
	Address string `json:"address"`
	Board   string `json:"board,omitempty"`
	Moved   bool   `json:"moved,omitempty"` // the box's card has come to another board

	Replaces rating.DeviceID `json:"replaces,omitempty"`
	Serial   string          `json:"serial,omitempty"` // of the box's password
	Ticket   string          `json:"ticket,omitempty"`

	Certified bool `json:"certified,omitempty"` // it was entered by hand, and asked for by an act of its own
}

// AcceptInPlaceOf writes, in the transaction of the act by which it is done, that a box is to take another one's place at a window. The
// other one serves there until this one asks again, and so has shown that it is there. Of two that are to take one place, the last does.
func AcceptInPlaceOf(ctx context.Context, tx *db.Tx, p Pending, old rating.DeviceID, hall, window, account string, now time.Time) error {
	if _, err := Withdraw(ctx, tx, old); err != nil {
		return err
	}
	return accept(ctx, tx, p, claim{hall: hall, window: window, account: account, replaces: old}, now)
}

// Withdraw takes back, in a transaction, that some box is to take another one's place, and reports whether one was. Once it has done so
// there is none.
func Withdraw(ctx context.Context, tx *db.Tx, old rating.DeviceID) (bool, error) {
	done, err := tx.ExecContext(ctx, "UPDATE enrol_request SET accepted = 0, code_until = 0, replaces = '' WHERE replaces = $1 AND "+
		"accepted > 0 AND seated = 0", string(old))
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// Successor returns the box that is to take a box's place when it asks next, empty for none.
func (r *Room) Successor(ctx context.Context, old rating.DeviceID) (rating.DeviceID, error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (id rating.DeviceID, err error) { return id, s.Scan(&id) },
		"SELECT device FROM enrol_request WHERE replaces = $1 AND accepted > $2 AND seated = 0 ORDER BY accepted DESC LIMIT 1", string(old),
		r.now().Add(-acceptedLife).UnixMilli())
	if err != nil {
		return "", fmt.Errorf("find the box that takes the place of %s: %w", old, err)
	}
	if len(all) == 0 {
		return "", nil
	}
	return all[0], nil
}

// Coming returns the window that an accepted box takes when it asks next, empty where it has one or was not accepted.
func (r *Room) Coming(ctx context.Context, d rating.DeviceID) (window string, err error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (w string, err error) { return w, s.Scan(&w) },
		"SELECT window_id FROM enrol_request WHERE device = $1 AND accepted > $2 AND seated = 0", string(d),
		r.now().Add(-acceptedLife).UnixMilli())
	if err != nil {
		return "", fmt.Errorf("read which window %s takes: %w", d, err)
	}
	if len(all) == 0 {
		return "", nil
	}
	return all[0], nil
}

// Retirement is what the journal keeps of a box that was taken off its window.
type Retirement struct {
	By     rating.DeviceID `json:"by,omitempty"` // empty: no box came in its place
	Window string          `json:"window"`
	Until  journal.Until   `json:"until"` // how far its records are accepted
}

// ErrNotThere says that a box does not serve the window from which it should be taken.
var ErrNotThere = errors.New("the box does not serve this window any more")

// Retire takes a box off its window, for another one or for none: its certificates open nothing any more, of what it still holds is
// accepted what its last signed report vouches for, and what it is told closes its window. May is asked in the transaction.
func (r *Room) Retire(ctx context.Context, id rating.DeviceID, window string, by rating.DeviceID,
	may func(context.Context, *db.Tx) error) (Retirement, error) {
	x := Retirement{By: by, Window: window}
	d, err := r.boxes.Device(ctx, id)
	if err != nil {
		return x, err
	}
	s, err := r.boxes.State(ctx, id)
	if err != nil {
		return x, err
	}
	if s.Health != nil && s.Health.Log != nil && s.Health.Log.Holds(id, d.Key) {
		x.Until = journal.Until{Epoch: s.Health.Log.Epoch, Last: s.Health.Log.Last, Head: s.Health.Log.Head}
	}
	d.Follows, d.Retired = false, &x.Until
	d.Window.Generation++
	err = r.boxes.PutIf(ctx, d, func(ctx context.Context, tx *db.Tx) error {
		there, err := fleet.Serves(ctx, tx, id, window)
		if err == nil && !there {
			err = ErrNotThere
		}
		if err == nil {
			err = may(ctx, tx)
		}
		if err == nil {
			_, err = Revoke(ctx, tx, id, r.now())
		}
		return err
	})
	if errors.Is(err, fleet.ErrGeneration) {
		err = ErrNotThere
	}
	return x, err
}

// seat gives an accepted box its window, which it takes from the box that it replaces. False: it cannot have it, and waits again.
func (r *Room) seat(ctx context.Context, p Pending) (bool, error) {
	err := r.take(ctx, p)
	if cannot(err) { // a box may ask twice at once: what the other answer has done is gone on with
		all, lost := db.Query(ctx, r.db, scanPending, readPending+"WHERE key_hash = $1 AND accepted > 0", p.Hash)
		switch {
		case lost != nil || len(all) == 0:
			return false, lost
		case all[0].seated:
			return true, nil
		}
		p = all[0]
		err = r.take(ctx, p)
	}
	switch {
	case cannot(err):
		return false, r.unseat(ctx, p)
	case err != nil:
		return false, fmt.Errorf("give %s its window: %w", p.Device, err)
	}
	return true, nil
}

// cannot reports whether an error of take says that the box cannot have its window.
func cannot(err error) bool {
	var taken *fleet.TakenError
	return errors.As(err, &taken) || errors.Is(err, ErrNotThere) || errors.Is(err, fleet.ErrGeneration) ||
		errors.Is(err, directory.ErrUnknown) ||
		errors.Is(err, errUnclaimed)
}

// errUnclaimed says that a box's acceptance was taken back in the same moment.
var errUnclaimed = errors.New("the box is not accepted any more")

func (r *Room) take(ctx context.Context, p Pending) error {
	posts, err := r.cfg.Directory.Posts(ctx, directory.DayOf(r.now()))
	if err != nil {
		return err
	}
	w, people, err := posts.Texts(p.window)
	if err != nil {
		return err
	}
	d, err := r.boxes.Device(ctx, p.Device)
	if errors.Is(err, fleet.ErrNoDevice) {
		d = fleet.Device{ID: p.Device, Key: p.Record, EnrolledAt: r.now()}
		var holder rating.DeviceID
		if holder, err = r.boxes.Holder(ctx, p.Record); err == nil && holder != "" {
			return &fleet.TakenError{By: holder, What: "key"} // before another one has left its window
		}
	}
	if err != nil {
		return err
	}
	if p.replaces != "" {
		if err := r.relieve(ctx, p, w.Area); err != nil {
			return err
		}
	}
	if d.Window.ID != p.window || !d.Follows {
		d.Window.Generation++
		d = d.Serve(w, people)
	}
	err = r.boxes.PutIf(ctx, d, func(ctx context.Context, tx *db.Tx) error {
		if err := claimed(ctx, tx, p, ""); err != nil {
			return err
		}
		return fleet.Free(ctx, tx, d)
	})
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE enrol_request SET seated = 1 WHERE key_hash = $1 AND accepted > 0", p.Hash)
		return err
	})
}

// claimed reports, in a transaction, whether a box is still to get its window, in the place of another one or of none.
func claimed(ctx context.Context, tx *db.Tx, p Pending, replaces rating.DeviceID) error {
	var yes bool
	err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM enrol_request WHERE key_hash = $1 AND device = $2 AND window_id = $3 AND "+
		"replaces = $4 AND accepted > 0 AND seated = 0)", p.Hash, string(p.Device), p.window, string(replaces)).Scan(&yes)
	if err == nil && !yes {
		err = errUnclaimed
	}
	return err
}

// relieveTime is how long it may take to take a box off its window.
const relieveTime = 30 * time.Second

// relieve takes the box that is replaced off its window. From then on the other one only has to take it, which a power cut does not change.
func (r *Room) relieve(ctx context.Context, p Pending, area string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), relieveTime) // a box that leaves amid it leaves no deed without its act
	defer cancel()
	x, err := r.Retire(ctx, p.replaces, p.window, p.Device, func(ctx context.Context, tx *db.Tx) error {
		if err := claimed(ctx, tx, p, p.replaces); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE enrol_request SET replaces = '' WHERE key_hash = $1", p.Hash)
		return err
	})
	if err != nil {
		return err
	}
	data, err := json.Marshal(x)
	if err != nil {
		return err
	}
	_, err = r.journal.Do(ctx, Account, "", journal.Act{Do: "fleet.replace", Object: string(p.replaces), Data: data, Domain: area}, nil)
	return err
}

// unseat lets a box that cannot have its window wait again, under another code, and gives back by what it was accepted.
func (r *Room) unseat(ctx context.Context, p Pending) error {
	return r.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE enrol_request SET accepted = 0, code_until = 0, replaces = '' WHERE key_hash = $1 AND "+
			"accepted > 0 AND seated = 0", p.Hash)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 || p.pass == "" {
			return err
		}
		return giveBack(ctx, tx, p.pass, p.Device)
	})
}
