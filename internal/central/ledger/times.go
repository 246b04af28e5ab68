package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// times keeps what is known of when things happened, while one transaction writes records of a device.
type times struct {
	ctx      context.Context
	tx       *sql.Tx
	device   rating.DeviceID
	received int64 // now, milliseconds since 1970-01-01 UTC
	epochs   map[rating.Epoch]*epochTimes
	moved    func(cursor int64) error // decides anew whether an evaluation counts, whose time has changed
}

// epochTimes is what is known of one epoch.
type epochTimes struct {
	spans       []spanRow // in the order of their first seqs
	changed     bool      // what is known of some start has changed
	first, last uint64    // seqs of new evaluations whose time is not set
}

// spanRow is a row of the table span.
type spanRow struct {
	firstSeq uint64
	span     rating.Span
	origin   rating.Origin // by which its evaluations were placed
	kept     spanText      // as it stands in the table
}

// spanText is the content of a row of the table span.
type spanText struct {
	firstSeq uint64
	span     string
	origin   rating.Origin
}

func newTimes(ctx context.Context, tx *sql.Tx, d rating.DeviceID, received int64) *times {
	return &times{ctx: ctx, tx: tx, device: d, received: received, epochs: make(map[rating.Epoch]*epochTimes), moved: standings{ctx, tx}.moved}
}

// epoch returns what is known of an epoch.
func (t *times) epoch(e rating.Epoch) (*epochTimes, error) {
	if known, ok := t.epochs[e]; ok {
		return known, nil
	}
	rows, err := query(t.ctx, t.tx, func(s scanner) (r spanRow, err error) {
		var text string
		if err := s.Scan(&r.firstSeq, &text, &r.origin.Earliest, &r.origin.Latest); err != nil {
			return r, err
		}
		r.kept = spanText{r.firstSeq, text, r.origin}
		return r, json.Unmarshal([]byte(text), &r.span)
	}, "SELECT first_seq, span, earliest, latest FROM span WHERE device = ? AND epoch = ? ORDER BY first_seq", t.device, e.String())
	if err != nil {
		return nil, fmt.Errorf("read the starts of epoch %s: %w", e, err)
	}
	t.epochs[e] = &epochTimes{spans: rows}
	return t.epochs[e], nil
}

// add notes a record that is new in the books.
func (t *times) add(r rating.Record) error {
	k, err := t.epoch(r.Epoch)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(k.spans, func(s spanRow) bool { return s.span.Boot == r.At.Boot })
	if i < 0 {
		i = len(k.spans)
		k.spans = append(k.spans, spanRow{firstSeq: r.Seq, span: rating.Span{Boot: r.At.Boot}})
	}
	s := &k.spans[i]
	if r.Seq < s.firstSeq {
		s.firstSeq = r.Seq
	}
	last := s.span.LastMono
	if s.span.Add(r.At, t.received, rating.Believable(r.At, t.received, 0)) || s.span.LastMono != last {
		k.changed = true
	}
	if r.Kind == rating.KindEvaluation && !rating.Believable(r.At, t.received, 0) {
		if k.first == 0 || r.Seq < k.first {
			k.first = r.Seq
		}
		k.last = max(k.last, r.Seq)
	}
	return nil
}

// guess returns a time to begin with; settle makes it better if it can be.
func (t *times) guess(at rating.Stamp) rating.Fix {
	var s rating.Span
	return s.Fix(rating.Origin{Earliest: t.received, Latest: t.received}, at, t.received, rating.Believable(at, t.received, 0))
}

// enough is by how much, in milliseconds, the bounds of a start must have moved for its evaluations to be placed anew.
const enough = 2000

// settle works out the starts anew, and the times of the evaluations that depend on them.
func (t *times) settle() error {
	for e, k := range t.epochs {
		if !k.changed && k.first == 0 {
			continue
		}
		if err := t.settleEpoch(e, k); err != nil {
			return fmt.Errorf("work out the times of epoch %s: %w", e, err)
		}
	}
	return nil
}

func (t *times) settleEpoch(e rating.Epoch, k *epochTimes) error {
	slices.SortFunc(k.spans, func(a, b spanRow) int { return int(int64(a.firstSeq) - int64(b.firstSeq)) })
	spans := make([]rating.Span, len(k.spans))
	for i, s := range k.spans {
		spans[i] = s.span
	}
	for i, o := range rating.Origins(spans) {
		s := &k.spans[i]
		moved := max(o.Earliest-s.origin.Earliest, s.origin.Earliest-o.Earliest, o.Latest-s.origin.Latest, s.origin.Latest-o.Latest) > enough
		if moved {
			s.origin = o
		}
		if err := t.keep(e, s); err != nil {
			return err
		}
		if err := t.place(e, k, s, moved); err != nil {
			return err
		}
	}
	return nil
}

// keep writes what is known of a start, unless that stands there: a box has hundreds of starts, of which one grows.
func (t *times) keep(e rating.Epoch, s *spanRow) error {
	b, err := json.Marshal(s.span)
	if err != nil {
		return err
	}
	row := spanText{s.firstSeq, string(b), s.origin}
	if row == s.kept {
		return nil
	}
	s.kept = row
	_, err = t.tx.ExecContext(t.ctx, `INSERT INTO span (device, epoch, boot, first_seq, span, earliest, latest) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET first_seq = excluded.first_seq, span = excluded.span, earliest = excluded.earliest, latest = excluded.latest`,
		t.device, e.String(), s.span.Boot, row.firstSeq, row.span, row.origin.Earliest, row.origin.Latest)
	return err
}

// place works out the times of one start's evaluations whose clock was not set: of all if the start has moved, else of
// those that are new.
func (t *times) place(e rating.Epoch, k *epochTimes, s *spanRow, all bool) error {
	first, last := k.first, k.last
	if all {
		first, last = 0, 1<<53
	} else if first == 0 {
		return nil
	}
	type open struct {
		cursor, received int64
		stamp            rating.Stamp
		was              rating.Fix
	}
	rows, err := query(t.ctx, t.tx, func(sc scanner) (o open, err error) {
		o.stamp.Boot = s.span.Boot
		return o, sc.Scan(&o.cursor, &o.stamp.Mono, &o.stamp.Wall, &o.stamp.Synced, &o.received,
			&o.was.Time, &o.was.Quality, &o.was.Earliest, &o.was.Latest)
	}, `SELECT cursor, mono, at, synced, received_at, time, quality, earliest, latest FROM evaluation
		WHERE device = ? AND epoch = ? AND boot = ? AND quality <> 'set' AND seq BETWEEN ? AND ?`,
		t.device, e.String(), s.span.Boot, first, last)
	if err != nil {
		return err
	}
	for _, o := range rows {
		fix := s.span.Fix(s.origin, o.stamp, o.received, rating.Believable(o.stamp, o.received, 0))
		if fix == o.was {
			continue
		}
		if _, err := t.tx.ExecContext(t.ctx, "UPDATE evaluation SET time = ?, quality = ?, earliest = ?, latest = ? WHERE cursor = ?",
			fix.Time, fix.Quality, fix.Earliest, fix.Latest, o.cursor); err != nil {
			return err
		}
		if err := t.moved(o.cursor); err != nil {
			return err
		}
	}
	return nil
}

// placeAll works out all times of books that did not know how well they were known.
func placeAll(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `UPDATE evaluation SET time = at, earliest = at, latest = at WHERE seq = 0`); err != nil {
		return err
	}
	devices, err := query(ctx, tx, func(s scanner) (d rating.DeviceID, err error) { return d, s.Scan(&d) }, "SELECT DISTINCT device FROM record")
	if err != nil {
		return err
	}
	for _, d := range devices {
		t := newTimes(ctx, tx, d, 0)
		t.moved = func(int64) error { return nil } // standAll decides later, on a schema that these books do not have yet
		for more, epoch, seq := true, "", uint64(0); more; {
			if more, epoch, seq, err = t.replay(epoch, seq); err != nil {
				return err
			}
		}
		if err := t.settle(); err != nil {
			return err
		}
	}
	return nil
}

// replay notes some records of the device that come after the given one, and reports whether there are more.
func (t *times) replay(epoch string, seq uint64) (more bool, lastEpoch string, lastSeq uint64, err error) {
	const step = 1000
	type row struct {
		epoch    string
		seq      uint64
		raw      []byte
		received int64
	}
	rows, err := query(t.ctx, t.tx, func(s scanner) (r row, err error) { return r, s.Scan(&r.epoch, &r.seq, &r.raw, &r.received) },
		`SELECT epoch, seq, raw, received_at FROM record WHERE device = ?1 AND quarantine IS NULL AND (epoch, seq) > (?2, ?3)
		ORDER BY epoch, seq LIMIT ?4`, t.device, epoch, seq, step)
	if err != nil {
		return false, "", 0, err
	}
	for _, x := range rows {
		r, err := rating.DecodeRecord(x.raw)
		if err != nil {
			return false, "", 0, fmt.Errorf("record %d of %s, epoch %s: %w", x.seq, t.device, x.epoch, err)
		}
		t.received = x.received
		if err := t.add(r); err != nil {
			return false, "", 0, err
		}
		if r.Kind == rating.KindEvaluation {
			fix := t.guess(r.At)
			if _, err := t.tx.ExecContext(t.ctx, `UPDATE evaluation SET boot = ?, mono = ?, time = ?, quality = ?, earliest = ?, latest = ?
				WHERE device = ? AND epoch = ? AND seq = ?`, r.At.Boot, r.At.Mono, fix.Time, fix.Quality, fix.Earliest, fix.Latest, t.device, x.epoch, x.seq); err != nil {
				return false, "", 0, err
			}
		}
		epoch, seq = x.epoch, x.seq
	}
	return len(rows) == step, epoch, seq, nil
}
