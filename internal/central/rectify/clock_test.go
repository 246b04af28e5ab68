package rectify

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// terms returns the regulation's terms with the calendars that the program brings.
func terms(t testing.TB) Terms {
	t.Helper()
	notices, err := rating.BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	c, err := rating.NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	return Terms{Calendar: c, Contact: 1, Office: 5}
}

func shanghai(t testing.TB, s string) int64 {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", s, rating.Shanghai())
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

// worked returns the days of 2024 to 2026 that are worked on, in order: read from the notices' files, and counted without the calendar.
func worked(t testing.TB) (days []string) {
	t.Helper()
	off, work := make(map[string]bool), make(map[string]bool)
	for year := 2024; year <= 2026; year++ {
		b, err := os.ReadFile(fmt.Sprintf("../../rating/calendar/%d.json", year))
		if err != nil {
			t.Fatal(err)
		}
		var n struct{ Off, Work []string }
		if err := json.Unmarshal(b, &n); err != nil {
			t.Fatal(err)
		}
		for _, d := range n.Off {
			off[d] = true
		}
		for _, d := range n.Work {
			work[d] = true
		}
	}
	for d := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC); d.Year() < 2027; d = d.AddDate(0, 0, 1) {
		day, week := d.Format("2006-01-02"), d.Weekday() != time.Saturday && d.Weekday() != time.Sunday
		if work[day] || week && !off[day] {
			days = append(days, day)
		}
	}
	return days
}

// TestClocksByAnIndependentRecount draws parts in all states over three years.
func TestClocksByAnIndependentRecount(t *testing.T) {
	terms, days := terms(t), worked(t)
	begin, end := shanghai(t, "2024-01-25 00:00"), shanghai(t, "2026-11-30 23:59")
	// nth returns the last day of n working days that are counted from the day after a moment.
	nth := func(ms int64, n int) string {
		today := time.UnixMilli(ms).UTC().Add(8 * time.Hour).Format("2006-01-02")
		for _, d := range days {
			if d > today {
				if n--; n == 0 {
					return d
				}
			}
		}
		return "none"
	}
	rapid.Check(t, func(t *rapid.T) {
		p := Part{State: rapid.SampledFrom(States()).Draw(t, "state"), From: rapid.Int64Range(begin, end).Draw(t, "from"),
			Days: rapid.IntRange(1, MostDays).Draw(t, "days")}
		p.Since = p.From + rapid.Int64Range(0, 10*24*3600_000).Draw(t, "since")
		if rapid.Bool().Draw(t, "reached") {
			p.Reached = p.Since
		}
		due, any := terms.Due(p)
		if any != p.State.Open() {
			t.Fatalf("%s has a clock: %t", p.State, any)
		}
		if !any {
			return
		}
		want := nth(p.From, p.Days)
		switch {
		case p.State == Waiting && p.Reached == 0:
			want = nth(p.From, 1)
		case p.State == Replied || p.State == FollowingUp || p.State == Appealing:
			want = nth(p.Since, 5)
		}
		// 24:00 of that day is 16:00 UTC.
		if got := due.At.UTC().Format("2006-01-02 15:04:05"); got != want+" 16:00:00" {
			t.Fatalf("%+v is due %s UTC, the recount says the end of %s", p, got, want)
		}
		now := due.At.Add(time.Duration(rapid.Int64Range(-20*24*3600, 20*24*3600).Draw(t, "now")) * time.Second)
		left, late := terms.Left(due.At, now)
		today, last, n := now.UTC().Add(8*time.Hour).Format("2006-01-02"), want, 0
		for _, d := range days {
			if d > today && d <= last || d > last && d <= today {
				n++
			}
		}
		if left != n || late != (today > last) {
			t.Fatalf("on %s, due at the end of %s: %d left, late %t; the recount says %d", today, last, left, late, n)
		}
	})
}

// TestTheTermsOfArticle16 names days that a reader can check.
func TestTheTermsOfArticle16(t *testing.T) {
	terms := terms(t)
	for _, x := range []struct {
		what, from string
		part       Part
		due        string
	}{
		{"first contact by the end of the next working day", "2026-03-02 10:00", Part{State: Waiting, Days: 5}, "2026-03-04 00:00"},
		{"over a weekend", "2026-03-06 23:59", Part{State: Waiting, Days: 5}, "2026-03-10 00:00"},
		{"five working days", "2026-03-02 10:00", Part{State: Limited, Days: 5}, "2026-03-10 00:00"},
		{"ten with the extension", "2026-03-02 10:00", Part{State: Limited, Days: 10}, "2026-03-17 00:00"},
		{"under review the same", "2026-03-02 10:00", Part{State: Reviewing, Days: 5}, "2026-03-10 00:00"},
		{"over the National Day, with Saturdays worked on", "2025-09-30 17:00", Part{State: Limited, Days: 5}, "2025-10-15 00:00"},
		{"over the Spring Festival", "2024-02-09 09:00", Part{State: Limited, Days: 5}, "2024-02-23 00:00"},
	} {
		x.part.From = shanghai(t, x.from)
		due, ok := terms.Due(x.part)
		if got := due.At.In(rating.Shanghai()).Format("2006-01-02 15:04"); !ok || got != x.due {
			t.Errorf("%s: %s, %t; want %s", x.what, got, ok, x.due)
		}
	}
	due := time.UnixMilli(shanghai(t, "2026-03-10 00:00"))
	for now, want := range map[string]Urgency{"2026-03-06 23:59": Calm, "2026-03-09 00:00": Soon, "2026-03-09 23:59": Soon,
		"2026-03-10 00:00": Overdue,
		"2026-03-10 23:59": Overdue, "2026-03-11 00:00": Escalated} {
		if got := terms.Urgency(due, time.UnixMilli(shanghai(t, now))); got != want {
			t.Errorf("at %s it is %s, want %s", now, got, want)
		}
	}
}
