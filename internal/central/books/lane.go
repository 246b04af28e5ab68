package books

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// lane is the rows of one log in the order of their keys, as far as they were read: a log may have more than anybody wants in
// memory, of which each record concerns a few.
type lane[T interface{ key() uint64 }] struct {
	rows  []T        // by key
	known []interval // within which rows holds all that there are; by low, none touches another
}

// fetch reads up to n rows from a key on, that one included, upwards or back.
type fetch[T any] func(ctx context.Context, from uint64, back bool, n int) ([]T, error)

// find returns where the row with a key is or would be.
func (l *lane[T]) find(k uint64) (i int, found bool) {
	return slices.BinarySearchFunc(l.rows, k, func(r T, k uint64) int { return cmp.Compare(r.key(), k) })
}

// insert puts a row in its place.
func (l *lane[T]) insert(r T) {
	i, _ := l.find(r.key())
	l.rows = slices.Insert(l.rows, i, r)
}

// remove takes away the row with a key.
func (l *lane[T]) remove(k uint64) {
	if i, found := l.find(k); found {
		l.rows = slices.Delete(l.rows, i, i+1)
	}
}

// last returns the row with the greatest key.
func (l *lane[T]) last() (r T, ok bool) {
	if len(l.rows) == 0 {
		return r, false
	}
	return l.rows[len(l.rows)-1], true
}

// trim forgets all rows but the last one of all, if that is known.
func (l *lane[T]) trim() {
	n := len(l.known) - 1
	switch {
	case len(l.rows) < 2:
	case l.known[n].high < math.MaxUint64:
		l.rows, l.known = nil, nil
	case l.rows[len(l.rows)-1].key() < l.known[n].low:
		l.rows, l.known = nil, l.known[n:]
	default:
		l.rows = []T{l.rows[len(l.rows)-1]}
		l.known = []interval{{l.rows[0].key(), math.MaxUint64}}
	}
}

// ensure reads the row with a key, if there is one, and as many before and after it as are named.
func (l *lane[T]) ensure(ctx context.Context, k uint64, before, after int, read fetch[T]) error {
	i := slices.IndexFunc(l.known, func(v interval) bool { return v.low <= k && k <= v.high })
	if i < 0 {
		rows, err := read(ctx, k, true, before+1)
		if err != nil {
			return err
		}
		v := interval{0, k}
		if len(rows) == before+1 {
			v.low = rows[len(rows)-1].key()
		}
		i = l.join(v, rows)
	}
	// More than once where the table has rows that are gone here.
	for v := l.known[i]; v.low > 0; v = l.known[i] {
		at, _ := l.find(k)
		from, _ := l.find(v.low)
		n := before - (at - from)
		if n <= 0 {
			break
		}
		rows, err := read(ctx, v.low-1, true, n)
		if err != nil {
			return err
		}
		wider := interval{0, v.high}
		if len(rows) == n {
			wider.low = rows[len(rows)-1].key()
		}
		i = l.join(wider, rows)
	}
	for v := l.known[i]; v.high < math.MaxUint64; v = l.known[i] {
		at, found := l.find(k)
		if found {
			at++
		}
		to, exact := l.find(v.high)
		if exact {
			to++
		}
		n := after - (to - at)
		if n <= 0 {
			break
		}
		rows, err := read(ctx, v.high+1, false, n)
		if err != nil {
			return err
		}
		wider := interval{v.low, math.MaxUint64}
		if len(rows) == n {
			wider.high = rows[len(rows)-1].key()
		}
		i = l.join(wider, rows)
	}
	return nil
}

// join notes that all rows of an interval are known now, and returns which of the known intervals holds it.
func (l *lane[T]) join(v interval, rows []T) int {
	for _, r := range rows {
		if !slices.ContainsFunc(l.known, func(o interval) bool { return o.low <= r.key() && r.key() <= o.high }) {
			l.insert(r)
		}
	}
	rest := l.known[:0:0]
	for _, o := range l.known {
		if o.high < v.low || v.high < o.low {
			rest = append(rest, o)
			continue
		}
		v = interval{min(v.low, o.low), max(v.high, o.high)}
	}
	i := slices.IndexFunc(rest, func(o interval) bool { return o.low > v.low })
	if i < 0 {
		i = len(rest)
	}
	l.known = slices.Insert(rest, i, v)
	return i
}
