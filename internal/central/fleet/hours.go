package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Hours is when a hall is open, in minutes after midnight in Asia/Shanghai.
type Hours struct {
	Opens, Closes int
	Daily         bool // also on days without work
}

// UsualHours is when a hall is open that has not said otherwise: 09:00 to 17:00 on working days.
func UsualHours() Hours { return Hours{9 * 60, 17 * 60, false} }

// errHours says that a hall would not be open at all.
var errHours = errors.New("a hall opens before it closes, within one day")

// Open reports whether a hall is open at a moment.
func (h Hours) Open(at time.Time, days rating.Calendar) bool {
	at = at.In(rating.Shanghai())
	if working, _ := days.Working(at); !working && !h.Daily {
		return false
	}
	minute := at.Hour()*60 + at.Minute()
	return h.Opens <= minute && minute < h.Closes
}

// mostClosed is for how long at most an update may begin after it was asked for.
const mostClosed = 12 * time.Hour

// ClosedFor returns for how long an update may begin from a moment on: until a quarter of an hour before the hall opens, 0 where it is open.
func (h Hours) ClosedFor(at time.Time, days rating.Calendar) time.Duration {
	const before = 15 * time.Minute
	for d := time.Duration(0); d <= mostClosed+before; d += time.Minute {
		if h.Open(at.Add(d), days) {
			return max(0, d-before)
		}
	}
	return mostClosed
}

// String returns the hours as 09:00–17:00.
func (h Hours) String() string { return minuteText(h.Opens) + "–" + minuteText(h.Closes) }

func minuteText(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }

// SetHours writes when a hall is open.
func SetHours(ctx context.Context, tx *db.Tx, hall string, h Hours) error {
	if h.Opens < 0 || h.Closes > 24*60 || h.Opens >= h.Closes {
		return errHours
	}
	daily := 0
	if h.Daily {
		daily = 1
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO fleet_hours (hall, opens, closes, daily) VALUES ($1, $2, $3, $4)
		ON CONFLICT (hall) DO UPDATE SET opens = excluded.opens, closes = excluded.closes, daily = excluded.daily`, hall, h.Opens, h.Closes,
		daily)
	return err
}

// Hours returns when the halls are open that have said so.
func (f *Fleet) Hours(ctx context.Context) (map[string]Hours, error) {
	all, err := db.Query(ctx, f.db, scanHours, "SELECT hall, opens, closes, daily FROM fleet_hours ORDER BY hall")
	if err != nil {
		return nil, fmt.Errorf("read the opening hours: %w", err)
	}
	out := make(map[string]Hours)
	for _, h := range all {
		out[h.Hall] = h.Hours
	}
	return out, nil
}

// hallHours is when one hall is open, as the table and a backup have it.
type hallHours struct {
	Hall  string `json:"hall"`
	Hours `json:"hours"`
}

func scanHours(s db.Scanner) (h hallHours, err error) {
	var daily int
	err = s.Scan(&h.Hall, &h.Opens, &h.Closes, &daily)
	h.Daily = daily == 1
	return h, err
}
