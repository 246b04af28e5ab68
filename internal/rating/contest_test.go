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

// TestWhoIsFirst names what decides between two evaluations of one case, one rule after the other, in both orders of arrival.
func TestWhoIsFirst(t *testing.T) {
	of := func(d DeviceID, visit VisitID, time int64) Contender {
		return Contender{Given: Given{Device: d, Time: time, Evaluation: Evaluation{Visit: visit, Subject: MatterSubject, Level: 3}}}
	}
	key := func(d DeviceID, visit VisitID, time int64, seq, replaces uint64) Contender {
		c := of(d, visit, time)
		c.Epoch, c.Seq, c.Evaluation.Replaces = 7, seq, replaces
		return c
	}
	phone := func(visit VisitID, time int64, submission string) Contender {
		c := of("box-1", visit, time)
		c.Submission = submission
		return c
	}
	for name, c := range map[string]struct {
		all  []Contender // the first wins
		gone int         // the index of one that was replaced, -1 for none
	}{
		"one log, by its numbers whatever the clock said": {[]Contender{key("box-1", 1, 90, 2, 0), key("box-1", 2, 10, 3, 0)}, -1},
		"one log, its first alone stands against a phone": {[]Contender{phone(3, 50, "s"), key("box-1", 1, 90, 2, 0), key("box-1", 2, 10, 3, 0)},
			-1},
		"two logs, by time": {[]Contender{key("box-2", 1, 10, 9, 0), key("box-1", 2, 20, 1, 0)}, -1},
		"a correction has its first one's place in the log": {
			[]Contender{key("box-1", 1, 60, 4, 2), key("box-1", 2, 20, 3, 0), key("box-1", 1, 50, 2, 0)}, 2},
		"a correction has its first one's time": {[]Contender{key("box-1", 1, 30, 4, 2), phone(2, 20, "s"), key("box-1", 1, 10, 2, 0)},
			2},
		"a correction of another visit's answer is none":   {[]Contender{key("box-1", 1, 10, 2, 0), key("box-1", 2, 20, 3, 2)}, -1},
		"at the same time the phone":                       {[]Contender{phone(1, 10, "s"), key("a-box", 2, 10, 2, 0)}, -1},
		"at the same time the lesser name of two boxes":    {[]Contender{key("box-1", 1, 10, 9, 0), key("box-2", 2, 10, 1, 0)}, -1},
		"at the same time the lesser name of two sendings": {[]Contender{phone(2, 10, "r"), phone(1, 10, "s")}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			for _, turned := range []bool{false, true} {
				all := slices.Clone(c.all)
				want, gone := 0, c.gone
				if turned {
					slices.Reverse(all)
					if want = len(all) - 1; gone >= 0 {
						gone = len(all) - 1 - gone
					}
				}
				winner, replaced := Contest(all)
				if winner != want || slices.Index(replaced, true) != gone {
					t.Errorf("turned %t: number %d wins, want %d; replaced are %v, want number %d", turned, winner, want, replaced, gone)
				}
			}
		})
	}
	if winner, replaced := Contest(nil); winner != -1 || len(replaced) != 0 {
		t.Errorf("of none wins %d", winner)
	}
}
