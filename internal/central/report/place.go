package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/rating"
)

// Where is where a post lay, as the organisation was then. What is empty is not known.
type Where struct {
	Area, Hall, Window string
	Units              []string // that handled it, or whose the window is, and those above
}

// kept is a post with its numbers.
type kept struct {
	id     int64
	bundle int64 // 0: none
	Post
}

func scanKept(s db.Scanner) (k kept, err error) {
	return k, s.Scan(&k.id, &k.Device, &k.Generation, &k.Window, &k.Area, &k.Unit, &k.bundle)
}

// segment is a post for some days, To excluded, on which nothing changes of where it lies.
type segment struct {
	directory.Period
	Where
}

// stood is where boxes stood, by box, generation and window.
type stood struct {
	of  *directory.Atlas
	all map[Post][]directory.Stay
}

func stoodIn(a *directory.Atlas) *stood {
	s := &stood{a, make(map[Post][]directory.Stay)}
	for _, x := range a.Stays() {
		k := Post{Device: x.Device, Generation: x.Generation, Window: x.Place.Window.ID}
		s.all[k] = append(s.all[k], x)
	}
	for _, all := range s.all {
		slices.SortFunc(all, func(a, b directory.Stay) int { return cmp.Compare(a.From, b.From) })
	}
	return s
}

// stands returns where boxes stood.
func (r *Reports) stands(a *directory.Atlas) *stood {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stood == nil || r.stood.of != a {
		r.stood = stoodIn(a)
	}
	return r.stood
}

// places returns all posts as a transaction sees them, by their numbers. Who asks changes none.
func (r *Reports) places(ctx context.Context, tx *db.Tx) ([]kept, error) {
	step, err := db.Query(ctx, tx, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT step FROM report_state WHERE id = 1")
	if err != nil || len(step) != 1 {
		return nil, errors.Join(err, fmt.Errorf("%d rows of state, want one", len(step)))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	posts, since := r.posts, r.postsAt
	if since > step[0] { // what others have read since
		posts, since = nil, -1
	}
	more, err := db.Query(ctx, tx, scanKept,
		"SELECT id, device, generation, window_id, area, unit, bundle FROM report_post WHERE changed > $1 ORDER BY id", since)
	if err != nil {
		return nil, fmt.Errorf("read where there were ratings: %w", err)
	}
	if len(more) > 0 {
		posts = merged(posts, more)
	}
	if r.postsAt <= step[0] {
		r.posts, r.postsAt = posts, step[0]
	}
	return posts, nil
}

// merged returns posts with those that have changed, by their numbers.
func merged(posts, changed []kept) []kept {
	out := make([]kept, 0, len(posts)+len(changed))
	for _, p := range changed {
		n, found := slices.BinarySearchFunc(posts, p.id, func(k kept, id int64) int { return cmp.Compare(k.id, id) })
		out = append(append(out, posts[:n]...), p)
		if posts = posts[n:]; found {
			posts = posts[1:]
		}
	}
	return append(out, posts...)
}

// chains are a unit and those above it, for the days of a period on which they are the same.
type chains struct {
	stood  *stood
	period directory.Period
	known  map[string][]segment
}

// of returns a unit's segments. One that the organisation does not know stands for itself.
func (c *chains) of(unit string) []segment {
	if all, ok := c.known[unit]; ok {
		return all
	}
	var all []segment
	for d := c.period.From; d < c.period.To; d++ {
		units := []string{unit}
		for i, u := range c.stood.of.Units(unit, d) {
			if i > 0 {
				units = append(units, u.ID)
			}
		}
		if n := len(all); n > 0 && slices.Equal(all[n-1].Units, units) {
			all[n-1].To = d + 1
			continue
		}
		all = append(all, segment{directory.Period{From: d, To: d + 1}, Where{Units: units}})
	}
	c.known[unit] = all
	return all
}

// segments returns where a post lay on the days of a period.
func (c *chains) segments(p Post) []segment {
	all := []segment{{c.period, Where{Area: p.Area}}}
	if p.Device != "" {
		all = c.boxes(p)
	}
	if p.Unit == "" {
		return all
	}
	var cut []segment
	for _, s := range all {
		for _, u := range c.of(p.Unit) {
			if both, ok := s.Meet(u.Period); ok {
				w := s.Where
				w.Units = u.Units
				cut = append(cut, segment{both, w})
			}
		}
	}
	return cut
}

// boxes returns where a box stood on the days of the period: nowhere on those on which it served no window of the organisation.
func (c *chains) boxes(p Post) (all []segment) {
	at := c.period.From
	for _, s := range c.stood.all[Post{Device: p.Device, Generation: p.Generation, Window: p.Window}] {
		both, ok := s.Meet(c.period)
		if !ok {
			continue
		}
		if at < both.From {
			all = append(all, segment{directory.Period{From: at, To: both.From}, Where{}})
		}
		w := Where{Area: s.Place.Area().ID, Hall: s.Place.Hall.ID, Window: s.Place.Window.ID}
		for _, u := range s.Place.Units {
			w.Units = append(w.Units, u.ID)
		}
		if n := len(all); n > 0 && all[n-1].To == both.From && all[n-1].same(w) {
			all[n-1].To = both.To
		} else {
			all = append(all, segment{both, w})
		}
		at = both.To
	}
	if at < c.period.To {
		all = append(all, segment{directory.Period{From: at, To: c.period.To}, Where{}})
	}
	return all
}

func (w Where) same(o Where) bool {
	return w.Area == o.Area && w.Hall == o.Hall && w.Window == o.Window && slices.Equal(w.Units, o.Units)
}

// Names returns what matters or members of staff were called last.
func (r *Reports) Names(ctx context.Context, split Split, of []string) (map[string]string, error) {
	out := make(map[string]string)
	if len(of) == 0 {
		return out, nil
	}
	where, arg := r.among("of", of)
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (x [2]string, err error) { return x, s.Scan(&x[0], &x[1]) },
		"SELECT of, name FROM report_name WHERE "+where+" AND split = $2", arg, int64(split))
	if err != nil {
		return nil, fmt.Errorf("read what matters and people are called: %w", err)
	}
	for _, x := range all {
		out[x[0]] = x[1]
	}
	return out, nil
}

// Channels returns all channels in the order of tables: those by which people answer, and what silence has become.
func Channels() []rating.Channel {
	return append(append([]rating.Channel{rating.Keypad, rating.Phone}, rating.Channels()...), Default)
}
