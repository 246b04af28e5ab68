package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// updated is a box of the test, which does what a box does that is asked for programs.
type updated struct {
	installed string
	last      wire.Programs // of its last update
	asked     []wire.Command
	deaf      bool // it does not answer
	handled   int  // how many it has answered
}

// shed is a hall whose boxes update, by their names.
type shed struct {
	*hall
	boxes map[rating.DeviceID]*updated
	ids   []rating.DeviceID
	does  func(id rating.DeviceID, version string) (outcome, why string) // what becomes of an update
}

func newShed(t *testing.T) (*shed, *fleet.Stager) {
	t.Helper()
	h, ids := newCity(t)
	s := &shed{h, make(map[rating.DeviceID]*updated), ids, func(rating.DeviceID, string) (string, string) { return "done", "" }}
	for _, id := range ids {
		s.boxes[id] = &updated{installed: "1.2.0"}
	}
	s.at(18, 0) // closed
	s.tell()
	h.send = func(_ context.Context, c wire.Command) error {
		b := s.boxes[c.Device]
		b.asked = append(b.asked, c)
		return nil
	}
	return s, h.newStager()
}

// at turns the clock to a time of a Monday in March, or of the days after it.
func (s *shed) at(hour, days int) {
	s.now = time.Date(2026, 3, 2+days, hour, 0, 0, 0, rating.Shanghai())
}

// tell has the boxes say how they are, and first do what they were asked for.
func (s *shed) tell(without ...rating.DeviceID) {
	s.t.Helper()
	var notes []fleet.Note
	for _, id := range s.ids {
		b := s.boxes[id]
		if slices.Contains(without, id) {
			continue
		}
		n := fleet.Note{Device: id, Presence: &wire.Presence{V: 1, Online: true, Version: "1", Boot: 1}, PresenceAt: s.now, HealthAt: s.now,
			RepliedAt: s.now}
		if !b.deaf && b.handled < len(b.asked) {
			c := b.asked[len(b.asked)-1]
			if b.handled = len(b.asked); c.Expires < s.now.UnixMilli() {
				continue
			}
			outcome, why := s.does(id, c.Args["version"])
			n.Replies = []wire.Reply{{V: 1, ID: c.ID, OK: outcome != "", Error: why}}
			if outcome != "" {
				b.last = wire.Programs{Asked: c.Args["version"], Outcome: outcome, Why: why, Command: c.ID}
			}
			if outcome == "done" {
				b.installed = b.last.Asked
			}
		}
		p := b.last
		p.Installed = b.installed
		n.Health = &wire.Health{V: 1, KeysOK: true, StoreOK: true, FreeBytes: 1 << 30, Generation: 1, Programs: &p}
		notes = append(notes, n)
	}
	if err := s.Note(s.t.Context(), notes); err != nil {
		s.t.Fatal(err)
	}
}

// have returns the boxes that have a version, and how often each was asked in all.
func (s *shed) have(version string) string {
	var all []string
	for _, id := range s.ids {
		if b := s.boxes[id]; b.installed == version {
			all = append(all, fmt.Sprintf("%s:%d", id, len(b.asked)))
		}
	}
	return strings.Join(all, " ")
}

func (s *shed) wants(g *fleet.Stager, minutes int, version, want string, without ...rating.DeviceID) {
	s.t.Helper()
	for range minutes / 2 {
		s.tell(without...)
		if err := g.Look(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(2 * time.Minute)
	}
	if got := s.have(version); got != want {
		s.t.Errorf("at %s %q have %s, want %q", s.now.Format("02 15:04"), got, version, want)
	}
}

// Programs go to one window, its hall and all, each while its hall is closed and after the others were well for long enough; nothing is
// asked of a box by day, and each is asked once.
func TestProgramsInStages(t *testing.T) {
	s, g := newShed(t)
	s.at(10, 0) // open
	s.tell()
	r, err := s.beginsWith(fleet.Patch{Programs: "1.3.0"}, "SL-H2-B02", "", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.wants(g, 16, "1.3.0", "")
	s.is(r, fleet.Running, fleet.OneWindow, "")
	s.at(18, 0)
	s.wants(g, 4, "1.3.0", "h2-b02:1")
	c := s.boxes["h2-b02"].asked[0]
	if c.Name != wire.CommandUpdate || c.Args["version"] != "1.3.0" || c.Args["within_sec"] != "43200" ||
		c.Expires != time.Date(2026, 3, 2, 18, 2, 0, 0, rating.Shanghai()).UnixMilli() {
		t.Errorf("it was asked %+v", c)
	}
	s.at(9, 1) // nobody is asked by day, though all have been well for long enough
	s.wants(g, 30, "1.3.0", "h2-b02:1")
	s.is(r, fleet.Running, fleet.OneHall, "")
	s.boxes["h2-b03"].installed = "1.3.0" // by hand
	s.at(17, 1)
	s.wants(g, 4, "1.3.0", "h2-b01:1 h2-b02:1 h2-b03:0")
	s.wants(g, 16, "1.3.0", "h2-b01:1 h2-b02:1 h2-b03:0 h1-a07:1 h1-a08:1")
	s.wants(g, 16, "1.3.0", "h2-b01:1 h2-b02:1 h2-b03:0 h1-a07:1 h1-a08:1")
	s.is(r, fleet.Finished, fleet.AllHalls, "")
	for _, do := range fleet.AllDeeds() {
		if err := s.steers(r, do); !errors.Is(err, fleet.ErrNotNow) {
			t.Errorf("%s of programs that are everywhere: %v", do, err)
		}
	}
}

// A box that goes back to its version, or is ill with the new one, halts it at once, and nobody else is asked; who goes on asks those
// again that have installed nothing, and leaves those alone that went back.
func TestProgramsHalt(t *testing.T) {
	s, g := newShed(t)
	r, err := s.beginsWith(fleet.Patch{Programs: "1.3.0"}, "SL-H2-B02", "", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.wants(g, 6, "1.3.0", "h2-b02:1")
	s.does = func(id rating.DeviceID, _ string) (string, string) {
		if id == "h2-b03" {
			return "returned", "keys.lost, which was not so before"
		}
		return "done", ""
	}
	s.wants(g, 12, "1.3.0", "h2-b01:1 h2-b02:1")
	s.is(r, fleet.Halted, fleet.OneHall, "h2-b03 rollout.returned")
	s.wants(g, 10, "1.3.0", "h2-b01:1 h2-b02:1")
	if err := s.steers(r, fleet.Resume); err != nil {
		t.Fatal(err)
	}
	s.does = func(id rating.DeviceID, _ string) (string, string) {
		if id == "h1-a08" {
			return "refused", "the repository is not there"
		}
		return "done", ""
	}
	s.wants(g, 30, "1.3.0", "h2-b01:1 h2-b02:1 h1-a07:1")
	s.is(r, fleet.Halted, fleet.AllHalls, "h1-a08 rollout.refused")
	s.does = func(rating.DeviceID, string) (string, string) { return "", "update.url is empty" }
	if err := s.steers(r, fleet.Resume); err != nil {
		t.Fatal(err)
	}
	s.wants(g, 6, "1.3.0", "h2-b01:1 h2-b02:1 h1-a07:1")
	s.is(r, fleet.Halted, fleet.AllHalls, "h1-a08 rollout.refused")
	s.does = func(rating.DeviceID, string) (string, string) { return "done", "" }
	if err := s.steers(r, fleet.Resume); err != nil {
		t.Fatal(err)
	}
	s.wants(g, 30, "1.3.0", "h2-b01:1 h2-b02:1 h1-a07:1 h1-a08:3")
	s.is(r, fleet.Finished, fleet.AllHalls, "")
	if n := len(s.boxes["h2-b03"].asked); n != 1 {
		t.Errorf("the box that went back was asked %d times", n)
	}
}

// A box that is off at night holds nobody up, and nothing goes on where all are; one that does not answer is asked three times, and halts
// it after an hour.
func TestProgramsOfSilentBoxes(t *testing.T) {
	s, g := newShed(t)
	r, err := s.beginsWith(fleet.Patch{Programs: "1.3.0"}, "SL-H2-B02", "SL-H2", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.says(false, nil, "h2-b02")
	s.wants(g, 20, "1.3.0", "", "h2-b02")
	s.is(r, fleet.Running, fleet.OneWindow, "")
	s.says(false, nil, "h2-b01")
	s.boxes["h2-b03"].deaf = true
	s.wants(g, 20, "1.3.0", "h2-b02:1", "h2-b01")
	s.is(r, fleet.Running, fleet.OneHall, "")
	s.wants(g, 50, "1.3.0", "h2-b02:1", "h2-b01")
	s.is(r, fleet.Running, fleet.OneHall, "")
	s.wants(g, 30, "1.3.0", "h2-b02:1", "h2-b01")
	s.is(r, fleet.Halted, fleet.OneHall, "h2-b03 rollout.untaken")
	if n := len(s.boxes["h2-b03"].asked); n != 3 {
		t.Errorf("the box that does not answer was asked %d times", n)
	}
	s.boxes["h2-b03"].deaf = false
	if err := s.steers(r, fleet.Resume); err != nil {
		t.Fatal(err)
	}
	s.wants(g, 20, "1.3.0", "h2-b02:1 h2-b03:4", "h2-b01")
	s.is(r, fleet.Finished, fleet.OneHall, "")
}

// Not more boxes than may load and try a package at a time do, and what does not reach the broker is sent again.
func TestProgramsAreAskedForSomeAtATime(t *testing.T) {
	s, _ := newShed(t)
	g := s.newStagerOf(s.directory, 1)
	r, err := s.beginsWith(fleet.Patch{Programs: "1.3.0"}, "SL-H2-B02", "SL-H2", 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	send := s.send
	s.send = func(context.Context, wire.Command) error { return errors.New("the broker is away") }
	s.wants(g, 2, "1.3.0", "")
	s.send = send
	s.wants(g, 4, "1.3.0", "h2-b02:1")
	s.is(r, fleet.Running, fleet.OneWindow, "")
	s.boxes["h2-b01"].deaf, s.boxes["h2-b03"].deaf = true, true
	s.wants(g, 14, "1.3.0", "h2-b02:1")
	if one, other := len(s.boxes["h2-b01"].asked), len(s.boxes["h2-b03"].asked); one == 0 || other != 0 {
		t.Errorf("two boxes of the hall were asked %d and %d times while the first had not answered", one, other)
	}
	s.boxes["h2-b01"].deaf, s.boxes["h2-b03"].deaf = false, false
	s.wants(g, 10, "1.3.0", "h2-b01:2 h2-b02:1 h2-b03:1")
	for _, wrong := range []fleet.Patch{{Programs: "../1"}, {Programs: "1.3.0", WaitSec: new(45)}, {Programs: "1.3.0", SignIn: new(true)}} {
		if _, err := s.beginsWith(wrong, "SL-H1-A07", "SL-H1", time.Hour); err == nil {
			t.Errorf("%+v begins", wrong)
		}
	}
	s.takes(nil, "h1-a07") // without programs
	if _, err := s.beginsWith(fleet.Patch{Programs: "1.3.0"}, "SL-H1-A07", "SL-H1", time.Hour); !errors.Is(err, fleet.ErrNoBox) {
		t.Errorf("a box that nobody updates is the first: %v", err)
	}
}
