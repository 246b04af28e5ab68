package books

import (
	"haochaping/internal/central/db"
)

// placed is what was found for one of several streams.
type placed struct {
	stream int64 // from 1
	Cursor
}

func scanPlaced(s db.Scanner) (p placed, err error) { return p, s.Scan(&p.stream, &p.Moment, &p.ID) }

// pullTogether does for several windows what pull does for one, since each statement costs a way to the server and back: the first n of
// each are read by one, and by another how far those were looked through that have fewer.
func (f *finder) pullTogether(all []*stream, n int) error {
	find := func(x *statementText, look int) {
		x.add("SELECT moment, id FROM (")
		innerOf(x, "moment, id, staff, level, channel, standing, subject, tasks, texts, post", look)
		x.add(") x WHERE 1 = 1")
		f.residual(x)
		x.add(" ORDER BY moment DESC, id DESC LIMIT ", x.arg(n))
	}
	found, err := f.ofEach(all, find)
	if err != nil {
		return err
	}
	var short []*stream
	for i, s := range all {
		s.begun, s.rows = true, found[i]
		if len(s.rows) < n {
			short = append(short, s)
			continue
		}
		s.at = s.rows[n-1]
		f.looked += n // at least
	}
	if len(short) == 0 {
		return nil
	}
	ends, err := f.ofEach(short, func(x *statementText, look int) {
		innerOf(x, "moment, id", look)
		x.add(" OFFSET ", x.arg(look-1))
	})
	if err != nil {
		return err
	}
	for i, s := range short {
		f.lookedThrough(s, ends[i])
	}
	return nil
}

// ofEach runs a statement for each of some streams that have looked equally far, on a server, and returns what it finds for each.
func (f *finder) ofEach(all []*stream, one func(x *statementText, look int)) ([][]Cursor, error) {
	var posts, oldest, moments, ids []int64
	for _, s := range all {
		posts, oldest = append(posts, s.post), append(oldest, s.oldest)
		moments, ids = append(moments, s.at.Moment), append(ids, s.at.ID)
	}
	var x statementText
	x.add("SELECT s.k, y.moment, y.id FROM unnest(", x.arg(posts), "::bigint[], ")
	x.add(x.arg(oldest), "::bigint[], ")
	x.add(x.arg(moments), "::bigint[], ")
	x.add(x.arg(ids), "::bigint[]) WITH ORDINALITY AS s(post, oldest, moment, id, k) CROSS JOIN LATERAL (")
	one(&x, all[0].look)
	x.add(") y ORDER BY s.k, y.moment DESC, y.id DESC")
	found, err := db.Query(f.ctx, f.tx, scanPlaced, f.t.of(x.text.String()), x.args...)
	if err != nil {
		return nil, err
	}
	of := make([][]Cursor, len(all))
	for _, p := range found {
		of[p.stream-1] = append(of[p.stream-1], p.Cursor)
	}
	return of, nil
}

// innerOf writes the part of a statement of ofEach that reads the index.
func innerOf(x *statementText, columns string, look int) {
	x.add("SELECT ", columns, " FROM {evaluation} e WHERE e.post = s.post AND e.moment >= s.oldest AND (e.moment, e.id) < (s.moment, s.id) ")
	x.add("ORDER BY e.moment DESC, e.id DESC LIMIT ", x.arg(look))
}
