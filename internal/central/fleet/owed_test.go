package fleet_test

import (
	"context"
	"errors"
	"testing"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
)

// What a box that was taken off its window has not sent is asked about until somebody gives it up, once; a backup knows that, and a box
// that is accepted again owes nothing.
func TestOwed(t *testing.T) {
	h, _ := newCity(t)
	owing := func(h *hall) (n int) {
		t.Helper()
		all, err := h.AllOwed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	put := func(change func(*fleet.Device)) {
		t.Helper()
		d, err := h.Device(t.Context(), "h2-b01")
		if err != nil {
			t.Fatal(err)
		}
		d.Window.Generation++
		change(&d)
		if err := h.Put(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Owes(t.Context(), "h2-b01"); !errors.Is(err, fleet.ErrNotOwed) || owing(h) != 0 {
		t.Errorf("a box that serves owes: %v", err)
	}
	retire := func(d *fleet.Device) { d.Follows, d.Retired = false, &journal.Until{Epoch: 7, Last: 3} }
	put(retire)
	o, err := h.Owes(t.Context(), "h2-b01")
	if err != nil || o.Lack != (journal.Lack{First: 1, Last: 3, Count: 3}) || owing(h) != 1 {
		t.Errorf("it owes %+v, %v", o, err)
	}
	o.Closed, o.Missing, o.Account, o.Why = h.now, o.Lack.Count, "somebody", "burnt"
	giveUp := func() error {
		return h.journal.DB().Write(t.Context(), func(tx *db.Tx) error { return fleet.GiveUp(context.Background(), tx, o) })
	}
	if err := giveUp(); err != nil || owing(h) != 0 {
		t.Errorf("given up: %v, and %d owe", err, owing(h))
	}
	if err := giveUp(); !errors.Is(err, fleet.ErrNotOwed) {
		t.Errorf("given up twice: %v", err)
	}
	other := newHall(t)
	if err := h.Export(t.Context(), func(b []byte) error { return other.Import(t.Context(), b) }); err != nil {
		t.Fatal(err)
	}
	if x, err := other.Owes(t.Context(), "h2-b01"); err != nil || !x.Closed.Equal(o.Closed) || x.Why != "burnt" || x.Missing != 3 ||
		owing(other) != 0 {
		t.Errorf("after a restore: %+v, %v", x, err)
	}
	put(func(d *fleet.Device) { d.Follows, d.Retired = true, nil })
	put(retire)
	if owing(h) != 1 {
		t.Error("what is missing of a box that served again was given up for ever")
	}
}
