package fleet_test

import (
	"errors"
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// TestNoBoxHasTheCentresName: who logs in by it reads at a broker what all boxes send. One of before can still be replaced.
func TestNoBoxHasTheCentresName(t *testing.T) {
	f, j := open(t)
	if _, err := directory.Open(t.Context(), j); err != nil { // which notes what a box has served
		t.Fatal(err)
	}
	device := func(id rating.DeviceID) fleet.Device {
		key := make([]byte, 32)
		copy(key, id)
		return fleet.Device{ID: id, Key: key, Window: rating.Window{ID: "A1", Name: "A1", Generation: 1}, EnrolledAt: time.UnixMilli(1)}
	}
	put := func(d fleet.Device) error { return f.Put(t.Context(), d) }
	if err := put(device("hcp-1")); err != nil {
		t.Fatal(err)
	}
	f.LogsInAs("centre", "hcp-1")
	for _, id := range []rating.DeviceID{"centre", "hcp-1"} {
		changed := device(id)
		changed.Window.Generation = 2
		if err := put(changed); !errors.Is(err, fleet.ErrReserved) {
			t.Errorf("a box is enrolled as %s: %v", id, err)
		}
	}
	gone := device("hcp-1")
	gone.Window.Generation, gone.Retired = 2, &journal.Until{}
	if err := put(gone); err != nil {
		t.Errorf("the box of before cannot be replaced: %v", err)
	}
	if err := put(device("hcp-2")); err != nil {
		t.Errorf("another box is not enrolled: %v", err)
	}
}
