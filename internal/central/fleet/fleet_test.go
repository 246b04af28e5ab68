package fleet_test

import (
	"crypto/ed25519"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

func open(t *testing.T) (*fleet.Fleet, *journal.Journal) {
	t.Helper()
	j, _, _ := journaltest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	f, err := fleet.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return f, j
}

// TestTheLastAcknowledgementStays keeps the latest of what several instances say, and whether the box is online.
func TestTheLastAcknowledgementStays(t *testing.T) {
	f, _ := open(t)
	for _, at := range []int64{0, 2000, 1000, 0} {
		n := fleet.Note{Device: "lz-1", Presence: &wire.Presence{V: 1, Online: at > 0}, PresenceAt: time.UnixMilli(1)}
		if at > 0 {
			n.AckedAt = time.UnixMilli(at)
		}
		if online, err := f.Online(t.Context(), "lz-2"); err != nil || online {
			t.Errorf("a box that was never heard is online: %v, %v", online, err)
		}
		if err := f.Note(t.Context(), []fleet.Note{n}); err != nil {
			t.Fatal(err)
		}
		if online, err := f.Online(t.Context(), "lz-1"); err != nil || online != (at > 0) {
			t.Errorf("at %d it is online: %v, %v", at, online, err)
		}
	}
	all, err := f.States(t.Context(), "", 10)
	if err != nil || len(all) != 1 || all[0].AckedAt.UnixMilli() != 2000 {
		t.Errorf("acknowledged at %+v: %v", all, err)
	}
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
