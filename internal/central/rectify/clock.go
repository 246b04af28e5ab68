package rectify

import (
	"time"

	"haochaping/internal/rating"
)

// Days is how many working days a unit has to rectify (在5个工作日内办结, article 16).
const Days = 5

// MostDays is how many working days there are at most, with an extension (最多不超过10个工作日, article 16, read as the total).
const MostDays = 10

// Terms are the clocks' settings, in working days that are counted from the day after.
type Terms struct {
	Calendar rating.Calendar
	Contact  int // to reach the citizen (第一时间联系评价人, article 16)
	Office   int // for each step of the office
}

// End returns when the unit's time for a part is over. A review and a move do not stop it.
func (t Terms) End(p Part) rating.Deadline { return t.Calendar.After(time.UnixMilli(p.From), p.Days) }

// Due returns until when the next step of a part has to be done, false if nothing has. A review has until the unit's time is over, since
// the claim may be refused.
func (t Terms) Due(p Part) (rating.Deadline, bool) {
	switch p.State {
	case Waiting:
		if p.Reached == 0 {
			return t.Calendar.After(time.UnixMilli(p.From), t.Contact), true
		}
		return t.End(p), true
	case Contacted, AtOnce, Limited, Reviewing:
		return t.End(p), true
	case Replied, FollowingUp, Appealing:
		return t.Calendar.After(time.UnixMilli(p.Since), t.Office), true
	}
	return rating.Deadline{}, false
}

// Urgency says who should know of a part.
type Urgency string

// The urgencies.
const (
	Calm      Urgency = "calm"
	Soon      Urgency = "soon"      // the last working day: whoever works on it is reminded
	Overdue   Urgency = "overdue"   // the office of its level is told (督促催办, article 8)
	Escalated Urgency = "escalated" // for more than a working day: the level above is told too
)

// Urgency returns how urgent what is due at a moment is now.
func (t Terms) Urgency(due, now time.Time) Urgency {
	left, late := t.Left(due, now)
	switch {
	case late && left > 1:
		return Escalated
	case late:
		return Overdue
	case left == 0:
		return Soon
	}
	return Calm
}

// Left returns how many working days after today are left until a deadline, 0 on its last working day; or, if that has passed, how many
// have passed since, today among them.
func (t Terms) Left(due, now time.Time) (days int, late bool) {
	from, to := now, due.Add(-1)
	if late = !now.Before(due); late {
		from, to = to, from
	}
	last := midnight(to)
	for d := midnight(from).AddDate(0, 0, 1); !d.After(last); d = d.AddDate(0, 0, 1) {
		if working, _ := t.Calendar.Working(d); working {
			days++
		}
	}
	return days, late
}

// midnight returns the beginning of a moment's day in Asia/Shanghai.
func midnight(at time.Time) time.Time {
	at = at.In(rating.Shanghai())
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, rating.Shanghai())
}
