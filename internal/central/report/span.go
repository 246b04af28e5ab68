package report

import (
	"context"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
)

// span is days, or whole months by their first days, both ends included.
type span struct{ grain, first, last int64 }

// next returns the day or month after one.
func (x span) next(at directory.Day) directory.Day {
	if x.grain == days {
		return at + 1
	}
	return monthOf(at + 31)
}

// spans cuts a period into whole months and the days before and after them.
func spans(p directory.Period) []span {
	first := monthOf(p.From)
	if first < p.From {
		first = monthOf(first + 31)
	}
	last := monthOf(p.To) // the first that is not whole
	if first >= last {
		return []span{{days, int64(p.From), int64(p.To) - 1}}
	}
	all := []span{{months, int64(first), int64(last) - 1}}
	if p.From < first {
		all = append(all, span{days, int64(p.From), int64(first) - 1})
	}
	if last < p.To {
		all = append(all, span{days, int64(last), int64(p.To) - 1})
	}
	return all
}

// spans cuts what is asked for. A month of which nothing lies outside of the period is a whole one, as is the one that has just begun.
func (s *summer) spans(ctx context.Context, tx *db.Tx) ([]span, error) {
	p := s.ask.Days
	if end := monthOf(monthOf(p.To-1) + 31); p.To < end {
		more, err := s.any(ctx, tx, p.To, end)
		if err != nil {
			return nil, err
		}
		if !more {
			p.To = end
		}
	}
	if first := monthOf(p.From); first < p.From {
		more, err := s.any(ctx, tx, first, p.From)
		if err != nil {
			return nil, err
		}
		if !more {
			p.From = first
		}
	}
	return spans(p), nil
}

// any reports whether anything is counted on some days, to excluded.
func (s *summer) any(ctx context.Context, tx *db.Tx, from, to directory.Day) (bool, error) {
	found, err := db.Query(ctx, tx, func(s db.Scanner) (at int64, err error) { return at, s.Scan(&at) },
		"SELECT at FROM report_count WHERE split = $1 AND grain = 0 AND at >= $2 AND at < $3 LIMIT 1", int64(s.ask.Split), int64(from), int64(to))
	return len(found) > 0, err
}
