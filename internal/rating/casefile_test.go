package rating

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	cityA = "620100000000"
	cityB = "620200000000"
)

// TestWhatOfACaseIsRated holds: 全程网上办理的事项办结后,评价人对服务事项进行一次评价; 线下窗口办理或线上线下相结合的事项,评价人每次到窗口办理后均可对服务人员进行
// 一次评价,事项办结后可对服务事项进行一次评价.
func TestWhatOfACaseIsRated(t *testing.T) {
	both := []Subject{StaffSubject, MatterSubject}
	for h, want := range map[Handling][]Subject{Online: {MatterSubject}, InHall: both, Mixed: both, "": both} {
		if got := h.Subjects(); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", h, got, want)
		}
	}
}

// sentence is one sentence of article 14 about several cases: what is told and answered, and the level that each case has in the end.
type sentence struct {
	facts  []CaseFact
	given  []Given
	passed map[CaseKey]int64
	want   map[string]Level
}

func about(project string, level Level, at int64) Given {
	return Given{Device: "@portal", Submission: fmt.Sprint(project, at), Time: at, Earliest: at, About: CaseKey{cityA, project},
		Evaluation: Evaluation{Visit: VisitID(at), Subject: MatterSubject, Level: level}}
}

func aboutTheme(theme string, level Level, at int64) Given {
	g := about("", level, at)
	g.About, g.Theme = CaseKey{}, theme
	return g
}

func caseFact(project, batch, theme string, completed int64) CaseFact {
	return CaseFact{Area: cityA, ProjectNo: project, TaskCode: "t", Batch: batch, Theme: theme, CompletedAt: completed, AsOf: 1}
}

// TestSentencesOfArticle14 decides each sentence about the matter, in the order told and turned.
func TestSentencesOfArticle14(t *testing.T) {
	for name, s := range map[string]sentence{
		"事项办结后可对服务事项进行一次评价": {facts: []CaseFact{caseFact("a", "", "", 5)}, given: []Given{about("a", 5, 10), about("a", 1, 20)},
			want: map[string]Level{"a": 5}},
		"事项办结后: not before": {facts: []CaseFact{caseFact("a", "", "", 0)}, given: []Given{about("a", 5, 10)}, want: map[string]Level{}},
		"一次评价的结果适用于本次批量办理的所有业务": {facts: []CaseFact{caseFact("a", "B", "", 5), caseFact("b", "B", "", 5), caseFact("c", "", "", 5)},
			given: []Given{about("b", 4, 10)}, want: map[string]Level{"a": 4, "b": 4}},
		"of a batch, also those completed later, and not before": {facts: []CaseFact{caseFact("a", "B", "", 5), caseFact("b", "B", "", 0)},
			given: []Given{about("a", 4, 10)}, want: map[string]Level{"a": 4}},
		"a batch is rated once": {facts: []CaseFact{caseFact("a", "B", "", 5), caseFact("b", "B", "", 5)},
			given: []Given{about("a", 4, 10), about("b", 1, 20)}, want: map[string]Level{"a": 4, "b": 4}},
		"评价的结果适用于主题业务关联的所有事项": {facts: []CaseFact{caseFact("a", "", "T", 5), caseFact("b", "", "T", 5)},
			given: []Given{aboutTheme("T", 3, 10)}, want: map[string]Level{"a": 3, "b": 3}},
		"也可对关联的事项分别进行评价": {facts: []CaseFact{caseFact("a", "", "T", 5), caseFact("b", "", "T", 5)},
			given: []Given{aboutTheme("T", 3, 10), about("b", 1, 20)}, want: map[string]Level{"a": 3, "b": 1}},
		"an answer about one case of a theme is not one about the others": {
			facts: []CaseFact{caseFact("a", "", "T", 5), caseFact("b", "", "T", 5)},
			given: []Given{about("b", 1, 20)}, want: map[string]Level{"b": 1}},
		"5个工作日内未作出评价的,评价结果默认为基本满意: what was given before holds": {facts: []CaseFact{caseFact("a", "", "", 5), caseFact("b", "", "", 5)},
			given: []Given{about("a", 5, 99), about("b", 5, 100)}, passed: map[CaseKey]int64{{cityA, "a"}: 100, {cityA, "b"}: 100},
			want: map[string]Level{"a": 5}},
	} {
		for _, turned := range []bool{false, true} {
			var h History
			if turned {
				slices.Reverse(s.facts)
				slices.Reverse(s.given)
			}
			for _, g := range s.given {
				h.Give(g)
			}
			for k, at := range s.passed {
				h.Pass(k, 0, at, false)
			}
			for _, f := range s.facts {
				h.Tell(f, 0)
			}
			got := make(map[string]Level)
			for _, d := range h.Decide() {
				for _, i := range d.Items {
					got[i.Case.Project] = d.Given.Evaluation.Level
				}
			}
			if diff := cmp.Diff(s.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// TestALateAnswer is kept and marked, and replaces the default only where the province lets it.
func TestALateAnswer(t *testing.T) {
	for _, holds := range []bool{false, true} {
		var h History
		h.Tell(caseFact("a", "", "", 5), 0)
		h.Give(about("a", 1, 200))
		h.Pass(CaseKey{cityA, "a"}, 0, 100, holds)
		want := map[bool]Standing{false: Late, true: Counted}[holds]
		if got := h.Decide()[0].Standing; got != want {
			t.Errorf("late answers hold %t: %s, want %s", holds, got, want)
		}
	}
}

// TestAnAnswerBeforeTheCompletion: 事项办结后可对服务事项进行一次评价. One that was given before it by a channel waits, within what clocks may differ it
// counts, and one that came before the completion was known counts too, as do those that a visit or a batch stand for.
func TestAnAnswerBeforeTheCompletion(t *testing.T) {
	const done = 100 * Clocks
	k := CaseKey{cityA, "a"}
	visit := Visit{ID: 1, Cases: []Case{{ProjectNo: "a", Area: cityA, Completed: true}}}
	for name, c := range map[string]struct {
		batch string
		given int64
		visit bool
		want  Standing
	}{
		"before":                  {given: done - Clocks - 1, want: Unasked},
		"within what clocks may":  {given: done - Clocks, want: Counted},
		"after":                   {given: done + 1, want: Counted},
		"a visit completed it":    {given: done - Clocks - 1, visit: true, want: Counted},
		"one of a batch":          {batch: "B", given: done - Clocks - 1, want: Counted},
		"long before, of a batch": {batch: "B", given: 1, want: Counted},
	} {
		for _, told := range []bool{true, false} { // before or after the answer
			var h History
			if told {
				h.Tell(caseFact("a", c.batch, "", done), 0)
			}
			h.Give(about("a", 5, c.given))
			h.Tell(caseFact("a", c.batch, "", done), 0)
			if c.visit {
				h.Open("box", visit)
			}
			if got := h.Decide()[0].Standing; got != c.want {
				t.Errorf("%s, told before %t: %s, want %s", name, told, got, c.want)
			}
		}
	}
	var h History
	h.Give(aboutTheme("T", 3, 1))
	h.Tell(caseFact("a", "", "T", done), 0)
	if got := h.Decide()[0]; got.Standing != Counted || got.Items[0].Case != k {
		t.Errorf("an overall answer holds for what is completed later: %+v", got)
	}
	h = History{}
	h.Give(about("a", 5, 1))
	h.Tell(caseFact("a", "", "", done), 0)
	put := caseFact("a", "", "", 1)
	put.Corrects, put.AsOf = true, put.AsOf+1
	h.Tell(put, 0)
	if got := h.Decide()[0].Standing; got != Counted {
		t.Errorf("after the completion was put right: %s", got)
	}
}

// TestADefaultFallsWithALaterCompletion: silence is counted from the completion, and one that was put later takes the default back.
func TestADefaultFallsWithALaterCompletion(t *testing.T) {
	var h History
	k := CaseKey{cityA, "a"}
	h.Tell(caseFact("a", "", "", 5), 0)
	h.Pass(k, 5, 100, false)
	h.Give(about("a", 1, 200))
	if got := h.Decide()[0].Standing; got != Late {
		t.Errorf("before the correction: %s", got)
	}
	put := caseFact("a", "", "", 150)
	put.Corrects, put.AsOf = true, put.AsOf+1
	h.Tell(put, 0)
	if got := h.Decide()[0].Standing; got != Counted {
		t.Errorf("after the correction: %s", got)
	}
	h.Pass(k, 150, 190, false)
	if got := h.Decide()[0].Standing; got != Late {
		t.Errorf("after the new deadline: %s", got)
	}
}

// TestFactsInAnyOrderMakeOneFile: facts that do not contradict each other, and corrections, make the same file in any order, and no
// contradiction.
func TestFactsInAnyOrderMakeOneFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		facts := []CaseFact{{TaskCode: "t", Unit: "u"}, {Handling: Online, Batch: "B"}, {CompletedAt: 10}, {CompletedAt: 10, Theme: "T"}}
		for i := range facts {
			facts[i].AsOf = 1
		}
		want := int64(10)
		for n := range rapid.IntRange(0, 3).Draw(t, "corrections") {
			want = int64(100 + n)
			facts = append(facts, CaseFact{CompletedAt: want, AsOf: int64(n + 2), Corrects: true})
		}
		for i := range facts {
			facts[i].Area, facts[i].ProjectNo = cityA, "P"
		}
		var file CaseFile
		for _, f := range rapid.Permutation(append(facts, facts...)).Draw(t, "order") {
			var against []Contradiction
			if file, against = file.Merge(f, 7); len(against) > 0 {
				t.Fatalf("%+v contradicts: %v", f, against)
			}
		}
		got := fmt.Sprint(file.TaskCode, file.Unit, file.Handling, file.Batch, file.Theme, file.CompletedAt)
		if got != fmt.Sprint("t", "u", Online, "B", "T", want) {
			t.Fatalf("got %s, completed at %d", got, want)
		}
	})
}

// TestWhatContradictsChangesNothing: and the batch of a case is not even put right.
func TestWhatContradictsChangesNothing(t *testing.T) {
	file, _ := CaseFile{}.Merge(caseFact("a", "B", "", 5), 7)
	other := caseFact("a", "C", "", 6)
	next, against := file.Merge(other, 8)
	if len(against) != 2 || next.Batch != "B" || next.CompletedAt != 5 {
		t.Errorf("%+v, %v", next, against)
	}
	other.Corrects, other.AsOf = true, 2
	next, against = file.Merge(other, 8)
	if len(against) != 1 || against[0].Field != "batch" || next.Batch != "B" || next.CompletedAt != 6 {
		t.Errorf("as a correction: %+v, %v", next, against)
	}
}

// TestNothingIsCompletedBeforeItIsAccepted: what two facts say together contradicts, whichever came first, also as a correction; one that
// puts both right does not.
func TestNothingIsCompletedBeforeItIsAccepted(t *testing.T) {
	accepted := CaseFact{Area: cityA, ProjectNo: "a", AcceptedAt: 50, AsOf: 1}
	completed := CaseFact{Area: cityA, ProjectNo: "a", CompletedAt: 40, AsOf: 1}
	for _, order := range [][]CaseFact{{accepted, completed}, {completed, accepted}} {
		file, _ := CaseFile{}.Merge(order[0], 60)
		for _, corrects := range []bool{false, true} {
			f := order[1]
			f.Corrects, f.AsOf = corrects, 2
			next, against := file.Merge(f, 61)
			if len(against) != 1 || next.AcceptedAt != file.AcceptedAt || next.CompletedAt != file.CompletedAt || next.Corrected != nil ||
				next.Learnt != file.Learnt {
				t.Errorf("%+v after %+v: %+v, %v", f, order[0], next, against)
			}
		}
		both := CaseFact{Area: cityA, ProjectNo: "a", AcceptedAt: 30, CompletedAt: 45, AsOf: 3, Corrects: true}
		if next, against := file.Merge(both, 62); len(against) > 0 || next.AcceptedAt != 30 || next.CompletedAt != 45 {
			t.Errorf("both put right: %+v, %v", next, against)
		}
	}
}

// TestPeriodsRunFromWhenItWasLearnt: both periods run from the completion, or from when it was learnt if that is later.
func TestPeriodsRunFromWhenItWasLearnt(t *testing.T) {
	late, _ := CaseFile{}.Merge(caseFact("a", "", "", 5), 900)
	soon := CaseFile{}.Visit(CaseKey{cityA, "a"}, Case{ProjectNo: "a", Completed: true}, 50, ByVisit, 40)
	if late.Begins() != 900 || soon.Begins() != 50 {
		t.Errorf("%d and %d", late.Begins(), soon.Begins())
	}
	if at, s := soon.Completed(); at != 50 || s != ByVisit {
		t.Errorf("completed at %d, %s", at, s)
	}
	told, _ := soon.Merge(caseFact("a", "", "", 45), 60)
	if at, s := told.Completed(); at != 45 || s != Reported {
		t.Errorf("a business system says it surer: %d, %s", at, s)
	}
}

// TestEqualNumbersOfTwoCities: neither a box nor the books take one for the other.
func TestEqualNumbersOfTwoCities(t *testing.T) {
	of := func(area string) Visit {
		v := Visit{Grouping: Single, Subjects: []Subject{MatterSubject}, Cases: []Case{caseOf("P", "1")}}
		v.Window.Area = area
		return v
	}
	a := Answered{}.With(of(cityA), Question{Subject: MatterSubject})
	if err := a.CheckOpen(of(cityA)); err == nil {
		t.Error("the same case is asked about again")
	}
	if err := a.CheckOpen(of(cityB)); err != nil {
		t.Errorf("the other city's: %v", err)
	}
	elsewhere := of(cityA)
	elsewhere.Cases[0].Area = cityB
	if err := a.CheckOpen(elsewhere); err != nil {
		t.Errorf("a case of another area than its window's: %v", err)
	}
	for _, k := range []CaseKey{{"", "P"}, {cityA, "P"}} {
		if ParseCaseKey(k.String()) != k {
			t.Errorf("%+v is written %q", k, k)
		}
	}
}
