package report

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// numbered is a post's numbers.
type numbered struct{ id, bundle int64 }

// coded is an amount of a subject and channel, by a small number.
type coded struct {
	code byte
	Amount
}

// codes are the subjects and channels by their small numbers, which bundles are written with: what is new goes to the end.
func codes() (all []Key) {
	for _, c := range append([]rating.Channel{None, Default, rating.Keypad, rating.Phone}, rating.Channels()...) {
		all = append(all, Key{rating.StaffSubject, c}, Key{rating.MatterSubject, c})
	}
	return all
}

// plus adds an amount to those of a bundle.
func plus(all []coded, x coded) []coded {
	i := slices.IndexFunc(all, func(o coded) bool { return o.code == x.code })
	if i < 0 {
		return append(all, x)
	}
	all[i].Amount = all[i].Plus(x.Amount)
	return all
}

// pack writes amounts, in the order of their codes, without those that are nothing.
func pack(all []coded) (b []byte) {
	slices.SortFunc(all, func(x, y coded) int { return int(x.code) - int(y.code) })
	for _, x := range all {
		if x.Amount == (Amount{}) {
			continue
		}
		b = append(b, x.code)
		for _, n := range append([]int64{x.Served, x.Asked, x.Silent}, x.Levels[1:]...) {
			b = binary.AppendVarint(b, n)
		}
	}
	return b
}

var errBundle = errors.New("the sums of a bundle cannot be read")

// unpack reads what pack has written.
func unpack(b []byte) (all []coded, err error) {
	known := byte(len(codes()))
	for len(b) > 0 {
		x := coded{code: b[0]}
		if b = b[1:]; x.code >= known {
			return nil, errBundle
		}
		for _, to := range []*int64{&x.Served, &x.Asked, &x.Silent, &x.Levels[1], &x.Levels[2], &x.Levels[3], &x.Levels[4], &x.Levels[5]} {
			v, n := binary.Varint(b)
			if n <= 0 {
				return nil, errBundle
			}
			*to, b = v, b[n:]
		}
		all = append(all, x)
	}
	return all, nil
}

// dayBit is set in the names of a bundle's days, and not in those of its months.
const dayBit = 1 << 24

// bundled names a day or month of a bundle.
func bundled(grain, at, bundle int64) int64 {
	if grain == days {
		at |= dayBit
	}
	return at<<32 | bundle
}

// writeBundles adds a change's days and months to those of the bundles.
func (c *change) writeBundles(ctx context.Context, tx *db.Tx, posts map[Post]numbered) error {
	sums, keys := make(map[int64][]coded), codes()
	for k, a := range c.cells {
		if bundle := posts[k.post].bundle; bundle != 0 && k.split == Whole {
			id := bundled(k.grain, k.at, bundle)
			sums[id] = plus(sums[id], coded{byte(slices.Index(keys, Key{k.subject, k.channel})), a})
		}
	}
	return addToBundles(ctx, tx, sums)
}

func addToBundles(ctx context.Context, tx *db.Tx, sums map[int64][]coded) error {
	ids := slices.Sorted(maps.Keys(sums))
	var written, gone [][]any
	for some := range slices.Chunk(ids, mostNamed) {
		if err := bundles(ctx, tx, some, func(id int64, all []coded) {
			for _, x := range all {
				sums[id] = plus(sums[id], x)
			}
		}); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if b := pack(sums[id]); len(b) > 0 {
			written = append(written, []any{id, b})
		} else {
			gone = append(gone, []any{id})
		}
	}
	if err := tx.Each(ctx, "DELETE FROM report_bundle WHERE id = $1", gone); err != nil {
		return err
	}
	return tx.Each(ctx, "INSERT INTO report_bundle (id, sums) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET sums = excluded.sums", written)
}

// bundles reads some days and months of bundles.
func bundles(ctx context.Context, tx *db.Tx, ids []int64, each func(id int64, sums []coded)) error {
	where, arg := "id = ANY($1)", any(ids)
	if tx.Engine() == db.SQLite {
		where, arg = "id IN (SELECT value FROM json_each($1))", listOf(ids)
	}
	_, err := db.Query(ctx, tx, scanBundle(each), "SELECT id, sums FROM report_bundle WHERE "+where, arg)
	return err
}

func scanBundle(each func(id int64, sums []coded)) func(db.Scanner) (struct{}, error) {
	return func(s db.Scanner) (none struct{}, err error) {
		var id int64
		var body []byte
		if err := s.Scan(&id, &body); err != nil {
			return none, err
		}
		all, err := unpack(body)
		each(id, all)
		return none, err
	}
}

// bundleEvery is how often posts are bundled anew: they are read apart until then.
const bundleEvery = time.Minute

// someMoved is how many posts a transaction gives to bundles, with the days and months of some years.
const someMoved = 30

// Bundle gives each post to the bundle of those that lie where it does, if this instance has the lease.
func (r *Reports) Bundle(ctx context.Context) error {
	err := r.keep(ctx)
	var moved []kept
	if err == nil {
		moved, err = r.misplaced(ctx)
	}
	for some := range slices.Chunk(moved, someMoved) {
		if err == nil {
			err = r.move(ctx, some)
		}
		if err == nil {
			err = r.keep(ctx)
		}
	}
	if errors.Is(err, journal.ErrElsewhere) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("bundle the figures' places: %w", err)
	}
	return nil
}

// misplaced returns the posts that are not in the bundle in which they should be, with that one.
func (r *Reports) misplaced(ctx context.Context) (moved []kept, err error) {
	a, err := r.cfg.Directory.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	posts, err := db.Query(ctx, r.db, scanKept, "SELECT id, device, generation, window_id, area, unit, bundle FROM report_post ORDER BY id")
	if err != nil {
		return nil, err
	}
	where, first := r.stands(a), make(map[string]int64)
	for _, p := range posts {
		k := where.words(p.Post)
		if first[k] == 0 {
			first[k] = p.id
		}
		if p.bundle != first[k] {
			p.bundle = first[k]
			moved = append(moved, p)
		}
	}
	return moved, nil
}

// words says where a post lies and has lain, so that posts of which it says the same most often are asked for together.
func (s *stood) words(p Post) string {
	if p.Device == "" {
		return "area " + p.Area + " " + p.Unit
	}
	var b strings.Builder
	last := ""
	for _, x := range s.all[Post{Device: p.Device, Generation: p.Generation, Window: p.Window}] {
		if here := fmt.Sprint(x.Place.Hall.ID, " ", x.Place.Area().ID, " ", x.Place.Unit().ID); here != last {
			last = here
			fmt.Fprint(&b, here, "\n")
		}
	}
	return b.String() + p.Unit
}

// move gives posts to other bundles, with what is counted of them.
func (r *Reports) move(ctx context.Context, moved []kept) error {
	st, err := r.state(ctx)
	if err != nil {
		return err
	}
	to, keys, s := make(map[int64]int64), codes(), &summer{ask: Ask{Split: Whole}}
	var rows [][]any
	for _, p := range moved {
		to[p.id] = p.bundle
		rows = append(rows, []any{p.bundle, st.step + 1, p.id})
	}
	ids := slices.Sorted(maps.Keys(to))
	return r.db.Write(ctx, func(tx *db.Tx) error {
		if err := st.move(ctx, tx, st); err != nil {
			return err
		}
		was, err := bundlesOf(ctx, tx, ids)
		if err != nil {
			return err
		}
		sums := make(map[int64][]coded)
		add := func(id, bundle int64, x coded) {
			if bundle != 0 {
				sums[id] = plus(sums[id], x)
			}
		}
		for _, grain := range []int64{days, months} {
			all, err := s.read(ctx, tx, span{grain, int64(directory.Date(1, 1, 1)), int64(directory.Date(9999, 12, 31))}, ids, "at", "at, ")
			if err != nil {
				return err
			}
			for _, c := range all {
				code, to, was := byte(slices.Index(keys, c.Key)), to[c.post], was[c.post]
				add(bundled(grain, c.at, to), to, coded{code, c.Amount})
				add(bundled(grain, c.at, was), was, coded{code, c.Times(-1)})
			}
		}
		if err := addToBundles(ctx, tx, sums); err != nil {
			return err
		}
		return tx.Each(ctx, "UPDATE report_post SET bundle = $1, changed = $2 WHERE id = $3", rows)
	})
}

// bundlesOf returns in which bundles posts are.
func bundlesOf(ctx context.Context, tx *db.Tx, posts []int64) (map[int64]int64, error) {
	where, arg := "id = ANY($1)", any(posts)
	if tx.Engine() == db.SQLite {
		where, arg = "id IN (SELECT value FROM json_each($1))", listOf(posts)
	}
	was := make(map[int64]int64)
	_, err := db.Query(ctx, tx, func(s db.Scanner) (none struct{}, err error) {
		var id, bundle int64
		err = s.Scan(&id, &bundle)
		was[id] = bundle
		return none, err
	}, "SELECT id, bundle FROM report_post WHERE "+where, arg)
	return was, err
}
