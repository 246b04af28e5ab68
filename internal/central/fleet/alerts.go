package fleet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// keptAlerts is how long an alert is kept after its end.
const keptAlerts = 90 * 24 * time.Hour

// ErrNoAlert says that there is no such alert, or that it needs nobody any more.
var ErrNoAlert = errors.New("there is no such alert, or somebody looks after it already")

const readAlerts = `SELECT id, kind, device, hall, area, name, detail, since, coalesce(opened, 0), coalesce(away, 0), coalesce(ended, 0),
	coalesce(acknowledged, 0), coalesce(acknowledged_by, '') FROM fleet_alert `

func scanAlert(s db.Scanner) (a Alert, err error) {
	var since, opened, away, ended, acked int64
	err = s.Scan(&a.ID, &a.Kind, &a.Device, &a.Hall, &a.Area, &a.Name, &a.Detail, &since, &opened, &away, &ended, &acked, &a.AckedBy)
	a.Since, a.Opened, a.Away, a.Ended, a.Acked = moment(since), moment(opened), moment(away), moment(ended), moment(acked)
	return a, err
}

// null returns a time as the tables have it: NULL for zero.
func null(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// AlertsIn says which alerts are asked for. What is empty narrows nothing, but one without halls and areas finds none.
type AlertsIn struct {
	Halls  []string
	Areas  []Codes
	Within []Codes // those alone that lie in one of these
	Hall   string
	Device rating.DeviceID
	Ended  bool   // those that have ended; else those that are open
	Alone  bool   // those alone that nobody looks after
	After  string // ID of the last of the page before
	Limit  int
}

// Codes are the areas from one code to another, both included.
type Codes struct{ First, Last string }

// Alerts returns alerts that were opened, the latest first.
func (f *Fleet) Alerts(ctx context.Context, in AlertsIn) ([]Alert, error) {
	var args []any
	mark := func(x any) string {
		args = append(args, x)
		return "$" + strconv.Itoa(len(args))
	}
	areas := func(all []Codes) (where []string) {
		for _, c := range all {
			where = append(where, "area BETWEEN "+mark(c.First)+" AND "+mark(c.Last))
		}
		return where
	}
	where := areas(in.Areas)
	for _, h := range in.Halls {
		where = append(where, "hall = "+mark(h))
	}
	if len(where) == 0 {
		return nil, nil
	}
	text := readAlerts + "WHERE opened IS NOT NULL AND (" + strings.Join(where, " OR ") + ") AND ended IS "
	if in.Ended {
		text += "NOT "
	}
	text += "NULL"
	if len(in.Within) > 0 {
		text += " AND (" + strings.Join(areas(in.Within), " OR ") + ")"
	}
	if in.Alone {
		text += " AND acknowledged IS NULL"
	}
	if in.After != "" {
		last := mark(in.After)
		text += " AND (opened < (SELECT opened FROM fleet_alert WHERE id = " + last +
			") OR opened = (SELECT opened FROM fleet_alert WHERE id = " + last + ") AND id > " + last + ")"
	}
	if in.Hall != "" {
		text += " AND hall = " + mark(in.Hall)
	}
	if in.Device != "" {
		text += " AND device = " + mark(string(in.Device))
	}
	all, err := db.Query(ctx, f.db, scanAlert, text+" ORDER BY opened DESC, id LIMIT "+mark(in.Limit), args...)
	if err != nil {
		return nil, fmt.Errorf("read the alerts: %w", err)
	}
	return all, nil
}

// AlertCount is how many alerts of a kind are open in a hall, which is empty for boxes that stand in none.
type AlertCount struct {
	Hall string
	Kind AlertKind
	Open int
}

// OpenAlerts counts the alerts that are open, by hall and kind.
func (f *Fleet) OpenAlerts(ctx context.Context) ([]AlertCount, error) {
	all, err := db.Query(ctx, f.db, func(s db.Scanner) (n AlertCount, err error) { return n, s.Scan(&n.Hall, &n.Kind, &n.Open) },
		"SELECT hall, kind, count(*) FROM fleet_alert WHERE opened IS NOT NULL AND ended IS NULL GROUP BY hall, kind ORDER BY hall, kind")
	if err != nil {
		return nil, fmt.Errorf("count the open alerts: %w", err)
	}
	return all, nil
}

// Alert returns an alert that was opened, or ErrNoAlert.
func (f *Fleet) Alert(ctx context.Context, id string) (Alert, error) {
	all, err := db.Query(ctx, f.db, scanAlert, readAlerts+"WHERE id = $1 AND opened IS NOT NULL", id)
	if err != nil {
		return Alert{}, fmt.Errorf("read an alert: %w", err)
	}
	if len(all) == 0 {
		return Alert{}, ErrNoAlert
	}
	return all[0], nil
}

// Acknowledge notes that somebody looks after an alert, in the transaction of the act by which they say so.
func Acknowledge(ctx context.Context, tx *db.Tx, id, account string, at time.Time) error {
	r, err := tx.ExecContext(ctx, `UPDATE fleet_alert SET acknowledged = $1, acknowledged_by = $2
		WHERE id = $3 AND opened IS NOT NULL AND ended IS NULL AND acknowledged IS NULL`, at.UnixMilli(), account, id)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, ErrNoAlert)
	}
	return nil
}

// writeAlerts writes what has become of alerts.
func writeAlerts(ctx context.Context, tx *db.Tx, changed, forgotten []Alert, now time.Time) error {
	var rows, gone [][]any
	for _, a := range changed {
		rows = append(rows, []any{a.ID, string(a.Kind), string(a.Device), a.Hall, a.Area, a.Name, a.Detail, a.Since.UnixMilli(), null(a.Opened),
			null(a.Away), null(a.Ended)})
	}
	for _, a := range forgotten {
		gone = append(gone, []any{a.ID})
	}
	if err := tx.Each(ctx, "DELETE FROM fleet_alert WHERE id = $1 AND opened IS NULL", gone); err != nil {
		return err
	}
	err := tx.Each(ctx, `INSERT INTO fleet_alert (id, kind, device, hall, area, name, detail, since, opened, away, ended)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (id) DO UPDATE SET detail = excluded.detail, since = excluded.since, opened = excluded.opened, away = excluded.away,
			ended = excluded.ended`, rows)
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, "DELETE FROM fleet_alert WHERE ended < $1", now.Add(-keptAlerts).UnixMilli()); err != nil {
		return err
	}
	return forgetBundles(ctx, tx, now)
}

// clock returns a moment as people in China read it.
func clock(t time.Time) string { return t.In(rating.Shanghai()).Format("01-02 15:04") }

func number(n int) string { return strconv.Itoa(n) }

// days returns a long time in words.
func days(d time.Duration) string {
	if hours := int(d / time.Hour); hours < 48 {
		return number(hours) + " 小时"
	}
	return number(int(d/(24*time.Hour))) + " 天"
}
