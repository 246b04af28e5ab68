package rating

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func builtInCalendar(t testing.TB) Calendar {
	t.Helper()
	notices, err := BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCalendar(notices...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func shanghai(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", s, Shanghai())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestFiveWorkingDays holds: 5个工作日内未作出评价的,评价结果默认为基本满意.
func TestFiveWorkingDays(t *testing.T) {
	c := builtInCalendar(t)
	for _, x := range []struct {
		what, completed, deadline string
		missing                   int
	}{
		{"a Monday: to the next Monday's end", "2026-03-02 10:00", "2026-03-10 00:00", 0},
		{"its first moment", "2026-03-02 00:00", "2026-03-10 00:00", 0},
		{"its last minute", "2026-03-02 23:59", "2026-03-10 00:00", 0},
		{"a Saturday without work", "2026-03-07 12:00", "2026-03-14 00:00", 0},
		{"over the Spring Festival with Saturdays worked on", "2026-02-13 09:00", "2026-02-28 00:00", 0},
		{"over the National Day", "2025-09-30 17:00", "2025-10-15 00:00", 0},
		{"over New Year", "2024-12-30 10:00", "2025-01-08 00:00", 0},
		{"a year whose notice is not known", "2026-12-28 10:00", "2027-01-05 00:00", 2027},
		{"the last week of December waits for the next notice", "2026-12-21 10:00", "2026-12-29 00:00", 2027},
		{"the week before does not", "2026-12-17 10:00", "2026-12-25 00:00", 0},
		{"before all notices", "2020-06-01 10:00", "2020-06-09 00:00", 2020},
	} {
		d := c.Default(shanghai(t, x.completed))
		if got := d.At.Format("2006-01-02 15:04"); got != x.deadline || d.Missing != x.missing || d.Provisional() != (x.missing != 0) {
			t.Errorf("%s: got %s, missing %d; want %s, %d", x.what, got, d.Missing, x.deadline, x.missing)
		}
	}
}

// TestACalendarOfAnotherYearMakesADeadlineSure gives the notice that was missing.
func TestACalendarOfAnotherYearMakesADeadlineSure(t *testing.T) {
	notices, err := BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCalendar(append(notices, Notice{Year: 2027, Source: "a test's", Off: []string{"2026-12-31", "2027-01-01"},
		Work: []string{"2026-12-26"}})...)
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Default(shanghai(t, "2026-12-28 10:00")); d.Provisional() || d.At.Format(dayForm) != "2027-01-07" {
		t.Errorf("got %v", d)
	}
}

// TestNaiveRecount compares with a recount that walks from minute to minute, for all of 2024 to 2026.
func TestNaiveRecount(t *testing.T) {
	c := builtInCalendar(t)
	off, work := make(map[string]bool), make(map[string]bool)
	notices, err := BuiltInNotices()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range notices {
		for _, d := range n.Off {
			off[d] = true
		}
		for _, d := range n.Work {
			work[d] = true
		}
	}
	first := shanghai(t, "2024-01-01 00:00").Unix() / 60
	last := shanghai(t, "2026-12-17 23:59").Unix() / 60
	rapid.Check(t, func(t *rapid.T) {
		start := time.Unix(60*rapid.Int64Range(first, last).Draw(t, "minute"), 0)
		today := start.In(Shanghai()).Format(dayForm)
		worked := make(map[string]bool)
		at := start
		for ; len(worked) <= DefaultDays; at = at.Add(time.Minute) {
			local := at.In(Shanghai())
			day := local.Format(dayForm)
			rest := off[day] || !work[day] && (local.Weekday() == 0 || local.Weekday() == 6)
			if day != today && !rest {
				worked[day] = true
			}
			if len(worked) == DefaultDays && !worked[day] {
				break
			}
			if len(worked) > DefaultDays {
				break
			}
		}
		got := c.Default(start)
		if !got.At.Equal(at) || got.Provisional() {
			t.Fatalf("completed %s: got %s, the recount says %s", start.In(Shanghai()), got.At, at.In(Shanghai()))
		}
	})
}

// TestOverdueFindsWhatItsDeadlineSays compares the one moment with each case's own deadline.
func TestOverdueFindsWhatItsDeadlineSays(t *testing.T) {
	c := builtInCalendar(t)
	first, last := shanghai(t, "2024-01-20 00:00").Unix(), shanghai(t, "2027-02-01 00:00").Unix()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(first, last).Draw(t, "now"), 0)
		completed := now.Add(-time.Duration(rapid.Int64Range(0, 20*24*3600).Draw(t, "age")) * time.Second)
		d := c.Default(completed)
		if due := !d.Provisional() && !d.At.After(now); due != completed.Before(c.Overdue(now)) {
			t.Fatalf("completed %s, now %s: deadline %v, overdue before %s", completed, now, d, c.Overdue(now))
		}
	})
}

// TestCalendarsThatAreNone are refused.
func TestCalendarsThatAreNone(t *testing.T) {
	for _, text := range []string{`{`, `{"year":2026}`, `{"year":2026,"source":"x","off":["2026-02-30"]}`,
		`{"year":2026,"source":"x","off":["2025-12-01"]}`,
		`{"year":2026,"source":"x","off":["2026-01-03"]}`, `{"year":2026,"source":"x","work":["2026-01-05"]}`,
		`{"year":2026,"source":"x","offs":["2026-01-01"]}`, `{"year":2026,"source":"x","off":["2026-01-01"],"off":[]}`,
		`{"year":2026,"source":"x","Off":["2026-01-01"]}`} {
		if _, err := ParseNotice([]byte(text)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
	n := Notice{Year: 2026, Source: "x"}
	if _, err := NewCalendar(n, n); err == nil {
		t.Error("a year has two notices")
	}
}

// TestDaysOfShanghai: the number of a day changes at midnight in Shanghai and nowhere else, and says the deadline.
func TestDaysOfShanghai(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(-1e12, 4e12).Draw(t, "moment")
		day := time.UnixMilli(ms).In(Shanghai())
		midnight := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, Shanghai()).UnixMilli()
		if n := ShanghaiDay(ms); ShanghaiDay(midnight) != n || ShanghaiDay(midnight-1) != n-1 {
			t.Fatalf("%d is of day %d, its midnight of %d, the moment before of %d", ms, n, ShanghaiDay(midnight), ShanghaiDay(midnight-1))
		}
	})
}

// TestASilentChannel holds: 保障本单位…渠道畅通 (article 7), by working days.
func TestASilentChannel(t *testing.T) {
	c := builtInCalendar(t)
	for _, x := range []struct {
		what, last, now string
		days            int
		since           string
		silent          bool
	}{
		{"the third day", "2026-03-02 10:00", "2026-03-05 23:59", 3, "2026-03-06 00:00", false},
		{"its end", "2026-03-02 10:00", "2026-03-06 00:00", 3, "2026-03-06 00:00", true},
		{"over a weekend", "2026-03-06 10:00", "2026-03-09 12:00", 1, "2026-03-10 00:00", false},
		{"over the National Day nobody comes", "2025-09-30 17:00", "2025-10-09 09:00", 1, "2025-10-10 00:00", false},
		{"where no notice is known the week decides", "2031-03-03 10:00", "2031-03-05 00:00", 1, "2031-03-05 00:00", true},
	} {
		since, silent := c.Silent(shanghai(t, x.last), shanghai(t, x.now), x.days)
		if got := since.Format("2006-01-02 15:04"); got != x.since || silent != x.silent {
			t.Errorf("%s: since %s, %t; want %s, %t", x.what, got, silent, x.since, x.silent)
		}
	}
}
