package directory

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Day is a day in Asia/Shanghai, counted from 1970-01-01.
type Day int32

// Bounds of days. Forever is the end of a period that has none yet.
const (
	firstDay Day = -7397   // 1949-10-01
	lastDay  Day = 47481   // 2099-12-31
	Forever  Day = 2932896 // 9999-12-31
)

// zone is Asia/Shanghai: one zone and no summer time, so no zone database is needed.
func zone() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

// DayOf returns the day of a moment.
func DayOf(t time.Time) Day {
	const seconds = 24 * 60 * 60
	s := t.Unix() + 8*60*60
	d := s / seconds
	if s%seconds < 0 {
		d--
	}
	return Day(d)
}

// Date returns a day of the calendar.
func Date(year int, month time.Month, day int) Day {
	return DayOf(time.Date(year, month, day, 0, 0, 0, 0, zone()))
}

// Start returns the moment at which the day begins.
func (d Day) Start() time.Time {
	return time.Date(1970, 1, 1, 0, 0, 0, 0, zone()).AddDate(0, 0, int(d))
}

// String returns the day as 2026-01-31, and nothing for Forever.
func (d Day) String() string {
	if d >= Forever {
		return ""
	}
	return d.Start().Format(time.DateOnly)
}

// MarshalText implements encoding.TextMarshaler.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Nothing is Forever.
func (d *Day) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = Forever
		return nil
	}
	*d, err = ParseDay(string(b))
	return err
}

// ParseDay reads a day as people and spreadsheets write it: 2026-01-31, 2026/1/31, 2026.1.31, 2026年1月31日, 20260131.
func ParseDay(s string) (Day, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil { // nearly all, and the pattern is slow
		return bounded(s, Date(t.Year(), t.Month(), t.Day()))
	}
	m := regexp.MustCompile(`^(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d\d)(\d\d))$`).FindStringSubmatch(s)
	if m == nil {
		return 0, faultf("日期 %q 看不懂，请写作 2026-01-31", "the date %q is not understood; write it as 2026-01-31", s)
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(m[i]) // digits, as the pattern says
		return n
	}
	month, day := number(2)+number(4), number(3)+number(5)
	t := time.Date(number(1), time.Month(month), day, 0, 0, 0, 0, zone())
	if int(t.Month()) != month || t.Day() != day {
		return 0, faultf("日期 %q 不存在", "there is no day %q", s)
	}
	return bounded(s, DayOf(t))
}

func bounded(s string, d Day) (Day, error) {
	if d < firstDay || d > lastDay {
		return 0, faultf("日期 %q 超出 1949-10-01 至 2099-12-31", "the date %q is not between 1949-10-01 and 2099-12-31", s)
	}
	return d, nil
}

// Period is the days from From to the one before To.
type Period struct {
	From Day `json:"from"`
	To   Day `json:"to"` // the first day on which it holds no more
}

// Holds reports whether a day is within.
func (p Period) Holds(d Day) bool { return p.From <= d && d < p.To }

// Covers reports whether all of q is within.
func (p Period) Covers(q Period) bool { return p.From <= q.From && q.To <= p.To }

// Meet returns the days in both, and whether there are any.
func (p Period) Meet(q Period) (Period, bool) {
	m := Period{max(p.From, q.From), min(p.To, q.To)}
	return m, m.From < m.To
}

// String returns the period as 2026-01-01/2027-01-01; one without an end ends in a slash.
func (p Period) String() string { return fmt.Sprintf("%s/%s", p.From, p.To) }
