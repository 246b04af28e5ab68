package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
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

// Boxes that owe nothing hide none that owes something, however many they are, and are looked at once.
func TestManyBoxesThatOweNothing(t *testing.T) {
	h, _ := newCity(t)
	d, err := h.Device(t.Context(), "h2-b01")
	if err != nil {
		t.Fatal(err)
	}
	d.Follows = false
	for i := range 201 {
		d.ID, d.Retired = rating.DeviceID(fmt.Sprintf("a-%03d", i)), &journal.Until{}
		if i == 200 {
			d.ID, d.Retired = "z-000", &journal.Until{Epoch: 7, Last: 3}
		}
		if err := h.Put(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		all, err := h.AllOwed(t.Context())
		if err != nil || len(all) != 1 || all[0].Device != "z-000" {
			t.Errorf("owe: %+v, %v", all, err)
		}
		kept, err := db.Query(t.Context(), h.journal.DB(), func(s db.Scanner) (n int, err error) { return n, s.Scan(&n) },
			"SELECT count(*) FROM device_owed")
		if err != nil || kept[0] != 1 {
			t.Errorf("%v boxes are looked at again, %v", kept, err)
		}
	}
	// One that may owe something again, since it has served meanwhile, is asked about again.
	d.ID = "a-000"
	for _, r := range []*journal.Until{nil, {Epoch: 9, Last: 2}} {
		d.Retired, d.Window.Generation = r, d.Window.Generation+1
		if err := h.Put(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := h.AllOwed(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("owe: %+v, %v", all, err)
	}
}
