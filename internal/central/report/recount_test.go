package report

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// life is some days at two boxes and by other channels, with what it enters into the journal, in any order and in parts.
type life struct {
	first    directory.Day
	received time.Time
	boxes    [2]*chain
	visits   []visited
	cases    []rating.CaseKey
	steps    []func(fails, *world)
}

type visited struct {
	key books.ServiceKey
	at  time.Time // by which it lies: its time, or its receipt where the box did not know the time
}

// lasts is how many days a life has for itself.
const lasts = 4

func drawLife(t *rapid.T, run int) *life {
	first := directory.Date(2025, 1, 2) + directory.Day(run*lasts)
	l := &life{first: first, received: (first + lasts - 1).Start().Add(20 * time.Hour),
		boxes: [2]*chain{newChain(2 * run % boxes), newChain((2*run + 1) % boxes)}}
	for i := range 3 {
		l.cases = append(l.cases, rating.CaseKey{Area: district, Project: fmt.Sprintf("R%dC%d", run, i)})
	}
	clock := first.Start().Add(8 * time.Hour)
	stamp := func() rating.Stamp {
		clock = clock.Add(time.Duration(rapid.IntRange(1, 5*3600).Draw(t, "pause")) * time.Second)
		s := rating.Stamp{Boot: 1, Mono: clock.Sub(first.Start()).Milliseconds(), Wall: clock.UnixMilli(), Synced: true}
		if rapid.IntRange(0, 5).Draw(t, "unset") == 0 {
			s.Synced, s.Wall = false, 7
		}
		return s
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "visits") {
		l.drawVisit(t, rating.VisitID(run*100+i+1), stamp)
	}
	l.drawFacts(t, run)
	for _, b := range l.boxes {
		for n := 1; n <= len(b.raw); {
			last := min(n+rapid.IntRange(0, 3).Draw(t, "batch"), len(b.raw))
			e := b.batch(n, last, l.received)
			l.steps = append(l.steps, func(t fails, w *world) { w.append(t, e) })
			n = last + 1
		}
	}
	return l
}

func (l *life) drawVisit(t *rapid.T, id rating.VisitID, stamp func() rating.Stamp) {
	box := l.boxes[rapid.IntRange(0, 1).Draw(t, "box")]
	v := rating.Visit{ID: id, Opener: rating.OpenedByPC, Grouping: rating.Theme, WaitSec: 60,
		Window: rating.Window{ID: box.window, Name: "窗口", Hall: "大厅", Area: district, Generation: 1},
		Staff:  rating.Staff{ID: rapid.SampledFrom([]string{"", "S1", "S2"}).Draw(t, "staff"), Name: "某"}}
	for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(l.cases), 0, 2, rapid.ID).Draw(t, "cases") {
		v.Cases = append(v.Cases, rating.Case{ProjectNo: k.Project, Area: k.Area, TaskCode: "T" + k.Project[len(k.Project)-1:], TaskName: "事项",
			Completed: rapid.IntRange(0, 3).Draw(t, "done") > 0})
	}
	v.Subjects = rapid.SampledFrom([][]rating.Subject{{rating.StaffSubject}, {rating.MatterSubject},
		{rating.StaffSubject, rating.MatterSubject}}).Draw(t, "subjects")
	if v.Asks(rating.MatterSubject) && len(v.Completed()) == 0 {
		v.Subjects = []rating.Subject{rating.StaffSubject}
	}
	at := stamp()
	when := l.received
	if at.Synced {
		when = at.Time()
	}
	l.visits = append(l.visits, visited{books.ServiceKey{Device: box.device, Visit: id}, when})
	box.add(t, rating.VisitBody(at, v))
	last := uint64(0)
	for range rapid.IntRange(0, 3).Draw(t, "answers") {
		e := rating.Evaluation{Visit: id, Subject: rapid.SampledFrom(v.Subjects).Draw(t, "subject"),
			Level: rating.Level(rapid.IntRange(1, 5).Draw(t, "level")), Channel: rating.Keypad}
		if rapid.IntRange(0, 2).Draw(t, "phone") == 0 {
			e.Channel = rating.Phone
			name := fmt.Sprint("p", len(l.steps), "-", id)
			when := when.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "later")) * time.Second)
			l.steps = append(l.steps, func(t fails, w *world) {
				if _, err := w.journal.Rate(context.Background(),
					journal.Rating{Device: box.device, Name: name, Received: when.UnixMilli(), Answers: []rating.Evaluation{e}}); err != nil {
					t.Fatalf("rate: %v", err)
				}
			})
			continue
		}
		if rapid.Bool().Draw(t, "corrects") {
			e.Replaces = last
		}
		last = box.add(t, rating.EvaluationBody(stamp(), e))
	}
	box.add(t, rating.OutcomeBody(stamp(), rating.Closing{Visit: id, Outcome: rating.TimedOut}))
}

// drawFacts adds what business systems say of cases and put right, answers by other channels, and silence.
func (l *life) drawFacts(t *rapid.T, run int) {
	noon := l.first.Start().Add(12 * time.Hour).UnixMilli()
	const day = 24 * 60 * 60_000
	for i := range rapid.IntRange(0, 5).Draw(t, "facts") {
		k := rapid.SampledFrom(l.cases).Draw(t, "case")
		f := rating.CaseFact{Area: k.Area, ProjectNo: k.Project, AsOf: noon + int64(i),
			TaskCode: rapid.SampledFrom([]string{"", "T1", "T9"}).Draw(t, "task"),
			Unit:     rapid.SampledFrom([]string{"", police, "unheard-of"}).Draw(t, "unit"), Corrects: rapid.Bool().Draw(t, "corrects")}
		if rapid.Bool().Draw(t, "completes") {
			f.CompletedAt = noon + rapid.Int64Range(0, lasts-2).Draw(t, "completed")*day
		}
		name := fmt.Sprint("f", run, "-", i)
		l.steps = append(l.steps, func(t fails, w *world) {
			if _, err := w.journal.Tell(context.Background(), "business", name, []journal.Fact{{Fact: f}}); err != nil {
				t.Fatalf("tell: %v", err)
			}
		})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "channels") {
		a := journal.Answer{Case: rapid.SampledFrom(l.cases).Draw(t, "case"), Level: rating.Level(rapid.IntRange(1, 5).Draw(t, "level")),
			Channel: rapid.SampledFrom(rating.Channels()).Draw(t, "channel"), At: noon + rapid.Int64Range(0, lasts-1).Draw(t, "at")*day}
		name := fmt.Sprint("a", run, "-", i)
		l.steps = append(l.steps, func(t fails, w *world) {
			if _, err := w.journal.Answer(context.Background(), "hotline", name, []journal.Answer{a}, nil); err != nil {
				t.Fatalf("answer: %v", err)
			}
		})
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "silences") {
		p := journal.Passed{Case: rapid.SampledFrom(l.cases).Draw(t, "case"),
			Deadline: noon + rapid.Int64Range(0, 2*lasts).Draw(t, "deadline")*day, LateHolds: rapid.Bool().Draw(t, "late")}
		name := fmt.Sprint("d", run, "-", i)
		l.steps = append(l.steps, func(t fails, w *world) {
			if _, err := w.journal.Pass(context.Background(), "deadline", name, []journal.Passed{p}); err != nil {
				t.Fatalf("pass: %v", err)
			}
		})
	}
}

// deliver enters it all in any order, has the aggregates follow now and then, and begins them anew from what is kept.
func (l *life) deliver(t *rapid.T, w *world) {
	for _, step := range rapid.Permutation(l.steps).Draw(t, "order") {
		step(t, w)
		switch rapid.IntRange(0, 7).Draw(t, "between") {
		case 0:
			w.wait(t)
			w.once(t)
		case 1:
			w.once(t) // as far as the books are
		case 2:
			w.reports = w.open(t, "here")
		}
	}
	w.wait(t)
	l.review(t, w)
	w.wait(t)
	w.once(t)
}

// review refuses some of what was answered, or adopts it after all.
func (l *life) review(t *rapid.T, w *world) {
	all, err := w.books.Latest(context.Background(), 10)
	if err != nil {
		t.Fatalf("latest: %v", err)
	}
	for range rapid.IntRange(0, 2).Draw(t, "reviews") {
		if len(all) == 0 {
			return
		}
		a := &journal.Adoption{Evaluation: rapid.SampledFrom(all).Draw(t, "reviewed").Cursor,
			Adopted: rapid.IntRange(0, 3).Draw(t, "adopted") == 0}
		if _, err := w.journal.Do(context.Background(), "office", "", journal.Act{Do: "test.review", Adoption: a},
			func(context.Context, *db.Tx, int64) error { return nil }); err != nil {
			t.Fatalf("review: %v", err)
		}
		if rapid.Bool().Draw(t, "seen") {
			w.once(t)
		}
	}
}

// recount is the figures of a life, counted one by one from what the books' pages say.
type recount map[string]Amount

func (r recount) add(split Split, d directory.Day, where, of string, subject rating.Subject, channel rating.Channel, a Amount) {
	k := fmt.Sprint(split, " ", d, " ", where, " ", of, " ", subject, " ", channel)
	r[k] = r[k].Plus(a)
}

// at returns where something lies, in words.
func (w *world) at(t fails, d rating.DeviceID, window, area, unit string, day directory.Day) string {
	t.Helper()
	a, err := w.directory.Atlas(context.Background())
	if err != nil {
		t.Fatalf("atlas: %v", err)
	}
	out := Where{Area: area}
	if d != "" {
		out = Where{}
		if p, ok := a.Place(d, window, 1, day.Start().Add(time.Hour)); ok {
			out = Where{Area: p.Area().ID, Hall: p.Hall.ID, Window: p.Window.ID, Units: []string{p.Unit().ID}}
		}
	}
	if unit != "" {
		out.Units = []string{unit}
	}
	return words(out)
}

func words(w Where) string {
	return strings.Join(append([]string{w.Area, w.Hall, w.Window}, w.Units[:min(1, len(w.Units))]...), "/")
}

// recount counts.
func (l *life) recount(t fails, w *world) recount {
	out := make(recount)
	done := make(map[string]struct {
		visited
		v *rating.Visit
	})
	for _, x := range l.visits {
		view, err := w.books.Visit(context.Background(), x.key.Device, x.key.Visit)
		if err != nil || view.Visit == nil {
			t.Fatalf("visit %v: %+v, %v", x.key, view, err)
		}
		v := view.Visit
		a := Amount{Served: 1}
		channel := None
		if v.Asks(rating.StaffSubject) {
			a.Asked = 1
		}
		if e, ok := view.Counted[rating.Question{Subject: rating.StaffSubject}]; ok {
			a.Asked, channel = 1, e.Channel
			a.Levels[e.Level]++
		}
		day := directory.DayOf(x.at)
		where := w.at(t, x.key.Device, v.Window.ID, "", "", day)
		out.add(Whole, day, where, "", rating.StaffSubject, channel, a)
		if v.Staff.ID != "" {
			out.add(ByStaff, day, where, v.Staff.ID, rating.StaffSubject, channel, a)
		}
		for _, c := range v.Cases {
			first, ok := done[c.ProjectNo]
			if c.Completed && (!ok || x.at.Before(first.at) || x.at.Equal(first.at) && x.key.String() < first.key.String()) {
				done[c.ProjectNo] = struct {
					visited
					v *rating.Visit
				}{x, v}
			}
		}
	}
	for _, k := range l.cases {
		l.recountCase(t, w, out, k, func() (rating.DeviceID, string) {
			if x, ok := done[k.Project]; ok {
				return x.key.Device, x.v.Window.ID
			}
			return "", ""
		})
	}
	return out
}

func (l *life) recountCase(t fails, w *world, out recount, k rating.CaseKey, completedAt func() (rating.DeviceID, string)) {
	c, ok, err := w.books.Case(context.Background(), k)
	if err != nil {
		t.Fatalf("case %s: %v", k, err)
	}
	completed, _ := c.Completed()
	if !ok || completed == 0 && c.Counts <= 0 {
		return
	}
	a := Amount{Asked: 1}
	channel := None
	day := directory.DayOf(time.UnixMilli(completed))
	device, window := completedAt()
	if c.Counts > 0 {
		e, found, err := w.books.Entry(context.Background(), c.Counts)
		if err != nil || !found {
			t.Fatalf("evaluation %d: %v", c.Counts, err)
		}
		channel = e.Channel
		a.Levels[e.Level]++
		if e.Device != "" {
			device, window = e.Device, e.Window.ID
		}
		if completed == 0 {
			day = directory.DayOf(e.Moment())
		}
	} else if c.State() == books.CaseDefault {
		channel, a.Silent = Default, 1
	}
	task := c.TaskCode
	if task == "" {
		task = c.TaskName
	}
	where := w.at(t, device, window, k.Area, c.Unit, day)
	out.add(Whole, day, where, "", rating.MatterSubject, channel, a)
	out.add(ByMatter, day, where, task, rating.MatterSubject, channel, a)
}

// counted returns what the aggregates have of a life, day by day.
func (l *life) counted(t fails, w *world) recount {
	out := make(recount)
	for d := l.first; d < l.first+lasts; d++ {
		for _, split := range []Split{Whole, ByStaff, ByMatter} {
			got := w.sum(t, Ask{Days: directory.Period{From: d, To: d + 1}, Split: split,
				Group: func(w Where, of string) string { return words(w) + " " + of }})
			for _, r := range got.Rows {
				where, of, _ := strings.Cut(r.ID, " ")
				for k, a := range r.Counts {
					out.add(split, d, where, of, k.Subject, k.Channel, a)
				}
			}
		}
	}
	return out
}

// checkTheAggregatesAreWhatARecountFinds, whatever the order of arrival; made anew, and of books that were made anew, they are the same.
func checkTheAggregatesAreWhatARecountFinds(t *testing.T, on engine) {
	w := on(t)
	found := make(map[rating.Channel]int64)
	simulation.Check(t, func(t *rapid.T) {
		w.runs++
		if w.runs%3 == 0 { // new ones are in none meanwhile
			if err := w.reports.Bundle(context.Background()); err != nil {
				t.Fatalf("bundle: %v", err)
			}
		}
		l := drawLife(t, w.runs)
		l.deliver(t, w)
		want, got := l.recount(t, w), l.counted(t, w)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("a recount finds otherwise (-recount +aggregates):\n%s", diff)
		}
		whole := w.sum(t, Ask{Days: directory.Period{From: l.first, To: l.first + lasts}})
		for k, a := range whole.Total.Counts {
			found[k.Channel] += a.Asked
		}
	})
	if t.Failed() {
		return
	}
	if found[None] == 0 || found[rating.Keypad] == 0 {
		t.Errorf("no life had anything to count: %v", found)
	}
	w.monthsAreTheirDays(t)
	before := w.dump(t)
	if err := w.reports.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.dump(t)); diff != "" {
		t.Errorf("made anew they are others:\n%s", diff)
	}
	if err := w.books.Rebuild(t.Context(), func(books.Progress) {}); err != nil {
		t.Fatal(err)
	}
	w.once(t)
	if diff := cmp.Diff(before, w.dump(t)); diff != "" {
		t.Errorf("of books that were made anew they are others:\n%s", diff)
	}
	if p, err := w.reports.Progress(t.Context()); err != nil || p.Counting {
		t.Errorf("the walk through the new books has not ended: %+v, %v", p, err)
	}
}

// monthsAreTheirDays holds the two grains together, and periods of months and of days.
func (w *world) monthsAreTheirDays(t *testing.T) {
	t.Helper()
	long := directory.Period{From: directory.Date(2025, 1, 20), To: directory.Date(2025, 12, 5)}
	var byDay Amount
	for d := long.From; d < long.To; d++ {
		byDay = byDay.Plus(w.sum(t, Ask{Days: directory.Period{From: d, To: d + 1}}).Total.Of(""))
	}
	if got := w.sum(t, Ask{Days: long}).Total.Of(""); got != byDay || got.Served == 0 {
		t.Errorf("%s together %+v, day by day %+v", long, got, byDay)
	}
	w.bundlesAreTheirPosts(t, long)
}
