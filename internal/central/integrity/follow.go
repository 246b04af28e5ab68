package integrity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// state is how far things were looked at.
type state struct{ step, pos, examined int64 }

func (r *Room) state(ctx context.Context) (st state, err error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (st state, err error) { return st, s.Scan(&st.step, &st.pos, &st.examined) },
		"SELECT step, pos, examined FROM integrity_state WHERE id = 1")
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%d rows of state, want one", len(all))
	}
	if err != nil {
		return st, fmt.Errorf("read how far signs were looked for: %w", err)
	}
	return all[0], nil
}

// move writes a state in the place of the one that was read, which nobody else has moved.
func (st state) move(ctx context.Context, tx *db.Tx, next state) error {
	moved, err := tx.ExecContext(ctx, "UPDATE integrity_state SET step = step + 1, pos = $1, examined = $2 WHERE id = 1 AND step = $3",
		next.pos, next.examined, st.step)
	if err != nil {
		return err
	}
	if n, err := moved.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, journal.ErrElsewhere)
	}
	return nil
}

func (r *Room) keep(ctx context.Context) error {
	return journal.KeepLease(ctx, r.cfg.Journal, leaseName, r.cfg.Holder, leaseTime)
}

// someRows bounds the rows of the journal that are looked at together.
const someRows = 500

// Once looks at all rows that have come, if this instance has the lease.
func (r *Room) Once(ctx context.Context) error { return r.steps(ctx, func(time.Duration) {}) }

// steps is Once with a rest after each step while rows come, which is told how long that took.
func (r *Room) steps(ctx context.Context, rest func(took time.Duration)) error {
	for last := int64(0); ; {
		began := r.cfg.Now()
		if err := r.keep(ctx); errors.Is(err, journal.ErrElsewhere) {
			return nil
		} else if err != nil {
			return err
		}
		st, err := r.state(ctx)
		if err != nil {
			return err
		}
		head, err := r.cfg.Journal.Head(ctx)
		if err != nil || st.pos == head {
			return err
		}
		if st.pos > head { // another journal than the one that was followed
			if err := r.empty(ctx, st); err != nil {
				return err
			}
			continue
		}
		some, err := r.cfg.Journal.Follow(ctx, st.pos, someRows)
		if err != nil || len(some) == 0 {
			return err
		}
		if err := r.take(ctx, st, some); err != nil {
			return err
		}
		if last != 0 && head > last {
			rest(r.cfg.Now().Sub(began))
		}
		last = head
	}
}

// empty begins from the first row.
func (r *Room) empty(ctx context.Context, st state) error {
	return r.db.Write(ctx, func(tx *db.Tx) error {
		if err := st.move(ctx, tx, state{examined: st.examined}); err != nil {
			return err
		}
		for _, table := range []string{"integrity_log", "integrity_tally"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		return nil
	})
}

// logKey names a log, dayKey a box's day.
type (
	logKey struct {
		device rating.DeviceID
		epoch  rating.Epoch
	}
	dayKey struct {
		device rating.DeviceID
		at     directory.Day
	}
)

// fold is logs and tallies as rows change them, read when they are needed first.
type fold struct {
	ctx     context.Context
	tx      *db.Tx
	logs    map[logKey]*Log
	tallies map[dayKey]*Tally
	err     error
}

// take takes rows of the journal.
func (r *Room) take(ctx context.Context, st state, some []journal.Entry) error {
	next := st
	next.pos = some[len(some)-1].Pos
	return r.db.Write(ctx, func(tx *db.Tx) error {
		if err := st.move(ctx, tx, next); err != nil {
			return err
		}
		f := &fold{ctx: ctx, tx: tx, logs: make(map[logKey]*Log), tallies: make(map[dayKey]*Tally)}
		for _, e := range some {
			if e.Kind == journal.Batch {
				f.batch(e)
			}
		}
		return f.write()
	})
}

// partBits is how many bits of an evaluation's number in the books say which part of its row it is.
const partBits = 9

// batch takes what can be read of a batch.
func (f *fold) batch(e journal.Entry) {
	l := f.log(logKey{rating.DeviceID(e.Source), e.Epoch})
	for i := range e.Parts {
		rec, wrong := e.Record(i)
		if wrong != "" {
			continue // the books say what is wrong with it
		}
		l.Take(rec, time.UnixMilli(e.Received), e.Pos<<partBits|int64(i), func(d directory.Day) *Tally {
			return f.tally(dayKey{rec.Device, d})
		})
	}
}

// log returns a log. What cannot be read is noted, and nothing is written then.
func (f *fold) log(k logKey) *Log {
	l := f.logs[k]
	if l == nil {
		l = new(Log)
		f.read(l, "SELECT body FROM integrity_log WHERE device = $1 AND epoch = $2", string(k.device), k.epoch.String())
		f.logs[k] = l
	}
	return l
}

func (f *fold) tally(k dayKey) *Tally {
	t := f.tallies[k]
	if t == nil {
		t = new(Tally)
		f.read(t, "SELECT body FROM integrity_tally WHERE device = $1 AND at = $2", string(k.device), int64(k.at))
		f.tallies[k] = t
	}
	return t
}

func (f *fold) read(v any, text string, args ...any) {
	if f.err != nil {
		return
	}
	all, err := db.Query(f.ctx, f.tx, func(s db.Scanner) (b string, err error) { return b, s.Scan(&b) }, text, args...)
	if err == nil && len(all) > 0 {
		err = json.Unmarshal([]byte(all[0]), v)
	}
	f.err = err
}

// write writes all that was read, as it is now.
func (f *fold) write() error {
	if f.err != nil {
		return f.err
	}
	var logs, tallies [][]any
	for k, l := range f.logs {
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		logs = append(logs, []any{string(k.device), k.epoch.String(), string(b)})
	}
	for k, t := range f.tallies {
		b, err := json.Marshal(t)
		if err != nil {
			return err
		}
		tallies = append(tallies, []any{string(k.device), int64(k.at), string(b)})
	}
	if err := f.tx.Each(f.ctx, `INSERT INTO integrity_log (device, epoch, body) VALUES ($1, $2, $3)
		ON CONFLICT (device, epoch) DO UPDATE SET body = excluded.body`, logs); err != nil {
		return err
	}
	return f.tx.Each(f.ctx, `INSERT INTO integrity_tally (device, at, body) VALUES ($1, $2, $3)
		ON CONFLICT (device, at) DO UPDATE SET body = excluded.body`, tallies)
}
