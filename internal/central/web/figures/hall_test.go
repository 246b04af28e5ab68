package figures_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
)

// stand has boxes serve windows, by their numbers.
func (w *world) stand(windows ...string) {
	w.t.Helper()
	for n, window := range windows {
		w.serve(newBox(n).id, window)
	}
}

// rate has a window rated so often on a day, by a box that has said nothing before.
func (w *world) rate(n int, window string, day directory.Day, levels ...rating.Level) {
	w.t.Helper()
	b := newBox(n)
	for i, l := range levels {
		b.visit(w.t, i, given{window: window, staff: "SL-0009", day: day, level: l})
	}
	b.send(w.t, w.Journal)
	w.follow()
}

func levels(n int, l rating.Level) []rating.Level { return slices.Repeat([]rating.Level{l}, n) }

// TestWhoRunsTwoHallsCannotSubtract: the sum of two halls has no levels, since one of them has too few answers; nor do windows stand over
// both.
func TestWhoRunsTwoHallsCannotSubtract(t *testing.T) {
	w := newWorld(t)
	w.stand("SL-H1-A07", "SL-H3-C01")
	day := directory.Date(2026, 1, 8)
	w.rate(0, "SL-H1-A07", day, levels(30, 5)...)
	w.rate(1, "SL-H3-C01", day, levels(3, 1)...)
	p := w.ProgramOf(w.site, w.Add(webtest.Grant(account.Hall, "SL-H1", city), webtest.Grant(account.Hall, "SL-H3", "629902100000")), "",
		account.SeeFigures)
	both := read(t, p, january)
	if _, said := both.Total["level_5"]; said || both.By != "hall" || both.Total["answered"].N != 33 || len(both.Items) != 2 {
		t.Errorf("both halls: %+v", both)
	}
	withheld := make(map[string]bool)
	for _, i := range both.Items {
		withheld[i.ID] = i.Withheld
	}
	if diff := cmp.Diff(map[string]bool{"SL-H1": false, "SL-H3": true}, withheld); diff != "" {
		t.Error(diff)
	}
	webtest.Want(t, p.Get(path, path+january+"&by=window"), 400, "hall")
	if one := read(t, p, january+"&hall=SL-H1"); one.Total["level_5"].N != 30 || one.By != "window" {
		t.Errorf("the hall with enough answers: %+v", one)
	}
	if few := read(t, p, january+"&hall=SL-H3"); few.Total["level_1"].N != 0 || few.Total["answered"].N != 3 {
		t.Errorf("the hall with few answers: %+v", few)
	}
}

// TestTheMonthBeforeIsWithheldAsItWasItself: a window that has gone by the next month is still what the others are withheld for.
func TestTheMonthBeforeIsWithheldAsItWasItself(t *testing.T) {
	w := newWorld(t)
	w.stand("SL-H1-A07", "SL-H1-A08", "SL-H1-A09", "SL-H1-A07", "SL-H1-A08")
	w.rate(0, "SL-H1-A07", directory.Date(2025, 12, 8), levels(40, 5)...)
	w.rate(1, "SL-H1-A08", directory.Date(2025, 12, 8), levels(30, 5)...)
	w.rate(2, "SL-H1-A09", directory.Date(2025, 12, 8), levels(5, 1)...)
	w.rate(3, "SL-H1-A07", directory.Date(2026, 1, 8), levels(30, 5)...)
	w.rate(4, "SL-H1-A08", directory.Date(2026, 1, 8), levels(30, 5)...)
	p := w.Program(w.site, webtest.Grant(account.Hall, "SL-H1", city), "", account.SeeFigures)
	shown := make(map[string]bool)
	for _, i := range read(t, p, january).Items {
		_, shown[i.ID] = i.Previous["level_5"]
	}
	if diff := cmp.Diff(map[string]bool{"SL-H1-A07": true, "SL-H1-A08": false}, shown); diff != "" {
		t.Errorf("what the month before is shown of:\n%s", diff)
	}
}

// TestAMonthStaysAsAHallHasSeenIt: what comes later, and figures that are made anew, change nothing; offices see it at once.
func TestAMonthStaysAsAHallHasSeenIt(t *testing.T) {
	w := newWorld(t)
	w.stand("SL-H1-A07", "SL-H1-A08", "SL-H1-A07")
	day := directory.Date(2026, 1, 8)
	w.rate(0, "SL-H1-A07", day, levels(18, 5)...)
	hall := w.Program(w.site, webtest.Grant(account.Hall, "SL-H1", city), "", account.SeeFigures)
	office := w.Program(w.site, webtest.Grant(account.City, city, city), "", account.SeeFigures)
	seen := func() string {
		v := read(t, hall, january)
		return fmt.Sprint(v.Total["answered"].N, v.Total["level_5"].N, v.Total["level_1"].N)
	}
	if got := seen(); got != "18 0 0" {
		t.Errorf("with few answers: %s", got)
	}
	w.rate(1, "SL-H1-A08", day, levels(5, 5)...) // then there are enough
	if got := seen(); got != "23 23 0" {
		t.Errorf("with enough answers: %s", got)
	}
	w.rate(2, "SL-H1-A07", day, 1)
	if got := seen(); got != "23 23 0" {
		t.Errorf("after another answer: %s", got)
	}
	if err := w.reports.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := seen(); got != "23 23 0" {
		t.Errorf("made anew: %s", got)
	}
	if v := read(t, office, january); v.Total["level_1"].N != 1 {
		t.Errorf("the office: %+v", v.Total)
	}
}

// TestWhoServesAndRunsAHallCannotSubtract: a hall's administrator who serves at a window, or has served there when the month could be seen,
// reads no level: the window's month less their own would be how a colleague was rated.
func TestWhoServesAndRunsAHallCannotSubtract(t *testing.T) {
	w := newWorld(t)
	w.stand("SL-H1-A07")
	w.rate(0, "SL-H1-A07", directory.Date(2026, 1, 8), levels(30, 5)...)
	reads := func(grants ...account.Grant) bool {
		t.Helper()
		x := w.Add(grants...)
		v := read(t, w.ProgramOf(w.site, x, "", account.SeeFigures), january)
		_, whole := v.Total["level_5"]
		_, window := v.Items[0].Figures["level_5"]
		if whole != window || v.Total["answered"].N != 30 {
			t.Errorf("the whole %+v, the window %+v", v.Total, v.Items[0])
		}
		webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/figures"+january, w.SignIn(x), nil)), 200)
		return whole
	}
	hall, staff := webtest.Grant(account.Hall, "SL-H1", city), webtest.Grant(account.Staff, "SL-0009", city)
	if !reads(hall) || reads(hall, staff) {
		t.Error("who serves and runs the hall reads levels, or who only runs it none")
	}
	x := w.Add(hall, staff)
	w.Pass(time.Hour)
	grants, err := w.Accounts.Grants(t.Context(), x.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grants {
		if g.Role == account.Staff {
			err = w.Accounts.Revoke(t.Context(), account.By{Account: webtest.Operator}, g)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, said := read(t, w.ProgramOf(w.site, x, "", account.SeeFigures), january).Total["level_5"]; said {
		t.Error("who has seen their own month reads the hall's levels once they serve no more")
	}
}
