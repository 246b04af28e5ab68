package fleet_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
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
	old, other := keyOf(0), keyOf(1)
	for i, key := range []ed25519.PublicKey{old, other, old, old, other} {
		d.Key = key
		if err := f.Put(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if has, err := f.Device(t.Context(), d.ID); err != nil || !bytes.Equal(has.Key, key) {
			t.Errorf("after change %d the box has the key %x: %v", i+1, has.Key, err)
		}
	}
	if n, err := j.Head(t.Context()); err != nil || n != 4 {
		t.Errorf("the journal has %d rows of 4 changes: %v", n, err)
	}
}

// stopped opens the fleet at a journal whose clock stands still, so that nothing is asked again for being old.
func stopped(t *testing.T, url string) (f *fleet.Fleet, end func()) {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.Context(), journal.Config{DB: d, Secret: make([]byte, 32), Random: rand.Reader,
		Logger: slog.New(slog.DiscardHandler),
		Now:    func() time.Time { return time.UnixMilli(1_790_000_000_000) }})
	if err != nil {
		t.Fatal(err)
	}
	if f, err = fleet.Open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, d.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return f, end
}

// running is stopped with a fleet that hears of the others.
func running(t *testing.T, url string) *fleet.Fleet {
	t.Helper()
	f, _ := stopped(t, url)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return f
}

// TestNamesOfNoDeviceCostNoQueryEach asks for names once the database is closed: what is known already needs none.
func TestNamesOfNoDeviceCostNoQueryEach(t *testing.T) {
	f, end := stopped(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
	if _, err := f.Known(t.Context(), "lz-1"); !errors.Is(err, fleet.ErrNoDevice) {
		t.Fatal(err)
	}
	end()
	for _, id := range []rating.DeviceID{"lz-1", "lz-2", "lz-3"} {
		if _, err := f.Known(t.Context(), id); !errors.Is(err, fleet.ErrNoDevice) {
			t.Errorf("%s was asked for: %v", id, err)
		}
	}
}

// postgres is the server of all tests here.
var postgres dbtest.Shared

func TestMain(m *testing.M) { os.Exit(postgres.Main(m)) }

// TestANewDeviceIsKnownAtOnce enrols a device whose name was asked for before, here and by another instance.
func TestANewDeviceIsKnownAtOnce(t *testing.T) {
	for engine, url := range map[string]func() string{"sqlite": func() string { return "sqlite:" + filepath.Join(t.TempDir(), "journal.db") },
		"postgres": func() string { return postgres.Database(t) }} {
		t.Run(engine, func(t *testing.T) {
			at := url()
			one := running(t, at)
			two := running(t, at)
			known := func(f *fleet.Fleet, id rating.DeviceID) error {
				_, err := f.Known(t.Context(), id)
				return err
			}
			put := func(f *fleet.Fleet, id rating.DeviceID) {
				t.Helper()
				if err := f.Put(t.Context(), fleet.Device{ID: id, Key: keyOf(0), EnrolledAt: time.UnixMilli(1),
					Window: rating.Window{ID: "1", Name: "1号窗口", Hall: "大厅", Generation: 1}}); err != nil {
					t.Fatal(err)
				}
			}
			if err := known(one, "lz-1"); !errors.Is(err, fleet.ErrNoDevice) {
				t.Fatal(err)
			}
			put(one, "lz-1")
			if err := known(one, "lz-1"); err != nil {
				t.Errorf("a device that was enrolled here: %v", err)
			}
			put(two, "lz-2")
			for patience := time.Now().Add(time.Minute); known(one, "lz-2") != nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(patience) {
					t.Fatal("a device that another instance has enrolled is not known")
				}
			}
		})
	}
}

// TestOfTwoChangesAtOnceOneIsRefused changes a box twice at the same time, as a rollout and somebody who takes it off its window may: what
// was not done does not pass for done.
func TestOfTwoChangesAtOnceOneIsRefused(t *testing.T) {
	f, _ := open(t)
	d := fleet.Device{ID: "lz-1", Key: keyOf(0), EnrolledAt: time.UnixMilli(1),
		Window: rating.Window{ID: "1", Name: "1号窗口", Hall: "大厅", Generation: 1}}
	if err := f.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		d.Window.Generation++
		var both sync.WaitGroup
		var made, said atomic.Int64
		for _, wait := range []int{30, 60} {
			both.Go(func() {
				one, ran := d, false
				one.Window.WaitSec = wait
				err := f.PutIf(t.Context(), one, func(context.Context, *db.Tx) error { ran = true; return nil })
				if err != nil && !errors.Is(err, fleet.ErrGeneration) {
					t.Error(err)
				}
				if err == nil {
					said.Add(1)
				}
				if err == nil && ran {
					made.Add(1)
				}
			})
		}
		if both.Wait(); made.Load() != 1 || said.Load() != 1 {
			t.Fatalf("of two changes of generation %d %d were made and %d are said to be", d.Window.Generation, made.Load(), said.Load())
		}
	}
}

// keyOf returns a key for records that follows from a number.
func keyOf(n byte) ed25519.PublicKey {
	public, _ := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	return public
}
