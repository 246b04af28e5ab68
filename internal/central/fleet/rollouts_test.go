package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// There is one rollout at a time in a scope.
func TestOneRolloutInAScope(t *testing.T) {
	h, _ := newCity(t)
	r, err := h.begins("SL-H2-B01", "SL-H2", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	overlap := new(fleet.OverlapError)
	if _, err := h.begins("SL-H2-B02", "SL-H2", 10*time.Minute); !errors.As(err, &overlap) || overlap.ID != r.ID {
		t.Errorf("a second one in the hall: %v", err)
	}
	if _, err := h.begins("SL-H1-A07", "", 10*time.Minute); !errors.As(err, &overlap) {
		t.Errorf("a second one in the city: %v", err)
	}
	if _, err := h.begins("SL-H1-A07", "SL-H1", 10*time.Minute); err != nil {
		t.Errorf("one in another hall: %v", err)
	}
	if err := errors.Join(h.steers(r, fleet.Halt), h.steers(r, fleet.Abandon)); err != nil {
		t.Fatal(err)
	}
	next, err := h.begins("SL-H2-B02", "SL-H2", 10*time.Minute)
	if err != nil {
		t.Errorf("one after the first was abandoned: %v", err)
	}
	if err := h.steers(r, fleet.Undo); !errors.As(err, &overlap) || overlap.ID != next.ID {
		t.Errorf("the first is undone beside the second: %v", err)
	}
	for _, wrong := range []func() error{
		func() error { _, err := h.begins("SL-H3-C01", "SL-H3", 10*time.Minute); return err }, // no box there
		func() error { _, err := h.begins("SL-H9", "", time.Minute); return err },
	} {
		if wrong() == nil {
			t.Error("a rollout begins that should not")
		}
	}
}

// Two instances that both believe to have the lease send each box what is due to it once, on either database.
func TestTwoStagers(t *testing.T) {
	for name, database := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/journal.db" },
		"PostgreSQL": func(t *testing.T) string { return postgres.Database(t) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHallAt(t, database(t))
			ids := h.enrol("SL-H2-B01", "SL-H2-B02", "SL-H2-B03", "SL-H2-B04")
			h.takes(nil, ids...)
			r, err := h.begins("SL-H2-B01", "SL-H2", 10*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			one, two := h.newStager(), h.newStager()
			both := func() {
				h.takes(nil, ids...)
				var looks sync.WaitGroup
				for _, g := range []*fleet.Stager{one, two, one, two} {
					looks.Go(func() {
						if err := g.Look(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
				looks.Wait()
				h.now = h.now.Add(time.Minute)
			}
			for range 26 {
				both()
			}
			h.is(r, fleet.Finished, fleet.OneHall, "")
			want := func(generation uint32) {
				t.Helper()
				for _, id := range ids {
					if d, err := h.Device(t.Context(), id); err != nil || d.Window.Generation != generation {
						t.Errorf("%s has generation %d, want %d: what is due goes out once; %v", id, d.Window.Generation, generation, err)
					}
				}
			}
			want(2)
			if err := h.steers(r, fleet.Undo); err != nil {
				t.Fatal(err)
			}
			both()
			both()
			h.is(r, fleet.Undone, fleet.OneHall, "")
			want(3)
			acts := 0
			entries, err := h.journal.Read(t.Context(), 0, 1000)
			for _, e := range entries {
				if a, err := e.Act(); e.Kind == journal.Acted && err == nil && a.Do == "fleet.rollout.goes_on" {
					acts++
				}
			}
			if err != nil || acts != 3 { // to the hall, done, undone
				t.Errorf("the journal says %d times that it went on, %v", acts, err)
			}
		})
	}
}

// Changes say what they cannot be.
func TestChangeCheck(t *testing.T) {
	for i, x := range []struct {
		change fleet.Patch
		ok     bool
	}{
		{fleet.Patch{}, false}, {fleet.Patch{SignIn: new(false)}, true}, {fleet.Patch{WaitSec: new(4)}, false},
		{fleet.Patch{WaitSec: new(0)}, true}, {fleet.Patch{WaitSec: new(601)}, false}, {fleet.Patch{WalkUp: &rating.WalkUp{}}, true},
		{fleet.Patch{WalkUp: &rating.WalkUp{PauseSec: 10}}, false}, {fleet.Patch{WalkUp: &rating.WalkUp{LinkSec: 60}}, false},
		{fleet.Patch{WalkUp: &rating.WalkUp{PauseSec: 10, LinkSec: 60}}, true},
	} {
		if err := x.change.Check(); (err == nil) != x.ok {
			t.Errorf("change %d: %v", i, fmt.Sprint(err))
		}
	}
}

// before is an organisation as it was before it had any window.
type before struct{ *directory.Directory }

func (b before) Posts(ctx context.Context, _ directory.Day) (*directory.Posts, error) {
	return b.Directory.Posts(ctx, directory.DayOf(time.Date(1990, 1, 1, 0, 0, 0, 0, rating.Shanghai())))
}

// A window that was closed since a rollout has begun keeps the others from nothing.
func TestAClosedWindow(t *testing.T) {
	h, ids := newCity(t)
	r, err := h.beginsWith(fleet.Patch{SignIn: new(true)}, "SL-H2-B01", "SL-H2", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.newStagerOf(before{h.directory}, 100).Look(t.Context()); err != nil {
		t.Errorf("it cannot go on: %v", err)
	}
	h.is(r, fleet.Halted, fleet.OneWindow, fleet.CodeNoFirst)
	if d, err := h.Device(t.Context(), ids[0]); err != nil || d.Window.SignIn {
		t.Errorf("the box of the closed window is told %+v, %v", d.Window, err)
	}
}
