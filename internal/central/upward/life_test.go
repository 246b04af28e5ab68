package upward

import (
	"context"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
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
	books.ServiceKey
	at time.Time // its time, or its receipt where the box did not know the time
}

// lasts is how many days a life has for itself.
const lasts = 4

func drawLife(t *rapid.T, run int) *life {
	first := directory.Date(2025, 1, 2) + directory.Day(run*lasts%300)
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
	for i := range rapid.IntRange(1, 5).Draw(t, "visits") {
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
	if rapid.IntRange(0, 9).Draw(t, "lost") > 0 { // else its record never comes
		box.add(t, rating.VisitBody(at, v))
	}
	last := uint64(0)
	for range rapid.IntRange(0, 3).Draw(t, "answers") {
		e := rating.Evaluation{Visit: id, Subject: rapid.SampledFrom(v.Subjects).Draw(t, "subject"),
			Level: rating.Level(rapid.IntRange(1, 5).Draw(t, "level")), Channel: rating.Keypad}
		if rapid.IntRange(0, 2).Draw(t, "phone") == 0 {
			l.drawPhone(t, box, e)
			continue
		}
		if rapid.Bool().Draw(t, "corrects") {
			e.Replaces = last
		}
		last = box.add(t, rating.EvaluationBody(stamp(), e))
		if rapid.IntRange(0, 2).Draw(t, "says why") == 0 {
			box.add(t, rating.ReasonBody(stamp(), rating.Reason{Visit: id, Subject: e.Subject, Of: last, Code: "207", Catalogue: 1}))
		}
	}
	box.add(t, rating.OutcomeBody(stamp(), rating.Closing{Visit: id, Outcome: rating.TimedOut}))
}

// drawPhone adds a rating by phone, with a text that is perhaps erased later.
func (l *life) drawPhone(t *rapid.T, box *chain, e rating.Evaluation) {
	e.Channel = rating.Phone
	e.Text = rapid.SampledFrom([]string{"", "等了很久"}).Draw(t, "text")
	name := fmt.Sprint("p", len(l.steps), "-", e.Visit)
	when := l.received.Add(time.Duration(rapid.IntRange(0, 600).Draw(t, "later")) * time.Second)
	erased := e.Text != "" && rapid.Bool().Draw(t, "erased")
	l.steps = append(l.steps, func(t fails, w *world) {
		r, err := w.journal.Rate(context.Background(),
			journal.Rating{Device: box.device, Name: name, Received: when.UnixMilli(), Answers: []rating.Evaluation{e}})
		if err != nil {
			t.Fatalf("rate: %v", err)
		}
		if erased {
			w.wait(t)
			w.once(t)
			if err := w.journal.Erase(context.Background(), r.Pos, 0, "operator test", "本人要求"); err != nil {
				t.Fatalf("erase: %v", err)
			}
		}
	})
}

// drawFacts adds what business systems say of cases and put right, answers by other channels, and silence.
func (l *life) drawFacts(t *rapid.T, run int) {
	noon := l.first.Start().Add(12 * time.Hour).UnixMilli()
	const day = 24 * 60 * 60_000
	for i := range rapid.IntRange(0, 5).Draw(t, "facts") {
		k := rapid.SampledFrom(l.cases).Draw(t, "case")
		f := rating.CaseFact{Area: k.Area, ProjectNo: k.Project, AsOf: noon + int64(i),
			TaskCode:  rapid.SampledFrom([]string{"", "T1", "T9"}).Draw(t, "task"),
			Applicant: rapid.SampledFrom([]rating.Applicant{"", rating.NaturalPerson, rating.Enterprise}).Draw(t, "applicant"),
			Unit:      rapid.SampledFrom([]string{"", police, "unheard-of"}).Draw(t, "unit"), Corrects: rapid.Bool().Draw(t, "corrects")}
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
		if _, err := w.journal.Do(context.Background(), "office", "", journal.Act{Do: "test.review", Adoption: a}, nil); err != nil {
			t.Fatalf("review: %v", err)
		}
	}
}
