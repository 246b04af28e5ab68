package rectify

import (
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/db"
)

// Tally is how much one unit in one area has to do, counted in parts of orders.
type Tally struct {
	Unit, Area string // empty: not known

	Open      int
	Today     int // due on the last working day that is left
	Overdue   int // and not told to the level above yet
	Escalated int
	Office    int    // that wait for the office: a review, a check, a follow-up, an appeal
	Ages      [3]int // opened within 5 working days, within 10, and before
}

// Late is how many are overdue, escalated or not.
func (t Tally) Late() int { return t.Overdue + t.Escalated }

// Plus adds another tally.
func (t Tally) Plus(u Tally) Tally {
	t.Open, t.Today, t.Overdue, t.Escalated, t.Office = t.Open+u.Open, t.Today+u.Today, t.Overdue+u.Overdue, t.Escalated+u.Escalated, t.Office+u.Office
	for i := range t.Ages {
		t.Ages[i] += u.Ages[i]
	}
	return t
}

// Tallies counts what is open now, for each unit in each area. Clues are not in it.
func (o *Orders) Tallies(ctx context.Context, f Filter) ([]Tally, error) {
	now, t := o.cfg.Now(), o.cfg.Terms
	marks := []any{t.Before(1, now).UnixMilli(), now.UnixMilli(), t.Next(now).UnixMilli(), t.Before(Days, now).UnixMilli(), t.Before(MostDays, now).UnixMilli()}
	where, args := f.of(marks)
	count := func(when string) string { return ", sum(CASE WHEN " + when + " THEN 1 ELSE 0 END)" }
	// Each count has those of the one before it, which is less to ask of each part.
	text := "SELECT p.unit, p.area, count(*)" + count("p.due <= $1") + count("p.due <= $2") + count("p.due <= $3") +
		count("p.state IN ('reviewing', 'replied', 'following_up', 'appealing')") + count("p.opened < $5") + count("p.opened < $4") +
		" FROM rectify_part p WHERE p.due > 0" + where + " GROUP BY p.unit, p.area"
	all, err := db.Query(ctx, o.db, func(s db.Scanner) (t Tally, err error) {
		var late, today, older int
		err = s.Scan(&t.Unit, &t.Area, &t.Open, &t.Escalated, &late, &today, &t.Office, &t.Ages[2], &older)
		t.Overdue, t.Today, t.Ages[1], t.Ages[0] = late-t.Escalated, today-late, older-t.Ages[2], t.Open-older
		return t, err
	}, text, args...)
	if err != nil {
		return nil, fmt.Errorf("count what is open: %w", err)
	}
	return all, nil
}

// Rate is how many bad ratings with a name were rectified and followed up (实名差评回访整改率, article 18), of one unit in one area.
type Rate struct {
	Unit, Area     string
	Done, Together int
}

// Rates counts those whose order was opened in the filter's time.
func (o *Orders) Rates(ctx context.Context, f Filter) ([]Rate, error) {
	where, args := f.of(nil)
	all, err := db.Query(ctx, o.db, func(s db.Scanner) (r Rate, err error) { return r, s.Scan(&r.Unit, &r.Area, &r.Done, &r.Together) },
		fmt.Sprintf("SELECT p.unit, p.area, sum(CASE WHEN p.owed = %d THEN 1 ELSE 0 END), count(*) FROM rectify_part p WHERE p.owed > 0", followedUp)+where+
			" GROUP BY p.unit, p.area", args...)
	if err != nil {
		return nil, fmt.Errorf("count who was followed up: %w", err)
	}
	return all, nil
}

// Before returns the midnight before which a moment has had more than n working days after its day, today among them.
func (t Terms) Before(n int, now time.Time) time.Time {
	for d := midnight(now); ; d = d.AddDate(0, 0, -1) {
		if working, _ := t.Calendar.Working(d); working {
			n--
		}
		if n < 0 {
			return d
		}
	}
}

// Next returns when the next working day begins: what is due by then is due on the last one that is left.
func (t Terms) Next(now time.Time) time.Time {
	for d := midnight(now).AddDate(0, 0, 1); ; d = d.AddDate(0, 0, 1) {
		if working, _ := t.Calendar.Working(d); working {
			return d
		}
	}
}
