package ledger

import (
	"testing"
	"time"

	"haochaping/internal/rating"
)

// matterByPhone is a sending about the matter of a visit, as a whole or case by case.
func matterByPhone(v rating.VisitID, submission string, when time.Time, projects ...string) PhoneRating {
	p := PhoneRating{Device: device, Visit: v, Submission: submission, At: when}
	for _, project := range projects {
		p.Evaluations = append(p.Evaluations, rating.Evaluation{Visit: v, Subject: rating.MatterSubject, Case: project, Level: 2, Channel: rating.Phone})
	}
	return p
}

// themeVisit is a theme of two matters that asks about each by itself.
func themeVisit(ms int64, id rating.VisitID) rating.Body {
	return rating.VisitBody(at(ms), rating.Visit{ID: id, Window: window, Grouping: rating.Theme, Separate: true, Subjects: []rating.Subject{rating.MatterSubject},
		Cases:  []rating.Case{{ProjectNo: "p1", TaskCode: "t1", Completed: true}, {ProjectNo: "p2", TaskCode: "t2", Completed: true}},
		Opener: rating.OpenedByPC, WaitSec: 60})
}

// TestWhatASendingHasComeTo: an answer about a matter by itself goes before one about all of them, also of the same sending. The
// citizen is told what holds when all of it is in the books.
func TestWhatASendingHasComeTo(t *testing.T) {
	l, c := openBooks(t), newChain()
	c.append(t, themeVisit(0, 5))
	add(t, l, c.batch(1, 1, 0))
	got, err := l.AddPhone(t.Context(), matterByPhone(5, "s1", noon, "", "p1", "p2"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := l.Since(t.Context(), 0, 10)
	if err != nil || len(entries) != len(got) {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	for i, want := range []Status{Later, Counted, Counted} {
		if got[i].Status != want || entries[i].Status != want {
			t.Errorf("%+v: told %s, in the books %s, want %s", got[i].Question, got[i].Status, entries[i].Status, want)
		}
	}
}

// TestASubmissionIsOfOneVisit: the name of one sending must not make another vanish.
func TestASubmissionIsOfOneVisit(t *testing.T) {
	l := openBooks(t)
	if _, err := l.AddPhone(t.Context(), matterByPhone(5, "s1", noon, "")); err != nil {
		t.Fatal(err)
	}
	if got, err := l.AddPhone(t.Context(), matterByPhone(6, "s1", noon, "")); err == nil {
		entries, err := l.Since(t.Context(), 0, 10)
		t.Errorf("told %+v, and in the books are %d, %v", got, len(entries), err)
	}
}
