package books

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// maxDifferences bounds the differences that Verify spells out.
const maxDifferences = 20

// Verified is what Verify has found.
type Verified struct {
	Pos         int64    // row of the journal up to which the books were compared
	Rows        int64    // of the books
	Differences []string // between these books and those that the journal makes; none is right
	More        int64    // differences beyond those
}

// Verify makes books by the same rules from the journal once more, for this purpose only, and compares all tables row by row.
// The books go on meanwhile. Progress is called from this goroutine.
func (b *Books) Verify(ctx context.Context, progress func(Progress)) (v Verified, err error) {
	err = b.alone(ctx, func(keep func() error) error {
		if err := b.sweep(ctx, keep); err != nil {
			return err
		}
		live, scratch, err := b.beginVerify(ctx)
		if err != nil {
			return err
		}
		p := &projector{b: b, t: scratch}
		for compared := false; !compared && err == nil; {
			if err = b.align(ctx, p, live, keep, progress); err == nil {
				compared, err = b.compare(ctx, p, live, &v, progress)
			}
		}
		return errors.Join(err, b.sweep(context.WithoutCancel(ctx), func() error { return nil }))
	})
	if err != nil {
		return v, fmt.Errorf("verify the books: %w", err)
	}
	return v, nil
}

func (b *Books) beginVerify(ctx context.Context) (live, scratch tables, err error) {
	err = b.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		g, err := readGeneration(ctx, tx)
		if err != nil {
			return err
		}
		if !current(g.schema, g.rules) {
			return ErrStale
		}
		live, scratch = newTables(b.cfg.DB.Engine(), g.number), newTables(b.cfg.DB.Engine(), g.last+1)
		if err := scratch.create(ctx, tx); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE books_state SET last = $1 WHERE id = 1", scratch.generation)
		return err
	})
	return live, scratch, err
}

// align brings a generation exactly to where the one is that is read.
func (b *Books) align(ctx context.Context, p *projector, live tables, keep func() error, progress func(Progress)) error {
	_, pos, err := readPosition(ctx, b.cfg.DB, live)
	if err != nil {
		return err
	}
	if err := p.fill(ctx, pos, keep, progress); err != nil {
		return err
	}
	// What has come since is little, and taken while the other one stands still.
	return b.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		last, err := hold(ctx, tx, live)
		if err != nil {
			return err
		}
		if err := p.start(ctx); err != nil {
			return err
		}
		for p.pos < last {
			entries, err := b.cfg.Journal.Read(ctx, p.pos, int(min(maxRead, last-p.pos)))
			if err != nil {
				return err
			}
			if len(entries) == 0 {
				return fmt.Errorf("the books are at row %d, and the journal ends before it", last)
			}
			rows, err := decode(entries[:chunkOf(entries)])
			if err != nil {
				return err
			}
			if err := p.writeIn(ctx, tx, rows); err != nil {
				return err
			}
			p.done(rows)
		}
		return nil
	})
}

// compare compares two generations table by table, and returns false if the one that is read has gone on before it could begin.
func (b *Books) compare(ctx context.Context, p *projector, live tables, v *Verified, progress func(Progress)) (bool, error) {
	same := false
	err := b.cfg.DB.Read(ctx, func(tx *db.Tx) error {
		_, pos, err := readPosition(ctx, tx, live)
		if err != nil {
			return err
		}
		_, mine, err := readPosition(ctx, tx, p.t)
		if err != nil || mine != pos {
			return err
		}
		same, *v = true, Verified{Pos: pos}
		for _, table := range tableNames() {
			if err := v.table(ctx, tx, table, live, p.t, progress); err != nil {
				return fmt.Errorf("compare table %s: %w", table, err)
			}
		}
		return nil
	})
	return same, err
}

// table compares a table of two generations.
func (v *Verified) table(ctx context.Context, tx *db.Tx, table string, live, made tables, progress func(Progress)) error {
	a, b := &pages{ctx: ctx, tx: tx, t: live, table: table}, &pages{ctx: ctx, tx: tx, t: made, table: table}
	for {
		x, err := a.next()
		if err != nil {
			return err
		}
		y, err := b.next()
		if err != nil {
			return err
		}
		if x == nil && y == nil {
			return nil
		}
		switch order := a.order(x, y); {
		case order < 0:
			b.back(y)
			v.differ("%s: %s is in the books and does not follow from the journal", table, a.text(x))
		case order > 0:
			a.back(x)
			v.differ("%s: %s follows from the journal and is not in the books", table, a.text(y))
		case !equal(x, y):
			v.differ("%s: the books have %s, and from the journal follows %s", table, a.text(x), a.text(y))
		}
		if v.Rows++; v.Rows%10_000 == 0 {
			progress(Progress{"compare", v.Rows, v.Rows})
		}
	}
}

func (v *Verified) differ(format string, args ...any) {
	if len(v.Differences) == maxDifferences {
		v.More++
		return
	}
	v.Differences = append(v.Differences, fmt.Sprintf(format, args...))
}

// pages reads a table in the order of its key, some rows at a time: a connection has one query open.
type pages struct {
	ctx   context.Context
	tx    *db.Tx
	t     tables
	table string
	rows  [][]any
	at    int
	last  []any // the key of the last row that was read
	ended bool
}

// keys returns how many columns name a row.
func keys(table string) int {
	switch table {
	case "run", "span", "claim":
		return 2
	case "fork", "salvaged":
		return 3
	}
	return 1
}

// next returns the next row, nil at the end.
func (p *pages) next() ([]any, error) {
	const page = 2000
	if p.at == len(p.rows) && !p.ended {
		cols := columns(p.table)
		key := cols[:keys(p.table)]
		where, args := "", p.last
		if p.last != nil {
			var marks []string
			for i := range key {
				marks = append(marks, fmt.Sprintf("$%d", i+1))
			}
			where = fmt.Sprintf(" WHERE (%s) > (%s)", strings.Join(key, ", "), strings.Join(marks, ", "))
		}
		rows, err := db.Query(p.ctx, p.tx, func(s db.Scanner) ([]any, error) {
			values, to := make([]any, len(cols)), make([]any, len(cols))
			for i := range values {
				to[i] = &values[i]
			}
			return values, s.Scan(to...)
		}, p.t.of(fmt.Sprintf("SELECT %s FROM {%s}%s ORDER BY %s LIMIT %d", strings.Join(cols, ", "), p.table, where, strings.Join(key,
			", "), page)), args...)
		if err != nil {
			return nil, err
		}
		p.rows, p.at, p.ended = rows, 0, len(rows) < page
		if len(rows) > 0 {
			p.last = rows[len(rows)-1][:len(key)]
		}
	}
	if p.at == len(p.rows) {
		return nil, nil
	}
	p.at++
	return p.rows[p.at-1], nil
}

// back has next return a row again that it has returned, if that was one.
func (p *pages) back(row []any) {
	if row != nil {
		p.at--
	}
}

// order compares the keys of two rows; a row goes before none.
func (p *pages) order(x, y []any) int {
	switch {
	case x == nil:
		return 1
	case y == nil:
		return -1
	}
	for i := range keys(p.table) {
		a, b := x[i].(int64), y[i].(int64)
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
	}
	return 0
}

func equal(x, y []any) bool {
	for i := range x {
		a, isBytes := x[i].([]byte)
		if b, alsoBytes := y[i].([]byte); isBytes || alsoBytes {
			if !bytes.Equal(a, b) {
				return false
			}
			continue
		}
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

// text returns a row as people read it.
func (p *pages) text(row []any) string {
	var b strings.Builder
	for i, c := range columns(p.table) {
		fmt.Fprintf(&b, "%s=", c)
		if raw, ok := row[i].([]byte); ok {
			fmt.Fprintf(&b, "%x ", raw)
		} else {
			fmt.Fprintf(&b, "%v ", row[i])
		}
	}
	return shorten(strings.TrimSpace(b.String()))
}

// Log is what the books hold of one epoch of a device.
type Log struct {
	ID          int64
	Device      rating.DeviceID
	Epoch       rating.Epoch
	Records     int64
	First, Last uint64
	Entries     int64 // rows of the journal, each with its signature
	Forks       int64
	Quarantined int64
	Waiting     int64 // records that are not here and may still come: the box was not told that it may let them go
	Open        int64 // findings that stand
}

// Logs returns up to n logs after the one with the given ID, in the order in which the books met them.
func (b *Books) Logs(ctx context.Context, after int64, n int) (all []Log, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		all, err = db.Query(ctx, tx, func(s db.Scanner) (l Log, err error) {
			var epoch, first, last int64
			err = s.Scan(&l.ID, &l.Device, &epoch, &l.Records, &first, &last, &l.Entries, &l.Forks, &l.Quarantined, &l.Waiting, &l.Open)
			l.Epoch, l.First, l.Last = rating.Epoch(epoch), uint64(first), uint64(last)
			return l, err
		}, t.of(`SELECT l.id, d.name, l.epoch, l.records, coalesce((SELECT min(r.first) FROM {run} r WHERE r.log = l.id), l.first),
			l.last, l.entries, l.forks, l.quarantined,
			CASE WHEN l.last > l.through THEN l.last - l.through
				- (l.last - CASE WHEN l.first > l.through THEN l.first - 1 ELSE l.through END)
				- coalesce((SELECT sum(r.last - CASE WHEN r.first > l.through THEN r.first - 1 ELSE l.through END) FROM {run} r WHERE r.log = l.id
					AND r.last > l.through), 0)
				ELSE 0 END,
			(SELECT count(*) FROM {finding} f WHERE f.log = l.id AND f.device = l.device AND f.resolved_at IS NULL)
			FROM {log} l JOIN {device} d ON d.id = l.device WHERE l.id > $1 ORDER BY l.id LIMIT $2`), after, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the logs: %w", err)
	}
	return all, nil
}
