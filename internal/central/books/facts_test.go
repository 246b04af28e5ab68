package books

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

const (
	cityA = "620100000000"
	cityB = "620200000000"
)

// drawFacts adds what business systems say of cases, in parts, answers by other channels, and deadlines that have passed.
func (l *life) drawFacts(t *rapid.T, run int, clock int64) {
	start, received := noon().UnixMilli(), noon().Add(time.Hour).UnixMilli()
	keyOf := func(p string) rating.CaseKey {
		return rating.CaseKey{Area: rapid.SampledFrom([]string{cityA, cityA, cityB}).Draw(t, "area"), Project: fmt.Sprint("r", run, p)}
	}
	told, done := make(map[rating.CaseKey]bool), make(map[rating.CaseKey]bool)
	for _, p := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 5).Draw(t, "facts") {
		k := keyOf(p)
		if told[k] {
			continue
		}
		told[k] = true
		filed := rating.CaseFact{Area: k.Area, ProjectNo: k.Project, TaskCode: "t", AsOf: start,
			Batch: rapid.SampledFrom([]string{"", fmt.Sprint("B", run)}).Draw(t, "batch"),
			Theme: rapid.SampledFrom([]string{"", fmt.Sprint("T", run)}).Draw(t, "theme")}
		parts := []rating.CaseFact{filed}
		if rapid.IntRange(0, 3).Draw(t, "done") > 0 {
			done[k] = true
			completed := rating.CaseFact{Area: k.Area, ProjectNo: k.Project, AsOf: start, CompletedAt: start}
			if rapid.IntRange(0, 3).Draw(t, "later") == 0 { // than some answers were given
				completed.CompletedAt += rating.Clocks + rapid.Int64Range(0, clock).Draw(t, "completed")
			}
			parts = append(parts, completed)
		}
		for i, f := range parts {
			l.history.Tell(f, received)
			l.rows = append(l.rows, func(t fatal, w *world) { w.tell(t, fmt.Sprint(k, i), f) })
		}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "channels") {
		a := journal.Answer{Level: 4, Channel: rapid.SampledFrom(rating.Channels()).Draw(t, "channel"),
			At: start + rapid.Int64Range(0, clock+5000).Draw(t, "at")}
		name := fmt.Sprint("x", run, "-", i)
		g := rating.Given{Device: rating.DeviceID("@" + a.Channel), Submission: name,
			Evaluation: rating.Evaluation{Visit: rating.VisitID(1e6*run + i), Subject: rating.MatterSubject}}
		if rapid.IntRange(0, 3).Draw(t, "theme") == 0 {
			a.Theme = fmt.Sprint("T", run)
			g.Theme = a.Theme
		} else {
			a.Case = keyOf(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "case"))
			g.About = a.Case
		}
		l.given = append(l.given, g)
		l.rows = append(l.rows, func(t fatal, w *world) { w.say(t, name, a) })
	}
	passed, begun := make(map[rating.CaseKey]bool), make(map[string]bool)
	for i, p := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 4).Draw(t, "deadlines") {
		x := journal.Passed{Case: rating.CaseKey{Area: cityA, Project: fmt.Sprint("r", run, p)},
			Deadline: start + rapid.Int64Range(-2000, clock).Draw(t, "deadline"), LateHolds: rapid.IntRange(0, 7).Draw(t, "holds") == 0}
		if !told[x.Case] {
			continue
		}
		if done[x.Case] { // its period begins when the centre has heard of it, and was thought to begin then, earlier, or later
			x.Begins = received + rapid.SampledFrom([]int64{0, 0, -1, -60_000, 1, 60_000}).Draw(t, "begins")
		} else if passed[x.Case] {
			continue // of one that says nothing of that the first holds
		}
		for passed[x.Case] && begun[fmt.Sprint(x.Case, x.Begins)] {
			x.Begins += 2 // of two of one period the first that arrives holds
		}
		passed[x.Case], begun[fmt.Sprint(x.Case, x.Begins)] = true, true
		l.history.Pass(x.Case, x.Begins, x.Deadline, x.LateHolds)
		pass := func(t fatal, w *world) { // a deadline passes of a case that is known
			w.tell(t, fmt.Sprint(x.Case, "known"), rating.CaseFact{Area: x.Case.Area, ProjectNo: x.Case.Project, AsOf: start})
			if _, err := w.journal.Pass(context.Background(), "deadline", fmt.Sprint(x.Case, i), []journal.Passed{x}); err != nil {
				t.Fatalf("pass: %v", err)
			}
		}
		l.rows = append(l.rows, pass)
	}
}

// tell enters what a business system says of a case.
func (w *world) tell(t fatal, name string, f rating.CaseFact) {
	t.Helper()
	w.tellContact(t, name, f, "")
}

func (w *world) tellContact(t fatal, name string, f rating.CaseFact, contact string) journal.Receipt {
	t.Helper()
	r, err := w.journal.Tell(context.Background(), "system", name, []journal.Fact{{Fact: f, Contact: contact}})
	if err != nil {
		t.Fatalf("tell: %v", err)
	}
	return r
}

// say enters an answer by a channel.
func (w *world) say(t fatal, name string, a journal.Answer) {
	t.Helper()
	if _, err := w.journal.Answer(context.Background(), "system", name, []journal.Answer{a}, []string{name}); err != nil {
		t.Fatalf("answer: %v", err)
	}
}

func factOf(project string, completed int64) rating.CaseFact {
	return rating.CaseFact{Area: cityA, ProjectNo: project, TaskCode: "t", AsOf: noon().UnixMilli(), CompletedAt: completed}
}

func smsAnswer(project string, level rating.Level, at time.Time) journal.Answer {
	return journal.Answer{Case: rating.CaseKey{Area: cityA, Project: project}, Level: level, Channel: rating.SMS, At: at.UnixMilli()}
}

// checkEqualNumbersOfTwoCities: an answer in one city says nothing of the case with the same number in another one, at boxes that know
// their hall's area and at boxes of which only the centre does.
func checkEqualNumbersOfTwoCities(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		for i, area := range []string{cityA, cityB, cityB} {
			box := rating.DeviceID(fmt.Sprint("box-", i+1))
			window := hallWindow()
			window.Area = area
			e, err := journal.Enrol(journal.Enrolment{Device: box, Window: window, EnrolledAt: 1}, noon().UnixMilli(), "1")
			if err != nil {
				t.Fatal(err)
			}
			w.enter(t, e)
			v := ofCases(rating.VisitID(i+1), rating.Single, false, "P-1")
			if i == 0 {
				v.Window.Area = area
			}
			c := chainOf(box, epoch)
			c.append(t, rating.VisitBody(at(0), v), keyed(int64(1000*i+1000), v.ID, ""))
			w.enter(t, c.all())
		}
		want := []string{"不满意 counted", "不满意 counted", "不满意 later"}
		if diff := cmp.Diff(want, w.statuses(t)); diff != "" {
			t.Error(diff)
		}
	})
}

// checkAnAnswerWaitsForTheCompletion: 事项办结后可对服务事项进行一次评价; what came before the completion is known counts when it is.
func checkAnAnswerWaitsForTheCompletion(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		w.say(t, "1", smsAnswer("P", 5, noon()))
		w.tell(t, "filed", factOf("P", 0))
		w.follow(t)
		if diff := cmp.Diff([]string{"非常满意 unasked"}, w.statuses(t)); diff != "" {
			t.Error("before", diff)
		}
		w.tell(t, "done", factOf("P", noon().UnixMilli()))
		w.say(t, "2", smsAnswer("P", 1, noon().Add(time.Second)))
		w.follow(t)
		if diff := cmp.Diff([]string{"非常满意 counted", "非常不满意 later"}, w.statuses(t)); diff != "" {
			t.Error("after", diff)
		}
	})
}

// checkSilenceAndLateAnswers: 5个工作日内未作出评价的,评价结果默认为基本满意. An answer in time wins whenever it arrives; one that is late is marked.
func checkSilenceAndLateAnswers(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		k := rating.CaseKey{Area: cityA, Project: "P"}
		w.tell(t, "done", factOf("P", noon().UnixMilli()))
		pass := func(k rating.CaseKey, holds bool) {
			if _, err := w.journal.Pass(t.Context(), "deadline", k.String(),
				[]journal.Passed{{Case: k, Deadline: noon().Add(time.Hour).UnixMilli(), LateHolds: holds}}); err != nil {
				t.Fatal(err)
			}
			w.follow(t)
		}
		pass(k, false)
		state := func() CaseState {
			c, ok, err := w.books.Case(t.Context(), k)
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			return c.State()
		}
		if state() != CaseDefault {
			t.Errorf("after five days of silence it is %s", state())
		}
		w.now = noon().Add(3 * time.Hour)
		w.say(t, "late", smsAnswer("P", 1, noon().Add(2*time.Hour)))
		w.follow(t)
		if got := w.statuses(t); got[0] != "非常不满意 late" || state() != CaseDefault {
			t.Errorf("late: %v, %s", got, state())
		}
		w.say(t, "in time", smsAnswer("P", 2, noon().Add(time.Minute)))
		w.follow(t)
		if diff := cmp.Diff([]string{"非常不满意 late", "不满意 counted"}, w.statuses(t)); diff != "" || state() != CaseRated {
			t.Error(diff, state())
		}
		other := rating.CaseKey{Area: cityA, Project: "Q"}
		w.tell(t, "done 2", factOf("Q", noon().UnixMilli()))
		w.say(t, "late 2", smsAnswer("Q", 4, noon().Add(2*time.Hour)))
		pass(other, true)
		if got := w.statuses(t); got[2] != "满意 counted" {
			t.Errorf("where late answers hold: %v", got)
		}
		f, err := w.books.CaseFigures(t.Context())
		if err != nil || f != (CaseFigures{Cases: 2, Completed: 2, Rated: 2}) {
			t.Errorf("figures %+v, %v", f, err)
		}
	})
}

// checkADefaultFallsWithALaterCompletion: the case waits anew when the completion is put later, and so does an answer that was given before
// it.
func checkADefaultFallsWithALaterCompletion(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		k := rating.CaseKey{Area: cityA, Project: "P"}
		pass := func(name string, begins, deadline time.Time) {
			p := journal.Passed{Case: k, Begins: begins.UnixMilli(), Deadline: deadline.UnixMilli()}
			if _, err := w.journal.Pass(t.Context(), "deadline", name, []journal.Passed{p}); err != nil {
				t.Fatal(err)
			}
		}
		later := noon().Add(48 * time.Hour)
		see := func(when, standing string, state CaseState, waits int) {
			t.Helper()
			w.follow(t)
			c, _, err := w.books.Case(t.Context(), k)
			if got := w.statuses(t); err != nil || got[0] != "非常不满意 "+standing || c.State() != state {
				t.Errorf("%s: %v, %s, %v; want %s, %s", when, got, c.State(), err, standing, state)
			}
			some, _, err := w.books.Overdue(t.Context(), Due{}, 0, rating.ShanghaiDay(later.UnixMilli())+1, 10)
			if err != nil || len(some) != waits {
				t.Errorf("%s: %d cases wait, %v, want %d", when, len(some), err, waits)
			}
		}
		w.tell(t, "done", factOf("P", noon().UnixMilli()))
		pass("1", noon().Add(time.Hour), noon().Add(2*time.Hour))
		w.now = later
		w.say(t, "answer", smsAnswer("P", 1, noon().Add(3*time.Hour)))
		see("before the correction", "late", CaseDefault, 0)
		put := factOf("P", later.UnixMilli())
		put.Corrects, put.AsOf = true, put.AsOf+1
		w.tell(t, "later", put)
		see("after it", "unasked", CaseCompleted, 1)
		pass("2", noon().Add(time.Hour), noon().Add(2*time.Hour)) // was on its way
		see("after a deadline of before", "unasked", CaseCompleted, 1)
		back := factOf("P", noon().Add(3*time.Hour).UnixMilli())
		back.Corrects, back.AsOf = true, put.AsOf+1
		w.tell(t, "back", back)
		see("after it was put right again", "counted", CaseRated, 0)
	})
}

// checkWhatContradictsIsAFinding: facts out of order make the same case, and what contradicts changes nothing and is named.
func checkWhatContradictsIsAFinding(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		w.tell(t, "1", factOf("P", noon().UnixMilli()))
		w.tell(t, "2", factOf("P", noon().UnixMilli()-1000))
		put := factOf("P", noon().UnixMilli()-2000)
		put.Corrects, put.AsOf = true, put.AsOf+1
		w.follow(t)
		k := rating.CaseKey{Area: cityA, Project: "P"}
		c, _, err := w.books.Case(t.Context(), k)
		if err != nil || c.CompletedAt != noon().UnixMilli() || len(w.kinds(t)) != 1 || w.kinds(t)[0] != string(Contradiction) {
			t.Errorf("%+v, %v, %v", c, w.kinds(t), err)
		}
		w.tell(t, "3", put)
		w.follow(t)
		if c, _, err = w.books.Case(t.Context(), k); err != nil || c.CompletedAt != put.CompletedAt || len(w.kinds(t)) != 1 {
			t.Errorf("after a correction %+v, %v, %v", c, w.kinds(t), err)
		}
	})
}

// checkAWindowWithoutABox: 评价人每次到窗口办理后均可对服务人员进行一次评价, also where no box is: once a visit, and each visit by itself.
func checkAWindowWithoutABox(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		visit := func(id rating.VisitID) *rating.Visit {
			return &rating.Visit{ID: id, Window: rating.Window{ID: "B2", Name: "社保窗口", Area: cityA, Generation: 1}, Staff: rating.Staff{ID: "77"},
				Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC, WaitSec: 1}
		}
		for i, a := range []journal.Answer{{Visit: visit(7), Level: 2}, {Visit: visit(7), Level: 5}, {Visit: visit(8), Level: 4}} {
			a.Channel, a.At = rating.Phone, noon().Add(time.Duration(i)*time.Second).UnixMilli()
			w.say(t, fmt.Sprint(i), a)
		}
		w.tell(t, "done", factOf("P", noon().UnixMilli()))
		matter := smsAnswer("P", 3, noon().Add(time.Minute))
		matter.Channel = rating.Phone
		w.say(t, "matter", matter)
		w.follow(t)
		if diff := cmp.Diff([]string{"不满意 counted", "非常满意 later", "满意 counted", "基本满意 counted"}, w.statuses(t)); diff != "" {
			t.Error(diff)
		}
		all, err := w.books.Since(t.Context(), 0, 10)
		if err != nil || len(all) != 4 || all[0].Window.Name != "社保窗口" || all[0].Staff.ID != "77" || all[3].Subject != rating.MatterSubject {
			t.Errorf("%+v, %v", all, err)
		}
		found, err := w.books.Search(t.Context(), Search{Within: Within{Some: true, Areas: []string{cityA}}, Staff: "77"}, Cursor{}, 10)
		if err != nil || len(found.Entries) != 3 {
			t.Errorf("the area finds %d of its person, %v", len(found.Entries), err)
		}
		v, err := w.books.Visit(t.Context(), "@phone", 7)
		if _, rated := v.Rated[rating.Question{Subject: rating.StaffSubject}]; err != nil || !rated {
			t.Errorf("the person at the visit is not rated: %+v, %v", v, err)
		}
		if v, err := w.books.Verify(t.Context(), silent); err != nil || len(v.Differences) > 0 {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
}

// checkUnratedCases counts the completed cases of areas that nobody has rated, by when they began.
func checkUnratedCases(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		w.now = noon()
		start := noon().UnixMilli()
		for i, area := range []string{cityA, cityA, "620102000000", cityB} {
			w.tell(t, fmt.Sprint("u", i), rating.CaseFact{Area: area, ProjectNo: fmt.Sprint("u", i), TaskCode: "t", AsOf: start, CompletedAt: start})
		}
		w.tell(t, "open", rating.CaseFact{Area: cityA, ProjectNo: "open", TaskCode: "t", AsOf: start})
		w.say(t, "rated", journal.Answer{Case: rating.CaseKey{Area: cityA, Project: "u0"}, Level: 4, Channel: rating.Voice, At: start})
		w.follow(t)
		from, to := noon().Add(-time.Hour), noon().Add(time.Hour)
		for _, x := range []struct {
			from, to time.Time
			areas    []string
			want     int64
		}{{from, to, []string{"620000000000"}, 3}, {from, to, []string{cityA}, 2}, {from, to, []string{"620102000000"}, 1},
			{from, to, []string{cityA, cityB}, 3}, {from, to, nil, 0},
			{from, from, []string{cityA}, 0}, {to, to.Add(time.Hour), []string{cityA}, 0}} {
			if n, more, err := w.books.Unrated(w.context(), x.from, x.to, x.areas); err != nil || n != x.want || more {
				t.Errorf("of %q from %s to %s: %d, %v, %v; want %d", x.areas, x.from, x.to, n, more, err, x.want)
			}
		}
	})
}
