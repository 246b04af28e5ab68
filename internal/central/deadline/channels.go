package deadline

import (
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

const (
	// unused is after how long without an answer a channel is taken to be given up, and is no finding any more.
	unused = 365 * 24 * time.Hour
	// eachLook is how many evaluations a look follows at most, some at a time; the rest is the next one's.
	eachLook, someHeard = 200_000, 2000
)

// Silence is a unit's channel by which nobody has rated for long (保障本单位…渠道畅通, article 7).
type Silence struct {
	Unit    string
	Channel rating.Channel
	Last    time.Time // when it was rated by it last
	Since   time.Time // from when on that was too long ago
}

// unitChannel is one way to rate a unit.
type unitChannel struct {
	unit    string
	channel rating.Channel
}

// listen notes which units were rated by which channels since it was looked last.
func (d *Deadlines) listen(ctx context.Context) error {
	cursor, err := d.listened(ctx)
	if err != nil {
		return err
	}
	for range eachLook / someHeard {
		some, err := d.cfg.Books.Heard(ctx, cursor, someHeard)
		if err != nil || len(some) == 0 {
			return err
		}
		last := make(map[unitChannel]int64)
		for _, h := range some {
			unit, err := d.cfg.Unit(ctx, h)
			if err != nil {
				return err
			}
			if unit != "" {
				k := unitChannel{unit, h.Channel}
				last[k] = max(last[k], h.At.UnixMilli())
			}
		}
		cursor = some[len(some)-1].Cursor
		if err := d.heard(ctx, last, cursor); err != nil {
			return err
		}
		if err := d.keep(ctx); err != nil {
			return err
		}
	}
	return nil
}

// listened returns the cursor up to which it was looked.
func (d *Deadlines) listened(ctx context.Context) (int64, error) {
	all, err := db.Query(ctx, d.db, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT cursor FROM channel_followed WHERE id = 1")
	if err != nil {
		return 0, fmt.Errorf("read up to where channels were followed: %w", err)
	}
	if len(all) == 0 {
		return 0, nil
	}
	return all[0], nil
}

func (d *Deadlines) heard(ctx context.Context, last map[unitChannel]int64, cursor int64) error {
	var rows [][]any
	for k, at := range last {
		rows = append(rows, []any{k.unit, string(k.channel), at})
	}
	err := d.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Each(ctx, `INSERT INTO channel_heard (unit, channel, last) VALUES ($1, $2, $3)
			ON CONFLICT (unit, channel) DO UPDATE SET last = CASE WHEN excluded.last > channel_heard.last THEN excluded.last
				ELSE channel_heard.last END`, rows); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO channel_followed (id, cursor) VALUES (1, $1) ON CONFLICT (id) DO UPDATE
			SET cursor = excluded.cursor`, cursor)
		return err
	})
	if err != nil {
		return fmt.Errorf("note when units were rated: %w", err)
	}
	return nil
}

// Silences returns the channels by which units were rated once, and by which nobody has for more than Config.SilentDays working days, the
// longest silent first. Those that were silent for a year are taken to be given up.
func (d *Deadlines) Silences(ctx context.Context) (all []Silence, err error) {
	if d.cfg.SilentDays <= 0 {
		return nil, nil
	}
	now := d.cfg.Now()
	// So many working days are as many days at least, so that most channels are not looked at.
	found, err := db.Query(ctx, d.db, func(s db.Scanner) (x Silence, err error) {
		var last int64
		err = s.Scan(&x.Unit, &x.Channel, &last)
		x.Last = time.UnixMilli(last)
		return x, err
	}, "SELECT unit, channel, last FROM channel_heard WHERE last > $1 AND last <= $2 ORDER BY last, unit, channel",
		now.Add(-unused).UnixMilli(), now.AddDate(0, 0, -d.cfg.SilentDays).UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("look which channels are silent: %w", err)
	}
	for _, x := range found {
		var silent bool
		if x.Since, silent = d.cfg.Calendar.Silent(x.Last, now, d.cfg.SilentDays); silent {
			all = append(all, x)
		}
	}
	return all, nil
}

// Unit says which unit an evaluation is about, empty if nobody knows.
type Unit func(context.Context, books.Heard) (string, error)
