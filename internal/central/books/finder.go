package books

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// begin chooses how the index is read: by the case, by what is rare, by each window, or all in the order of lists.
func (f *finder) begin(after Cursor) (err error) {
	oldest := int64(0)
	if !f.q.From.IsZero() {
		oldest = f.q.From.UnixMilli()
	}
	one := func(index string, where func(*statementText)) {
		f.streams = []*stream{{index: index, where: where, oldest: oldest, at: after, look: f.bounds.first}}
	}
	rare := func(index, condition string) { one(index, func(x *statementText) { x.add(condition) }) }
	f.among = true
	switch {
	case f.q.Case != (rating.CaseKey{}):
		ids, err := f.claims()
		if err != nil {
			return err
		}
		one("", func(x *statementText) { x.numbers(f.t.engine, "id", ids) })
	case f.q.Staff != "":
		one("staff", func(x *statementText) { x.add("staff > 0 AND staff = ", x.arg(shortHash(f.q.Staff))) })
	case f.q.Text:
		rare("texts", "texts = 1")
	case only(f.q.Channels, func(c rating.Channel) bool { return number(channels(), c) > 2 }):
		rare("afar", "channel > 2")
	case only(f.q.Levels, rating.Level.Bad):
		rare("poor", "level <= 2")
	case only(f.q.Standings, func(s rating.Standing) bool { return number(standings(), s) > 1 }):
		rare("apart", "standing > 1")
	default:
		f.among = false
		rare("moment", "1 = 1")
	}
	if !f.q.Within.Some {
		f.among = false
		return nil
	}
	if f.posts, err = f.areas(); err != nil {
		return err
	}
	if f.among = f.among || len(f.posts)+len(f.q.Within.Stays) > f.bounds.stays; f.among {
		for _, s := range f.q.Within.Stays {
			f.posts = append(f.posts, s.hash())
		}
		return nil
	}
	f.apart(oldest, after)
	return nil
}

// only reports whether something is asked for, and nothing that is not rare.
func only[T any](asked []T, rare func(T) bool) bool {
	return len(asked) > 0 && !slices.ContainsFunc(asked, func(v T) bool { return !rare(v) })
}

// apart has each window and area read by itself.
func (f *finder) apart(oldest int64, after Cursor) {
	stays := f.q.Within.Stays
	f.streams = nil
	look := max(1, min(f.bounds.first, f.bounds.looked/4/max(1, len(stays)+len(f.posts))))
	add := func(post, oldest int64, after Cursor) {
		f.streams = append(f.streams, &stream{index: "post", post: post, where: func(x *statementText) { x.add("post = ", x.arg(post)) },
			oldest: oldest, at: after, look: look})
	}
	for _, p := range f.posts {
		add(p, oldest, after)
	}
	for _, s := range stays {
		from, until := oldest, after
		if !s.From.IsZero() {
			from = max(from, s.From.UnixMilli())
		}
		if !s.To.IsZero() {
			until = slices.MinFunc([]Cursor{until, {s.To.UnixMilli(), 0}}, Cursor.compare)
		}
		if from <= until.Moment {
			add(s.hash(), from, until)
		}
	}
}

// claims returns the evaluations that may count for the case that is asked for.
func (f *finder) claims() ([]int64, error) {
	keys := []string{f.q.Case.String()}
	for _, a := range f.q.CaseAreas {
		keys = append(keys, rating.CaseKey{Area: a, Project: f.q.Case.Project}.String())
	}
	items := make([]int64, len(keys))
	for i, k := range keys {
		items[i] = itemHash(k)
	}
	r := reader{tx: f.tx, t: f.t}
	cases, err := r.files(f.ctx, unique(items))
	if err != nil {
		return nil, err
	}
	var named []int64
	for _, c := range cases {
		if slices.Contains(keys, c.project) {
			named = append(named, c.n)
		}
	}
	found, err := r.claims(f.ctx, named)
	var ids []int64
	for _, c := range found {
		ids = append(ids, c.evaluation)
	}
	return unique(ids), err
}

// areas returns the posts of the areas that are asked for and have answers. Each is found by a step in the index.
func (f *finder) areas() (posts []int64, err error) {
	for _, a := range f.q.Within.Areas {
		low, high := areaBounds(a)
		for next := -high; next <= -low; {
			found, err := db.Query(f.ctx, f.tx, func(s db.Scanner) (p int64, err error) { return p, s.Scan(&p) },
				f.t.of("SELECT post FROM {evaluation} WHERE post >= $1 AND post <= $2 ORDER BY post LIMIT 1"), next, -low)
			if err != nil {
				return nil, err
			}
			if len(found) == 0 {
				break
			}
			posts, next = append(posts, found[0]), found[0]+1
		}
	}
	return unique(posts), nil
}

// finder finds one page.
type finder struct {
	ctx     context.Context
	tx      *db.Tx
	t       tables
	q       Search
	limit   int
	streams []*stream
	posts   []int64 // of what is asked for, as the index has them
	among   bool    // the streams pass over what is at none of posts
	bounds  reading
	last    Cursor // that was taken
	looked  int
}

// stream is evaluations in the order of lists, by one way of reading an index.
type stream struct {
	index  string               // that is read, by the end of its name; empty: the primary key
	where  func(*statementText) // what it is read by
	post   int64                // where that is a window or an area
	oldest int64                // moment
	at     Cursor               // everything before it in the list is read
	look   int
	rows   []Cursor // that are found and not taken yet
	begun  bool
	ended  bool
}

// head is where the stream's next evaluation is, or will be looked for.
func (s *stream) head() Cursor {
	if len(s.rows) > 0 {
		return s.rows[0]
	}
	return s.at
}

// page takes from the streams what fits, in order.
func (f *finder) page() (p Page, err error) {
	tried := 0
	for {
		n := f.limit + 1 - len(p.Entries)
		if tried > 0 { // as many as bring enough, if as few fit as before
			n = min(n*tried/max(1, len(p.Entries))+1, 4*f.limit)
		}
		hits, next, err := f.take(n)
		if err != nil {
			return p, err
		}
		tried += len(hits)
		some, err := f.read(hits)
		if err != nil {
			return p, err
		}
		for _, e := range some {
			if len(p.Entries) == f.limit {
				p.Next = p.Entries[f.limit-1].cursor()
				return p, nil
			}
			p.Entries = append(p.Entries, e)
		}
		if next == nil {
			return p, nil
		}
		if f.looked >= f.bounds.looked {
			p.Next = *next
			return p, nil
		}
	}
}

// take returns up to n hits and, unless there are no more, up to where the streams are read.
func (f *finder) take(n int) (hits []Cursor, next *Cursor, err error) {
	for {
		var s *stream
		for _, o := range f.streams {
			if (len(o.rows) > 0 || !o.ended) && (s == nil || o.head().compare(s.head()) > 0) {
				s = o
			}
		}
		if s == nil {
			return hits, nil, nil
		}
		if len(s.rows) > 0 && len(hits) < n {
			if s.rows[0] != f.last { // two windows may have one hash
				f.last = s.rows[0]
				hits = append(hits, f.last)
			}
			s.rows = s.rows[1:]
			continue
		}
		if head := s.head(); len(hits) == n || s.begun && f.looked >= f.bounds.looked {
			if len(s.rows) > 0 {
				head = f.last
			}
			return hits, &head, nil
		}
		if err := f.pull(s, n); err != nil {
			return nil, nil, err
		}
	}
}

// pull reads on in a stream: the index is read until enough is found, or for so many rows.
func (f *finder) pull(s *stream, n int) error {
	if !s.begun {
		n *= 2 // since some have more than others
	}
	n = max(4, n/len(f.streams)+1)
	if f.t.engine == db.Postgres && len(f.streams) > 1 {
		return f.pullTogether(n)
	}
	var x statementText
	f.look(&x, s, n, func(columns string, limit, offset int) { f.inner(s, &x, columns, limit, offset) })
	rows, err := db.Query(f.ctx, f.tx, scanSeen, f.t.of(x.text.String()), x.args...)
	if err != nil {
		return err
	}
	f.saw(s, rows, n)
	return nil
}

// seen is an evaluation that the index lets through, or else the last one that was looked at.
type seen struct {
	Cursor
	hit bool
}

func scanSeen(s db.Scanner) (r seen, err error) { return r, s.Scan(&r.Moment, &r.ID, &r.hit) }

// look writes a statement that reads an index until n are found. Where it reads as far as it may, the last row that it has read follows what
// it has found. Both engines keep the order in which the index is read, and read no further than they must.
func (f *finder) look(x *statementText, s *stream, n int, inner func(columns string, limit, offset int)) {
	filters, columns := f.filters(s.index), "moment, id"
	for _, c := range filters {
		columns += ", " + c.column
	}
	x.add("SELECT moment, id, hit FROM (SELECT moment, id, 1 = 1 AS hit FROM (")
	inner(columns, s.look, 0)
	x.add(") x WHERE 1 = 1")
	for _, c := range filters {
		x.add(" AND ")
		c.write(x)
	}
	x.add(" UNION ALL SELECT moment, id, 1 = 0 FROM (")
	inner("moment, id", 1, s.look-1)
	x.add(") x) x LIMIT ", x.arg(n))
}

// saw moves a stream to the last that was looked at, and has it look at more the next time where too little was found.
func (f *finder) saw(s *stream, rows []seen, n int) {
	s.begun, s.ended = true, len(rows) < n // each is read at least once, so that each page gets further
	looked := 0                            // at least
	for _, r := range rows {
		s.at = r.Cursor
		if !r.hit {
			s.ended, looked = false, s.look
			continue
		}
		s.rows = append(s.rows, r.Cursor)
		looked++
	}
	f.looked += looked
	if len(rows) < n {
		s.look = min(2*s.look, f.bounds.most)
	}
}

// inner writes the part of a statement that reads the index.
func (f *finder) inner(s *stream, x *statementText, columns string, limit, offset int) {
	x.add("SELECT ", columns, " FROM {evaluation} ")
	if s.index != "" && f.t.engine == db.SQLite { // which keeps no statistics that would tell it
		x.add("INDEXED BY {evaluation}_", s.index, " ")
	}
	x.add("WHERE ")
	s.where(x)
	x.add(" AND moment >= ", x.arg(s.oldest), " AND (moment, id) < (", x.arg(s.at.Moment), ", ", x.arg(s.at.ID),
		") ORDER BY moment DESC, id DESC LIMIT ", x.arg(limit))
	x.add(" OFFSET ", x.arg(offset))
}

// statementText is a statement while it is written, with its arguments in the order in which they appear.
type statementText struct {
	text strings.Builder
	args []any
}

func (x *statementText) add(parts ...string) {
	for _, p := range parts {
		x.text.WriteString(p)
	}
}

// arg returns the mark of an argument, which must be written next.
func (x *statementText) arg(v any) string {
	x.args = append(x.args, v)
	return "$" + strconv.Itoa(len(x.args))
}

func scanCursor(s db.Scanner) (c Cursor, err error) { return c, s.Scan(&c.Moment, &c.ID) }

// numbers returns an argument that stands for many numbers, and the words by which a column is one of them.
func (x *statementText) numbers(engine db.Engine, column string, values []int64) {
	if engine == db.Postgres {
		x.add(column, " = ANY(", x.arg(append([]int64{}, values...)), ")") // none is NULL, which is neither in nor out
		return
	}
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = strconv.FormatInt(v, 10)
	}
	x.add(column, " IN (SELECT value FROM json_each(", x.arg("["+strings.Join(list, ",")+"]"), "))")
}
