package books

import (
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/db"
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

// Tally counts evaluations by Entry.Moment, To excluded. The bounds must be days' ends where Within has stays for a time.
func (b *Books) Tally(ctx context.Context, from, to time.Time, within Within) (n Tally, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		f := &finder{ctx: ctx, tx: tx, t: t, q: Search{From: from, To: to, Within: within}}
		if f.posts, err = f.areas(); err != nil {
			return err
		}
		for _, s := range within.Stays {
			if (s.From.IsZero() || s.From.Before(to)) && (s.To.IsZero() || s.To.After(from)) {
				f.posts = append(f.posts, s.hash())
			}
		}
		f.among = within.Some
		var x statementText
		x.add("SELECT count(*), coalesce(sum(CASE WHEN level <= 2 THEN 1 ELSE 0 END), 0) FROM (SELECT level FROM {evaluation} WHERE moment >= ", x.arg(from.UnixMilli()),
			" AND moment < ", x.arg(to.UnixMilli()))
		f.residual(&x)
		x.add(" LIMIT ", x.arg(mostTallied+1), ") x")
		all, err := db.Query(ctx, tx, func(s db.Scanner) (n Tally, err error) { return n, s.Scan(&n.All, &n.Poor) }, t.of(x.text.String()), x.args...)
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
