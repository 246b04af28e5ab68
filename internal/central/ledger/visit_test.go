package ledger

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// ofCases is a visit about the matters of completed cases and, where a number begins with a minus, of cases that are still open.
func ofCases(id rating.VisitID, g rating.Grouping, separate bool, projects ...string) rating.Visit {
	v := rating.Visit{ID: id, Window: window, Grouping: g, Separate: separate, Subjects: []rating.Subject{rating.MatterSubject}, Opener: rating.OpenedByPC, WaitSec: 60}
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
	return rating.EvaluationBody(at(ms), rating.Evaluation{Visit: v, Subject: rating.MatterSubject, Case: project, Level: 2, Channel: rating.Keypad})
}

// ratedOf lists the questions of a visit that no answer could count for any more.
func ratedOf(t *testing.T, l *Ledger, id rating.VisitID) []string {
	t.Helper()
	v, err := l.Visit(t.Context(), device, id)
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

// TestWhatNoAnswerCouldCountFor opens visits about cases of which some were rated at another visit.
func TestWhatNoAnswerCouldCountFor(t *testing.T) {
	l, c := openBooks(t), newChain()
	c.append(t, rating.VisitBody(at(0), ofCases(1, rating.Theme, false, "a", "b", "c")), keyed(1000, 1, ""), // about all three, as a whole
		rating.VisitBody(at(2000), ofCases(2, rating.Single, false, "a")), keyed(3000, 2, ""), // about a by itself
		rating.VisitBody(at(4000), ofCases(3, rating.Batch, false, "a", "d")),
		rating.VisitBody(at(5000), ofCases(4, rating.Theme, true, "a", "b", "-e")),
		rating.VisitBody(at(6000), ofCases(5, rating.Theme, false, "b", "c")),
		rating.VisitBody(at(7000), ofCases(6, rating.Single, false, "b")),
		keyed(8000, 7, ""), // of a visit whose record is on its way
		visit(9000, 9),     // about the staff only
		keyed(10_000, 4, "e"))
	add(t, l, c.batch(1, len(c.records), 0))
	if _, err := l.AddPhone(t.Context(), phone(4, 5, "s", noon)); err != nil {
		t.Fatal(err)
	}
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
		if diff := cmp.Diff(want, ratedOf(t, l, id)); diff != "" {
			t.Errorf("visit %d (-want +got):\n%s", id, diff)
		}
	}
	for id, want := range map[rating.VisitID]rating.Question{2: {Subject: rating.MatterSubject}, 4: {Subject: rating.StaffSubject}} {
		v, err := l.Visit(t.Context(), device, id)
		if _, ok := v.Counted[want]; err != nil || len(v.Counted) != 1 || !ok {
			t.Errorf("of visit %d count %v, %v; want the answer to %v", id, v.Counted, err, want)
		}
	}
}

// TestAnAnswerThatLeavesACase: while nothing is known of visit 5, its answer about case a counts. Its record says that it completed
// another case, and what was said of case a at visit 6 takes the place. A visit of another box with the same ID changes nothing.
func TestAnAnswerThatLeavesACase(t *testing.T) {
	l, c := openBooks(t), newChain()
	c.append(t, rating.VisitBody(at(0), ofCases(5, rating.Single, false, "b")), keyed(1000, 5, "a"),
		rating.VisitBody(at(2000), ofCases(6, rating.Single, false, "a")), keyed(3000, 6, "a"))
	add(t, l, c.batch(2, 4, 0))
	if got := statuses(t, l); !slices.Equal(got, []string{"不满意 counted", "不满意 later"}) {
		t.Errorf("without the record: %v", got)
	}
	other := rating.Record{V: 1, Device: "box-9", Epoch: 8, Seq: 1, Prev: rating.Genesis("box-9", 8), Body: rating.VisitBody(at(0), ofCases(5, rating.Single, false, "c"))}
	raw, err := other.Encode()
	if err != nil {
		t.Fatal(err)
	}
	add(t, l, wire.Batch{Device: "box-9", Epoch: 8, First: 1, Records: [][]byte{raw}})
	if got := statuses(t, l); !slices.Equal(got, []string{"不满意 counted", "不满意 later"}) {
		t.Errorf("with the other box's record: %v", got)
	}
	add(t, l, c.batch(1, 1, 0))
	if got := statuses(t, l); !slices.Equal(got, []string{"不满意 unasked", "不满意 counted"}) {
		t.Errorf("with the record: %v", got)
	}
}

// TestRatedIsWhatALaterAnswerCannotCountFor holds VisitView to rating.History: a question is rated exactly if an answer to it, given
// last, would count for nothing; and what counts is what History counts.
func TestRatedIsWhatALaterAnswerCannotCountFor(t *testing.T) {
	l := openBooks(t)
	run, closed, open := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		run++
		b := &boxLog{device: device, epoch: rating.Epoch(5000 + run)}
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
				given = append(given, rating.Given{Device: device, Epoch: b.epoch, Seq: seq, Time: stamp.Wall, Evaluation: e})
			}
		}
		if len(visits) == 0 {
			return
		}
		if _, err := l.AddBatch(t.Context(), wire.Batch{Device: device, Epoch: b.epoch, First: 1, Records: b.records}, nil, noon); err != nil {
			t.Fatal(err)
		}
		history := func() *rating.History {
			var h rating.History
			for _, v := range visits {
				h.Open(device, v)
			}
			for _, g := range given {
				h.Give(g)
			}
			return &h
		}
		for _, v := range visits {
			view, err := l.Visit(t.Context(), device, v.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range append(v.Questions(), rating.Question{Subject: rating.MatterSubject}) {
				h := history()
				h.Give(rating.Given{Device: device, Submission: "last", Time: at(clock + 1000).Wall,
					Evaluation: rating.Evaluation{Visit: v.ID, Subject: q.Subject, Case: q.Case, Level: 2, Channel: rating.Phone}})
				all := h.Decide()
				idle := all[len(all)-1].Standing != rating.Counted
				if _, rated := view.Rated[q]; rated != idle {
					t.Fatalf("%+v of %+v: rated %t, though an answer could not count %t", q, v, rated, idle)
				}
				if idle {
					closed++
				} else {
					open++
				}
			}
			var want []uint64
			for _, d := range history().Decide() {
				if d.Given.Evaluation.Visit == v.ID && d.Standing == rating.Counted {
					want = append(want, d.Given.Seq)
				}
			}
			var got []uint64
			for q, e := range maps.All(view.Counted) {
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
	if closed == 0 || open == 0 {
		t.Errorf("%d questions were rated and %d not; the test proves nothing", closed, open)
	}
}

// TestAVisitIsReadAtOneMoment: the record of a visit that was rated by phone arrives while its page is looked at. What was rated
// stays rated, though it moves from the visit to the visit's case.
func TestAVisitIsReadAtOneMoment(t *testing.T) {
	l, c := openBooks(t), newChain()
	const visits = 30
	for id := rating.VisitID(1); id <= visits; id++ {
		c.append(t, rating.VisitBody(at(int64(id)), ofCases(id, rating.Single, false, fmt.Sprint("p", id))))
		if _, err := l.AddPhone(t.Context(), matterByPhone(id, fmt.Sprint("s", id), noon, "")); err != nil {
			t.Fatal(err)
		}
	}
	for id := 1; id <= visits; id++ {
		arrived := make(chan error, 1)
		go func() {
			_, err := l.AddBatch(t.Context(), c.batch(id, id, 0), nil, noon)
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
			v, err := l.Visit(t.Context(), device, rating.VisitID(id))
			if err != nil {
				t.Fatal(err)
			}
			if _, rated := v.Rated[rating.Question{Subject: rating.MatterSubject}]; !rated {
				t.Fatalf("visit %d, its record here %t: the matter is asked about again", id, v.Visit != nil)
			}
		}
	}
}
