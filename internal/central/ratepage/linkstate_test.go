package ratepage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/books"
	"haochaping/internal/rating"
	"haochaping/qrcode"
)

func TestStand(t *testing.T) {
	issued := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	staff, matter := rating.StaffSubject, rating.MatterSubject
	both := []question{overall(staff), overall(matter)}
	rated := func(s ...rating.Subject) map[rating.Question]rating.Channel {
		m := map[rating.Question]rating.Channel{}
		for _, s := range s {
			m[rating.Question{Subject: s}] = rating.Keypad
		}
		return m
	}
	for _, c := range []struct {
		name   string
		synced bool
		visit  books.VisitView
		after  time.Duration // now, after issued
		state  linkState
		todo   []question
	}{
		{"fresh", true, books.VisitView{}, 0, asking, both},
		// The link says 10:00 also when it was issued at 10:00:59, so the tenth minute ends at 10:11.
		{"last moment", true, books.VisitView{}, 11*time.Minute - 1, asking, both},
		{"over", true, books.VisitView{}, 11 * time.Minute, expired, nil},
		{"closed visit, link alive", true, books.VisitView{ClosedAt: issued}, 9 * time.Minute, asking, both},
		{"staff rated", true, books.VisitView{Rated: rated(staff)}, time.Minute, asking, []question{overall(matter)}},
		{"both rated", true, books.VisitView{Rated: rated(staff, matter)}, time.Minute, used, nil},
		{"both rated and over", true, books.VisitView{Rated: rated(staff, matter)}, time.Hour, used, nil},
		{"clock of the box ahead", true, books.VisitView{}, -9 * time.Minute, asking, both},
		{"clock of the box far ahead, closed", true, books.VisitView{ClosedAt: issued.Add(-50 * time.Hour)}, -48 * time.Hour, expired, nil},
		{"no clock, nothing arrived", false, books.VisitView{}, 1000 * time.Hour, asking, both},
		{"no clock, just closed", false, books.VisitView{ClosedAt: issued.Add(1000 * time.Hour)}, 1000*time.Hour + Life - 1, asking, both},
		{"no clock, closed long ago", false, books.VisitView{ClosedAt: issued.Add(1000 * time.Hour)}, 1000*time.Hour + Life, expired, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			claim := qrcode.Claim{Device: boxID, Visit: visitID, Issued: issued, Synced: c.synced, Staff: true, Matter: true}
			state, todo := stateOf(claim, c.visit, issued.Add(c.after))
			if state != c.state {
				t.Errorf("state = %d, want %d", state, c.state)
			}
			if diff := cmp.Diff(c.todo, todo); diff != "" {
				t.Errorf("todo (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLimitForgets(t *testing.T) {
	l := newLimit(maxSubmissions, Life)
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	k := visitKey{boxID, visitID}
	for range maxSubmissions {
		if !l.allow(k, now) {
			t.Fatal("refused within the limit")
		}
	}
	if l.allow(k, now) {
		t.Error("allowed beyond the limit")
	}
	if !l.allow(k, now.Add(Life)) {
		t.Error("refused after the time was over")
	}
	for i := range 3 * maxCounted {
		l.allow(visitKey{boxID, rating.VisitID(i + 1)}, now.Add(Life))
	}
	if len(l.counts) > maxCounted {
		t.Errorf("%d visits are counted, at most %d should be", len(l.counts), maxCounted)
	}
}
