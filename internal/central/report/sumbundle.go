package report

import (
	"context"
	"maps"
	"slices"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
)

// bundle is posts that are added up together, if those that lie at one place on all days are asked for together.
type bundle struct {
	Where        // of one of them
	row   string // in which they stand
	fits  bool
	known bool
	mixed bool
	sums  []coded
}

// bundle notes a post of a bundle. What moves is taken out of the bundle's sums, and says nothing about the others.
func (s *summer) bundle(p kept, all []segment, fits bool) {
	b := s.bundles[p.bundle]
	if b == nil {
		b = new(bundle)
		s.bundles[p.bundle] = b
	}
	s.in[p.id] = p.bundle
	if len(all) != 1 {
		s.turning = append(s.turning, p.id)
		return
	}
	w, row := all[0].Where, ""
	if fits && s.ask.Group != nil {
		row = s.ask.Group(w, "")
	}
	if !b.known {
		b.Where, b.row, b.fits, b.known = w, row, fits, true
	}
	b.mixed = b.mixed || row != b.row || fits != b.fits
}

// within reports whether a post is added up with its bundle.
func (s *summer) within(post int64) bool { return s.bundles[s.in[post]] != nil }

// countBundles adds up the days or months of bundles.
func (s *summer) countBundles(ctx context.Context, tx *db.Tx, x span) error {
	if len(s.bundles) == 0 {
		return nil
	}
	for _, b := range s.bundles {
		b.sums = nil
	}
	each := func(id int64, sums []coded) {
		if b := s.bundles[id&(1<<32-1)]; b != nil {
			for _, c := range sums {
				b.sums = plus(b.sums, c)
			}
		}
	}
	var ids []int64
	for at := directory.Day(x.first); int64(at) <= x.last; at = x.next(at) {
		for n := range s.bundles {
			ids = append(ids, bundled(x.grain, int64(at), n))
		}
	}
	var err error
	if len(ids) <= mostNamed {
		err = bundles(ctx, tx, ids, each)
	} else {
		_, err = db.Query(ctx, tx, scanBundle(each), "SELECT id, sums FROM report_bundle WHERE id >= $1 AND id < $2",
			bundled(x.grain, x.first, 0), bundled(x.grain, x.last+1, 0))
	}
	keys := codes()
	for _, b := range s.bundles {
		for _, c := range b.sums {
			s.count(b.Where, counted{Key: keys[c.code], Amount: c.Amount})
		}
	}
	return err
}

// countMoving adds up posts that lay at several places: whole months at one of them, of others each day. It takes them out of what was
// added up with their bundle.
func (s *summer) countMoving(ctx context.Context, tx *db.Tx, x span) error {
	posts := slices.Collect(maps.Keys(s.moving))
	posts = append(posts, slices.DeleteFunc(slices.Clone(s.turning), func(p int64) bool { return s.moving[p] != nil || !s.within(p) })...)
	slices.Sort(posts)
	all, err := s.read(ctx, tx, x, posts, "at", "at, ")
	if err != nil {
		return err
	}
	broken := make(map[int64][]int64) // posts by months in which they moved
	for _, c := range all {
		if s.within(c.post) {
			out := c
			out.Amount = c.Times(-1)
			s.count(s.bundles[s.in[c.post]].Where, out)
		}
		at, ok := on(s.moving[c.post], directory.Day(c.at))
		switch {
		case x.grain == months && s.moving[c.post] != nil && (!ok || at.To < monthOf(directory.Day(c.at)+31)):
			if n := len(broken[c.at]); n == 0 || broken[c.at][n-1] != c.post {
				broken[c.at] = append(broken[c.at], c.post)
			}
		case ok:
			s.count(at.Where, c)
		}
	}
	for _, m := range slices.Sorted(maps.Keys(broken)) {
		slices.Sort(broken[m])
		all, err := s.read(ctx, tx, span{days, m, int64(monthOf(directory.Day(m)+31)) - 1}, slices.Compact(broken[m]), "at", "at, ")
		if err != nil {
			return err
		}
		for _, c := range all {
			if at, ok := on(s.moving[c.post], directory.Day(c.at)); ok {
				s.count(at.Where, c)
			}
		}
	}
	return nil
}
