package books

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// life is visits with cases at two boxes, rated by key and by phone, early, late and corrected, some while the box did not know the
// time, with what it makes of rows of the journal, in any order, in parts and twice.
type life struct {
	history rating.History
	given   []rating.Given
	visits  []rating.Visit
	at      map[rating.VisitID]rating.DeviceID
	boxes   map[rating.DeviceID]*chain
	answers []phoneAnswer
	rows    []func(fatal, *world) // of other sources
}

type phoneAnswer struct {
	name string
	when time.Time
	box  rating.DeviceID
	e    rating.Evaluation
}

func drawLife(t *rapid.T, run int) *life {
	l := &life{boxes: make(map[rating.DeviceID]*chain), at: make(map[rating.VisitID]rating.DeviceID)}
	for _, d := range []rating.DeviceID{"box-1", "box-2"} {
		l.boxes[d] = chainOf(d, rating.Epoch(1000+run))
	}
	clock, started, boot := int64(0), int64(0), uint32(1)
	now := func() rating.Stamp {
		clock += 1000
		s := at(clock)
		s.Boot, s.Mono = boot, clock-started
		if rapid.IntRange(0, 2).Draw(t, "unset") == 0 {
			s.Synced, s.Wall = false, 7
		}
		return s
	}
	last := make(map[rating.DeviceID]uint64)
	answer := func(i int) {
		v := rapid.SampledFrom(l.visits).Draw(t, "visit")
		questions := append(v.Questions(), rating.Question{Subject: rating.MatterSubject}, rating.Question{Subject: rating.MatterSubject,
			Case: fmt.Sprint("r", run, "a")})
		q := rapid.SampledFrom(questions).Draw(t, "question")
		d := l.at[v.ID]
		e := rating.Evaluation{Visit: v.ID, Subject: q.Subject, Case: q.Case, Level: rating.Level(rapid.IntRange(1, 5).Draw(t, "level")),
			Channel: rating.Keypad}
		stamp := now()
		if rapid.IntRange(0, 2).Draw(t, "phone") == 0 {
			e.Channel, e.Text = rating.Phone, fmt.Sprint("s", run, "-", i)
			when := noon().UnixMilli() + clock - int64(rapid.IntRange(0, 4).Draw(t, "earlier"))*1000
			l.answers = append(l.answers, phoneAnswer{e.Text, time.UnixMilli(when), d, e})
			l.given = append(l.given, rating.Given{Device: d, Submission: e.Text, Evaluation: e})
			return
		}
		if rapid.Bool().Draw(t, "corrects") {
			e.Replaces = last[d]
		}
		last[d] = l.boxes[d].append(t, rating.EvaluationBody(stamp, e))
		l.given = append(l.given, rating.Given{Device: d, Epoch: l.boxes[d].epoch, Seq: last[d], Evaluation: e})
		for range rapid.IntRange(0, 2).Draw(t, "reasons") { // of this answer, or of the record before it
			r := rating.Reason{Visit: v.ID, Subject: q.Subject, Case: q.Case, Of: last[d], Code: fmt.Sprint(clock), Catalogue: 2}
			if rapid.IntRange(0, 3).Draw(t, "stray") == 0 {
				r.Of--
			}
			if r.Of > 0 {
				seq := l.boxes[d].append(t, rating.ReasonBody(now(), r))
				l.history.Explain(rating.GivenReason{Device: d, Epoch: l.boxes[d].epoch, Seq: seq, Reason: r})
			}
		}
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "visits") {
		v := rating.Visit{ID: rating.VisitID(run*100 + i + 1), Window: hallWindow(), Opener: rating.OpenedByPC, WaitSec: 60,
			Grouping: rapid.SampledFrom([]rating.Grouping{rating.Single, rating.Batch, rating.Theme}).Draw(t, "grouping"),
			Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject}}
		v.Separate = v.Grouping == rating.Theme && rapid.Bool().Draw(t, "separate")
		for _, c := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "cases") {
			task := "t"
			if v.Grouping != rating.Batch {
				task += c
			}
			area := rapid.SampledFrom([]string{"", cityA, cityA, cityB}).Draw(t, "area")
			v.Cases = append(v.Cases, rating.Case{ProjectNo: fmt.Sprint("r", run, c), Area: area, TaskCode: task,
				Completed: rapid.IntRange(0, 3).Draw(t, "completed") > 0})
		}
		if rating.CheckVisit(v) != nil {
			continue
		}
		if rapid.IntRange(0, 2).Draw(t, "restarted") == 0 {
			started, boot = clock, boot+1
		}
		d := rapid.SampledFrom([]rating.DeviceID{"box-1", "box-2"}).Draw(t, "box")
		l.visits, l.at[v.ID] = append(l.visits, v), d
		l.boxes[d].append(t, rating.VisitBody(now(), v))
		l.history.Open(d, v)
		for k := range rapid.IntRange(0, 4).Draw(t, "answers") {
			answer(i*10 + k)
		}
	}
	l.drawFacts(t, run, clock)
	return l
}

// deliver appends what the life has made in any order, and some twice.
func (l *life) deliver(t *rapid.T, w *world) {
	w.now = noon().Add(time.Hour)
	var steps []func()
	for _, d := range []rating.DeviceID{"box-1", "box-2"} {
		b := l.boxes[d]
		for first := 1; first <= len(b.records); {
			n := min(rapid.IntRange(1, 4).Draw(t, "batch"), len(b.records)-first+1)
			batch := b.batch(first, first+n-1, 0)
			batch.Received = noon().Add(time.Hour).UnixMilli()
			steps = append(steps, func() { w.append(t, batch) })
			first += n
		}
	}
	for _, p := range l.answers {
		steps = append(steps, func() {
			r := journal.Rating{Device: p.box, Name: p.name, Received: p.when.UnixMilli(), Answers: []rating.Evaluation{p.e}}
			if _, err := w.journal.Rate(context.Background(), r); err != nil {
				t.Fatalf("rate: %v", err)
			}
		})
	}
	for _, row := range l.rows {
		steps = append(steps, func() { row(t, w) })
	}
	if len(steps) == 0 {
		return
	}
	order := rapid.Permutation(steps).Draw(t, "order")
	for _, step := range append(order, order[0]) {
		step()
	}
}

func keyOf(e Entry) string {
	if e.Source != "" {
		return fmt.Sprint("@"+e.Source, e.Seq, e.Text)
	}
	return fmt.Sprint(e.Device, e.Seq, e.Text)
}

// judge has a review refuse some of what was answered, for all or some cases, and adopt some of that after all. It returns what holds in
// the end.
func (l *life) judge(t *rapid.T, w *world, entries []Entry) map[string]*rating.Refusal {
	out := make(map[string]*rating.Refusal)
	for range rapid.IntRange(0, 3).Draw(t, "judged") {
		if len(entries) == 0 {
			break
		}
		e := rapid.SampledFrom(entries).Draw(t, "refused")
		a := journal.Adoption{Evaluation: e.Cursor, Adopted: rapid.IntRange(0, 3).Draw(t, "adopted") == 0}
		if _, again := out[keyOf(e)]; !again && !a.Adopted && e.Case != "" && rapid.Bool().Draw(t, "some") {
			a.Cases = []string{rating.CaseKey{Area: rapid.SampledFrom([]string{cityA, cityB}).Draw(t, "area"), Project: e.Case}.String()}
		}
		act := journal.Act{Do: "rectify.uphold", Adoption: &a}
		if _, err := w.journal.Do(context.Background(), "office", "", act,
			func(context.Context, *db.Tx, int64) error { return nil }); err != nil {
			t.Fatalf("judge: %v", err)
		}
		if out[keyOf(e)] = nil; !a.Adopted {
			out[keyOf(e)] = &rating.Refusal{Cases: a.Cases}
		}
	}
	return out
}

// inChunks makes the books of all rows that are new, some at a time, with restarts in between.
func (w *world) inChunks(t *rapid.T, g *generationOf) {
	for {
		entries, err := w.journal.Read(context.Background(), g.p.pos, rapid.IntRange(1, 6).Draw(t, "rows"))
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if len(entries) == 0 {
			return
		}
		rows, err := decode(entries)
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
			g.start(t)
		}
		if err := g.p.write(context.Background(), rows); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
}

// generationOf is books beside those that are read.
type generationOf struct{ p *projector }

func (w *world) beside(t fatal, n int64) *generationOf {
	t.Helper()
	g := &generationOf{&projector{b: w.books, t: newTables(w.booksDB.Engine(), n)}}
	if err := w.booksDB.Write(context.Background(), func(tx *db.Tx) error { return g.p.t.create(context.Background(), tx) }); err != nil {
		t.Fatalf("create: %v", err)
	}
	g.start(t)
	return g
}

func (g *generationOf) start(t fatal) {
	t.Helper()
	if err := g.p.start(context.Background()); err != nil {
		t.Fatalf("start: %v", err)
	}
}

// dump returns all rows of a generation's tables as text.
func (w *world) dump(t fatal, n int64) map[string][]string {
	t.Helper()
	out := make(map[string][]string)
	for _, name := range tableNames() {
		cols := columns(name)
		rows, err := db.Query(context.Background(), w.booksDB, func(s db.Scanner) (string, error) {
			values, to := make([]any, len(cols)), make([]any, len(cols))
			for i := range values {
				to[i] = &values[i]
			}
			err := s.Scan(to...)
			return fmt.Sprintf("%v", values), err
		}, newTables(w.booksDB.Engine(), n).of(fmt.Sprintf("SELECT %s FROM {%s}", joined(cols), name)))
		if err != nil {
			t.Fatalf("dump %s: %v", name, err)
		}
		slices.Sort(rows)
		out[name] = rows
	}
	return out
}

func joined(cols []string) (s string) {
	for i, c := range cols {
		if i > 0 {
			s += ", "
		}
		s += c
	}
	return s
}

// checkBooksDecideAsTheHistoryDoes: the books count what rating.History counts of evaluations at the times that the books know in the
// end, and for the same cases; and books that were made a few rows at a time, with restarts, are the same to the last byte.
func checkBooksDecideAsTheHistoryDoes(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		other := w.beside(t, 100)
		run, explained := 0, 0
		standings, qualities := make(map[rating.Standing]int), make(map[rating.Quality]int)
		play := func(t *rapid.T) {
			if run++; run > few && w.brief() {
				return
			}
			w.forget(t)
			l := drawLife(t, run)
			l.deliver(t, w)
			w.follow(t)
			w.inChunks(t, other)
			judged := l.judge(t, w, w.since(t))
			w.follow(t)
			w.inChunks(t, other)
			entries := w.since(t)
			got, times, earliest := make(map[string]string), make(map[string]int64), make(map[string]int64)
			for _, e := range entries {
				key := keyOf(e)
				earliest[key] = e.Earliest.UnixMilli()
				got[key], times[key] = fmt.Sprint(e.Status, w.countsFor(t, e), e.Reasons, e.Catalogue), e.At.UnixMilli()
				qualities[e.Quality]++
			}
			want := make(map[string]string)
			for _, g := range l.given {
				key := fmt.Sprint(g.Device, g.Seq, g.Submission)
				g.Time, g.Earliest = times[key], earliest[key]
				l.history.Give(g)
				if r, ok := judged[key]; ok {
					l.history.Judge(g, r)
				}
			}
			for _, d := range l.history.Decide() {
				items := []string{}
				for _, i := range d.Items {
					if i.Case != (rating.CaseKey{}) {
						items = append(items, i.Case.String())
					}
				}
				var reasons []string
				catalogue := uint32(0)
				if d.Reason != nil {
					reasons, catalogue = []string{d.Reason.Code}, d.Reason.Catalogue
					explained++
				}
				want[fmt.Sprint(d.Given.Device, d.Given.Seq, d.Given.Submission)] = fmt.Sprint(d.Standing, items, reasons, catalogue)
				standings[d.Standing]++
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("what counts (-history +books):\n%s", diff)
			}
			if run%10 == 0 {
				if diff := cmp.Diff(w.dump(t, 1), w.dump(t, 100)); diff != "" {
					t.Fatalf("tables (-at once +in parts):\n%s", diff)
				}
			}
		}
		missing := func() (all []string) {
			for _, x := range []rating.Standing{rating.Counted, rating.Replaced, rating.Later, rating.Unasked, rating.Late, rating.NotAdopted} {
				if standings[x] == 0 {
					all = append(all, string(x))
				}
			}
			for _, q := range []rating.Quality{rating.TimeSet, rating.TimeCorrected, rating.TimeEstimated} {
				if qualities[q] == 0 {
					all = append(all, string(q))
				}
			}
			if explained == 0 {
				all = append(all, "explained")
			}
			return all
		}
		// What is rare comes sooner or later. That it never comes at all is a fault of this test.
		for round := 0; round == 0 || round < 40 && len(missing()) > 0 && !t.Failed() && !w.brief(); round++ {
			simulation.Check(t, play)
		}
		if diff := cmp.Diff(w.dump(t, 1), w.dump(t, 100)); diff != "" {
			t.Fatalf("tables (-at once +in parts):\n%s", diff)
		}
		w.feedAgrees(t)
		if rare := missing(); len(rare) > 0 && !w.brief() {
			t.Errorf("nothing was ever %q; the test proves nothing of it", rare)
		}
	})
}

// countsFor returns the cases that an evaluation counts for.
func (w *world) countsFor(t fatal, e Entry) []string {
	t.Helper()
	all, err := db.Query(context.Background(), w.booksDB, func(s db.Scanner) (p string, err error) { return p, s.Scan(&p) },
		newTables(w.booksDB.Engine(), 1).of("SELECT k.project FROM {claim} c JOIN {case} k ON k.n = c.cased WHERE c.evaluation = $1 AND "+
			"c.standing = $2 ORDER BY k.project"),
		e.Cursor, number(standings(), rating.Counted))
	if err != nil {
		t.Fatalf("claims: %v", err)
	}
	if all == nil {
		all = []string{}
	}
	return all
}

// feedAgrees holds the feed to the books: what it says last of each item is what counts, and each entry follows from the one before.
func (w *world) feedAgrees(t *testing.T) {
	t.Helper()
	all, err := w.books.Decisions(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[rating.Item]int64)
	for i, d := range all {
		if d.ID != int64(i)+1 || d.Before != counts[d.Item] || d.Evaluation == d.Before {
			t.Fatalf("decision %+v follows on %d", d, counts[d.Item])
		}
		counts[d.Item] = d.Evaluation
	}
	said := make(map[int64]bool)
	for _, e := range counts {
		if e != 0 {
			said[e] = true
		}
	}
	w.from = 0
	for _, e := range w.since(t) {
		if said[e.Cursor] != (e.Status == rating.Counted) {
			t.Errorf("%+v: the feed says that it counts %t", e, said[e.Cursor])
		}
	}
}
