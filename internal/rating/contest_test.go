package rating

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestAQuestionIsAnsweredOnce: of all answers to one question of one visit at most one counts, for all cases that it is about
// (实行一次评价。一次评价的结果适用于本次批量办理的所有业务), even if another visit was about some of them and a clock was set back in between.
func TestAQuestionIsAnsweredOnce(t *testing.T) {
	contested := 0
	rapid.Check(t, func(t *rapid.T) {
		h := randomLife(t).history()
		counted := make(map[visitKey]map[Question]Decision)
		for _, d := range h.Decide() {
			k := visitKey{d.Given.Device, d.Given.Evaluation.Visit}
			if counted[k] == nil {
				counted[k] = make(map[Question]Decision)
			}
			q := d.Given.Evaluation.Question()
			other, twice := counted[k][q]
			switch {
			case d.Standing == Counted && twice:
				t.Fatalf("both answer one question, and both count: %+v and %+v", other, d)
			case d.Standing == Counted:
				counted[k][q] = d
			case d.Standing == Later:
				contested++
			}
		}
	})
	if contested == 0 {
		t.Error("no answer ever came later; the test proves nothing")
	}
}

// TestABatchIsRatedOnceWhateverTheClocksSay: the key of visit 5, about both cases of a batch, comes before the phone, but in its log
// after a key of visit 9 about one of them, pressed while the clock was ahead.
func TestABatchIsRatedOnceWhateverTheClocksSay(t *testing.T) {
	var h History
	batch := Visit{ID: 5, Grouping: Batch, Subjects: []Subject{MatterSubject}, Cases: []Case{caseOf("a", "1"), caseOf("b", "1")}}
	h.Open("box-1", Visit{ID: 9, Grouping: Single, Subjects: []Subject{MatterSubject}, Cases: []Case{caseOf("a", "1")}})
	h.Open("box-1", batch)
	matter := func(v VisitID, c Channel) Evaluation {
		return Evaluation{Visit: v, Subject: MatterSubject, Level: 3, Channel: c}
	}
	h.Give(Given{Device: "box-1", Epoch: 7, Seq: 1, Time: 100, Evaluation: matter(9, Keypad)})
	h.Give(Given{Device: "box-1", Epoch: 7, Seq: 2, Time: 40, Evaluation: matter(5, Keypad)})
	h.Give(Given{Device: "box-1", Submission: "s", Time: 50, Evaluation: matter(5, Phone)})
	var counted []Channel
	for _, d := range h.Decide() {
		if d.Given.Evaluation.Visit == 5 && d.Standing == Counted {
			counted = append(counted, d.Given.Evaluation.Channel)
		}
	}
	if !slices.Equal(counted, []Channel{Keypad}) {
		t.Errorf("of the batch count the answers by %v, want that by key alone", counted)
	}
}

// TestNamesDecideWhatTimesDoNot: answers of one sending have the same time, and then the order in which they came must not decide.
func TestNamesDecideWhatTimesDoNot(t *testing.T) {
	phone := func(visit VisitID, project string) Contender {
		return Contender{Given: Given{Device: "box-1", Submission: "s", Time: 7,
			Evaluation: Evaluation{Visit: visit, Subject: MatterSubject, Case: project, Level: 3, Channel: Phone}}}
	}
	for name, pair := range map[string][2]Contender{
		"of one visit":   {phone(1, ""), phone(1, "a")},
		"of two visits":  {phone(1, "a"), phone(2, "a")},
		"of other cases": {phone(2, ""), phone(1, "a")},
	} {
		straight, _ := Contest(pair[:])
		turned, _ := Contest([]Contender{pair[1], pair[0]})
		if straight != 1-turned {
			t.Errorf("%s: the order decides", name)
		}
	}
}

// TestNothingCompletedNothingRated: 事项办结后可对服务事项进行一次评价. Once the visit is known to have completed nothing, an answer about the
// matter counts for nothing.
func TestNothingCompletedNothingRated(t *testing.T) {
	var h History
	h.Give(Given{Device: "box-1", Submission: "s", Evaluation: Evaluation{Visit: 1, Subject: MatterSubject, Level: 1}})
	if got := h.Decide()[0].Standing; got != Counted {
		t.Errorf("while nothing is known of the visit: %s", got)
	}
	h.Open("box-1", Visit{ID: 1, Subjects: []Subject{StaffSubject}, Cases: []Case{{ProjectNo: "a"}}})
	if got := h.Decide()[0].Standing; got != Unasked {
		t.Errorf("of a visit that completed nothing: %s, want %s", got, Unasked)
	}
}
