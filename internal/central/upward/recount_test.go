package upward

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/proof/province"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// line is a record in words: what the province is to hold, and what it holds.
func line(kind, project string, words ...string) string {
	return kind + " " + project + " " + strings.Join(words, "|")
}

func clock(at time.Time) string { return at.In(rating.Shanghai()).Format("2006-01-02 15:04:05") }

// at returns area and unit of a post, nothing of one that is not known.
func (w *world) at(t fails, p books.Post, at time.Time) (area, unit string) {
	t.Helper()
	a, err := w.directory.Atlas(context.Background())
	if err != nil {
		t.Fatalf("atlas: %v", err)
	}
	if x, ok := a.Place(p.Device, p.Window, p.Generation, at); ok {
		return x.Area().ID, x.Unit().ID
	}
	return "", ""
}

// told returns what of an answer goes up.
func (w *world) told(t fails, id int64) string {
	t.Helper()
	e, ok, err := w.books.Entry(context.Background(), id)
	if err != nil || !ok {
		t.Fatalf("evaluation %d: %v", id, err)
	}
	text := ""
	if e.HasText {
		pos, part := e.Pos()
		if text, err = w.journal.Text(context.Background(), pos, part); err != nil && !errors.Is(err, journal.ErrErased) {
			t.Fatalf("text: %v", err)
		}
	}
	channel := map[rating.Channel]string{rating.Keypad: "5", rating.Phone: "3", rating.Portal: "1", rating.App: "2", rating.MiniProgram: "2",
		rating.Kiosk: "5", rating.Voice: "6", rating.SMS: "6", rating.Paper: "5"}[e.Channel]
	return strings.Join([]string{fmt.Sprint(uint8(e.Level)), channel, "0", strings.Join(e.Reasons, ","), text, clock(e.Moment())}, "|")
}

func applicant(a rating.Applicant) string {
	return map[rating.Applicant]string{rating.NaturalPerson: "1", rating.Enterprise: "2", "": "9"}[a]
}

// recount returns what the province is to hold of a life, one by one from what the books' pages say.
func (l *life) recount(t fails, w *world) (all []string) {
	ctx := context.Background()
	done := make(map[string]visited)
	post := make(map[string]books.Post)
	for _, x := range l.visits {
		view, err := w.books.Visit(ctx, x.Device, x.Visit)
		if err != nil {
			t.Fatalf("visit %v: %v", x, err)
		}
		own := fmt.Sprintf("W-%s-%s", x.Device, x.Visit)
		person, rated := view.Counted[rating.Question{Subject: rating.StaffSubject}]
		v := view.Visit
		if v == nil {
			if rated {
				all = append(all, line("s", own, "1", "", "", "", "2", "9", "", clock(person.Moment())), line("e", own, "1", w.told(t, person.Cursor)))
			}
			if e, ok := view.Counted[rating.Question{Subject: rating.MatterSubject}]; ok {
				all = append(all, line("s", own, "2", "", "", "", "3", "9", "", clock(e.Moment())), line("e", own, "2", w.told(t, e.Cursor)))
			}
			continue
		}
		p := books.Post{Device: x.Device, Generation: 1, Window: v.Window.ID}
		area, unit := w.at(t, p, x.at)
		if area == "" {
			area = district
		}
		project, task, status, kind := own, "", "2", "9"
		if len(v.Cases) > 0 {
			c, _, err := w.books.Case(ctx, v.Key(v.Cases[0]))
			if err != nil {
				t.Fatalf("case: %v", err)
			}
			project, task, kind = v.Cases[0].ProjectNo, v.Cases[0].TaskCode, applicant(c.Applicant)
			if v.Cases[0].Completed {
				status = "3"
			}
		}
		all = append(all, line("s", project, "1", area, unit, v.Staff.ID, status, kind, task, clock(x.at)))
		if rated {
			all = append(all, line("e", project, "1", w.told(t, person.Cursor)))
		}
		for _, c := range v.Cases {
			first, ok := done[c.ProjectNo]
			if c.Completed && (!ok || x.at.Before(first.at) || x.at.Equal(first.at) && x.String() < first.String()) {
				done[c.ProjectNo], post[c.ProjectNo] = x, p
			}
		}
	}
	for _, k := range l.cases {
		all = append(all, l.recountCase(t, w, k, post[k.Project], done[k.Project].at)...)
	}
	slices.Sort(all)
	return all
}

func (l *life) recountCase(t fails, w *world, k rating.CaseKey, completedAt books.Post, at time.Time) []string {
	c, ok, err := w.books.Case(context.Background(), k)
	if err != nil {
		t.Fatalf("case %s: %v", k, err)
	}
	completed, _ := c.Completed()
	if !ok || completed == 0 && c.Counts <= 0 {
		return nil
	}
	status, served, staff, unit, answer := "3", time.UnixMilli(completed), "", c.Unit, ""
	if c.Counts > 0 {
		e, found, err := w.books.Entry(context.Background(), c.Counts)
		if err != nil || !found {
			t.Fatalf("evaluation %d: %v", c.Counts, err)
		}
		answer = w.told(t, c.Counts)
		if e.Device != "" {
			completedAt, at, staff = books.Post{Device: e.Device, Generation: 1, Window: e.Window.ID}, e.Moment(), e.Staff.ID
		}
		if completed == 0 {
			status, served = "2", e.Moment()
		}
	} else if c.State() == books.CaseDefault {
		answer = strings.Join([]string{"3", "7", "1", "", "", clock(time.UnixMilli(c.Deadline))}, "|")
	}
	if unit == "" {
		_, unit = w.at(t, completedAt, at)
	}
	all := []string{line("s", k.Project, "2", district, unit, staff, status, applicant(c.Applicant), c.TaskCode, clock(served))}
	if answer != "" {
		all = append(all, line("e", k.Project, "2", answer))
	}
	return all
}

// held returns what the province holds of a life.
func (l *life) held(t fails, w *world) (all []string) {
	mine := make(map[string]bool)
	for _, k := range l.cases {
		mine[k.Project] = true
	}
	for _, x := range l.visits {
		mine[fmt.Sprintf("W-%s-%s", x.Device, x.Visit)] = true
	}
	subject := make(map[string]string)
	holds := w.province.Holds()
	for _, r := range holds {
		if r["serviceTime"] == "" {
			subject[r["projectNo"]+" "+r["serviceNumber"]] = r["objectType"]
		}
	}
	for _, r := range holds {
		if !mine[r["projectNo"]] {
			continue
		}
		if r["serviceTime"] == "" {
			all = append(all, line("e", r["projectNo"], r["objectType"], r["satisfaction"], r["pf"], r["isdefault"], r["evalDetail"],
				r["writingEvaluation"], r["assessTime"]))
			continue
		}
		all = append(all, line("s", r["projectNo"], r["objectType"], r["areaCode"], r["deptCode"], r["proManager"], r["proStatus"],
			r["userProp"], r["taskCode"], r["serviceTime"]))
	}
	slices.Sort(all)
	return all
}

// deliver enters it all in any order, has records follow and go now and then over a bad line, and begins anew from what is kept.
func (l *life) deliver(t *rapid.T, w *world, met map[province.Fault]int) {
	faults := rapid.SliceOfN(rapid.SampledFrom(province.Faults()), 40, 40).Draw(t, "faults")
	picks := rapid.SliceOfN(rapid.IntRange(0, 1000), 40, 40).Draw(t, "picks")
	n := 0
	w.province.Breaks(func(string, []map[string]string) province.Fault {
		n++
		f := faults[n%len(faults)]
		met[f]++
		return f
	}, func(of int) int { return picks[n%len(picks)] % of })
	send := func() {
		w.pass(time.Duration(rapid.IntRange(0, 120).Draw(t, "minutes")) * time.Minute)
		_ = w.push.Once(context.Background()) // which fails as the line has it
	}
	for _, step := range rapid.Permutation(l.steps).Draw(t, "order") {
		step(t, w)
		switch rapid.IntRange(0, 7).Draw(t, "between") {
		case 0:
			w.wait(t)
			w.once(t)
			send()
		case 1:
			w.once(t) // as far as the books are
			send()
		case 2:
			w.room = w.open(t, "here")
			w.push = w.sender(w.room, w.push.Key)
		}
	}
	w.wait(t)
	w.once(t)
	send()
	l.review(t, w)
	w.wait(t)
	w.once(t)
	send()
}

// counted holds what is said of how many records there are to all of them.
func (w *world) counted(t fails) {
	t.Helper()
	scan := func(s db.Scanner) (c Count, err error) { return c, s.Scan(&c.Area, &c.Kind, &c.State, &c.N) }
	want, err := db.Query(context.Background(), w.db, scan, "SELECT area, kind, state, count(*) FROM upward_record GROUP BY area, kind, state")
	got, err2 := w.room.Counts(context.Background())
	order := func(a, b Count) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
	slices.SortFunc(want, order)
	slices.SortFunc(got, order)
	if err != nil || err2 != nil || !slices.Equal(got, want) {
		t.Fatalf("counted %v, want %v: %v %v", got, want, err, err2)
	}
}

// few is how many histories the short form plays on PostgreSQL, where each takes ten times as long.
const few = 5

// checkTheProvinceEndsWithWhatARecountFinds, whatever happens on the way; nothing more goes when all has gone, also not after the books
// were made anew.
func checkTheProvinceEndsWithWhatARecountFinds(t *testing.T, on engine) {
	w := on(t)
	met := make(map[province.Fault]int)
	found := 0
	simulation.Check(t, func(t *rapid.T) {
		w.runs++
		if w.runs > few && w.db.Engine() == db.Postgres && !simulation.Long() {
			return // the engine shows in a few
		}
		l := drawLife(t, w.runs)
		l.deliver(t, w, met)
		w.settle(t)
		want, got := l.recount(t, w), l.held(t, w)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("a recount finds otherwise (-recount +province):\n%s", diff)
		}
		if wrong := w.province.Wrong(); len(wrong) > 0 {
			t.Fatalf("the province was sent %q", wrong)
		}
		w.counted(t)
		found += len(got)
	})
	if t.Failed() {
		return
	}
	if found < 20 || len(met) < len(province.Faults())/2 {
		t.Errorf("%d records in all, and the faults %v", found, met)
	}
	before, posts := w.province.Holds(), w.province.Posts()
	if err := w.books.Rebuild(t.Context(), func(books.Progress) {}); err != nil {
		t.Fatal(err)
	}
	w.settle(t)
	if diff := cmp.Diff(before, w.province.Holds()); diff != "" {
		t.Errorf("of books that were made anew it is told otherwise:\n%s", diff)
	}
	if n := w.province.Posts(); n != posts {
		t.Errorf("%d posts more, though nothing has changed", n-posts)
	}
	if p, err := w.room.state(t.Context()); err != nil || p.until != 0 {
		t.Errorf("the walk through the new books has not ended: %+v, %v", p, err)
	}
}
