package rating

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

// caseOf returns a completed case.
func caseOf(project, task string) Case {
	return Case{ProjectNo: project, TaskCode: task, Completed: true}
}

func TestRulesOfArticle14(t *testing.T) {
	open := func(c Case) Case { c.Completed = false; return c }
	both := []Subject{StaffSubject, MatterSubject}
	for name, c := range map[string]struct {
		visit Visit
		want  Rule
	}{
		"staff only":  {Visit{Grouping: Single, Subjects: []Subject{StaffSubject}}, ""},
		"one case":    {Visit{Grouping: Single, Subjects: both, Cases: []Case{caseOf("a", "1")}}, ""},
		"staff twice": {Visit{Grouping: Single, Subjects: []Subject{StaffSubject, StaffSubject}}, RuleStaffOnce},
		"matter twice": {Visit{Grouping: Single, Subjects: []Subject{MatterSubject, MatterSubject}, Cases: []Case{caseOf("a", "1")}},
			RuleMatterOnce},
		"nothing completed":   {Visit{Grouping: Single, Subjects: both, Cases: []Case{open(caseOf("a", "1"))}}, RuleMatterCompleted},
		"case twice":          {Visit{Grouping: Batch, Subjects: both, Cases: []Case{caseOf("a", "1"), caseOf("a", "1")}}, RuleCaseOnce},
		"batch":               {Visit{Grouping: Batch, Subjects: both, Cases: []Case{caseOf("a", "1"), caseOf("b", "1")}}, ""},
		"batch of one":        {Visit{Grouping: Batch, Subjects: both, Cases: []Case{caseOf("a", "1")}}, RuleBatchSize},
		"batch of two tasks":  {Visit{Grouping: Batch, Subjects: both, Cases: []Case{caseOf("a", "1"), caseOf("b", "2")}}, RuleBatchMatter},
		"batch without tasks": {Visit{Grouping: Batch, Subjects: both, Cases: []Case{caseOf("a", ""), caseOf("b", "")}}, RuleBatchMatter},
		"batch one by one": {Visit{Grouping: Batch, Separate: true, Subjects: both, Cases: []Case{caseOf("a", "1"), caseOf("b", "1")}},
			RuleThemeSeparate},
		"batch unnamed":      {Visit{Grouping: Single, Subjects: both, Cases: []Case{caseOf("a", "1"), caseOf("b", "1")}}, RuleBatchOnce},
		"two matters":        {Visit{Grouping: Single, Separate: true, Subjects: both, Cases: []Case{caseOf("a", "1"), caseOf("b", "2")}}, ""},
		"one answer for two": {Visit{Grouping: Single, Subjects: both, Cases: []Case{caseOf("a", "1"), caseOf("b", "2")}}, RuleMatterEach},
		"two, matter unasked": {Visit{Grouping: Single, Subjects: []Subject{StaffSubject}, Cases: []Case{caseOf("a", "1"), caseOf("b", "2")}},
			""},
		"two unnamed matters": {Visit{Grouping: Single, Subjects: both, Cases: []Case{caseOf("a", ""), caseOf("b", "")}}, RuleMatterEach},
		"one still open":      {Visit{Grouping: Single, Subjects: both, Cases: []Case{caseOf("a", "1"), open(caseOf("b", "1"))}}, ""},
		"theme":               {Visit{Grouping: Theme, Subjects: both, Cases: []Case{caseOf("a", "1"), caseOf("b", "2")}}, ""},
		"theme one by one":    {Visit{Grouping: Theme, Separate: true, Subjects: both, Cases: []Case{caseOf("a", "1"), caseOf("b", "2")}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckVisit(c.visit)
			if c.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			var rule *RuleError
			if !errors.As(err, &rule) || rule.Rule != c.want {
				t.Fatalf("error %v, want rule %s", err, c.want)
			}
			chinese := func(s string) bool {
				return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
			}
			if rule.Article != 14 || !chinese(rule.Chinese) || !chinese(rule.ChineseAdvice) || rule.English == "" || rule.EnglishAdvice == "" ||
				!strings.Contains(rule.Error(), "article 14") {
				t.Errorf("it does not say what and why in both languages: %+v", rule)
			}
		})
	}
}

// randomVisit draws a visit of few cases and tasks, so that they meet.
func randomVisit(t *rapid.T, id VisitID) Visit {
	v := Visit{ID: id, Grouping: rapid.SampledFrom([]Grouping{Single, Batch, Theme}).Draw(t, "grouping"),
		Subjects: rapid.SampledFrom([][]Subject{{StaffSubject}, {MatterSubject}, {StaffSubject, MatterSubject}, {StaffSubject, StaffSubject}}).
			Draw(t, "subjects"),
		Separate: rapid.Bool().Draw(t, "separate")}
	for range rapid.IntRange(0, 3).Draw(t, "cases") {
		v.Cases = append(v.Cases, Case{ProjectNo: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "project"),
			TaskCode: rapid.SampledFrom([]string{"1", "1", "2", ""}).Draw(t, "task"), Completed: rapid.IntRange(0, 3).Draw(t, "completed") > 0})
	}
	return v
}

// TestEveryAcceptedVisitKeepsArticle14 states the article anew, over pairs of cases, and compares.
func TestEveryAcceptedVisitKeepsArticle14(t *testing.T) {
	accepted := make(map[Grouping]int)
	refused := make(map[Rule]int)
	check := func(t *rapid.T) {
		v := randomVisit(t, 1)
		count := func(s Subject) (n int) {
			for _, x := range v.Subjects {
				if x == s {
					n++
				}
			}
			return n
		}
		pair := func(p func(a, b Case) bool) bool {
			for i, a := range v.Cases {
				for _, b := range v.Cases[i+1:] {
					if p(a, b) {
						return true
					}
				}
			}
			return false
		}
		done := func(a, b Case) bool { return a.Completed && b.Completed }
		ok := count(StaffSubject) <= 1 && count(MatterSubject) <= 1
		ok = ok && (count(MatterSubject) == 0 || slices.ContainsFunc(v.Cases, func(c Case) bool { return c.Completed }))
		ok = ok && !pair(func(a, b Case) bool { return a.ProjectNo == b.ProjectNo })
		if v.Grouping == Batch {
			ok = ok && len(v.Cases) >= 2 && !v.Separate && !pair(func(a, b Case) bool { return a.TaskCode != b.TaskCode || a.TaskCode == "" })
		}
		if v.Grouping == Single && count(MatterSubject) == 1 {
			ok = ok && !pair(func(a, b Case) bool {
				return done(a, b) && (!v.Separate || a.TaskCode == b.TaskCode && a.TaskCode != "")
			})
		}
		err := CheckVisit(v)
		if (err == nil) != ok {
			t.Fatalf("%+v: error %v, want accepted %t", v, err, ok)
		}
		var rule *RuleError
		if errors.As(err, &rule) {
			refused[rule.Rule]++
		} else {
			accepted[v.Grouping]++
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			check(t)
		}
	})
	for _, r := range []Rule{RuleStaffOnce, RuleMatterEach, RuleMatterCompleted, RuleCaseOnce, RuleBatchSize, RuleBatchMatter, RuleBatchOnce,
		RuleThemeSeparate} {
		if refused[r] == 0 {
			t.Errorf("nothing was ever refused by %s; the test proves nothing of it", r)
		}
	}
	for _, g := range []Grouping{Single, Batch, Theme} {
		if accepted[g] == 0 {
			t.Errorf("no %s was ever accepted; the test proves nothing of it", g)
		}
	}
}

// TestOneAnswerForSeveralCases: of an accepted visit an answer stands for more than one case only where the regulation says so.
func TestOneAnswerForSeveralCases(t *testing.T) {
	shared := make(map[Grouping]int)
	rapid.Check(t, func(t *rapid.T) {
		for range 30 {
			v := randomVisit(t, 1)
			if CheckVisit(v) != nil {
				continue
			}
			for _, q := range v.Questions() {
				if len(v.Covers(q)) > 1 {
					shared[v.Grouping]++
				}
			}
		}
	})
	if shared[Single] > 0 || shared[Batch] == 0 || shared[Theme] == 0 {
		t.Errorf("answers for several cases: %v, want them of batches and themes", shared)
	}
}

func TestQuestions(t *testing.T) {
	v := Visit{Grouping: Theme, Subjects: []Subject{StaffSubject, MatterSubject},
		Cases: []Case{caseOf("a", "1"), {ProjectNo: "b"}, caseOf("c", "2")}}
	if got := v.Questions(); !slices.Equal(got, []Question{{StaffSubject, ""}, {MatterSubject, ""}}) {
		t.Errorf("as a whole: %v", got)
	}
	if got := v.Covers(Question{MatterSubject, ""}); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("the overall answer covers %v", got)
	}
	v.Separate = true
	if got := v.Questions(); !slices.Equal(got, []Question{{StaffSubject, ""}, {MatterSubject, "a"}, {MatterSubject, "c"}}) {
		t.Errorf("one by one: %v", got)
	}
	if got := v.Covers(Question{MatterSubject, "b"}); got != nil {
		t.Errorf("a case that is not completed: %v", got)
	}
	v.ID, v.Window, v.Opener, v.WaitSec = 1, visitOf().Window, OpenedByPC, 60
	for i := range MaxSeparate {
		v.Cases = append(v.Cases, caseOf(strings.Repeat("x", i+1), ""))
	}
	if err := v.Check(); err == nil || !strings.Contains(err.Error(), "one by one") {
		t.Errorf("%d screens: %v", len(v.Questions()), err)
	}
}
