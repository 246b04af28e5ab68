package fleet_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/rating"
	"haochaping/internal/webhook"
	"haochaping/sync/wire"
)

// hall is a fleet whose boxes stand in the halls of the demonstration, with a clock that the test moves.
type hall struct {
	*fleet.Fleet
	t         *testing.T
	journal   *journal.Journal
	directory *directory.Directory
	now       time.Time
	hears     bool
	watch     *fleet.Watch
	send      func(context.Context, wire.Command) error // nil: programs are not asked for
}

func newHall(t *testing.T) *hall {
	t.Helper()
	return newHallAt(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"))
}

func newHallAt(t *testing.T, database string) *hall {
	t.Helper()
	h := &hall{t: t, hears: true, now: time.Date(2026, 3, 2, 10, 0, 0, 0, rating.Shanghai())} // a Monday
	h.journal, _, _ = journaltest.Open(t, database)
	var err error
	if h.directory, err = directory.Open(t.Context(), h.journal); err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, h.directory, "../../../cmd/ratingctl/organisation.csv")
	if h.Fleet, err = fleet.Open(t.Context(), h.journal); err != nil {
		t.Fatal(err)
	}
	h.watch = h.newWatch("one")
	return h
}

func (h *hall) newWatch(holder string) *fleet.Watch {
	h.t.Helper()
	notices, err := rating.BuiltInNotices()
	if err != nil {
		h.t.Fatal(err)
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		h.t.Fatal(err)
	}
	return fleet.NewWatch(fleet.WatchConfig{Fleet: h.Fleet, Organisation: h.directory, Leases: free{}, Days: days,
		Hears: func() bool { return h.hears },
		Now:   func() time.Time { return h.now }, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
}

// free are leases that everybody gets, as where one instance does not know yet that it has lost its own.
type free struct{ fleet.Leases }

func (free) Acquire(_ context.Context, _ string, _ time.Duration) (bool, error) { return true, nil }

// enrol enrols boxes at windows and returns their names.
func (h *hall) enrol(windows ...string) (ids []rating.DeviceID) {
	h.t.Helper()
	posts, err := h.directory.Posts(h.t.Context(), directory.DayOf(h.now))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, w := range windows {
		at, people, err := posts.Texts(w)
		if err != nil {
			h.t.Fatal(err)
		}
		id := rating.DeviceID(strings.ToLower(strings.TrimPrefix(w, "SL-")))
		d := fleet.Device{ID: id, Key: keyOf(0), EnrolledAt: h.now, Window: rating.Window{Generation: 1}}.Serve(at, people)
		if err := h.Put(h.t.Context(), d); err != nil {
			h.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for patience := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // the copy of the organisation is believed for a second
		a, err := h.directory.Atlas(h.t.Context())
		if err != nil {
			h.t.Fatal(err)
		}
		if _, ok := a.Place(ids[len(ids)-1], windows[len(windows)-1], 1, h.now); ok {
			return ids
		}
		if time.Now().After(patience) {
			h.t.Fatal("a box stands nowhere")
		}
	}
}

// says lets boxes say that they are well but for a change.
func (h *hall) says(online bool, change func(*wire.Health), ids ...rating.DeviceID) {
	h.t.Helper()
	var notes []fleet.Note
	for _, id := range ids {
		x := wire.Health{V: 1, KeysOK: true, StoreOK: true, FreeBytes: 1 << 30}
		if change != nil {
			change(&x)
		}
		n := fleet.Note{Device: id, Presence: &wire.Presence{V: 1, Online: online, Version: "1", Boot: 1}, PresenceAt: h.now}
		if online {
			n.Health, n.HealthAt = &x, h.now
		}
		notes = append(notes, n)
	}
	if err := h.Note(h.t.Context(), notes); err != nil {
		h.t.Fatal(err)
	}
}

// pass lets minutes pass in which do is called and the boxes are looked at.
func (h *hall) pass(minutes int, do func()) {
	h.t.Helper()
	for range minutes {
		h.now = h.now.Add(time.Minute)
		if do != nil {
			do()
		}
		if err := h.watch.Look(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
	}
}

// want compares the open alerts, or those that have ended, with their kinds and subjects.
func (h *hall) want(ended bool, want ...string) {
	h.t.Helper()
	all, err := h.Alerts(h.t.Context(), fleet.AlertsIn{Areas: []fleet.Codes{{First: "", Last: "999999999999"}}, Ended: ended, Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	var got []string
	for _, a := range all {
		got = append(got, strings.TrimSpace(string(a.Kind)+" "+a.Hall+" "+string(a.Device)))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		h.t.Errorf("at %s the alerts (ended: %v) are %q, want %q", h.now.Format("15:04"), ended, got, want)
	}
}

// A box that is silent in opening hours is an alert when that has lasted, and is none when it has been back for as long; one that comes and
// goes is none.
func TestSilenceMustLast(t *testing.T) {
	h := newHall(t)
	ids := h.enrol("SL-H2-B01", "SL-H2-B02", "SL-H2-B03", "SL-H2-B04")
	well, one := ids[1:], ids[0]
	back := func() { h.says(true, nil, ids...) }
	away := func() { h.says(true, nil, well...) }
	h.pass(3, back)
	for range 4 { // flaps
		h.says(false, nil, one)
		h.pass(3, away)
		h.pass(2, back)
	}
	h.want(false)
	h.says(false, nil, one)
	h.pass(5, away)
	h.want(false)
	h.pass(1, away)
	h.want(false, "silent SL-H2 h2-b01")
	h.pass(2, back)
	h.says(false, nil, one)
	h.pass(4, away)
	h.want(false, "silent SL-H2 h2-b01")
	h.pass(6, back)
	h.want(false)
	h.want(true, "silent SL-H2 h2-b01")
}

// A hall that is cut off is one alert. What is silent while it is closed is none, and an open alert lasts over the night until the boxes
// are back.
func TestOutageIsOneAlert(t *testing.T) {
	h := newHall(t)
	ids := h.enrol("SL-H2-B01", "SL-H2-B02", "SL-H2-B03", "SL-H2-B04")
	h.pass(2, func() { h.says(true, nil, ids...) })
	h.says(false, nil, ids...)
	h.pass(20, nil)
	h.want(false, "outage SL-H2")
	h.pass(9*60, nil) // into the evening
	h.want(false, "outage SL-H2")
	h.pass(7, func() { h.says(true, nil, ids...) })
	h.want(false)
	h.says(false, nil, ids...)
	h.pass(30, nil)
	h.want(false)
}

// What a box says of itself is an alert of its kind, once, also of a box whose hall nobody knows.
func TestKindsOfAlerts(t *testing.T) {
	h := newHall(t)
	ids := h.enrol("SL-H1-A07", "SL-H1-A08", "SL-H1-A09", "SL-H1-A10", "SL-H1-A11", "SL-H1-A12")
	days := 19
	h.pass(7, func() {
		h.says(true, func(x *wire.Health) { x.Pending, x.OldestSec = 3, 25*3600 }, ids[0])
		h.says(true, func(x *wire.Health) { x.CertDays = &days }, ids[1])
		h.says(true, func(x *wire.Health) { x.Troubles = []string{"keys.stuck", "sound.failed"} }, ids[2])
		h.says(true, func(x *wire.Health) { x.Troubles = []string{"store.full"}; x.StoreOK = false }, ids[3])
		h.says(true, func(x *wire.Health) { x.KeysOK = false }, ids[4])
		h.says(true, func(x *wire.Health) { x.Troubles = []string{"screen.lost", "clock.off"} }, ids[5])
	})
	h.want(false, "backlog SL-H1 h1-a07", "certificate SL-H1 h1-a08", "key SL-H1 h1-a09", "disk SL-H1 h1-a10", "out_of_service SL-H1 h1-a11")
}

// Two instances that both believe to watch open each alert once, and where the centre was away nothing is concluded of that time.
func TestOnceAcrossInstances(t *testing.T) {
	h := newHall(t)
	ids := h.enrol("SL-H2-B01", "SL-H2-B02", "SL-H2-B03", "SL-H2-B04")
	other := h.newWatch("two")
	h.pass(2, func() { h.says(true, nil, ids...) })
	h.says(false, nil, ids[0])
	h.pass(3, func() {
		h.says(true, nil, ids[1:]...)
		if err := other.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	h.hears = false
	h.pass(30, nil)
	h.hears = true
	h.pass(3, func() { h.says(true, nil, ids[1:]...) })
	h.want(false)
	h.pass(4, func() {
		h.says(true, nil, ids[1:]...)
		if err := other.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	h.want(false, "silent SL-H2 h2-b01")
	changes, err := h.Changes(t.Context(), ids[0], 100)
	if err != nil || len(changes) != 2 || changes[0].What != fleet.WentOffline || changes[1].What != fleet.CameOnline {
		t.Errorf("the history is %+v, %v", changes, err)
	}
}

// The history keeps what lasts, and no more than its bound.
func TestHistoryIsBounded(t *testing.T) {
	h := newHall(t)
	ids := h.enrol("SL-H2-B01")
	many := []string{"clock.off", "keys.stuck", "lamps.failed", "prompts.file", "screen.lost"}
	for range 22 {
		h.pass(3, func() { h.says(true, func(x *wire.Health) { x.Troubles = many }, ids...) })
		h.pass(1, func() { h.says(true, func(x *wire.Health) { x.Troubles = []string{"sound.failed"} }, ids...) }) // does not last
		h.pass(3, func() { h.says(true, nil, ids...) })
	}
	all, err := h.Changes(t.Context(), ids[0], 1000)
	if err != nil || len(all) != 200 {
		t.Fatalf("%d changes are kept, %v", len(all), err)
	}
	for i, c := range all { // the latest first
		want := map[bool]fleet.ChangeKind{true: fleet.LostTrouble, false: fleet.GotTrouble}[i/len(many)%2 == 0]
		if c.What != want || !slices.Contains(many, c.Detail) {
			t.Fatalf("change %d is %+v, want %s of one that lasted", i, c, want)
		}
	}
}

// The receiver of alerts hears of each opening and each end, signed, again until it takes it, and then no more.
func TestHook(t *testing.T) {
	h := newHall(t)
	ids := h.enrol("SL-H2-B01", "SL-H2-B02", "SL-H2-B03")
	secret, err := webhook.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	status := http.StatusInternalServerError
	var heard []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, secret)
		_, _ = fmt.Fprintf(mac, "%s.%s.%s", r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body)
		var m struct {
			Type string
			Data struct{ Kind, Device, Hall, Name string }
		}
		if err != nil || r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) ||
			json.Unmarshal(body, &m) != nil {
			t.Errorf("a post is not signed or not understood: %s", body)
		}
		heard = append(heard, m.Type+" "+m.Data.Kind+" "+m.Data.Device+" "+m.Data.Name)
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	hook := fleet.Hook{Fleet: h.Fleet, Leases: free{}, URL: server.URL, Secret: secret, Now: func() time.Time { return h.now },
		Logger: slog.New(slog.DiscardHandler)}
	tell := func(want ...string) {
		t.Helper()
		heard = nil
		if err := hook.Tell(t.Context()); (err != nil) != (status != http.StatusNoContent && len(want) > 0) {
			t.Errorf("telling ends with %v", err)
		}
		if slices.Sort(heard); !slices.Equal(heard, want) { // those of one moment come in no order
			t.Errorf("it hears %q, want %q", heard, want)
		}
	}
	stuck := func() {
		h.says(true, func(x *wire.Health) { x.Troubles = []string{"keys.stuck"} }, ids[:2]...)
		h.says(true, nil, ids[2:]...)
	}
	h.pass(3, stuck)
	tell()
	h.pass(4, stuck)
	tell("fleet.alert.opened key h2-b01 综合受理1号窗口", "fleet.alert.opened key h2-b02 综合受理2号窗口")
	status = http.StatusNoContent
	tell("fleet.alert.opened key h2-b01 综合受理1号窗口", "fleet.alert.opened key h2-b02 综合受理2号窗口")
	tell()
	h.pass(7, func() { h.says(true, nil, ids...) })
	tell("fleet.alert.ended key h2-b01 综合受理1号窗口", "fleet.alert.ended key h2-b02 综合受理2号窗口")
	tell()
}

// Opening hours end where they should, on working days, at their minute.
func TestHours(t *testing.T) {
	h := newHall(t)
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	days, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   string
		want bool
		// a Saturday with work
	}{{"2026-03-02 08:59", false}, {"2026-03-02 09:00", true}, {"2026-03-02 16:59", true}, {"2026-03-02 17:00", false},
		{"2026-02-28 10:00", true},
		{"2026-03-01 10:00", false}, {"2026-10-01 10:00", false}} {
		at, err := time.ParseInLocation("2006-01-02 15:04", c.at, rating.Shanghai())
		if err != nil {
			t.Fatal(err)
		}
		if got := fleet.UsualHours().Open(at.UTC(), days); got != c.want {
			t.Errorf("at %s a hall is open: %v, want %v", c.at, got, c.want)
		}
	}
	set := func(x fleet.Hours) error {
		return h.journal.DB().Write(t.Context(), func(tx *db.Tx) error { return fleet.SetHours(t.Context(), tx, "SL-H2", x) })
	}
	for _, bad := range []fleet.Hours{{Opens: 600, Closes: 600}, {Opens: -1, Closes: 10}, {Opens: 0, Closes: 1441}} {
		if set(bad) == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	want := fleet.Hours{Opens: 510, Closes: 1080, Daily: true}
	if err := set(want); err != nil {
		t.Fatal(err)
	}
	// A backup has them.
	var kept [][]byte
	if err := h.Export(t.Context(), func(b []byte) error { kept = append(kept, b); return nil }); err != nil {
		t.Fatal(err)
	}
	other := newHall(t)
	for _, b := range kept {
		if err := other.Import(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := other.Hours(t.Context()); err != nil || len(all) != 1 || all["SL-H2"] != want {
		t.Errorf("after a restore the hours are %v, %v", all, err)
	}
}
