package fleet_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

func open(t *testing.T) (*fleet.Fleet, *journal.Journal) {
	t.Helper()
	d, err := db.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.Context(), journal.Config{DB: d, Secret: make([]byte, 32), Random: rand.Reader, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, d.Close()); err != nil {
			t.Error(err)
		}
	})
	f, err := fleet.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return f, j
}

// TestABoxGetsItsOldKeyBack replaces a box's key by another one and puts the old one back, as when repaired hardware returns: each is what
// counts then, and each is a row.
func TestABoxGetsItsOldKeyBack(t *testing.T) {
	f, j := open(t)
	d := fleet.Device{ID: "lz-1", Window: rating.Window{ID: "1", Name: "1号窗口", Hall: "大厅", Generation: 1}, EnrolledAt: time.UnixMilli(1)}
	old, other := make(ed25519.PublicKey, ed25519.PublicKeySize), make(ed25519.PublicKey, ed25519.PublicKeySize)
	other[0] = 1
	for i, key := range []ed25519.PublicKey{old, other, old, old, other} {
		d.Key = key
		if err := f.Put(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if has, err := f.Device(t.Context(), d.ID); err != nil || !has.Key.Equal(key) {
			t.Errorf("after change %d the box has the key %x: %v", i+1, has.Key, err)
		}
	}
	if n, err := j.Head(t.Context()); err != nil || n != 4 {
		t.Errorf("the journal has %d rows of 4 changes: %v", n, err)
	}
}
