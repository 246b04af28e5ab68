package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"haochaping/internal/rating"
)

// itemKey returns an item as the table standing names it. Devices, visits and project numbers have no spaces.
func itemKey(i rating.Item) string {
	if i.Case != "" {
		return "case " + i.Case
	}
	return fmt.Sprintf("%s %s %s", i.Subject, i.Device, i.Visit)
}

// standings decides which evaluations count, inside one transaction. It keeps to rating.History: what an evaluation may
// count for is entered when it arrives, and anew when its visit's record does, and each item that this touches is contested
// among all that may count for it.
type standings struct {
	ctx context.Context
	tx  *sql.Tx
}

func (s standings) exec(text string, args ...any) error {
	_, err := s.tx.ExecContext(s.ctx, text, args...)
	return err
}

// visit returns a visit's record, nil while it has not arrived.
func (s standings) visit(device rating.DeviceID, id rating.VisitID) (*rating.Visit, error) {
	var text sql.NullString
	err := s.tx.QueryRowContext(s.ctx, "SELECT visit FROM visit WHERE device = ? AND id = ?", device, id.String()).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !text.Valid {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v := new(rating.Visit)
	if err := json.Unmarshal([]byte(text.String), v); err != nil {
		return nil, fmt.Errorf("visit %s: %w", id, err)
	}
	return v, nil
}

// enter writes what an evaluation may count for, and returns the items.
func (s standings) enter(cursor int64, device rating.DeviceID, e rating.Evaluation, v *rating.Visit) ([]string, error) {
	overall := v != nil && v.Overall(e.Question())
	var items []string
	for _, i := range rating.Items(device, e, v) {
		key := itemKey(i)
		items = append(items, key)
		if err := s.exec("INSERT INTO standing (item, cursor, overall, standing) VALUES (?, ?, ?, ?)", key, cursor, overall, rating.Later); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// add decides anew what a new evaluation may count for.
func (s standings) add(cursor int64, device rating.DeviceID, e rating.Evaluation) error {
	var v *rating.Visit
	if e.Subject == rating.MatterSubject { // the staff's item does not depend on it
		var err error
		if v, err = s.visit(device, e.Visit); err != nil {
			return err
		}
	}
	items, err := s.enter(cursor, device, e, v)
	if err != nil {
		return err
	}
	return s.decide(items, cursor)
}

// opened enters anew what the evaluations of a visit may count for, now that its record is here.
func (s standings) opened(device rating.DeviceID, v *rating.Visit) error {
	type known struct {
		cursor  int64
		project string
	}
	all, err := query(s.ctx, s.tx, func(sc scanner) (k known, err error) { return k, sc.Scan(&k.cursor, &k.project) },
		"SELECT cursor, project FROM evaluation WHERE device = ? AND visit = ? AND subject = ?", device, v.ID.String(), rating.MatterSubject)
	if err != nil || len(all) == 0 {
		return err
	}
	var items []string
	var cursors []int64
	for _, k := range all {
		before, err := s.items(k.cursor)
		if err != nil {
			return err
		}
		if err := s.exec("DELETE FROM standing WHERE cursor = ?", k.cursor); err != nil {
			return err
		}
		after, err := s.enter(k.cursor, device, rating.Evaluation{Visit: v.ID, Subject: rating.MatterSubject, Case: k.project}, v)
		if err != nil {
			return err
		}
		items = append(append(items, before...), after...)
		cursors = append(cursors, k.cursor)
	}
	return s.decide(items, cursors...)
}

// moved decides anew what an evaluation may count for, whose time has changed.
func (s standings) moved(cursor int64) error {
	items, err := s.items(cursor)
	if err != nil {
		return err
	}
	return s.decide(items)
}

// items returns what an evaluation may count for.
func (s standings) items(cursor int64) ([]string, error) {
	return query(s.ctx, s.tx, func(sc scanner) (item string, err error) { return item, sc.Scan(&item) },
		"SELECT item FROM standing WHERE cursor = ?", cursor)
}

// contenders asks for no order: SQLite would rather read all evaluations in that order than sort two.
const contenders = `SELECT e.cursor, e.device, e.epoch, e.seq, e.submission, e.visit, e.subject, e.project, e.replaces, e.time, s.overall, s.standing
	FROM standing s JOIN evaluation e ON e.cursor = s.cursor WHERE s.item = ?`

// contender is a row of that query.
type contender struct {
	rating.Contender
	cursor   int64
	standing rating.Standing
}

func scanContender(s scanner) (contender, error) {
	var c contender
	var epoch, visit string
	e := &c.Evaluation
	err := s.Scan(&c.cursor, &c.Device, &epoch, &c.Seq, &c.Submission, &visit, &e.Subject, &e.Case, &e.Replaces, &c.Time, &c.Overall, &c.standing)
	if err == nil && epoch != "" {
		c.Epoch, err = rating.ParseEpoch(epoch)
	}
	if err == nil {
		e.Visit, err = rating.ParseVisitID(visit)
	}
	return c, err
}

// decide contests items, and sets the statuses of the evaluations whose standing has changed and of those that are named.
func (s standings) decide(items []string, cursors ...int64) error {
	touched := make(map[int64]bool)
	for _, c := range cursors {
		touched[c] = true
	}
	slices.Sort(items)
	for _, item := range slices.Compact(items) {
		all, err := query(s.ctx, s.tx, scanContender, contenders, item)
		if err != nil {
			return err
		}
		rated := make([]rating.Contender, len(all))
		for i, c := range all {
			rated[i] = c.Contender
		}
		winner, replaced := rating.Contest(rated)
		for i, c := range all {
			next := rating.Later
			switch {
			case i == winner:
				next = rating.Counted
			case replaced[i]:
				next = rating.Replaced
			}
			if next == c.standing {
				continue
			}
			touched[c.cursor] = true
			if err := s.exec("UPDATE standing SET standing = ? WHERE item = ? AND cursor = ?", next, item, c.cursor); err != nil {
				return err
			}
		}
	}
	for _, cursor := range slices.Sorted(maps.Keys(touched)) {
		if err := s.exec(setStatus, cursor); err != nil {
			return err
		}
	}
	return nil
}

// setStatus says of an evaluation that it counts if it does for anything.
const setStatus = `UPDATE evaluation SET status = (SELECT CASE WHEN count(*) = 0 THEN 'unasked' WHEN max(standing = 'counted') THEN 'counted'
	WHEN max(standing = 'replaced') THEN 'replaced' ELSE 'later' END FROM standing WHERE cursor = ?1) WHERE cursor = ?1`

// standAll enters and decides everything, of books that knew evaluations by their visits only.
func standAll(ctx context.Context, tx *sql.Tx) error {
	const step = 1000
	s := standings{ctx, tx}
	type row struct {
		cursor int64
		device rating.DeviceID
		visit  string
		eval   rating.Evaluation
	}
	for last := int64(0); ; {
		rows, err := query(ctx, tx, func(sc scanner) (r row, err error) {
			if err = sc.Scan(&r.cursor, &r.device, &r.visit, &r.eval.Subject, &r.eval.Case); err == nil {
				r.eval.Visit, err = rating.ParseVisitID(r.visit)
			}
			return r, err
		}, "SELECT cursor, device, visit, subject, project FROM evaluation WHERE cursor > ? ORDER BY cursor LIMIT ?", last, step)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := s.add(r.cursor, r.device, r.eval); err != nil {
				return fmt.Errorf("evaluation %d: %w", r.cursor, err)
			}
			last = r.cursor
		}
		if len(rows) < step {
			return nil
		}
	}
}
