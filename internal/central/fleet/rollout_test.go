package fleet_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// city is where the halls of the demonstration lie.
const city = "629900000000"

func (h *hall) newStager() *fleet.Stager {
	h.t.Helper()
	return h.newStagerOf(h.directory, 100)
}

// organisation is what a stager reads of one.
type organisation interface {
	fleet.Organisation
	Posts(context.Context, directory.Day) (*directory.Posts, error)
}

func (h *hall) newStagerOf(o organisation, updating int) *fleet.Stager {
	h.t.Helper()
	notices, err := rating.BuiltInNotices()
	if err != nil {
		h.t.Fatal(err)
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		h.t.Fatal(err)
	}
	return fleet.NewStager(fleet.StagerConfig{Updating: updating, Fleet: h.Fleet, Organisation: o, Leases: free{}, Days: days,
		Hears: func() bool { return h.hears },
		Send:  func(ctx context.Context, c wire.Command) error { return h.send(ctx, c) }, Now: func() time.Time { return h.now }, Logger: slog.New(slog.DiscardHandler)})
}

// takes lets boxes say that they have the configuration that was sent to them last, and how they are.
func (h *hall) takes(change func(rating.DeviceID, *wire.Health), ids ...rating.DeviceID) {
	h.t.Helper()
	for _, id := range ids {
		d, err := h.Device(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		h.says(true, func(x *wire.Health) {
			x.Generation = d.Window.Generation
			if change != nil {
				change(id, x)
			}
		}, id)
	}
}

// begins begins a rollout that has questions wait for 45 seconds.
func (h *hall) begins(first, hallID string, hold time.Duration) (fleet.Rollout, error) {
	h.t.Helper()
	return h.beginsWith(fleet.Patch{WaitSec: new(45)}, first, hallID, hold)
}

func (h *hall) beginsWith(change fleet.Patch, first, hallID string, hold time.Duration) (fleet.Rollout, error) {
	h.t.Helper()
	r := fleet.Rollout{ID: strings.ToLower(rand.Text()), Change: change, Area: city, Hall: hallID, Hold: hold,
		Account: "somebody", Begun: h.now}
	if hallID != "" {
		r.Area = "629901000000"
	}
	a, err := h.directory.Atlas(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	boxes, last, err := h.Plan(h.t.Context(), a, r, first, h.now)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Last = last
	_, err = h.journal.Do(h.t.Context(), "somebody", "", journal.Act{Do: "fleet.rollout.begin", Object: r.ID, Domain: r.Area},
		func(ctx context.Context, tx *db.Tx, _ int64) error { return fleet.Begin(ctx, tx, r, boxes) })
	return r, err
}

func (h *hall) steers(r fleet.Rollout, do fleet.Deed) error {
	_, err := h.journal.Do(h.t.Context(), "somebody", "", journal.Act{Do: "fleet.rollout." + string(do), Object: r.ID},
		func(ctx context.Context, tx *db.Tx, _ int64) error { return fleet.Steer(ctx, tx, r.ID, do, h.now) })
	return err
}

// stage lets minutes pass in which do is called and the rollouts are looked at.
func (h *hall) stage(g *fleet.Stager, minutes int, do func()) {
	h.t.Helper()
	for range minutes {
		if do != nil {
			do()
		}
		if err := g.Look(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		h.now = h.now.Add(time.Minute)
	}
}

// waiting returns the boxes whose questions wait for 45 seconds.
func (h *hall) waiting(ids ...rating.DeviceID) string {
	h.t.Helper()
	var some []string
	for _, id := range ids {
		d, err := h.Device(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		if d.Window.WaitSec == 45 {
			some = append(some, string(id))
		}
	}
	return strings.Join(some, " ")
}

func (h *hall) is(r fleet.Rollout, state fleet.RolloutState, stage int, why string) {
	h.t.Helper()
	got, err := h.Rollout(h.t.Context(), r.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	if said := strings.TrimSpace(string(got.Sick) + " " + got.Why); got.State != state || got.Stage != stage || said != why {
		h.t.Errorf("at %s the rollout is %s in stage %d (%s), want %s in stage %d (%s)", h.now.Format("15:04"), got.State, got.Stage, said, state,
			stage, why)
	}
}

// newCity is a hall with seven boxes in two halls that are all well.
func newCity(t *testing.T) (h *hall, ids []rating.DeviceID) {
	t.Helper()
	h = newHall(t)
	ids = h.enrol("SL-H2-B01", "SL-H2-B02", "SL-H2-B03", "SL-H1-A07", "SL-H1-A08")
	h.takes(nil, ids...)
	return h, ids
}

// A change goes to one window, then to its hall, then to all, each time when who has it was well for as long as was said, and each time
// the journal says so.
func TestStages(t *testing.T) {
	h, ids := newCity(t)
	g := h.newStager()
	r, err := h.begins("SL-H2-B02", "", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	all := func() { h.takes(nil, ids...) }
	h.stage(g, 1, nil)
	if got := h.waiting(ids...); got != "h2-b02" {
		t.Errorf("at once %q have it", got)
	}
	h.stage(g, 10, all)
	h.is(r, fleet.Running, fleet.OneWindow, "")
	h.stage(g, 1, all)
	h.is(r, fleet.Running, fleet.OneHall, "")
	h.stage(g, 1, all)
	if got := h.waiting(ids...); got != "h2-b01 h2-b02 h2-b03" {
		t.Errorf("in the second stage %q have it", got)
	}
	h.stage(g, 12, all)
	h.is(r, fleet.Running, fleet.AllHalls, "")
	h.stage(g, 12, all)
	h.is(r, fleet.Finished, fleet.AllHalls, "")
	if got := h.waiting(ids...); strings.Count(got, " ") != 4 {
		t.Errorf("at the end %q have it", got)
	}
	var acts []string
	entries, err := h.journal.Read(t.Context(), 0, 1000)
	for _, e := range entries {
		if a, err := e.Act(); e.Kind == journal.Acted && err == nil && a.Object == r.ID {
			acts = append(acts, strings.TrimPrefix(a.Do, "fleet.rollout.")+" "+string(a.Data))
		}
	}
	want := `begin , goes_on {"state":"running","stage":2}, goes_on {"state":"running","stage":3}, goes_on {"state":"done","stage":3}`
	if got := strings.Join(acts, ", "); err != nil || got != want {
		t.Errorf("the journal says %s, %v; want %s", got, err, want)
	}
	// It can be undone even now.
	if err := h.steers(r, fleet.Undo); err != nil {
		t.Fatal(err)
	}
	h.stage(g, 2, all)
	h.is(r, fleet.Undone, fleet.AllHalls, "")
	if got := h.waiting(ids...); got != "" {
		t.Errorf("after it was undone %q have it", got)
	}
}

// A box that turns sick halts the rollout when that has lasted; what was so before does not. Who resumes it knows the trouble.
func TestHaltsForASickBox(t *testing.T) {
	h, ids := newCity(t)
	g := h.newStager()
	old := func(id rating.DeviceID, x *wire.Health) {
		if id == "h2-b03" {
			x.Troubles = []string{"sound.failed"}
		}
	}
	h.takes(old, ids...)
	r, err := h.begins("SL-H2-B01", "", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	h.stage(g, 13, func() { h.takes(old, ids...) })
	h.is(r, fleet.Running, fleet.OneHall, "")
	sick := func(id rating.DeviceID, x *wire.Health) {
		if old(id, x); id == "h2-b02" {
			x.Troubles = []string{"keys.lost"}
		}
	}
	h.stage(g, 2, func() { h.takes(sick, ids...) })
	h.is(r, fleet.Running, fleet.OneHall, "")
	h.stage(g, 1, func() { h.takes(sick, ids...) })
	h.is(r, fleet.Halted, fleet.OneHall, "h2-b02 keys.lost")
	h.stage(g, 30, func() { h.takes(old, ids...) }) // it stays so until somebody says what is to be
	h.is(r, fleet.Halted, fleet.OneHall, "h2-b02 keys.lost")
	if got := h.waiting(ids...); got != "h2-b01 h2-b02 h2-b03" {
		t.Errorf("halted, %q have it", got)
	}
	h.takes(sick, ids...)
	if err := h.steers(r, fleet.Resume); err != nil {
		t.Fatal(err)
	}
	h.stage(g, 13, func() { h.takes(sick, ids...) })
	h.is(r, fleet.Running, fleet.AllHalls, "")
	// Another trouble of the same box is new.
	h.stage(g, 4, func() {
		h.takes(func(id rating.DeviceID, x *wire.Health) {
			if sick(id, x); id == "h2-b02" {
				x.Troubles = append(x.Troubles, "screen.lost")
			}
		}, ids...)
	})
	h.is(r, fleet.Halted, fleet.AllHalls, "h2-b02 screen.lost")
	if err := h.steers(r, fleet.Halt); !errors.Is(err, fleet.ErrNotNow) {
		t.Errorf("a halted rollout is halted: %v", err)
	}
	// Somebody changes one of the windows by hand; that is not undone.
	d, err := h.Device(t.Context(), "h2-b01")
	if err != nil {
		t.Fatal(err)
	}
	d.Window.WaitSec, d.Window.Generation = 90, d.Window.Generation+1
	if err := h.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if err := h.steers(r, fleet.Undo); err != nil {
		t.Fatal(err)
	}
	h.stage(g, 2, func() { h.takes(nil, ids...) })
	h.is(r, fleet.Undone, fleet.AllHalls, "h2-b02 screen.lost")
	if d, err = h.Device(t.Context(), "h2-b01"); err != nil || d.Window.WaitSec != 90 || h.waiting(ids...) != "" {
		t.Errorf("undone, a window that was changed by hand waits %d s, and %q have the change, %v", d.Window.WaitSec, h.waiting(ids...), err)
	}
}

// A box that does not take what is sent, or goes while its hall is open, halts it; one that was off before, or is switched off in the
// evening, does not, and nothing goes on meanwhile.
func TestBoxesThatAreSilent(t *testing.T) {
	h, ids := newCity(t)
	g := h.newStager()
	r, err := h.begins("SL-H2-B01", "", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	former := func() { h.says(true, func(x *wire.Health) { x.Generation = 1 }, ids...) }
	h.stage(g, 10, former)
	h.is(r, fleet.Running, fleet.OneWindow, "")
	h.stage(g, 2, former)
	h.is(r, fleet.Halted, fleet.OneWindow, "h2-b01 rollout.untaken")
	if err := errors.Join(h.steers(r, fleet.Undo)); err != nil {
		t.Fatal(err)
	}
	h.stage(g, 1, nil)
	h.is(r, fleet.Undone, fleet.OneWindow, "h2-b01 rollout.untaken")

	online := ids[:1]
	h.takes(nil, ids...)
	h.says(false, nil, ids[1]) // off before
	if r, err = h.begins("SL-H2-B01", "SL-H2", 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	h.stage(g, 12, func() { h.takes(nil, ids[0], ids[2]) })
	h.is(r, fleet.Running, fleet.OneHall, "")
	h.stage(g, 1, func() { h.takes(nil, ids[0], ids[2]) })
	h.now = time.Date(2026, 3, 2, 17, 5, 0, 0, rating.Shanghai()) // the hall is closed
	h.takes(nil, online...)
	h.says(false, nil, ids[2])
	h.stage(g, 60, func() { h.takes(nil, online...) })
	h.is(r, fleet.Running, fleet.OneHall, "")
	h.now = time.Date(2026, 3, 3, 9, 5, 0, 0, rating.Shanghai()) // the next morning
	h.stage(g, 2, func() { h.takes(nil, online...) })
	h.is(r, fleet.Running, fleet.OneHall, "")
	h.stage(g, 2, func() { h.takes(nil, online...) })
	h.is(r, fleet.Halted, fleet.OneHall, "h2-b03 centre.offline")
	if err := h.steers(r, fleet.Resume); err != nil {
		t.Fatal(err)
	}
	h.stage(g, 20, func() { h.takes(nil, online...) })
	h.is(r, fleet.Running, fleet.OneHall, "") // both others of the hall are off: nobody of this stage has shown anything
	h.stage(g, 13, func() { h.takes(nil, ids...) })
	h.is(r, fleet.Finished, fleet.OneHall, "")
}

// While the centre does not hear the boxes, or stood still, nothing is concluded of that time.
func TestBlindTimeCountsForNothing(t *testing.T) {
	h, ids := newCity(t)
	g := h.newStager()
	r, err := h.begins("SL-H2-B01", "SL-H2", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	all := func() { h.takes(nil, ids...) }
	h.stage(g, 5, all)
	h.hears = false
	h.stage(g, 60, all)
	h.hears = true
	h.stage(g, 10, all)
	h.is(r, fleet.Running, fleet.OneWindow, "")
	h.now = h.now.Add(8 * time.Hour) // no look
	h.stage(g, 10, all)
	h.is(r, fleet.Running, fleet.OneWindow, "")
	h.stage(h.newStager(), 1, all) // one that was started anew goes on
	h.is(r, fleet.Running, fleet.OneHall, "")
}
