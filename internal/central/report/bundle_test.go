package report

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// sumApart adds up what is asked for post by post, as if there were no bundles.
func (w *world) sumApart(t *testing.T, ask Ask) (total Sums, rows map[string]*Row) {
	t.Helper()
	a, err := w.reports.cfg.Directory.Atlas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var s *summer
	err = w.db.Read(t.Context(), func(tx *db.Tx) error {
		posts, err := w.reports.places(t.Context(), tx)
		if err != nil {
			return err
		}
		posts = slices.Clone(posts)
		for i := range posts {
			posts[i].bundle = 0
		}
		s = newSummer(ask, posts, &chains{w.reports.stands(a), ask.Days, make(map[string][]segment)})
		return s.counts(t.Context(), tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.total, s.rows
}

// bundlesAreTheirPosts holds what is added up by bundles to what is added up day by day and post by post, whatever is asked for.
func (w *world) bundlesAreTheirPosts(t *testing.T, year directory.Period) {
	t.Helper()
	days, err := db.Query(t.Context(), w.db, func(s db.Scanner) (d directory.Day, err error) { return d, s.Scan(&d) },
		"SELECT DISTINCT at FROM report_count WHERE split = 0 AND grain = 0 AND at >= $1 AND at < $2", int64(year.From), int64(year.To))
	if err != nil || len(days) == 0 {
		t.Fatalf("%d days have something, %v", len(days), err)
	}
	for _, asked := range []directory.Period{year, {From: days[0], To: days[len(days)/2]},
		{From: days[len(days)/3] + 1, To: days[len(days)-1]}} {
		w.bundlesAreTheirPostsIn(t, asked, slices.DeleteFunc(slices.Clone(days), func(d directory.Day) bool { return !asked.Holds(d) }))
	}
	w.bundlesAreExact(t)
}

func (w *world) bundlesAreTheirPostsIn(t *testing.T, asked directory.Period, days []directory.Day) {
	t.Helper()
	hall, everywhere := func(w Where, _ string) string { return w.Hall }, func(Where) bool { return true }
	for name, ask := range map[string]Ask{
		"by area":             {Fits: everywhere, Group: func(w Where, _ string) string { return w.Area }},
		"by hall, of an area": {Fits: func(w Where) bool { return w.Area == district }, Group: hall},
		"by hall, of a unit":  {Fits: func(w Where) bool { return slices.Contains(w.Units, police) }, Group: hall},
		"by window": {Fits: func(w Where) bool { return w.Hall != "" },
			Group: func(w Where, _ string) string { return w.Window }},
		"by hall, of one that moved": {Fits: func(w Where) bool { return w.Window == "SL-H2-B02" }, Group: hall},
		"by unit, of what lies apart": {Fits: func(w Where) bool { return w.Hall != "SL-H3" },
			Group: func(w Where, _ string) string { return fmt.Sprint(w.Units) }},
	} {
		want := make(map[string]Sums)
		add := func(id string, s Sums) {
			x := want[id]
			x.Add(s)
			want[id] = x
		}
		for _, d := range days {
			ask.Days = directory.Period{From: d, To: d + 1}
			total, rows := w.sumApart(t, ask)
			add("total", total)
			for id, r := range rows {
				add("row "+id, r.Sums)
			}
		}
		ask.Days = asked
		whole := w.sum(t, ask)
		got := map[string]Sums{"total": {Counts: whole.Total.Counts}}
		for _, r := range whole.Rows {
			got["row "+r.ID] = Sums{Counts: r.Counts}
		}
		for _, all := range []map[string]Sums{want, got} { // what is nothing need not be said
			for _, s := range all {
				maps.DeleteFunc(s.Counts, func(_ Key, a Amount) bool { return a == Amount{} })
			}
			maps.DeleteFunc(all, func(_ string, s Sums) bool { return len(s.Counts) == 0 })
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s, %v (-day by day +together)\n%s", name, asked, diff)
		}
	}
}

// bundlesAreExact holds the bundles' days and months to those of their posts, and returns how many posts are in bundles, and how many
// bundles there are.
func (w *world) bundlesAreExact(t *testing.T) (posts, all int) {
	t.Helper()
	var st state
	of, want, got := make(map[int64]int64), make(map[int64][]coded), make(map[int64][]coded)
	var err error
	if st, err = w.reports.state(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = w.db.Read(t.Context(), func(tx *db.Tx) error {
		kept, err := w.reports.places(t.Context(), tx)
		if err != nil {
			return err
		}
		for _, p := range kept {
			if of[p.id] = p.bundle; p.bundle != 0 {
				posts++
			}
		}
		s := summer{ask: Ask{Split: Whole}}
		for _, grain := range []int64{days, months} {
			counts, err := s.readSome(t.Context(), tx, span{grain, 0, 1 << 30}, nil, "at", "at, ")
			if err != nil {
				return err
			}
			for _, c := range counts {
				if id := bundled(grain, c.at, of[c.post]); of[c.post] != 0 {
					want[id] = plus(want[id], coded{byte(slices.Index(codes(), c.Key)), c.Amount})
				}
			}
		}
		if err == nil {
			_, err = db.Query(t.Context(), tx, scanBundle(func(id int64, sums []coded) { got[id] = sums }), "SELECT id, sums FROM report_bundle")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	said := func(all map[int64][]coded) map[string]string {
		out := make(map[string]string)
		for id, sums := range all {
			out[fmt.Sprint(id>>32&dayBit, " ", directory.Day(id>>32&(dayBit-1)), " ", id&(1<<32-1))] = fmt.Sprintf("%x", pack(sums))
		}
		return out
	}
	if diff := cmp.Diff(said(want), said(got)); diff != "" {
		t.Errorf("at step %d the bundles are not what their posts add up to (-posts +bundles)\n%s", st.step, diff)
	}
	many := make(map[int64]bool)
	for _, b := range of {
		many[b] = true
	}
	return posts, len(many)
}

// checkBundlesFollowTheOrganisation: a window that comes to another hall leaves its bundle, with what was counted of it.
func checkBundlesFollowTheOrganisation(t *testing.T, on engine) {
	w := on(t)
	bundle := func() (int, int) {
		t.Helper()
		w.once(t)
		if err := w.reports.Bundle(t.Context()); err != nil {
			t.Fatal(err)
		}
		return w.bundlesAreExact(t)
	}
	visit := func(n int, window string) {
		t.Helper()
		c := newChain(n)
		if window != "" {
			c.window = window
		}
		c.add(t, rating.VisitBody(rating.Stamp{Boot: 1, Mono: 1, Wall: moved().Start().UnixMilli(), Synced: true},
			rating.Visit{ID: rating.VisitID(n + 1), Opener: rating.OpenedByPC, Grouping: rating.Single, WaitSec: 60,
				Subjects: []rating.Subject{rating.StaffSubject}, Staff: rating.Staff{ID: "S1", Name: "某"},
				Window: rating.Window{ID: c.window, Name: "窗口", Hall: "大厅", Generation: 1}}))
		w.append(t, c.batch(1, 1, moved().Start().Add(time.Hour)))
		w.wait(t)
	}
	const a07 = 1 // boxOf: SL-H1-A07
	for _, n := range []int{a07, a07 + 4, a07 + 1, a07 + 5} {
		visit(n, "")
	}
	if posts, all := bundle(); posts != 4 || all != 2 {
		t.Fatalf("%d posts in %d bundles, want 4 in 2", posts, all)
	}
	visit(a07+8, "")
	w.once(t)
	if posts, _ := w.bundlesAreExact(t); posts != 4 {
		t.Errorf("%d posts in bundles, want the new one in none yet", posts)
	}
	// Of two windows one comes to another hall, and one is new in a hall, whose other windows are there all the time.
	w.change(t, "类别,编号,名称,生效日期,所属单位,大厅\n窗口,SL-H1-A07,综合窗口,2025-06-01,,SL-H3\n"+
		"窗口,SL-H3-C09,新窗口,"+(moved()-1).String()+",,SL-H3\n")
	serve := func(ctx context.Context, tx *db.Tx, pos int64) error {
		return directory.Served(ctx, tx, newChain(boxes).device, rating.Window{ID: "SL-H3-C09", Generation: 1}, pos)
	}
	if _, err := w.journal.Do(t.Context(), "operator test", "", journal.Act{Do: "fleet.test"}, serve); err != nil {
		t.Fatal(err)
	}
	visit(boxes, "SL-H3-C09")
	if posts, all := bundle(); posts != 6 || all != 2 {
		t.Errorf("%d posts in %d bundles, want 6 in 2", posts, all)
	}
	w.bundlesAreTheirPosts(t, directory.Period{From: moved() - 20, To: moved() + 120})
	if err := w.reports.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if posts, all := w.bundlesAreExact(t); posts != 6 || all != 2 {
		t.Errorf("made anew, %d posts are in %d bundles, want 6 in 2", posts, all)
	}
}

// TestPackedSums reads what was written, without what is nothing.
func TestPackedSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := make(map[byte]Amount)
		var all []coded
		for range rapid.IntRange(0, 6).Draw(t, "amounts") {
			x := coded{code: byte(rapid.IntRange(0, len(codes())-1).Draw(t, "code"))}
			x.Served, x.Asked, x.Silent = rapid.Int64Range(-3, 1<<40).Draw(t, "served"), rapid.Int64Range(0, 2).Draw(t, "asked"), 1
			x.Levels[rapid.IntRange(1, 5).Draw(t, "level")] = rapid.Int64Range(0, 1<<20).Draw(t, "answers")
			all = plus(all, x)
			want[x.code] = want[x.code].Plus(x.Amount)
			if rapid.Bool().Draw(t, "and out again") {
				x.Amount = x.Times(-1)
				all = plus(all, x)
				want[x.code] = want[x.code].Plus(x.Amount)
			}
		}
		maps.DeleteFunc(want, func(_ byte, a Amount) bool { return a == Amount{} })
		back, err := unpack(pack(all))
		got := make(map[byte]Amount)
		for _, x := range back {
			got[x.code] = x.Amount
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil || len(back) != len(want) {
			t.Fatalf("%v, %d amounts (-written +read)\n%s", err, len(back), diff)
		}
	})
	if _, err := unpack([]byte{1, 0x80}); err == nil {
		t.Error("sums that end in the middle are read")
	}
	if _, err := unpack([]byte{255, 0, 0, 0, 0, 0, 0, 0, 0}); err == nil {
		t.Error("sums of a channel that there is not are read")
	}
	if len(codes()) != 2*(len(Channels())+1) || !slices.Contains(codes(), Key{rating.MatterSubject, Default}) {
		t.Errorf("%d codes for %d channels", len(codes()), len(Channels()))
	}
}
