package report

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"haochaping/internal/central/db"
)

// place is a case and a visit that has completed it.
type place struct{ project, item string }

// called is the name of a matter or person, and when they were called so.
type called struct {
	name string
	at   int64
}

type nameKey struct {
	split Split
	of    string
}

// change is what one transaction changes.
type change struct {
	cells  map[cell]Amount
	put    map[string]string // facts by item
	gone   []string          // facts
	kept   []string          // facts that are the same
	visits map[place]*seen   // nil: it has not completed the case
	names  map[nameKey]called
	orders []orderRow
	bad    []int64 // evaluations on which there may be orders
}

func newChange() *change {
	return &change{cells: make(map[cell]Amount), put: make(map[string]string), visits: make(map[place]*seen), names: make(map[nameKey]called)}
}

// fact takes a fact out of the aggregates and puts another in. Nil is none.
func (c *change) fact(item string, old *written, next *fact) {
	text := ""
	if next != nil {
		b, err := json.Marshal(next)
		if err != nil {
			panic(err) // texts and numbers
		}
		text = string(b)
	}
	switch {
	case old == nil && next == nil:
		return
	case old != nil && old.text == text:
		c.kept = append(c.kept, item)
		return
	case next == nil:
		c.gone = append(c.gone, item)
	default:
		c.put[item] = text
	}
	if old != nil {
		c.count(old.fact, -1)
	}
	if next != nil {
		c.count(*next, 1)
	}
}

func (c *change) count(f fact, n int64) {
	for _, k := range f.cells() {
		c.cells[k] = c.cells[k].Plus(f.amount().Times(n))
	}
}

func (c *change) see(project string, s seen)        { c.visits[place{project, s.Item}] = &s }
func (c *change) unsee(project string, item string) { c.visits[place{project, item}] = nil }

func (c *change) name(split Split, of, name string, at int64) {
	if k := (nameKey{split, of}); name != "" && c.names[k].at <= at {
		c.names[k] = called{name, at}
	}
}

// write writes a change, with how far was looked, unless somebody else has gone on meanwhile.
func (r *Reports) write(ctx context.Context, st, next state, c *change) error {
	known := r.numbered(st)
	var posts map[Post]numbered
	err := r.db.Write(ctx, func(tx *db.Tx) error {
		err := st.move(ctx, tx, next)
		if err != nil {
			return err
		}
		if posts, err = c.posts(ctx, tx, known, st.step+1); err != nil {
			return err
		}
		return c.write(ctx, tx, posts, next.walk)
	})
	if err != nil {
		return fmt.Errorf("write the aggregates: %w", err)
	}
	maps.Copy(known, posts)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.numbers, r.numbersAt = known, st.step+1
	return nil
}

// numbered takes the numbers that are known of posts, if nobody else has written since.
func (r *Reports) numbered(st state) map[Post]numbered {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.numbers
	if r.numbers = nil; known == nil || r.numbersAt != st.step || len(known) > mostKnown {
		return make(map[Post]numbered)
	}
	return known
}

// mostKnown is of how many posts the numbers are known at once.
const mostKnown = 100_000

// posts returns the numbers of the posts that a change is about. New ones get the next ones, and are so from a step on.
func (c *change) posts(ctx context.Context, tx *db.Tx, known map[Post]numbered, step int64) (map[Post]numbered, error) {
	ids := make(map[Post]numbered)
	for k := range c.cells {
		ids[k.post] = known[k.post]
	}
	for _, o := range c.orders {
		ids[o.Post] = known[o.Post]
	}
	var last int64
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM report_post").Scan(&last); err != nil {
		return nil, err
	}
	var fresh [][]any
	for _, p := range slices.SortedFunc(maps.Keys(ids), comparePosts) {
		if ids[p].id != 0 {
			continue
		}
		found, err := db.Query(ctx, tx, func(s db.Scanner) (n numbered, err error) { return n, s.Scan(&n.id, &n.bundle) },
			"SELECT id, bundle FROM report_post WHERE device = $1 AND generation = $2 AND window_id = $3 AND area = $4 AND unit = $5",
			string(p.Device), int64(p.Generation), p.Window, p.Area, p.Unit)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			last++
			found = []numbered{{id: last}}
			fresh = append(fresh, []any{last, string(p.Device), int64(p.Generation), p.Window, p.Area, p.Unit, step})
		}
		ids[p] = found[0]
	}
	return ids, tx.Insert(ctx, "report_post", []string{"id", "device", "generation", "window_id", "area", "unit", "changed"}, fresh)
}

func comparePosts(a, b Post) int {
	return cmp.Or(cmp.Compare(a.Device, b.Device), cmp.Compare(a.Generation, b.Generation), cmp.Compare(a.Window, b.Window),
		cmp.Compare(a.Area, b.Area),
		cmp.Compare(a.Unit, b.Unit))
}

func (c *change) write(ctx context.Context, tx *db.Tx, posts map[Post]numbered, walk int64) error {
	var facts, kept, gone, see, unsee, names [][]any
	for _, item := range slices.Sorted(maps.Keys(c.put)) {
		facts = append(facts, []any{item, walk, c.put[item]})
	}
	for _, item := range c.kept {
		kept = append(kept, []any{walk, item, walk})
	}
	for _, item := range c.gone {
		gone = append(gone, []any{item})
	}
	for k, s := range c.visits {
		if s == nil {
			unsee = append(unsee, []any{k.project, k.item})
			continue
		}
		body, err := json.Marshal(s)
		if err != nil {
			return err
		}
		see = append(see, []any{k.project, k.item, string(body)})
	}
	for k, n := range c.names {
		names = append(names, []any{int64(k.split), k.of, n.name, n.at})
	}
	for _, s := range []struct {
		text string
		rows [][]any
	}{
		{"INSERT INTO report_fact (item, walk, body) VALUES ($1, $2, $3) ON CONFLICT (item) DO UPDATE SET walk = excluded.walk, body = " +
			"excluded.body", facts},
		{"UPDATE report_fact SET walk = $1 WHERE item = $2 AND walk < $3", kept},
		{"DELETE FROM report_fact WHERE item = $1", gone},
		{"INSERT INTO report_seen (project, item, body) VALUES ($1, $2, $3) ON CONFLICT (project, item) DO UPDATE SET body = excluded.body", see},
		{"DELETE FROM report_seen WHERE project = $1 AND item = $2", unsee},
		{`INSERT INTO report_name (split, of, name, at) VALUES ($1, $2, $3, $4) ON CONFLICT (split, of) DO UPDATE SET
			name = CASE WHEN excluded.at >= report_name.at THEN excluded.name ELSE report_name.name END,
			at = CASE WHEN excluded.at >= report_name.at THEN excluded.at ELSE report_name.at END`, names},
	} {
		if err := tx.Each(ctx, s.text, s.rows); err != nil {
			return err
		}
	}
	if err := c.writeCounts(ctx, tx, posts); err != nil {
		return err
	}
	if err := c.writeBundles(ctx, tx, posts); err != nil {
		return err
	}
	return c.writeOrders(ctx, tx, posts)
}

// lessens reports whether an amount takes something away.
func (a Amount) lessens() bool {
	return a.Served < 0 || a.Asked < 0 || a.Silent < 0 || slices.ContainsFunc(a.Levels[:], func(n int64) bool { return n < 0 })
}

// writeCounts adds to the aggregates, and drops rows that have come to nothing.
func (c *change) writeCounts(ctx context.Context, tx *db.Tx, posts map[Post]numbered) error {
	var rows, empty [][]any
	for k, a := range c.cells {
		if a == (Amount{}) {
			continue
		}
		key := []any{int64(k.split), k.grain, k.at, posts[k.post].id, k.of, string(k.subject), string(k.channel)}
		rows = append(rows, append(key[:len(key):len(key)], a.Served, a.Asked, a.Levels[1], a.Levels[2], a.Levels[3]+a.Silent, a.Levels[4],
			a.Levels[5]))
		if a.lessens() {
			empty = append(empty, key)
		}
	}
	if err := tx.Each(ctx, `INSERT INTO report_count (split, grain, at, post, of, subject, channel, served, asked, n1, n2, n3, n4, n5)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (split, grain, at, post, of, subject, channel) DO UPDATE
			SET
		served = report_count.served + excluded.served, asked = report_count.asked + excluded.asked, n1 = report_count.n1 + excluded.n1,
		n2 = report_count.n2 + excluded.n2, n3 = report_count.n3 + excluded.n3, n4 = report_count.n4 + excluded.n4,
			n5 = report_count.n5 + excluded.n5`, rows); err != nil {
		return err
	}
	return tx.Each(ctx, `DELETE FROM report_count WHERE split = $1 AND grain = $2 AND at = $3 AND post = $4 AND of = $5 AND subject = $6
		AND channel = $7
		AND served = 0 AND asked = 0 AND n1 = 0 AND n2 = 0 AND n3 = 0 AND n4 = 0 AND n5 = 0`, empty)
}
