package fleet_test

import (
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// TestBundlesAreForgotten keeps no more of all boxes than there is room for, and none for longer than its time.
func TestBundlesAreForgotten(t *testing.T) {
	f, j := open(t)
	now := time.UnixMilli(1_790_000_000_000)
	write := func(do func(tx *db.Tx) error) {
		t.Helper()
		if err := j.DB().Write(t.Context(), do); err != nil {
			t.Fatal(err)
		}
	}
	sent := func(id, device string, at time.Time, size int) {
		t.Helper()
		write(func(tx *db.Tx) error {
			_, err := tx.ExecContext(t.Context(), "INSERT INTO device_bundle (command, device, came, size, content) VALUES ($1, $2, $3, $4, $5)",
				id, device, at.UnixMilli(), size, []byte("x"))
			return err
		})
	}
	sent("f-old", "lz-1", now.Add(-fleet.BundleLife-time.Second), 1)
	sent("f-large", "lz-2", now.Add(-2*time.Hour), 200<<20)
	sent("f-larger", "lz-3", now.Add(-time.Hour), 100<<20)
	write(func(tx *db.Tx) error {
		return fleet.Ask(t.Context(), tx, fleet.NewCommand("new", "lz-4", wire.CommandSendBundle, "li", now))
	})
	if err := f.KeepBundle(t.Context(), "lz-4", "f-new", []byte("what support needs"), now); err != nil {
		t.Fatal(err)
	}
	for device, want := range map[string]int{"lz-1": 0, "lz-2": 0, "lz-3": 1, "lz-4": 1} {
		if all, err := f.Bundles(t.Context(), rating.DeviceID(device)); err != nil || len(all) != want {
			t.Errorf("of %s are kept %+v, want %d: %v", device, all, want, err)
		}
	}
}
