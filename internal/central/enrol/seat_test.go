package enrol

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

// takesPlace accepts a box for the window of another one, as the page does.
func (w *world) takesPlace(b, old box, window string) Pending {
	w.t.Helper()
	_, h, _ := w.post(w.client(nil, nil), "simpleenroll", b.request(w.t))
	p, err := w.room.Find(w.t.Context(), h.Get(CodeHeader))
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.room.db.Write(w.t.Context(), func(tx *db.Tx) error {
		return AcceptInPlaceOf(w.t.Context(), tx, p, old.device, window[:5], window, "li", w.now())
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// standing returns which boxes stand at a window.
func (w *world) standing(window string) (all []rating.DeviceID) {
	w.t.Helper()
	there, err := w.fleet.At(w.t.Context(), []string{window})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range there {
		all = append(all, s.ID)
	}
	return all
}

// TestAReplacedBoxServesUntilTheOtherComes accepts a box in another one's place: nothing changes before it asks again.
func TestAReplacedBoxServesUntilTheOtherComes(t *testing.T) { aReplacement(t, inTheCity(t, sqlite(t))) }

func aReplacement(t *testing.T, w *world) {
	old, b := newBox(t, "mnpq23456789"), newBox(t, "bcdf23456789")
	w.enrolled(old)
	w.moves(old, "SL-H2-B02")
	w.takesPlace(b, old, "SL-H2-B02")
	if got := w.standing("SL-H2-B02"); !slices.Equal(got, []rating.DeviceID{old.device}) {
		t.Errorf("at the window stand %v", got)
	}
	if next, err := w.room.Successor(t.Context(), old.device); err != nil || next != b.device {
		t.Errorf("%q takes its place, %v", next, err)
	}
	if all, err := w.room.Revoked(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("revoked are %v, %v", all, err)
	}
	if status, _, body := w.post(w.client(nil, nil), "simpleenroll", b.request(t)); status != http.StatusOK {
		t.Fatalf("the box that takes its place gets %d %s", status, body)
	}
	if got := w.standing("SL-H2-B02"); !slices.Equal(got, []rating.DeviceID{b.device}) {
		t.Errorf("at the window stand %v", got)
	}
	d, err := w.fleet.Device(t.Context(), old.device)
	if err != nil || d.Retired == nil || d.Follows {
		t.Errorf("the old box is %+v, %v", d, err)
	}
	if window, roster := d.Told(); !window.SignIn || window.Staff != (rating.Staff{}) || window.WalkUp != nil || roster != nil {
		t.Errorf("the old box is told %+v, %v, and may ask", window, roster)
	}
	if all, err := w.room.Revoked(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("revoked are %v, %v", all, err)
	}
	if next, err := w.room.Successor(t.Context(), old.device); err != nil || next != "" {
		t.Errorf("%q takes its place still, %v", next, err)
	}
}

// moves gives an enrolled box a window of the organisation.
func (w *world) moves(b box, window string) {
	w.t.Helper()
	d, err := w.fleet.Device(w.t.Context(), b.device)
	if err != nil {
		w.t.Fatal(err)
	}
	posts, err := w.directory.Posts(w.t.Context(), directory.DayOf(w.now()))
	if err != nil {
		w.t.Fatal(err)
	}
	at, people, err := posts.Texts(window)
	if err != nil {
		w.t.Fatal(err)
	}
	d.Window.Generation++
	if err := w.fleet.Put(w.t.Context(), d.Serve(at, people)); err != nil {
		w.t.Fatal(err)
	}
}

// TestAReplacementIsTakenBack before the other box comes, by hand, by another one, and by time.
func TestAReplacementIsTakenBack(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	old := box{device: "zzzz23456789"}
	all := newBoxes(t, 3)
	waits := func(b box, what string) {
		t.Helper()
		if status, _, _ := w.post(w.client(nil, nil), "simpleenroll", b.request(t)); status != http.StatusAccepted {
			t.Errorf("%s: it gets %d", what, status)
		}
		if got := w.standing("SL-H2-B01"); !slices.Equal(got, []rating.DeviceID{old.device}) {
			t.Errorf("%s: at the window stand %v", what, got)
		}
	}
	withdraw := func() (yes bool) {
		t.Helper()
		err := w.room.db.Write(t.Context(), func(tx *db.Tx) (err error) {
			yes, err = Withdraw(t.Context(), tx, old.device)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return yes
	}
	w.takesPlace(all[0], old, "SL-H2-B01")
	if !withdraw() || withdraw() {
		t.Error("it is not taken back, or twice")
	}
	waits(all[0], "taken back")
	w.takesPlace(all[0], old, "SL-H2-B01")
	w.takesPlace(all[1], old, "SL-H2-B01")
	waits(all[0], "another one was accepted in its place")
	w.pass(acceptedLife)
	waits(all[1], "it was accepted a day ago")
	w.takesPlace(all[2], old, "SL-H2-B01")
	if status, _, body := w.post(w.client(nil, nil), "simpleenroll", all[2].request(t)); status != http.StatusOK {
		t.Errorf("the last one gets %d %s", status, body)
	}
	if withdraw() {
		t.Error("it is taken back after the box has come")
	}
	w.at(all[2], "SL-H2-B01")
}

// TestAPowerCutBetweenTwoBoxes ends the centre after the old box has left its window and before the new one has it.
func TestAPowerCutBetweenTwoBoxes(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	old, b := box{device: "zzzz23456789"}, newBox(t, "bcdf23456789")
	p := w.takesPlace(b, old, "SL-H2-B01")
	p.replaces, p.window = old.device, "SL-H2-B01"
	if err := w.room.relieve(t.Context(), p, ""); err != nil {
		t.Fatal(err)
	}
	if got := w.standing("SL-H2-B01"); len(got) != 0 {
		t.Errorf("at the window stand %v", got)
	}
	if status, _, body := w.post(w.client(nil, nil), "simpleenroll", b.request(t)); status != http.StatusOK {
		t.Errorf("it gets %d %s", status, body)
	}
	w.at(b, "SL-H2-B01")
}

// TestAWindowThatWasTakenMeanwhile lets the box wait again, and gives its ticket's use back.
func TestAWindowThatWasTakenMeanwhile(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	x, pass := w.ticket("SL-H2-B02", 1, time.Hour)
	b := newBox(t, "bcdf23456789")
	_, h, _ := w.post(w.client(nil, nil), "simpleenroll", b.request(t))
	p, err := w.room.Find(t.Context(), h.Get(CodeHeader))
	if err != nil {
		t.Fatal(err)
	}
	if word, err := w.room.admit(t.Context(), p, Origin{Pass: pass}); err != nil || word != "" || w.used(x.ID) != 1 {
		t.Fatalf("it is not accepted: %q, %v", word, err)
	}
	w.serves(newBox(t, "ghjk23456789"), "SL-H2-B02")
	if status, _, body := w.post(w.client(nil, nil), "simpleenroll", b.request(t)); status != http.StatusAccepted || w.used(x.ID) != 0 {
		t.Errorf("it gets %d %s, and %d uses are counted", status, body, w.used(x.ID))
	}
	w.letIn(b, pass, "SL-H2-B03")
}

// TestABoxThatAsksTwiceAtOnce has two answers under way for a box that takes another one's place, of which one comes after the other has
// taken the old box off: it undoes nothing.
func TestABoxThatAsksTwiceAtOnce(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	old, b := box{device: "zzzz23456789"}, newBox(t, "bcdf23456789")
	p := w.takesPlace(b, old, "SL-H2-B01")
	p.replaces, p.window = old.device, "SL-H2-B01"
	if err := w.room.relieve(t.Context(), p, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if yes, err := w.room.seat(t.Context(), p); err != nil || !yes {
			t.Errorf("it cannot have its window: %v, %v", yes, err)
		}
	}
	if status, _, body := w.post(w.client(nil, nil), "simpleenroll", b.request(t)); status != http.StatusOK {
		t.Errorf("it gets %d %s", status, body)
	}
	w.at(b, "SL-H2-B01")
}

// TestABoxThatCannotHaveItsWindow, since that was closed or another box has its key, is told so: nothing is entered each time it asks, and
// its code stays.
func TestABoxThatCannotHaveItsWindow(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	w.expect([3]string{"SN-1", "SL-H2-B02", password}, [3]string{"SN-2", "SL-H2-B03", password + "2"})
	err := w.room.db.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), "UPDATE enrol_expected SET window_id = 'SL-H2-B99' WHERE serial = 'SN-1'")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b, twin := newBox(t, "bcdf23456789"), newBox(t, "ghjk23456789")
	w.serves(box{device: "mnpq23456789", public: twin.public}, "SL-H2-B04")
	before := w.acts()
	for range 2 {
		w.shown(b, Pass{Serial: "SN-1", Password: password}, Gone)
		w.shown(twin, Pass{Serial: "SN-2", Password: password + "2"}, Held)
	}
	if all := w.acts(); len(all) != len(before) {
		t.Errorf("the journal has %v", all[len(before):])
	}
	if e, err := w.room.ExpectedBox(t.Context(), "SN-2"); err != nil || !e.Used.IsZero() {
		t.Errorf("its password was used: %+v, %v", e, err)
	}
}

// anAcceptanceInBetween accepts a box after its next request has been read and before it is noted.
func anAcceptanceInBetween(t *testing.T, w *world) {
	b := newBox(t, "bcdf23456789")
	_, h, _ := w.post(w.client(nil, nil), "simpleenroll", b.request(t))
	p, err := w.room.Find(t.Context(), h.Get(CodeHeader))
	if err != nil {
		t.Fatal(err)
	}
	q, err := identity.ParseRequest(b.request(t))
	if err != nil {
		t.Fatal(err)
	}
	noted := make(chan error, 1)
	err = w.room.db.Write(t.Context(), func(tx *db.Tx) error {
		if err := Accept(t.Context(), tx, p, "SL-H2", "SL-H2-B02", "li", w.now()); err != nil {
			return err
		}
		go func() {
			_, err := w.room.wait(t.Context(), q, Origin{Address: p.Address}, w.now())
			noted <- err
		}()
		for blocked, end := false, time.Now().Add(time.Minute); !blocked && time.Now().Before(end); {
			if err := tx.QueryRowContext(t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)").Scan(&blocked); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, <-noted); err != nil {
		t.Fatal(err)
	}
	if _, err := w.room.Find(t.Context(), p.Code); !errors.Is(err, ErrNoCode) {
		t.Errorf("it waits as if nobody had accepted it: %v", err)
	}
}
