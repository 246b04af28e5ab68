package books

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// populated is books with evaluations of all kinds, in an order by chance.
func populated(t testing.TB, w *world) {
	t.Helper()
	by := rand.New(rand.NewPCG(3, 4))
	for b := range 3 {
		c := chainOf(rating.DeviceID(fmt.Sprintf("box-%d", b+1)), epoch)
		for n := range 30 {
			id := rating.VisitID(100*b + n + 1)
			at := rating.Stamp{Boot: 1, Mono: int64(n) * 60_000, Wall: noon().UnixMilli() + int64(by.IntN(40))*60_000, Synced: by.IntN(4) > 0}
			v := rating.Visit{ID: id, Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
				Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject},
				Window:   rating.Window{ID: fmt.Sprintf("w%d", by.IntN(2)), Name: "窗口", Hall: "大厅", Generation: uint32(by.IntN(2) + 1)},
				Staff:    rating.Staff{ID: fmt.Sprintf("0%d", by.IntN(3))}}
			for k := range 1 + by.IntN(2) {
				v.Cases = append(v.Cases, rating.Case{ProjectNo: fmt.Sprintf("p%d-%d", id%20, k), Area: cityA, TaskCode: fmt.Sprintf("t%d", by.IntN(3)),
					TaskName: "换证", Completed: k == 0 || by.IntN(3) > 0})
			}
			if by.IntN(8) > 0 { // else its record does not come
				c.append(t, rating.VisitBody(at, v))
			}
			for _, subject := range v.Subjects {
				level := rating.Level(by.IntN(5) + 1)
				if by.IntN(5) == 0 {
					a := rating.Evaluation{Visit: id, Subject: subject, Level: level, Channel: rating.Phone, Text: strings.Repeat("好", by.IntN(2))}
					if _, err := w.journal.Rate(context.Background(), journal.Rating{Device: c.device, Name: fmt.Sprint("n", id, subject),
						Received: noon().UnixMilli() + int64(by.IntN(40))*60_000, Answers: []rating.Evaluation{a}}); err != nil {
						t.Fatal(err)
					}
					continue
				}
				c.append(t, rating.EvaluationBody(at.Add(time.Second),
					rating.Evaluation{Visit: id, Subject: subject, Level: level, Channel: rating.Keypad}))
			}
		}
		e := c.all()
		e.Received = noon().UnixMilli() + 3_000_000
		w.append(t, e)
	}
	for n, area := range []string{cityA, "620102000000", "620200000000"} {
		for k := range 4 {
			a := journal.Answer{Case: rating.CaseKey{Area: area, Project: fmt.Sprintf("q%d", k)}, Level: rating.Level(k + 1), Channel: rating.SMS,
				At: noon().UnixMilli() + int64(n+k)*60_000}
			if _, err := w.journal.Answer(context.Background(), "system", fmt.Sprint(n, k), []journal.Answer{a}, []string{""}); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.follow(t)
}

// drawSearch returns a search by chance.
func drawSearch(t *rapid.T) Search {
	maybe := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
	minute := func(name string) time.Time {
		if n := rapid.IntRange(-1, 55).Draw(t, name); n >= 0 {
			return noon().Add(time.Duration(n) * time.Minute)
		}
		return time.Time{}
	}
	var q Search
	if maybe("time") {
		q.From, q.To = minute("from"), minute("to")
	}
	if rapid.Bool().Draw(t, "within") {
		q.Within.Some = true
		for range rapid.IntRange(0, 4).Draw(t, "stays") {
			s := Stay{Post: Post{Device: rating.DeviceID(fmt.Sprintf("box-%d", rapid.IntRange(1, 3).Draw(t, "box"))),
				Generation: rapid.Uint32Range(1, 2).Draw(t, "generation"), Window: fmt.Sprintf("w%d", rapid.IntRange(0, 1).Draw(t, "window"))}}
			if rapid.Bool().Draw(t, "for a time") {
				s.From, s.To = minute("stays from"), minute("stays to")
			}
			q.Within.Stays = append(q.Within.Stays, s)
		}
		q.Within.Areas = rapid.SliceOfN(rapid.SampledFrom([]string{"620000000000", cityA, "620102000000", "620200000000", "630000000000"}), 0, 2).
			Draw(t, "areas")
	}
	if maybe("staff") {
		q.Staff = rapid.SampledFrom([]string{"00", "01", "07"}).Draw(t, "staff id")
	}
	if maybe("task") {
		q.Task = rapid.SampledFrom([]string{"t0", "t1", "换证", "没有"}).Draw(t, "task code")
	}
	if maybe("subject") {
		q.Subject = rating.MatterSubject
	}
	if maybe("level") {
		q.Levels = rapid.SliceOfNDistinct(rapid.SampledFrom([]rating.Level{1, 2, 3, 4, 5}), 1, 3, rapid.ID).Draw(t, "levels")
	}
	if maybe("channel") {
		q.Channels = rapid.SliceOfNDistinct(rapid.SampledFrom([]rating.Channel{rating.Keypad, rating.Phone, rating.SMS}), 1, 2, rapid.ID).
			Draw(t, "channels")
	}
	if maybe("standing") {
		q.Standings = rapid.SliceOfNDistinct(rapid.SampledFrom([]rating.Standing{rating.Counted, rating.Later, rating.Unasked}), 1, 2, rapid.ID).
			Draw(t, "standings")
	}
	q.Text = maybe("text")
	return q
}

// wants reports whether a search asks for an evaluation, by its words alone.
func (q Search) wants(e Entry) bool {
	in := func(n int, found bool) bool { return n == 0 || found }
	return (q.From.IsZero() || !e.Moment().Before(q.From)) && (q.To.IsZero() || e.Moment().Before(q.To)) && q.Within.holds(e) &&
		(q.Staff == "" || e.Staff.ID == q.Staff) && (q.Task == "" || e.handled(q.Task)) && (q.Subject == "" || e.Subject == q.Subject) &&
		in(len(q.Levels), slices.Contains(q.Levels, e.Level)) && in(len(q.Channels), slices.Contains(q.Channels, e.Channel)) &&
		in(len(q.Standings), slices.Contains(q.Standings, e.Status)) && (!q.Text || e.HasText) && (q.Fits == nil || q.Fits(e))
}

// A search finds what fits, each once, in order, whatever the pages' size and however little is read at once.
func checkASearchFindsWhatFits(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		populated(t, w)
		all := w.since(t)
		if len(all) < 150 {
			t.Fatalf("%d evaluations", len(all))
		}
		slices.SortFunc(all, func(a, b Entry) int { return b.cursor().compare(a.cursor()) })
		simulation.Check(t, func(t *rapid.T) {
			q := drawSearch(t)
			if rapid.IntRange(0, 3).Draw(t, "fits") == 0 {
				q.Fits = func(e Entry) bool { return e.Cursor%3 > 0 }
			}
			var want, got []int64
			for _, e := range all {
				if q.wants(e) {
					want = append(want, e.Cursor)
				}
			}
			timed := slices.ContainsFunc(q.Within.Stays, func(s Stay) bool { return !s.From.IsZero() || !s.To.IsZero() })
			if n := rapid.IntRange(0, len(all)).Draw(t, "beyond"); q.Fits == nil && q.Task == "" && q.Staff == "" {
				// Of a window that is asked for some of its time it may count all.
				if more, err := w.books.Beyond(context.Background(), q, n); err != nil || more != (len(want) > n) && (!more || !timed) {
					t.Fatalf("beyond %d of %d: %v, %v", n, len(want), more, err)
				}
			}
			if from, to := noon().Add(5*time.Minute), noon().Add(20*time.Minute); !timed {
				n, err := w.books.Tally(context.Background(), from, to, q.Within, Within{})
				day := Search{From: from, To: to, Within: q.Within}
				if counted := len(slices.DeleteFunc(slices.Clone(all), func(e Entry) bool { return !day.wants(e) })); err != nil ||
					n.All != int64(counted) {
					t.Fatalf("counted %+v, want %d, %v", n, counted, err)
				}
				if but, err := w.books.Tally(context.Background(), from, to, Within{}, q.Within); err == nil && q.Within.Some {
					everything, err := w.books.Tally(context.Background(), from, to, Within{}, Within{})
					if err != nil || but.All != everything.All-n.All || but.Poor != everything.Poor-n.Poor {
						t.Fatalf("all %+v, but %+v: %+v, %v", everything, n, but, err)
					}
				}
			}
			first := rapid.IntRange(1, 30).Draw(t, "first")
			bounds := reading{stays: rapid.IntRange(0, 4).Draw(t, "each by itself"), first: first,
				most:   first * rapid.IntRange(1, 4).Draw(t, "most"),
				looked: rapid.IntRange(20, 300).Draw(t, "looked")}
			limit := rapid.IntRange(3, 40).Draw(t, "limit")
			var after Cursor
			for n := 0; ; n++ {
				p, err := w.books.search(context.Background(), q, after, limit, bounds)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range p.Entries {
					got = append(got, e.Cursor)
				}
				if len(p.Entries) > limit || n > 4*len(all) {
					t.Fatalf("page %d has %d evaluations, at most %d were asked for", n, len(p.Entries), limit)
				}
				if p.Next == (Cursor{}) {
					break
				}
				if after, err = ParseCursor(p.Next.String()); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%+v (-want +got)\n%s", q, diff)
			}
		})
		for _, c := range []struct {
			q    Search
			want int
		}{
			{Search{Case: rating.CaseKey{Area: cityA, Project: "q2"}}, 1}, {Search{Case: rating.CaseKey{Area: cityA, Project: "nothing"}}, 0},
			{Search{Case: rating.CaseKey{Project: "q2"}}, 0},
			{Search{Case: rating.CaseKey{Project: "q2"}, CaseAreas: []string{cityA, "620200000000", "620300000000"}}, 2},
			{Search{Case: rating.CaseKey{Area: cityA, Project: "q2"}, Levels: []rating.Level{1}}, 0},
		} {
			p, err := w.books.Search(context.Background(), c.q, Cursor{}, 10)
			if err != nil || len(p.Entries) != c.want {
				t.Errorf("case %s: %d evaluations, want %d, %v", c.q.Case, len(p.Entries), c.want, err)
			}
		}
	})
}

// What the visit's record says is found also where that comes after the evaluation, and as the visit that was opened first says it.
func checkWhatAVisitSaysLaterIsFound(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		found := func(staff string) int {
			t.Helper()
			p, err := w.books.Search(context.Background(), Search{Staff: staff}, Cursor{}, 10)
			if err != nil {
				t.Fatal(err)
			}
			return len(p.Entries)
		}
		w.rate(t, "first", noon(), byPhone(5, 4))
		if n := found("0417"); n != 0 {
			t.Errorf("%d evaluations of somebody whom nobody has named", n)
		}
		c := newChain()
		c.append(t, opened(2000, 5))
		w.enter(t, c.all())
		if n := found("0417"); n != 1 {
			t.Errorf("%d evaluations after the visit's record came, want 1", n)
		}
	})
}
