package rating

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// life is random visits at several windows and the evaluations of them, in the order in which they happened.
type life struct {
	visits []opened
	given  []Given
}

type opened struct {
	device DeviceID
	visit  Visit
}

// randomLife draws visits that CheckVisit accepts, and answers by key and phone to them: early, late, corrected, about cases
// that were not asked about, of boxes whose clocks are wrong.
func randomLife(t *rapid.T) life {
	var l life
	seqs := make(map[DeviceID]uint64)
	for n := range rapid.IntRange(1, 6).Draw(t, "visits") {
		d := rapid.SampledFrom([]DeviceID{"box-1", "box-2"}).Draw(t, "device")
		v := randomVisit(t, VisitID(n+1))
		if CheckVisit(v) != nil {
			continue
		}
		l.visits = append(l.visits, opened{d, v})
	}
	last := make(map[DeviceID]uint64)
	for i := range rapid.IntRange(0, 14).Draw(t, "answers") {
		if len(l.visits) == 0 {
			break
		}
		o := rapid.SampledFrom(l.visits).Draw(t, "of")
		q := rapid.SampledFrom(append(o.visit.Questions(), Question{MatterSubject, "a"}, Question{MatterSubject, ""})).Draw(t, "question")
		g := Given{Device: o.device, Time: int64(rapid.IntRange(0, 9).Draw(t, "time")),
			Evaluation: Evaluation{Visit: o.visit.ID, Subject: q.Subject, Case: q.Case, Level: 3, Channel: Keypad}}
		if rapid.IntRange(0, 2).Draw(t, "phone") == 0 {
			g.Submission, g.Evaluation.Channel = fmt.Sprint("s", i), Phone
		} else {
			seqs[o.device]++
			g.Epoch, g.Seq = 7, seqs[o.device]
			if rapid.Bool().Draw(t, "corrects") {
				g.Evaluation.Replaces = last[o.device]
			}
			last[o.device] = g.Seq
		}
		l.given = append(l.given, g)
	}
	return l
}

func (l life) history() *History {
	var h History
	for _, o := range l.visits {
		h.Open(o.device, o.visit)
	}
	for _, g := range l.given {
		h.Give(g)
	}
	return &h
}

// TestOnceOverTheWholeLife holds article 14 of any history: one evaluation of the person per visit, one of the matter per case,
// at whatever windows and by whatever channels; nothing that was answered stays without one that counts.
func TestOnceOverTheWholeLife(t *testing.T) {
	seen := make(map[Standing]int)
	manyCases := 0
	rapid.Check(t, func(t *rapid.T) {
		l := randomLife(t)
		decisions := l.history().Decide()
		counted := make(map[Item]Decision)
		for _, d := range decisions {
			seen[d.Standing]++
			if (d.Standing == Counted) != (len(d.Items) > 0) {
				t.Fatalf("%+v counts for nothing, or for something without counting", d)
			}
			if len(d.Items) > 1 {
				manyCases++
			}
			for _, item := range d.Items {
				if other, twice := counted[item]; twice {
					t.Fatalf("for %+v both %+v and %+v count", item, other, d)
				}
				counted[item] = d
			}
		}
		h := l.history()
		for _, d := range decisions {
			v := h.visit(d.Given)
			for _, k := range d.Given.Claims(v) {
				item := Item{Case: k}
				if !h.matter(k).Completed {
					continue
				}
				winner, ok := counted[item]
				if !ok {
					t.Fatalf("nothing counts for %+v, though %+v was given", item, d)
				}
				if d.Standing == Replaced || v.Overall(d.Given.Evaluation.Question()) || !first(decisions, d.Given) {
					continue
				}
				// Who was earlier by every measure and not less specific must not lose.
				w := winner.Given
				if v := h.visit(w); v.Overall(w.Evaluation.Question()) {
					t.Fatalf("for %+v the overall %+v counts before %+v", item, w, d.Given)
				}
				corrects := w.Evaluation.Replaces != 0 || d.Given.Evaluation.Replaces != 0
				sameLog := w.Seq != 0 && d.Given.Seq != 0 && w.Device == d.Given.Device
				if !corrects && sameLog && d.Given.Seq < w.Seq {
					t.Fatalf("for %+v number %d counts before number %d of the same log", item, w.Seq, d.Given.Seq)
				}
				if d.Given.Seq == 0 && w.Seq == 0 && d.Given.Time < w.Time {
					t.Fatalf("for %+v the phone at %d counts before the phone at %d", item, w.Time, d.Given.Time)
				}
			}
		}
	})
	for _, s := range []Standing{Counted, Replaced, Later, Unasked} {
		if seen[s] == 0 {
			t.Errorf("no evaluation was ever %s; the test proves nothing of it", s)
		}
	}
	if manyCases == 0 {
		t.Error("no evaluation ever counted for several cases; the test proves nothing of batches")
	}
}

// first reports whether g is the first answer to its question.
func first(all []Decision, g Given) bool {
	var same []Contender
	for _, d := range all {
		if d.Given.Device == g.Device && d.Given.Evaluation.Visit == g.Evaluation.Visit &&
			d.Given.Evaluation.Question() == g.Evaluation.Question() {
			same = append(same, Contender{Given: d.Given})
		}
	}
	winner, _ := Contest(same)
	return same[winner].key() == g.key()
}

// TestTheOrderOfArrivalDecidesNothing adds the same visits and evaluations in another order, some twice.
func TestTheOrderOfArrivalDecidesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := randomLife(t)
		want := byIdentity(l.history().Decide())
		other := life{visits: rapid.Permutation(l.visits).Draw(t, "visits"), given: rapid.Permutation(l.given).Draw(t, "given")}
		h := other.history()
		for _, g := range l.given {
			h.Give(g)
		}
		if diff := cmp.Diff(want, byIdentity(h.Decide())); diff != "" {
			t.Fatalf("decisions (-straight +shuffled):\n%s", diff)
		}
	})
}

// byIdentity lists decisions in an order of their own.
func byIdentity(all []Decision) []string {
	var out []string
	for _, d := range all {
		out = append(out, fmt.Sprintf("%+v %s %v", d.Given, d.Standing, d.Items))
	}
	slices.Sort(out)
	return out
}

// TestRefusedAtOpeningIsWhatCouldCountForNothing: a visit is refused for its history exactly if one of its questions could be
// answered now, after all that was, without counting for anything.
func TestRefusedAtOpeningIsWhatCouldCountForNothing(t *testing.T) {
	refused, accepted := 0, 0
	check := func(t *rapid.T) {
		l := randomLife(t)
		v := randomVisit(t, 99)
		if CheckVisit(v) != nil {
			return
		}
		idle := false
		for i, q := range v.Questions() {
			h := l.history()
			h.Open("box-3", v)
			completed(h, v.Cases) // an answer that waits for a completion counts when that comes
			h.Give(Given{Device: "box-3", Epoch: 9, Seq: uint64(i) + 1, Time: 100,
				Evaluation: Evaluation{Visit: v.ID, Subject: q.Subject, Case: q.Case, Level: 3, Channel: Keypad}})
			all := h.Decide()
			idle = idle || all[len(all)-1].Standing != Counted
		}
		err := l.history().CheckOpen(v)
		var rule *RuleError
		if (err != nil) != idle || idle && (!errors.As(err, &rule) || rule.Rule != RuleMatterOnce) {
			t.Fatalf("%+v after %+v: error %v, though an answer that counts for nothing: %t", v, l, err, idle)
		}
		if idle {
			refused++
		} else {
			accepted++
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 20 { // few visits meet a case that was rated
			check(t)
		}
	})
	if refused == 0 || accepted == 0 {
		t.Errorf("%d refused and %d accepted; the test proves nothing", refused, accepted)
	}
}

// completed lets other visits tell that cases are completed.
func completed(h *History, cases []Case) {
	for i, c := range cases {
		c.Completed = true
		h.Open("box-4", Visit{ID: VisitID(1000 + i), Cases: []Case{c}, Grouping: Single, Subjects: []Subject{StaffSubject}})
	}
}

// TestABoxRefusesWhatTheBooksDo: what a box remembers of its own answers refuses what History does.
func TestABoxRefusesWhatTheBooksDo(t *testing.T) {
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		var a Answered
		var h History
		seq := uint64(0)
		for n := range rapid.IntRange(1, 8).Draw(t, "visits") {
			v := randomVisit(t, VisitID(n+1))
			theirs, ours := h.CheckOpen(v), a.CheckOpen(v)
			if fmt.Sprint(theirs) != fmt.Sprint(ours) {
				t.Fatalf("%+v: the box says %v, the history %v", v, ours, theirs)
			}
			if theirs != nil {
				refused++
				continue
			}
			h.Open("box-1", v)
			for _, q := range v.Questions() {
				if rapid.Bool().Draw(t, "answered") {
					seq++
					h.Give(Given{Device: "box-1", Epoch: 7, Seq: seq, Time: int64(seq),
						Evaluation: Evaluation{Visit: v.ID, Subject: q.Subject, Case: q.Case, Level: 3}})
					a = a.With(v, q)
				}
			}
		}
	})
	if refused == 0 {
		t.Error("nothing was ever refused; the test proves nothing")
	}
}

// TestABoxRemembersTheMoreParticularAnswer: a theme was rated as a whole and case a by itself, in whatever order.
func TestABoxRemembersTheMoreParticularAnswer(t *testing.T) {
	theme := Visit{Grouping: Theme, Subjects: []Subject{MatterSubject}, Cases: []Case{caseOf("a", "1"), caseOf("b", "2")}}
	about := func(c Case) Visit {
		return Visit{Grouping: Single, Subjects: []Subject{MatterSubject}, Cases: []Case{c}}
	}
	whole, single := Question{Subject: MatterSubject}, Question{MatterSubject, "a"}
	for _, order := range [][]Question{{whole, single}, {single, whole}} {
		var a Answered
		for _, q := range order {
			a = a.With(theme, q)
		}
		if len(a.cases) != 2 {
			t.Errorf("%v: %d cases are remembered, there are two", order, len(a.cases))
		}
		if err := a.CheckOpen(about(caseOf("a", "1"))); err == nil {
			t.Errorf("%v: a was rated by itself and is asked about again", order)
		}
		if err := a.CheckOpen(about(caseOf("b", "2"))); err != nil {
			t.Errorf("%v: b was rated only as a whole: %v", order, err)
		}
	}
}

func TestWhatABoxRemembersIsBounded(t *testing.T) {
	var a Answered
	v := Visit{Grouping: Batch, Subjects: []Subject{MatterSubject}}
	for i := range MaxCases {
		v.Cases = append(v.Cases, caseOf(fmt.Sprint(i), "1"))
	}
	for n := range MaxAnswered/MaxCases + 1 {
		for i := range v.Cases {
			v.Cases[i].ProjectNo = fmt.Sprint(n, "-", i)
		}
		a = a.With(v, Question{Subject: MatterSubject})
	}
	if len(a.cases) != MaxAnswered {
		t.Errorf("%d cases are remembered", len(a.cases))
	}
	if err := a.CheckOpen(v); err == nil {
		t.Error("the latest was forgotten")
	}
}

func ExampleHistory() {
	var h History
	theme := Visit{ID: 1, Grouping: Theme, Subjects: []Subject{MatterSubject}, Cases: []Case{
		{ProjectNo: "licence", Completed: true}, {ProjectNo: "seal", Completed: true}}}
	h.Open("box-1", theme)
	h.Give(Given{Device: "box-1", Epoch: 7, Seq: 2, Time: 10, Evaluation: Evaluation{Visit: 1, Subject: MatterSubject, Level: 5}})
	h.Give(Given{Device: "box-1", Submission: "s", Time: 20, Evaluation: Evaluation{Visit: 1, Subject: MatterSubject, Case: "seal", Level: 2}})
	for _, d := range h.Decide() {
		fmt.Println(d.Given.Evaluation.Level.English(), d.Standing, d.Items[0].Case)
	}
	// Output:
	// Very satisfied counted licence
	// Dissatisfied counted seal
}
