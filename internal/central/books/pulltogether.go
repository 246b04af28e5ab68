package books

import (
	"haochaping/internal/central/db"
)

// placed is what was seen for one of several streams.
type placed struct {
	stream int64 // from 1
	seen
}

func scanPlaced(s db.Scanner) (p placed, err error) {
	return p, s.Scan(&p.stream, &p.Moment, &p.ID, &p.hit)
}

// pullTogether does what pull does for all windows of which little is left to take, on a server, since each statement costs a way there and
// back, and others are served meanwhile.
func (f *finder) pullTogether(n int) error {
	var posts, oldest, moments, ids []int64
	var all []*stream
	look := 0
	for _, s := range f.streams {
		if !s.ended && len(s.rows) <= n/2 {
			all, look = append(all, s), max(look, s.look)
		}
	}
	for _, s := range all {
		s.look = look
		posts, oldest = append(posts, s.post), append(oldest, s.oldest)
		moments, ids = append(moments, s.at.Moment), append(ids, s.at.ID)
	}
	var x statementText
	x.add("SELECT s.k, z.moment, z.id, z.hit FROM unnest(", x.arg(posts), "::bigint[], ")
	x.add(x.arg(oldest), "::bigint[], ")
	x.add(x.arg(moments), "::bigint[], ")
	x.add(x.arg(ids), "::bigint[]) WITH ORDINALITY AS s(post, oldest, moment, id, k) CROSS JOIN LATERAL (")
	f.look(&x, all[0], n, func(columns string, limit, offset int) {
		x.add("SELECT ", columns, " FROM {evaluation} e WHERE e.post = s.post AND e.moment >= s.oldest")
		x.add(" AND (e.moment, e.id) < (s.moment, s.id) ORDER BY e.moment DESC, e.id DESC LIMIT ", x.arg(limit))
		x.add(" OFFSET ", x.arg(offset))
	})
	x.add(") z ORDER BY s.k, z.moment DESC, z.id DESC, z.hit DESC") // the last that was looked at may be one that was found
	found, err := db.Query(f.ctx, f.tx, scanPlaced, f.t.of(x.text.String()), x.args...)
	if err != nil {
		return err
	}
	of := make([][]seen, len(all))
	for _, p := range found {
		of[p.stream-1] = append(of[p.stream-1], p.seen)
	}
	for i, s := range all {
		f.saw(s, of[i], n)
	}
	return nil
}
