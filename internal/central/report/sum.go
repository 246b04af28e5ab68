package report

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

// Ask says what is to be added up.
type Ask struct {
	Days  directory.Period
	Split Split
	Of    string // of a split: one member of staff or matter, empty: all
	// Fits says what of is added up, by where it lay.
	Fits func(Where) bool
	// Group returns in which row something stands, empty for none: by where it lay, and by staff or matter of a split. Nil: there are no rows.
	Group func(w Where, of string) string
	// Channels says that rows stand by the channel of the answer: what is rated at a platform is its own, as a hall's is. Group is not asked.
	Channels bool
}

// Key tells apart what sums keep apart.
type Key struct {
	Subject rating.Subject
	Channel rating.Channel
}

// Sums is what rows of the aggregates add up to.
type Sums struct {
	Counts map[Key]Amount
	Work   Work
}

func (s *Sums) add(k Key, a Amount) {
	if s.Counts == nil {
		s.Counts = make(map[Key]Amount)
	}
	s.Counts[k] = s.Counts[k].Plus(a)
}

// Add adds the counts of others.
func (s *Sums) Add(o Sums) {
	for k, a := range o.Counts {
		s.add(k, a)
	}
}

// Of returns the sum of one subject, or of both where it is empty.
func (s Sums) Of(subject rating.Subject) (a Amount) {
	for k, x := range s.Counts {
		if subject == "" || k.Subject == subject {
			a = a.Plus(x)
		}
	}
	return a
}

// By returns the sum of one channel and subject, of both subjects where that is empty.
func (s Sums) By(subject rating.Subject, channel rating.Channel) (a Amount) {
	for k, x := range s.Counts {
		if k.Channel == channel && (subject == "" || k.Subject == subject) {
			a = a.Plus(x)
		}
	}
	return a
}

// Row is a part of a table.
type Row struct {
	ID string
	Sums
}

// Table is what was asked for.
type Table struct {
	Total Sums
	Rows  []Row // by their IDs
}

// MaxDays bounds what is added up at once.
const MaxDays = 5 * 366

// Sum adds up.
func (r *Reports) Sum(ctx context.Context, ask Ask) (Table, error) {
	a, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return Table{}, err
	}
	stood := r.stands(a)
	var s *summer
	err = r.db.Read(ctx, func(tx *db.Tx) error {
		posts, err := r.places(ctx, tx)
		if err != nil {
			return err
		}
		s = newSummer(ask, posts, &chains{stood, ask.Days, make(map[string][]segment)})
		if err := s.counts(ctx, tx); err != nil {
			return err
		}
		return s.works(ctx, tx, r)
	})
	if err != nil {
		return Table{}, fmt.Errorf("add up the figures: %w", err)
	}
	t := Table{Total: s.total}
	for _, id := range slices.Sorted(maps.Keys(s.rows)) {
		t.Rows = append(t.Rows, *s.rows[id])
	}
	return t, nil
}

// summer adds up what was asked for.
type summer struct {
	ask     Ask
	posts   int                 // that there are
	steady  map[int64]Where     // posts that lie at one place on all days
	moving  map[int64][]segment // the others
	bundles map[int64]*bundle   // that are added up together
	in      map[int64]int64     // the bundles of posts
	turning []int64             // posts of bundles that lie at several places
	total   Sums
	rows    map[string]*Row
}

// newSummer finds what is to be added up.
func newSummer(ask Ask, posts []kept, c *chains) *summer {
	s := &summer{ask: ask, posts: len(posts), rows: make(map[string]*Row), steady: make(map[int64]Where), moving: make(map[int64][]segment),
		bundles: make(map[int64]*bundle), in: make(map[int64]int64)}
	for _, p := range posts {
		all := c.segments(p.Post)
		fits := slices.ContainsFunc(all, func(x segment) bool { return ask.Fits(x.Where) })
		if ask.Split == Whole && p.bundle != 0 {
			s.bundle(p, all, fits)
		}
		if !fits {
			continue
		}
		if len(all) == 1 {
			s.steady[p.id] = all[0].Where
		} else {
			s.moving[p.id] = all
		}
	}
	maps.DeleteFunc(s.bundles, func(_ int64, b *bundle) bool { return !b.known || b.mixed || !b.fits })
	return s
}

// mostNamed is how many posts are named in a query. Where many more are asked for all are read, and the others passed over.
const mostNamed = 3000

type counted struct {
	post, at int64
	of       string
	Key
	Amount
}

func scanCounted(s db.Scanner) (c counted, err error) {
	var n [6]int64
	err = s.Scan(&c.post, &c.at, &c.of, &c.Subject, &c.Channel, &c.Served, &c.Asked, &n[1], &n[2], &n[3], &n[4], &n[5])
	if c.Channel == Default {
		c.Silent = n[3]
	} else {
		c.Levels = n
	}
	return c, err
}

// counts reads the aggregates: of bundles and posts that lie at one place the sums, of others each month or day.
func (s *summer) counts(ctx context.Context, tx *db.Tx) error {
	all, err := s.spans(ctx, tx)
	if err != nil {
		return err
	}
	for _, x := range all {
		if err := s.countBundles(ctx, tx, x); err != nil {
			return err
		}
		apart := slices.DeleteFunc(slices.Sorted(maps.Keys(s.steady)), s.within)
		some, err := s.read(ctx, tx, x, apart, "0", "")
		if err != nil {
			return err
		}
		for _, c := range some {
			s.count(s.steady[c.post], c)
		}
		if err := s.countMoving(ctx, tx, x); err != nil {
			return err
		}
	}
	return nil
}

// read reads the sums of posts, which are in order.
func (s *summer) read(ctx context.Context, tx *db.Tx, x span, posts []int64, at, group string) (all []counted, err error) {
	if len(posts) > mostNamed && 4*len(posts) > s.posts {
		all, err := s.readSome(ctx, tx, x, nil, at, group)
		return slices.DeleteFunc(all, func(c counted) bool { _, named := slices.BinarySearch(posts, c.post); return !named }), err
	}
	for some := range slices.Chunk(posts, mostNamed) {
		more, err := s.readSome(ctx, tx, x, some, at, group)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// readSome reads the sums of some posts, of all where none is named.
func (s *summer) readSome(ctx context.Context, tx *db.Tx, x span, posts []int64, at, group string) ([]counted, error) {
	args := []any{int64(s.ask.Split), x.grain, x.first, x.last}
	text := "SELECT post, " + at + `, of, subject, channel, CAST(sum(served) AS BIGINT), CAST(sum(asked) AS BIGINT),
		CAST(sum(n1) AS BIGINT), CAST(sum(n2) AS BIGINT), CAST(sum(n3) AS BIGINT), CAST(sum(n4) AS BIGINT), CAST(sum(n5) AS BIGINT)
		FROM report_count`
	if len(posts) > 0 && tx.Engine() == db.SQLite { // which keeps no statistics that would tell it
		text += " INDEXED BY report_count_post"
	}
	text += " WHERE split = $1 AND grain = $2 AND at >= $3 AND at <= $4"
	if s.ask.Of != "" {
		args = append(args, s.ask.Of)
		text += fmt.Sprintf(" AND of = $%d", len(args))
	}
	if len(posts) > 0 {
		if tx.Engine() == db.Postgres {
			args = append(args, posts)
			text += fmt.Sprintf(" AND post = ANY($%d)", len(args))
		} else {
			args = append(args, listOf(posts))
			text += fmt.Sprintf(" AND post IN (SELECT value FROM json_each($%d))", len(args))
		}
	}
	return db.Query(ctx, tx, scanCounted, text+" GROUP BY "+group+"post, of, subject, channel", args...)
}

func listOf(all []int64) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, n := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, n)
	}
	b.WriteByte(']')
	return b.String()
}

// on returns where a post lay on a day.
func on(all []segment, d directory.Day) (segment, bool) {
	i, found := slices.BinarySearchFunc(all, d, func(x segment, d directory.Day) int {
		switch {
		case x.To <= d:
			return -1
		case x.From > d:
			return 1
		}
		return 0
	})
	if !found {
		return segment{}, false
	}
	return all[i], true
}

// row returns the row in which something stands, nil if in none.
func (s *summer) row(w Where, of string) *Row {
	if s.ask.Group == nil {
		return nil
	}
	return s.rowOf(s.ask.Group(w, of))
}

func (s *summer) rowOf(id string) *Row {
	if id == "" {
		return nil
	}
	if s.rows[id] == nil {
		s.rows[id] = &Row{ID: id}
	}
	return s.rows[id]
}

func (s *summer) count(w Where, c counted) {
	if !s.ask.Fits(w) {
		return
	}
	s.total.add(c.Key, c.Amount)
	row := s.row(w, c.of)
	if s.ask.Channels {
		row = s.rowOf(string(c.Channel))
	}
	if row != nil {
		row.add(c.Key, c.Amount)
	}
}

// works adds up what has become of orders. There are few.
func (s *summer) works(ctx context.Context, tx *db.Tx, r *Reports) error {
	type row struct {
		at, post int64
		orderFact
	}
	all, err := db.Query(ctx, tx, func(x db.Scanner) (o row, err error) {
		var body string
		if err = x.Scan(&o.at, &o.post, &body); err == nil {
			err = json.Unmarshal([]byte(body), &o.orderFact)
		}
		return o, err
	}, "SELECT at, post, body FROM report_order WHERE at >= $1 AND at < $2", int64(s.ask.Days.From), int64(s.ask.Days.To))
	now := r.cfg.Now()
	for _, o := range all {
		w, ok := s.steady[o.post]
		if !ok {
			at, ok := on(s.moving[o.post], directory.Day(o.at))
			if !ok {
				continue
			}
			w = at.Where
		}
		of, in := o.of(s.ask.Split)
		if !in || s.ask.Of != "" && of != s.ask.Of || !s.ask.Fits(w) {
			continue
		}
		n := workOf(o.Worked, now)
		s.total.Work = s.total.Work.Plus(n)
		if row := s.row(w, of); row != nil {
			row.Work = row.Work.Plus(n)
		}
	}
	return err
}

// of returns by whom or what a part stands in a split, and whether it does.
func (o orderFact) of(split Split) (string, bool) {
	switch split {
	case ByStaff:
		return o.Staff, o.Subject == rating.StaffSubject && o.Staff != ""
	case ByMatter:
		return o.Task, o.Subject == rating.MatterSubject
	case ByCause:
		return "", false // orders are about answers and not about their reasons
	}
	return "", true
}

// Before returns the period before one, of as many days; of whole months, as many months.
func Before(p directory.Period) directory.Period {
	if monthOf(p.From) != p.From || monthOf(p.To) != p.To {
		return directory.Period{From: p.From - (p.To - p.From), To: p.From}
	}
	from := p.From
	for to := p.To; to > p.From; to = monthOf(to - 1) {
		from = monthOf(from - 1)
	}
	return directory.Period{From: from, To: p.From}
}
