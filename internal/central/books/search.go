package books

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Search says which evaluations are asked for. What is empty asks for nothing special.
type Search struct {
	From, To  time.Time // by Entry.Moment, To excluded
	Within    Within
	Staff     string // ID of who served
	Task      string // code or whole name of a matter that was handled
	Subject   rating.Subject
	Levels    []rating.Level
	Channels  []rating.Channel
	Standings []rating.Standing
	Text      bool           // only those with a text
	Case      rating.CaseKey // that they may count for
	CaseAreas []string       // in which Case's number is looked for besides
	// Fits, if not nil, says the last word about an evaluation. Those of which it says no are left out and cost as if they were not there.
	Fits func(Entry) bool
}

// Within says where evaluations were given. The zero one is everywhere.
type Within struct {
	Some  bool   // only at Stays and in Areas
	Stays []Stay // windows with their boxes, each for a time
	Areas []string
}

// Stay is a post for a time, To excluded. Zero times have no bound.
type Stay struct {
	Post
	From, To time.Time
}

// Cursor is a place in the order of lists, which is by Entry.Moment and then by arrival. The zero one is before the newest.
type Cursor struct{ Moment, ID int64 }

// String returns the cursor as one word, empty for the zero one.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return strconv.FormatInt(c.Moment, 10) + "-" + strconv.FormatInt(c.ID, 10)
}

// ParseCursor is the inverse of Cursor.String.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	moment, id, ok := strings.Cut(s, "-")
	m, err := strconv.ParseInt(moment, 10, 64)
	i, err1 := strconv.ParseInt(id, 10, 64)
	if !ok || err != nil || err1 != nil || m < 0 || i < 0 {
		return Cursor{}, fmt.Errorf("%q is no place in a list", s)
	}
	return Cursor{m, i}, nil
}

func (c Cursor) compare(o Cursor) int {
	return cmp.Or(cmp.Compare(c.Moment, o.Moment), cmp.Compare(c.ID, o.ID))
}

// cursor returns the evaluation's place in lists.
func (e Entry) cursor() Cursor { return Cursor{e.moment, e.Cursor} }

// Page is a part of what a search finds, the newest first and without texts.
type Page struct {
	Entries []Entry
	// Next is where the next page begins, zero where this is the last. A page may be short, even empty, and not the last: what a search reads
	// for one page is bounded, and then it has looked back to Next.
	Next Cursor
}

// MaxPage is the greatest number of evaluations on a page.
const MaxPage = 1000

// reading bounds what one page reads.
type reading struct {
	stays  int // that are read each by itself; where more are asked for, all are read and the others passed over
	first  int // rows of an index read at once, doubled while too little is found
	most   int // the same at last
	looked int // rows of one page
}

func bounds() reading { return reading{stays: 200, first: 20_000, most: 20_000, looked: 100_000} }

// Search returns up to limit evaluations after a place in the order of lists.
func (b *Books) Search(ctx context.Context, q Search, after Cursor, limit int) (Page, error) {
	return b.search(ctx, q, after, limit, bounds())
}

func (b *Books) search(ctx context.Context, q Search, after Cursor, limit int, bounds reading) (page Page, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		f := &finder{ctx: ctx, tx: tx, t: t, q: q, limit: min(max(limit, 1), MaxPage), bounds: bounds}
		if err := f.begin(q.first(after)); err != nil {
			return err
		}
		page, err = f.page()
		return err
	})
	if err != nil {
		return Page{}, fmt.Errorf("search evaluations: %w", err)
	}
	return page, nil
}

// read returns the evaluations of hits that fit, in their order.
func (f *finder) read(hits []Cursor) ([]Entry, error) {
	if len(hits) == 0 {
		return nil, nil
	}
	ids := make([]int64, len(hits))
	for i, h := range hits {
		ids[i] = h.ID
	}
	all, err := some(f.ctx, reader{tx: f.tx, t: f.t}, scanEntry, readEntries, "e.id", ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b Entry) int { return b.cursor().compare(a.cursor()) })
	return slices.DeleteFunc(all, func(e Entry) bool { return !f.fits(e) }), nil
}

// Beyond reports whether a search finds more than n evaluations, before Fits has a word; of a window that is asked for some of its time it
// may count all. It may read the whole index.
func (b *Books) Beyond(ctx context.Context, q Search, n int) (more bool, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		unbounded := bounds()
		unbounded.looked = math.MaxInt
		f := &finder{ctx: ctx, tx: tx, t: t, q: q, bounds: unbounded}
		if err := f.begin(q.first(Cursor{})); err != nil {
			return err
		}
		hits, _, err := f.take(n + 1)
		more = len(hits) > n
		return err
	})
	if err != nil {
		return false, fmt.Errorf("count evaluations: %w", err)
	}
	return more, nil
}

// first returns where a search begins that goes on after a place.
func (q Search) first(after Cursor) Cursor {
	if after == (Cursor{}) {
		after = Cursor{1 << 62, 1 << 62}
	}
	if !q.To.IsZero() {
		after = slices.MinFunc([]Cursor{after, {q.To.UnixMilli(), 0}}, Cursor.compare)
	}
	return after
}

// fits compares in words what the index has as hashes.
func (f *finder) fits(e Entry) bool {
	q := f.q
	return q.Within.holds(e) && (q.Staff == "" || e.Staff.ID == q.Staff) && (q.Task == "" || e.handled(q.Task)) && (q.Fits == nil || q.Fits(e))
}

// holds reports whether an evaluation was given within.
func (w Within) holds(e Entry) bool {
	if !w.Some {
		return true
	}
	p, ok := e.Post()
	if !ok {
		return false
	}
	if p.Area != "" {
		return slices.ContainsFunc(w.Areas, func(a string) bool { return inArea(p.Area, a) })
	}
	at := e.Moment()
	return slices.ContainsFunc(w.Stays, func(s Stay) bool {
		return s.Post == p && (s.From.IsZero() || !at.Before(s.From)) && (s.To.IsZero() || at.Before(s.To))
	})
}
