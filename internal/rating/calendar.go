package rating

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	strict "github.com/go-json-experiment/json"
)

// The yearly notices that were known when this program was built.
//
//go:embed calendar/*.json
var builtInNotices embed.FS

const (
	// DefaultDays is how many working days pass before silence has a meaning (5个工作日内未作出评价的, article 14).
	DefaultDays = 5
	// RemindAfter is how long after completion an unrated case is reminded of (24小时内未作出评价的, article 14).
	RemindAfter = 24 * time.Hour
	// newYear is the day of December from which the next year's notice may say otherwise.
	newYear = 25
	dayForm = "2006-01-02"
)

// Shanghai returns the time zone of all days of the regulation. It has had no summer time since 1991.
func Shanghai() *time.Location { return time.FixedZone("Asia/Shanghai", 8*60*60) }

// ShanghaiDay returns the number of a moment's day in Asia/Shanghai, of milliseconds since 1970-01-01 UTC. Deadlines of one day's moments
// are the same.
func ShanghaiDay(ms int64) int64 {
	const day = 24 * 60 * 60_000
	ms += 8 * 60 * 60_000
	if ms < 0 {
		return (ms - day + 1) / day
	}
	return ms / day
}

// Notice is what the State Council's yearly notice says of days that are not as the week has them.
type Notice struct {
	Year   int      `json:"year"`
	Source string   `json:"source"` // the notice's title
	Off    []string `json:"off"`    // weekdays without work, as 2026-01-01
	Work   []string `json:"work"`   // Saturdays and Sundays with work
}

// Calendar knows the working days of the years whose notices it holds. It is not changed after NewCalendar.
type Calendar struct {
	years map[int]bool
	off   map[string]bool
	work  map[string]bool
}

// NewCalendar returns the calendar of some notices, of a year at most one.
func NewCalendar(notices ...Notice) (Calendar, error) {
	c := Calendar{years: make(map[int]bool), off: make(map[string]bool), work: make(map[string]bool)}
	for _, n := range notices {
		if n.Year < 2000 || n.Year > 9999 || n.Source == "" {
			return Calendar{}, tell("%d 年的日历没有写全；请写 year 和 source", "calendar of %d: the year or its source is missing; write both", n.Year)
		}
		if c.years[n.Year] {
			return Calendar{}, tell("%d 年的日历有两份；请删去一份", "calendar of %d: there are two; remove one", n.Year)
		}
		c.years[n.Year] = true
		if err := errors.Join(c.enter(n, n.Off, false), c.enter(n, n.Work, true)); err != nil {
			return Calendar{}, err
		}
	}
	return c, nil
}

// enter takes the days of one notice that are worked on, or those that are not.
func (c Calendar) enter(n Notice, days []string, work bool) error {
	for _, d := range days {
		t, err := time.ParseInLocation(dayForm, d, Shanghai())
		if err != nil {
			return tell("%d 年的日历：%q 不是日期；请写成 2027-01-01", "calendar of %d: %q is no day; write it as 2027-01-01", n.Year, d)
		}
		if t.Year() != n.Year && (t.Year() != n.Year-1 || t.Month() != time.December || t.Day() < newYear) {
			return tell("%d 年的日历：%s 不在这一年，也不在上一年最后一周；请删去", "calendar of %d: %s is neither in it nor in the last week before; remove it", n.Year, d)
		}
		if weekend(t) != work {
			return tell("%d 年的日历：%s 按星期已是如此；请删去", "calendar of %d: %s is so already by the week; remove it", n.Year, d)
		}
		if work {
			c.work[d] = true
		} else {
			c.off[d] = true
		}
	}
	return nil
}

// ParseNotice reads a notice's file. A member that it does not have, or has twice, is an error: holidays that are left out would bring
// defaults before their time.
func ParseNotice(b []byte) (Notice, error) {
	var n Notice
	if err := strict.Unmarshal(b, &n, strict.RejectUnknownMembers(true)); err != nil {
		return n, tell("日历写得不对（%v）；对照 docs/cases.md 改正", "the calendar cannot be read (%v); correct it by docs/cases.md", err)
	}
	_, err := NewCalendar(n)
	return n, err
}

// BuiltInNotices returns the notices that this program brings with it, by year.
func BuiltInNotices() ([]Notice, error) {
	names, err := fs.Glob(builtInNotices, "calendar/*.json")
	if err != nil {
		return nil, err
	}
	var all []Notice
	for _, name := range names {
		b, err := builtInNotices.ReadFile(name)
		if err != nil {
			return nil, err
		}
		n, err := ParseNotice(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, n)
	}
	return all, nil
}

// Years returns the years whose notices are known.
func (c Calendar) Years() []int { return slices.Sorted(maps.Keys(c.years)) }

func weekend(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }

// Working reports whether the day of t in Asia/Shanghai is a working day, and which year's notice is missing to say so for sure, 0 if
// none is.
func (c Calendar) Working(t time.Time) (working bool, missing int) {
	t = t.In(Shanghai())
	switch {
	case !c.years[t.Year()]:
		missing = t.Year()
	case t.Month() == time.December && t.Day() >= newYear && !c.years[t.Year()+1]:
		missing = t.Year() + 1
	}
	day := t.Format(dayForm)
	return c.work[day] || !weekend(t) && !c.off[day], missing
}

// Deadline is when a period of working days ends.
type Deadline struct {
	At time.Time // 24:00 of the last day in Asia/Shanghai: the first moment that is too late
	// Missing is the year whose notice would have to be known for the deadline to be sure, 0 if it is sure. At is then the
	// earliest that it can be.
	Missing int
}

// Provisional reports whether a notice that is still to come may move the deadline.
func (d Deadline) Provisional() bool { return d.Missing != 0 }

// After returns the end of n working days that are counted from the day after start (5个工作日内, article 14).
func (c Calendar) After(start time.Time, n int) Deadline {
	start = start.In(Shanghai())
	day := time.Date(start.Year(), start.Month(), start.Day(), 0, 0, 0, 0, Shanghai())
	var d Deadline
	for n > 0 {
		day = day.AddDate(0, 0, 1)
		working, missing := c.Working(day)
		if working {
			n--
		}
		if d.Missing == 0 {
			d.Missing = missing
		}
	}
	d.At = day.AddDate(0, 0, 1)
	return d
}

// Default returns when a matter completed at a moment is rated by default, unless it was rated (article 14).
func (c Calendar) Default(completed time.Time) Deadline { return c.After(completed, DefaultDays) }

// Silent reports whether a channel that was used last at a moment has been silent for more than some working days, and since when that is
// too long (保障本单位…渠道畅通, article 7). It is no deadline of anybody: where a year's notice is missing the week decides.
func (c Calendar) Silent(last, now time.Time, days int) (since time.Time, silent bool) {
	since = c.After(last, days).At
	return since, !now.Before(since)
}

// Overdue returns the moment before which a matter must have been completed for its default to be due now and sure. It is a
// midnight, so that one comparison finds the due ones among any number of cases.
func (c Calendar) Overdue(now time.Time) time.Time {
	t := now.In(Shanghai())
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, Shanghai())
	for d := c.Default(day); d.Provisional() || d.At.After(now); d = c.Default(day) {
		if day = day.AddDate(0, 0, -1); now.Sub(day) > 10*366*24*time.Hour {
			return time.UnixMilli(0) // no notice is known of anything near
		}
	}
	return day.AddDate(0, 0, 1)
}
