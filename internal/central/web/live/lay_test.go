package live

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// Few boxes stand above the evaluations, of many only those that need somebody.
func TestManyBoxesStandBelow(t *testing.T) {
	all := make([]Device, few)
	for i := range all {
		all[i] = Device{ID: rating.DeviceID(rune('a' + i)), Presence: "online"}
	}
	var v body
	v.lay(all)
	if len(v.Above.Devices) != few || !v.Above.Whole || v.Below.Devices != nil {
		t.Errorf("few boxes: %d above, %d below", len(v.Above.Devices), len(v.Below.Devices))
	}
	for _, sick := range []Device{{Presence: "refused"}, {Presence: "unenrolled"}, {Presence: "online", Pending: 3, OldestSec: lateSec + 1},
		{Presence: "online", Troubles: []string{"store.broken"}}} {
		v = body{}
		v.lay(append(all, sick))
		if len(v.Above.Devices) != 1 || v.Above.Whole || len(v.Below.Devices) != few || !v.Below.Whole {
			t.Errorf("%+v: %d above, %d below", sick, len(v.Above.Devices), len(v.Below.Devices))
		}
	}
	v = body{Open: make([]findingView, 1)}
	v.lay(append(all, Device{Presence: "offline"}))
	if len(v.Above.Devices) != 0 || v.Below.Whole {
		t.Errorf("with a finding: %d above, whole %t", len(v.Above.Devices), v.Below.Whole)
	}
}

// Whose boxes come late in the alphabet sees them, and of more boxes than the page has room for those that need somebody are there.
func TestBoxesLateInTheAlphabetAreSeen(t *testing.T) {
	m := newMemory()
	for i := range 1500 {
		s := fleet.State{ID: rating.DeviceID(fmt.Sprintf("lz-%04d", i)), Enrolled: true, Window: rating.Window{ID: "A", Hall: "大厅"},
			Presence: &wire.Presence{V: 1, Online: true}}
		if i >= 1400 {
			s.Window.ID = "B"
		}
		if i == 1300 {
			s.Health, s.HealthAt = &wire.Health{Pending: 3, OldestSec: lateSec + 1}, time.Unix(0, 0)
		}
		m.states = append(m.states, s)
	}
	w := webtest.New(t)
	s := w.Site(Section(Config{Books: m, Fleet: m, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		Place: func(_ context.Context, _ rating.DeviceID, w rating.Window, _ time.Time) account.Object {
			if w.ID == "B" {
				return account.Object{Area: "620200000000"}
			}
			return account.Object{Area: "620102000000"}
		}}))
	see := func(role account.Role, area string) string {
		who := w.SignIn(w.Add(webtest.Grant(role, area, area)))
		return webtest.Do(s, webtest.Request("GET", "/live", who, nil)).Body.String()
	}
	if got := see(account.City, "620200000000"); strings.Count(got, "<code>lz-14") != 100 || strings.Contains(got, "lz-13") {
		t.Errorf("of its 100 boxes the city sees %d", strings.Count(got, "<code>lz-14"))
	}
	got := see(account.Province, "620000000000")
	if n := strings.Count(got, "<code>lz-"); n != boxes || !strings.Contains(got, "<code>lz-1300") {
		t.Errorf("the province sees %d boxes, and the one that needs somebody: %t", n, strings.Contains(got, "<code>lz-1300"))
	}
}
