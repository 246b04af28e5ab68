package report

import (
	"fmt"
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
	"haochaping/internal/rating"
)

// bad has a case completed and rated badly, named or not, and returns the order on it.
func (w *world) bad(t *testing.T, n int, contact string) rectify.Order {
	t.Helper()
	k := rating.CaseKey{Area: district, Project: fmt.Sprint("B", n)}
	now := time.Now().UnixMilli()
	f := rating.CaseFact{Area: k.Area, ProjectNo: k.Project, Unit: police, TaskCode: "T1", AsOf: now, CompletedAt: now - 3600_000}
	if _, err := w.journal.Tell(t.Context(), "business", k.Project, []journal.Fact{{Fact: f, Contact: contact}}); err != nil {
		t.Fatal(err)
	}
	r, err := w.journal.Answer(t.Context(), "hotline", k.Project,
		[]journal.Answer{{Case: k, Level: 1, Channel: rating.Voice, At: now - 60_000}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.wait(t)
	w.pass(2 * time.Minute)
	if err := w.orders.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	x, err := w.orders.Of(t.Context(), r.Pos<<9)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (w *world) do(t *testing.T, id int64, deeds ...rectify.Deed) {
	t.Helper()
	for _, d := range deeds {
		x, err := w.orders.Order(t.Context(), id)
		if err == nil {
			_, err = w.orders.Do(t.Context(), rectify.By{Account: "a-1", Session: "s-1"}, x.Parts[0], choosing(d), "已电话沟通")
		}
		if err != nil {
			t.Fatalf("%s: %v", d, err)
		}
	}
}

// choosing returns an event with what has to be chosen of it.
func choosing(d rectify.Deed) rectify.Event {
	e := rectify.Event{Do: d, Days: 10}
	for _, e.Method = range d.Methods() {
		break
	}
	for _, e.Result = range d.Results() {
		break
	}
	return e
}

// checkWhatBecomesOfOrders follows five orders: replied in time and the citizen is satisfied, replied too late and they are not, nothing
// done, not adopted, and one that nobody can be asked about.
func checkWhatBecomesOfOrders(t *testing.T, on engine) {
	w := on(t)
	var ids []int64
	for n, contact := range []string{"13900000031", "13900000032", "", "13900000034", ""} {
		ids = append(ids, w.bad(t, n, contact).ID)
	}
	w.do(t, ids[0], rectify.Contact, rectify.Plan, rectify.Reply, rectify.Pass, rectify.Satisfied)
	w.do(t, ids[3], rectify.Contact, rectify.Claim, rectify.Uphold)
	w.do(t, ids[4], rectify.Verify, rectify.Plan, rectify.Reply, rectify.Pass, rectify.Skip)
	w.wait(t)
	w.once(t)
	today := directory.DayOf(time.Now())
	period := directory.Period{From: today - 1, To: today + 1}
	work := func() Work { return w.sum(t, Ask{Days: period}).Total.Work }
	if got, want := work(), (Work{Standing: 4, Replied: 2, Due: 2, InTime: 2, Named: 2, Followed: 1, Heard: 1, Satisfied: 1}); got != want {
		t.Errorf("in time: %+v, want %+v", got, want)
	}
	w.pass(40 * 24 * time.Hour) // nothing is entered, and yet two are out of time
	if got, want := work(), (Work{Standing: 4, Replied: 2, Due: 4, InTime: 2, Named: 2, Followed: 1, Heard: 1, Satisfied: 1,
		Overdue: 2}); got != want {
		t.Errorf("a month later: %+v, want %+v", got, want)
	}
	w.do(t, ids[1], rectify.Contact, rectify.Plan, rectify.Reply, rectify.Pass, rectify.Dissatisfied)
	w.wait(t)
	w.once(t)
	want := Work{Standing: 4, Replied: 3, Due: 4, InTime: 2, Named: 2, Followed: 2, Heard: 2, Satisfied: 1, Overdue: 1}
	if got := work(); got != want {
		t.Errorf("after a late reply: %+v, want %+v", got, want)
	}
	units := w.sum(t, Ask{Days: period, Split: ByMatter, Of: "T1", Group: func(w Where, of string) string { return w.Units[0] + " " + of }})
	if len(units.Rows) != 1 || units.Rows[0].ID != police+" T1" || units.Rows[0].Work != want {
		t.Errorf("by unit and matter: %+v", units.Rows)
	}
	before := w.dump(t)
	if err := w.reports.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := work(); got != want || len(before) != len(w.dump(t)) {
		t.Errorf("made anew: %+v, want %+v", got, want)
	}
	if counts := w.sum(t, Ask{Days: period}).Total.Of(""); counts.Levels[1] != 4 || counts.Asked != 5 || counts.Silent != 0 {
		t.Errorf("what is not adopted counts: %+v", counts)
	}
}

// checkAWindowThatMovesWithinThePeriod: each day counts where the window was then.
func checkAWindowThatMovesWithinThePeriod(t *testing.T, on engine) {
	w := on(t)
	c := newChain(0)
	for i := range 6 {
		at := (moved() - 3 + directory.Day(i)).Start().Add(9 * time.Hour)
		c.add(t, rating.VisitBody(rating.Stamp{Boot: 1, Mono: int64(i+1) * 86_400_000, Wall: at.UnixMilli(), Synced: true},
			rating.Visit{ID: rating.VisitID(i + 1), Opener: rating.OpenedByPC,
				Grouping: rating.Single, WaitSec: 60, Window: rating.Window{ID: c.window, Name: "窗口", Hall: "大厅", Generation: 1},
				Subjects: []rating.Subject{rating.StaffSubject}}))
	}
	w.append(t, c.batch(1, 6, (moved()+10).Start()))
	w.wait(t)
	w.once(t)
	halls := func(from, to directory.Day) map[string]int64 {
		out := make(map[string]int64)
		for _, r := range w.sum(t, Ask{Days: directory.Period{From: from, To: to},
			Group: func(w Where, _ string) string { return w.Hall }}).Rows {
			out[r.ID] = r.Of("").Served
		}
		return out
	}
	if got := halls(directory.Date(2025, 1, 1), directory.Date(2025, 6, 1)); got["SL-H2"] != 3 || got["SL-H3"] != 3 || len(got) != 2 {
		t.Errorf("visits by hall: %v", got)
	}
	if got := halls(moved(), moved()+1); got["SL-H3"] != 1 || len(got) != 1 {
		t.Errorf("on the day of the move: %v", got)
	}
	in := w.sum(t, Ask{Days: directory.Period{From: directory.Date(2025, 3, 1), To: directory.Date(2025, 4, 1)},
		Fits: func(w Where) bool { return w.Hall == "SL-H2" }})
	if in.Total.Of("").Served != 3 {
		t.Errorf("of the old hall: %+v", in.Total)
	}
}

// checkTwoInstances: one makes the aggregates, and the other what is left when that has gone.
func checkTwoInstances(t *testing.T, on engine) {
	w := on(t)
	w.once(t)
	other := w.open(t, "there")
	w.bad(t, 1, "")
	if err := other.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	today := directory.DayOf(time.Now())
	answered := func() int64 {
		return w.sum(t, Ask{Days: directory.Period{From: today - 1, To: today + 1}}).Total.Of("").Answered()
	}
	if n := answered(); n != 0 {
		t.Errorf("an instance without the lease has counted %d", n)
	}
	if err := w.journal.Unlease(t.Context(), leaseName, "here"); err != nil {
		t.Fatal(err)
	}
	if err := other.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.once(t)
	if n := answered(); n != 1 {
		t.Errorf("%d are counted", n)
	}
	// Who has read how far it was before somebody else went on writes nothing.
	st, err := other.state(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.write(t.Context(), st, st, newChange()); err != nil {
		t.Fatal(err)
	}
	if err := w.reports.write(t.Context(), st, st, newChange()); err == nil {
		t.Error("a step from an old state was written")
	}
}
