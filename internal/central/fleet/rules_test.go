package fleet_test

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// rules are what a level above sets, and their name.
func rules(t *testing.T, thanks int) (json.RawMessage, string) {
	t.Helper()
	b, err := rating.Rules{ThanksSec: thanks}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b, rating.RulesID(b)
}

func (h *hall) newStagerWith(set json.RawMessage) *fleet.Stager {
	h.t.Helper()
	return fleet.NewStager(fleet.StagerConfig{Updating: 100, Fleet: h.Fleet, Organisation: h.directory, Leases: free{},
		Hears: func() bool { return h.hears }, Now: func() time.Time { return h.now }, Logger: slog.New(slog.DiscardHandler),
		Rules: set, RulesHold: 5 * time.Minute})
}

// goBy lets boxes say that they go by the rules that they are told, but for those that refuse any.
func (h *hall) goBy(refuses rating.DeviceID, ids ...rating.DeviceID) {
	h.t.Helper()
	h.takes(func(id rating.DeviceID, x *wire.Health) {
		d, err := h.Device(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		has := d.Rules
		if id == refuses {
			has, x.Troubles = "", []string{"rules.refused"}
		}
		x.Rules = &has
	}, ids...)
}

// told returns the boxes that are told rules.
func (h *hall) told(id string, ids ...rating.DeviceID) string {
	h.t.Helper()
	var some []string
	for _, b := range ids {
		d, err := h.Device(h.t.Context(), b)
		if err != nil {
			h.t.Fatal(err)
		}
		if d.Rules == id {
			some = append(some, string(b))
		}
	}
	return strings.Join(some, " ")
}

func (h *hall) lastRollout() fleet.Rollout {
	h.t.Helper()
	all, err := h.Rollouts(h.t.Context(), "", 1)
	if err != nil || len(all) != 1 {
		h.t.Fatalf("%d rollouts, %v", len(all), err)
	}
	return all[0]
}

// TestRulesGoOutInStages: what a level above sets goes to one window, its hall, then all, and to boxes of older programs once they have
// newer ones. Nobody undoes it, and all has come to a box that was enrolled by hand.
func TestRulesGoOutInStages(t *testing.T) {
	h, ids := newCity(t)
	byHand := fleet.Device{ID: "by-hand", Key: slices.Repeat([]byte{7}, 32), EnrolledAt: h.now,
		Window: rating.Window{ID: "x1", Name: "窗口", Hall: "镇便民中心", Generation: 1}}
	if err := h.Put(t.Context(), byHand); err != nil {
		t.Fatal(err)
	}
	old := ids[4]
	ids = append(ids[:4:4], "by-hand")
	set, id := rules(t, 4)
	g := h.newStagerWith(set)
	h.stage(g, 3, nil) // nobody says yet that it knows rules
	if all, err := h.Rollouts(t.Context(), "", 1); err != nil || len(all) != 0 {
		t.Fatalf("a rollout began with old programs: %+v, %v", all, err)
	}
	h.goBy("", ids...)
	h.stage(g, 1, nil)
	r := h.lastRollout()
	if got := h.told(id, ids...); strings.Contains(got, " ") || got == "" || r.Area != city {
		t.Errorf("at once %q are told, in %s", got, r.Area)
	}
	if deeds := r.Deeds(); !slices.Equal(deeds, []fleet.Deed{fleet.Halt}) {
		t.Errorf("one may %v", deeds)
	}
	tick := func() { h.goBy("", ids...); h.takes(nil, old) }
	for range 60 {
		h.stage(g, 1, tick)
	}
	h.is(r, fleet.Finished, fleet.AllHalls, "")
	if got := h.told(id, append(ids, old)...); strings.Count(got, " ") != 4 || strings.Contains(got, string(old)) {
		t.Errorf("at the end %q are told", got)
	}
	n, err := h.Spread(t.Context(), id)
	if want := (fleet.RulesSpread{Boxes: 6, Sent: 5, Have: 5, Old: 1}); err != nil || n != want {
		t.Errorf("spread %+v, %v; want %+v", n, err, want)
	}
	// The old box gets newer programs.
	h.stage(g, 30, func() { h.goBy("", append(ids, old)...) })
	if got := h.told(id, old); got == "" || h.lastRollout().State != fleet.Finished {
		t.Errorf("with newer programs the box is not told: %+v", h.lastRollout())
	}
	// Nothing is set any more.
	h.stage(h.newStagerWith(nil), 60, func() { h.goBy("", append(ids, old)...) })
	if got := h.told("", append(ids, old)...); strings.Count(got, " ") != 5 {
		t.Errorf("only %q go by their own files", got)
	}
	back, err := h.Rules(t.Context(), id)
	if err != nil || string(back) != string(set) {
		t.Errorf("the rules read %s, %v", back, err)
	}
}

// TestRulesThatABoxRefuses: the first window that does not take them holds them back from all others, and the next ones take their place.
func TestRulesThatABoxRefuses(t *testing.T) {
	h, ids := newCity(t)
	set, id := rules(t, 4)
	g := h.newStagerWith(set)
	h.goBy("", ids...)
	h.stage(g, 1, nil)
	first := rating.DeviceID(h.told(id, ids...))
	r := h.lastRollout()
	h.stage(g, 20, func() { h.goBy(first, ids...) })
	h.is(r, fleet.Halted, fleet.OneWindow, string(first)+" rules.refused")
	if got := h.told(id, ids...); got != string(first) {
		t.Errorf("%q are told", got)
	}
	next, nextID := rules(t, 5)
	g = h.newStagerWith(next)
	h.stage(g, 60, func() { h.goBy("", ids...) })
	h.is(r, fleet.Abandoned, fleet.OneWindow, string(first)+" rules.refused")
	if got := h.told(nextID, ids...); strings.Count(got, " ") != 4 {
		t.Errorf("of the next ones %q are told", got)
	}
}

// TestRulesWaitForAnotherChange: while another change in the same boxes is open, the rules wait.
func TestRulesWaitForAnotherChange(t *testing.T) {
	h, ids := newCity(t)
	set, id := rules(t, 4)
	g := h.newStagerWith(set)
	r, err := h.begins("SL-H2-B02", "", 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	h.stage(g, 10, func() { h.goBy("", ids...) })
	if got := h.told(id, ids...); got != "" {
		t.Errorf("meanwhile %q are told", got)
	}
	h.stage(g, 90, func() { h.goBy("", ids...) })
	h.is(r, fleet.Finished, fleet.AllHalls, "")
	if got := h.told(id, ids...); strings.Count(got, " ") != 4 {
		t.Errorf("afterwards %q are told", got)
	}
}
