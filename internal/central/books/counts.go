package books

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// FindingCounts returns how many rows of findings stand and how many are resolved.
func (b *Books) FindingCounts(ctx context.Context) (open, resolved int64, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		if open, err = one(ctx, tx, t.of("SELECT count(*) FROM {finding} WHERE resolved_at IS NULL")); err != nil {
			return err
		}
		resolved, err = one(ctx, tx, t.of("SELECT count(*) FROM {finding} WHERE resolved_at IS NOT NULL"))
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("count the findings: %w", err)
	}
	return open, resolved, nil
}

// Tally counts the evaluations of some days.
type Tally struct {
	All  int64
	Poor int64 // 不满意 and 非常不满意
	More bool  // there are more than were counted, which is bounded
}

// mostTallied bounds what a tally counts.
const mostTallied = 100_000

// Tally counts evaluations by Entry.Moment, To excluded, and leaves out those within but. The bounds must be ends of the stays' times.
func (b *Books) Tally(ctx context.Context, from, to time.Time, within, but Within) (n Tally, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		var x statementText
		x.add("SELECT count(*), coalesce(sum(CASE WHEN level <= 2 THEN 1 ELSE 0 END), 0) FROM (SELECT level FROM {evaluation} WHERE moment >= ",
			x.arg(from.UnixMilli()),
			" AND moment < ", x.arg(to.UnixMilli()))
		if within.Some {
			x.add(" AND (")
			within.of(&x, t.engine, from, to)
			x.add(")")
		}
		if but.Some {
			x.add(" AND NOT (")
			but.of(&x, t.engine, from, to)
			x.add(")")
		}
		x.add(" LIMIT ", x.arg(mostTallied+1), ") x")
		all, err := db.Query(ctx, tx, func(s db.Scanner) (n Tally, err error) { return n, s.Scan(&n.All, &n.Poor) }, t.of(x.text.String()),
			x.args...)
		if err == nil && len(all) == 1 {
			n = all[0]
			n.More = n.All > mostTallied
		}
		return err
	})
	if err != nil {
		return n, fmt.Errorf("count evaluations: %w", err)
	}
	return n, nil
}

// of writes that an evaluation was given within, for a time that no stay begins or ends in.
func (w Within) of(x *statementText, engine db.Engine, from, to time.Time) {
	var posts []int64
	for _, s := range w.Stays {
		if (s.From.IsZero() || s.From.Before(to)) && (s.To.IsZero() || s.To.After(from)) {
			posts = append(posts, s.hash())
		}
	}
	x.numbers(engine, "post", posts)
	for _, a := range w.Areas {
		low, high := areaBounds(a)
		x.add(" OR post BETWEEN ", x.arg(-high), " AND ", x.arg(-low))
	}
}

// Unrated counts the completed cases of some areas that nobody has rated and whose periods began in a time, To excluded. More says that
// there are more.
func (b *Books) Unrated(ctx context.Context, from, to time.Time, areas []string) (n int64, more bool, err error) {
	if len(areas) == 0 {
		return 0, false, nil
	}
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		var x statementText
		x.add("SELECT count(*) FROM (SELECT begins FROM {case} WHERE waits = 1 AND day >= ", x.arg(rating.ShanghaiDay(from.UnixMilli())),
			" AND day <= ", x.arg(rating.ShanghaiDay(to.UnixMilli())), " AND counts = 0 AND begins >= ", x.arg(from.UnixMilli()))
		x.add(" AND begins < ", x.arg(to.UnixMilli()), " AND (")
		for i, a := range areas {
			if i > 0 {
				x.add(" OR ")
			}
			s := areaStem(a)
			x.add("substr(project, 1, ", strconv.Itoa(len(s)), ") = ", x.arg(s)) // a key begins with its area
		}
		x.add(") LIMIT ", x.arg(mostTallied+1), ") x")
		n, err = one(ctx, tx, t.of(x.text.String()), x.args...)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("count cases that nobody has rated: %w", err)
	}
	return min(n, mostTallied), n > mostTallied, nil
}
