package books

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// ofCases is a visit about the matters of completed cases and, where a number begins with a minus, of cases that are still open.
func ofCases(id rating.VisitID, g rating.Grouping, separate bool, projects ...string) rating.Visit {
	v := rating.Visit{ID: id, Window: hallWindow(), Grouping: g, Separate: separate, Subjects: []rating.Subject{rating.MatterSubject},
		Opener: rating.OpenedByPC, WaitSec: 60}
	for i, p := range projects {
		task := "t"
		if g != rating.Batch {
			task = fmt.Sprint("t", i)
		}
		open := p[0] == '-'
		if open {
			p = p[1:]
		}
		v.Cases = append(v.Cases, rating.Case{ProjectNo: p, TaskCode: task, Completed: !open})
	}
	return v
}

func keyed(ms int64, v rating.VisitID, project string) rating.Body {
	return rating.EvaluationBody(at(ms), rating.Evaluation{Visit: v, Subject: rating.MatterSubject, Case: project, Level: 2,
		Channel: rating.Keypad})
}

// matterByPhone is answers about the matter of a visit, as a whole or case by case.
func matterByPhone(v rating.VisitID, projects ...string) (all []rating.Evaluation) {
	for _, p := range projects {
		all = append(all, rating.Evaluation{Visit: v, Subject: rating.MatterSubject, Case: p, Level: 2, Channel: rating.Phone})
	}
	return all
}

// checkAVisitIsOpenedOnce: a box that records a visit a second time, and otherwise, must not take back what was said of it, whichever
// record reaches the books first.
func checkAVisitIsOpenedOnce(t *testing.T, on engine) {
	first := ofCases(5, rating.Single, false, "a")
	first.Staff = rating.Staff{ID: "0417"}
	again := ofCases(5, rating.Single, false, "-a", "b")
	again.Staff = rating.Staff{ID: "0001"}
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		for name, order := range map[string][]int{"in order": {1, 2, 3}, "turned": {3, 2, 1}} {
			w, c := open(t), newChain()
			c.append(t, rating.VisitBody(at(0), first), keyed(1000, 5, ""), rating.VisitBody(at(2000), again))
			for _, seq := range order {
				w.enter(t, c.batch(seq, seq, 0))
			}
			v, err := w.books.Visit(t.Context(), box, 5)
			if err != nil || v.Visit == nil || v.Visit.Staff.ID != "0417" || len(v.Visit.Completed()) != 1 || len(v.Counted) != 1 {
				t.Errorf("%s: the visit is %+v, %v", name, v.Visit, err)
			}
			if got := w.kinds(t); !slices.Equal(got, []string{string(Reopened)}) {
				t.Errorf("%s: findings %v", name, got)
			}
		}
		w, c := open(t), newChain()
		c.append(t, rating.VisitBody(at(0), first), rating.VisitBody(at(2000), first))
		w.enter(t, c.all())
		if got := w.kinds(t); len(got) != 0 {
			t.Errorf("the same: findings %v", got)
		}
	})
}

// checkWhatASendingHasComeTo: an answer about a matter by itself goes before one about all of them, also of the same sending. The
// citizen is told what holds when all of it is in the books.
func checkWhatASendingHasComeTo(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		c.append(t, rating.VisitBody(at(0), ofCases(5, rating.Theme, true, "p1", "p2")))
		w.enter(t, c.all())
		got := w.rate(t, "s1", noon(), matterByPhone(5, "", "p1", "p2")...)
		entries := w.since(t)
		if len(entries) != len(got) {
			t.Fatalf("%d entries, %d answers", len(entries), len(got))
		}
		for i, want := range []rating.Standing{rating.Later, rating.Counted, rating.Counted} {
			if got[i].Standing != want || entries[i].Status != want {
				t.Errorf("%+v: told %s, in the books %s, want %s", got[i].Question, got[i].Standing, entries[i].Status, want)
			}
		}
		if got := w.kinds(t); len(got) != 0 {
			t.Errorf("findings %v", got)
		}
	})
}

// checkAText is kept by the journal, and shown.
func checkAText(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		e := byPhone(5, 4)
		e.Text, e.Reasons = "谢谢", []string{"413", "406"}
		w.rate(t, "s1", noon(), e)
		got := w.since(t)
		if len(got) != 1 || got[0].Text != e.Text || !slices.Equal(got[0].Reasons, e.Reasons) {
			t.Fatalf("%+v", got)
		}
		pos, part := got[0].Pos()
		if err := w.journal.Erase(t.Context(), pos, part, "a person", "asked for"); err != nil {
			t.Fatal(err)
		}
		w.follow(t)
		if got := w.since(t); len(got) != 1 || got[0].Text != "" || got[0].Status != rating.Counted {
			t.Errorf("after it was erased: %+v", got)
		}
	})
}

// ratedOf lists the questions of a visit that no answer could count for any more.
func ratedOf(t *testing.T, w *world, id rating.VisitID) []string {
	t.Helper()
	v, err := w.books.Visit(t.Context(), box, id)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for q, channel := range v.Rated {
		all = append(all, fmt.Sprintf("%s %s by %s", q.Subject, q.Case, channel))
	}
	slices.Sort(all)
	return all
}

// checkWhatNoAnswerCouldCountFor opens visits about cases of which some were rated at another visit.
func checkWhatNoAnswerCouldCountFor(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		c.append(t, rating.VisitBody(at(0), ofCases(1, rating.Theme, false, "a", "b", "c")), keyed(1000, 1, ""), // about all three, as a whole
			rating.VisitBody(at(2000), ofCases(2, rating.Single, false, "a")), keyed(3000, 2, ""), // about a by itself
			rating.VisitBody(at(4000), ofCases(3, rating.Batch, false, "a", "d")),
			rating.VisitBody(at(5000), ofCases(4, rating.Theme, true, "a", "b", "-e")),
			rating.VisitBody(at(6000), ofCases(5, rating.Theme, false, "b", "c")),
			rating.VisitBody(at(7000), ofCases(6, rating.Single, false, "b")),
			keyed(8000, 7, ""), // of a visit whose record is on its way
			opened(9000, 9),    // about the staff only
			keyed(10_000, 4, "e"))
		w.enter(t, c.all())
		w.rate(t, "s", noon(), byPhone(4, 5))
		for id, want := range map[rating.VisitID][]string{
			1: {"matter  by keypad"},
			2: {"matter  by keypad"},
			3: nil,                                                            // d was not rated
			4: {"matter  by keypad", "matter a by keypad", "staff  by phone"}, // b only as a whole
			5: {"matter  by keypad"},
			6: nil, // b was rated only as a whole
			7: {"matter  by keypad"},
			8: nil, // nothing is known of it
			9: nil,
		} {
			if diff := cmp.Diff(want, ratedOf(t, w, id)); diff != "" {
				t.Errorf("visit %d (-want +got):\n%s", id, diff)
			}
		}
		for id, want := range map[rating.VisitID]rating.Question{2: {Subject: rating.MatterSubject}, 4: {Subject: rating.StaffSubject}} {
			v, err := w.books.Visit(t.Context(), box, id)
			if _, ok := v.Counted[want]; err != nil || len(v.Counted) != 1 || !ok {
				t.Errorf("of visit %d count %v, %v; want the answer to %v", id, v.Counted, err, want)
			}
		}
	})
}

// checkAnAnswerThatLeavesACase: while nothing is known of visit 5, its answer about case a counts. Its record says that it completed
// another case, and what was said of case a at visit 6 takes the place. A visit of another box with the same ID changes nothing.
func checkAnAnswerThatLeavesACase(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		c.append(t, rating.VisitBody(at(0), ofCases(5, rating.Single, false, "b")), keyed(1000, 5, "a"),
			rating.VisitBody(at(2000), ofCases(6, rating.Single, false, "a")), keyed(3000, 6, "a"))
		w.enter(t, c.batch(2, 4, 0))
		if got := w.statuses(t); !slices.Equal(got, []string{"不满意 counted", "不满意 later"}) {
			t.Errorf("without the record: %v", got)
		}
		other := chainOf("box-9", 8)
		other.append(t, rating.VisitBody(at(0), ofCases(5, rating.Single, false, "c")))
		w.enter(t, other.all())
		if got := w.statuses(t); !slices.Equal(got, []string{"不满意 counted", "不满意 later"}) {
			t.Errorf("with the other box's record: %v", got)
		}
		w.enter(t, c.batch(1, 1, 0))
		if got := w.statuses(t); !slices.Equal(got, []string{"不满意 unasked", "不满意 counted"}) {
			t.Errorf("with the record: %v", got)
		}
		if got := w.kinds(t); len(got) != 0 {
			t.Errorf("findings %v", got)
		}
	})
}

// checkRatedIsWhatALaterAnswerCannotCountFor holds VisitView to rating.History: a question is rated exactly if an answer to it, given
// last, would count for nothing; and what counts is what History counts.
func checkRatedIsWhatALaterAnswerCannotCountFor(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		run, closed, idle := 0, 0, 0
		rapid.Check(t, func(t *rapid.T) {
			run++
			b := chainOf(box, rating.Epoch(5000+run))
			clock := int64(0)
			now := func() rating.Stamp { clock += 1000; return at(clock) }
			var visits []rating.Visit
			var given []rating.Given
			for i := range rapid.IntRange(1, 4).Draw(t, "visits") {
				g := rapid.SampledFrom([]rating.Grouping{rating.Single, rating.Batch, rating.Theme}).Draw(t, "grouping")
				var projects []string
				for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "cases") {
					projects = append(projects, fmt.Sprint("v", run, p))
				}
				v := ofCases(rating.VisitID(1_000_000+run*100+i), g, g != rating.Batch && rapid.Bool().Draw(t, "separate"), projects...)
				if rating.CheckVisit(v) != nil {
					continue
				}
				b.append(t, rating.VisitBody(now(), v))
				visits = append(visits, v)
				for _, q := range append(v.Questions(), rating.Question{Subject: rating.MatterSubject}) {
					if !rapid.Bool().Draw(t, "answered") {
						continue
					}
					e := rating.Evaluation{Visit: v.ID, Subject: q.Subject, Case: q.Case, Level: 2, Channel: rating.Keypad}
					stamp := now()
					seq := b.append(t, rating.EvaluationBody(stamp, e))
					given = append(given, rating.Given{Device: box, Epoch: b.epoch, Seq: seq, Time: stamp.Wall, Evaluation: e})
				}
			}
			if len(visits) == 0 {
				return
			}
			w.enter(t, b.all())
			history := func() *rating.History {
				var h rating.History
				for _, v := range visits {
					h.Open(box, v)
				}
				for _, g := range given {
					h.Give(g)
				}
				return &h
			}
			for _, v := range visits {
				view, err := w.books.Visit(context.Background(), box, v.ID)
				if err != nil {
					t.Fatal(err)
				}
				for _, q := range append(v.Questions(), rating.Question{Subject: rating.MatterSubject}) {
					h := history()
					h.Give(rating.Given{Device: box, Submission: "last", Time: at(clock + 1000).Wall,
						Evaluation: rating.Evaluation{Visit: v.ID, Subject: q.Subject, Case: q.Case, Level: 2, Channel: rating.Phone}})
					all := h.Decide()
					nothing := all[len(all)-1].Standing != rating.Counted
					if _, rated := view.Rated[q]; rated != nothing {
						t.Fatalf("%+v of %+v: rated %t, though an answer could not count %t", q, v, rated, nothing)
					}
					if nothing {
						closed++
					} else {
						idle++
					}
				}
				var want, got []uint64
				for _, d := range history().Decide() {
					if d.Given.Evaluation.Visit == v.ID && d.Standing == rating.Counted {
						want = append(want, d.Given.Seq)
					}
				}
				for q, e := range view.Counted {
					if e.Case != q.Case || e.Subject != q.Subject {
						t.Fatalf("%+v is listed as the answer to %+v", e, q)
					}
					got = append(got, e.Seq)
				}
				slices.Sort(got)
				if !slices.Equal(want, got) {
					t.Fatalf("of %+v count the records %v, want %v", v, got, want)
				}
			}
		})
		if closed == 0 || idle == 0 {
			t.Errorf("%d questions were rated and %d not; the test proves nothing", closed, idle)
		}
	})
}

// checkAVisitIsReadAtOneMoment: the record of a visit that was rated by phone arrives while its page is looked at. What was rated
// stays rated, though it moves from the visit to the visit's case.
func checkAVisitIsReadAtOneMoment(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		const visits = 30
		for id := rating.VisitID(1); id <= visits; id++ {
			c.append(t, rating.VisitBody(at(int64(id)), ofCases(id, rating.Single, false, fmt.Sprint("p", id))))
			w.rate(t, fmt.Sprint("s", id), noon(), matterByPhone(id, "")...)
		}
		for id := 1; id <= visits; id++ {
			arrived := make(chan error, 1)
			w.append(t, c.batch(id, id, 0))
			go func() {
				_, err := w.projector.follow(context.Background(), false)
				arrived <- err
			}()
			for done := false; !done; {
				select {
				case err := <-arrived:
					if err != nil {
						t.Fatal(err)
					}
					done = true
				default:
				}
				v, err := w.books.Visit(t.Context(), box, rating.VisitID(id))
				if err != nil {
					t.Fatal(err)
				}
				if _, rated := v.Rated[rating.Question{Subject: rating.MatterSubject}]; !rated {
					t.Fatalf("visit %d, its record here %t: the matter is asked about again", id, v.Visit != nil)
				}
			}
		}
	})
}

// checkWait returns when the books hold a row, and with an error when they do not in time.
func checkWait(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		c.append(t, press(1, 1, 5, 0), press(2, 2, 5, 0))
		w.append(t, c.batch(1, 1, 0))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.books.Run(ctx) }()
		if err := w.books.Wait(t.Context(), 1); err != nil {
			t.Error(err)
		}
		r := w.append(t, c.batch(2, 2, 0))
		if err := w.books.Wait(t.Context(), r.Pos); err != nil || len(w.since(t)) != 2 {
			t.Errorf("%d evaluations, %v", len(w.since(t)), err)
		}
		short, done := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer done()
		if err := w.books.Wait(short, r.Pos+1); err == nil {
			t.Error("a row that there is not was waited for")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
