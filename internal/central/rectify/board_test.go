package rectify

import (
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/rating"
)

// TestTheBoardsBounds: the moments by which a board counts in the database say the same as Urgency and Left of each part.
func TestTheBoardsBounds(t *testing.T) {
	terms := terms(t)
	begin, end := shanghai(t, "2024-01-25 00:00"), shanghai(t, "2026-11-30 23:59")
	rapid.Check(t, func(t *rapid.T) {
		now := time.UnixMilli(rapid.Int64Range(begin, end).Draw(t, "now"))
		due := terms.Calendar.After(now.Add(time.Duration(rapid.Int64Range(-30*24, 20*24).Draw(t, "hours"))*time.Hour),
			rapid.IntRange(1, 5).Draw(t, "days")).At
		got := Calm
		switch {
		case !due.After(terms.Before(1, now)):
			got = Escalated
		case !due.After(now):
			got = Overdue
		case !due.After(terms.Next(now)):
			got = Soon
		}
		if want := terms.Urgency(due, now); got != want {
			t.Fatalf("at %s, due at %s: the board says %s, Urgency %s", now.UTC(), due.UTC(), got, want)
		}
		began, n := now.Add(-time.Duration(rapid.Int64Range(0, 30*24*60).Draw(t, "minutes"))*time.Minute), rapid.IntRange(0, 12).Draw(t, "n")
		passed, _ := terms.Left(midnight(began).AddDate(0, 0, 1), now)
		if more := began.Before(terms.Before(n, now)); more != (passed > n) {
			t.Fatalf("at %s, since %s, %d working days: more than %d is %t", now.UTC(), began.UTC(), passed, n, more)
		}
	})
}

func checkTheBoard(t *testing.T, on engine) {
	b := on(t)
	var ids []int64
	for i, unit := range []string{police, office, police, "", police} {
		b.complete(t, fmt.Sprint(i), unit, "", []string{"", "13800000001"}[i%2])
		ids = append(ids, b.answer(t, fmt.Sprint(i), 1, 1))
		b.once(t)
		b.pass(3 * 24 * time.Hour)
	}
	b.complain(t, "one", complained())
	b.do(t, ids[0], Verify, Plan, Reply)
	b.do(t, ids[1], Contact, Plan, Reply, Pass, Satisfied)
	for range 12 {
		b.pass(36 * time.Hour)
		all, err := b.orders.Due(t.Context(), Filter{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		want := make(map[string]Tally) // part by part
		for _, l := range all {
			x := want[l.Body.Unit]
			x.Unit, x.Area, x.Open = l.Body.Unit, l.Body.Area, x.Open+1
			switch b.terms.Urgency(time.UnixMilli(l.Due), b.now()) {
			case Soon:
				x.Today++
			case Overdue:
				x.Overdue++
			case Escalated:
				x.Escalated++
			}
			if slices.Contains([]State{Reviewing, Replied, FollowingUp, Appealing}, l.Body.State) {
				x.Office++
			}
			age, _ := b.terms.Left(midnight(time.UnixMilli(l.Body.Began)).AddDate(0, 0, 1), b.now())
			x.Ages[map[bool]int{true: 0, false: map[bool]int{true: 1, false: 2}[age <= MostDays]}[age <= Days]]++
			want[l.Body.Unit] = x
		}
		tallies, err := b.orders.Tallies(t.Context(), Filter{})
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]Tally)
		for _, x := range tallies {
			got[x.Unit] = x
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) < 2 {
			t.Fatalf("the board differs from the parts:\n%s", diff)
		}
	}
	rates, err := b.orders.Rates(t.Context(), Filter{})
	done, together := 0, 0
	for _, r := range rates {
		done, together = done+r.Done, together+r.Together
	}
	if err != nil || done != 1 || together != 2 { // the complaint is no rating, and the others have no name
		t.Errorf("followed up were %d of %d, %v", done, together, err)
	}
	if own, err := b.orders.Rates(t.Context(), Filter{Units: []string{office}}); err != nil || len(own) != 1 || own[0].Done != 1 {
		t.Errorf("of the one unit: %+v, %v", own, err)
	}
}

// TestWhoIsOwed names what the rate counts (article 18: 实名差评回访整改率要达到100).
func TestWhoIsOwed(t *testing.T) {
	for name, x := range map[string]struct {
		p    Part
		want int
	}{
		"one at work":            {Part{State: Limited, Named: true, Counts: true}, stillOwed},
		"one that was asked":     {Part{State: Closed, Named: true, Counts: true}, followedUp},
		"one without a name":     {Part{State: Closed, Counts: true}, notAsked},
		"one that lapsed":        {Part{State: Lapsed, Named: true}, notAsked},
		"one not adopted":        {Part{State: NotAdopted, Named: true, Counts: true}, notAsked},
		"an appeal of that":      {Part{State: Appealing, Back: NotAdopted, Named: true, Counts: true}, notAsked},
		"an appeal of a closed":  {Part{State: Appealing, Back: Closed, Named: true, Counts: true}, followedUp},
		"one that was reopened":  {Part{State: Limited, Reopened: true, Named: true, Counts: true}, stillOwed},
		"a complaint":            {Part{State: Waiting, Named: true, Counts: true, Complaint: true}, notAsked},
		"one that waits for it":  {Part{State: FollowingUp, Named: true, Counts: true}, stillOwed},
		"closed, and not counts": {Part{State: Closed, Named: true}, notAsked},
	} {
		if got := x.p.owed(); got != x.want {
			t.Errorf("%s: %d, want %d", name, got, x.want)
		}
	}
}

func checkSearch(t *testing.T, on engine) {
	b := on(t)
	for i, unit := range []string{police, office, police} {
		b.complete(t, fmt.Sprint(i), unit, "", []string{"", "13800000001"}[i%2])
		b.answer(t, fmt.Sprint(i), 1, 1)
		b.once(t)
		b.pass(time.Hour)
	}
	c := complained()
	c.Matter, c.Place = "100%_Zone\\", "B 厅"
	d := b.complain(t, "one", c)
	b.pass(time.Hour)
	end := b.complain(t, "two", complained()).Parts[0]
	for _, do := range []Deed{Contact, Plan, Reply, Pass, Satisfied} {
		var err error
		if end, err = b.orders.Do(t.Context(), clerk(), end, choosing(Event{Do: do}), "已电话沟通"); err != nil {
			t.Fatal(err)
		}
	}
	for name, x := range map[string]struct {
		f    Filter
		want int
	}{
		"all":               {Filter{}, 5},
		"a unit":            {Filter{Unit: office}, 1},
		"closed":            {Filter{States: []State{Closed, NotAdopted}}, 1},
		"a matter":          {Filter{Words: "身份证"}, 4},
		"a number":          {Filter{Words: "12345-7"}, 2},
		"an order":          {Filter{Words: fmt.Sprintf("%d 100", d.ID)}, 1},
		"signs":             {Filter{Words: "100%_zone\\"}, 1},
		"a sign for all":    {Filter{Words: "%"}, 1},
		"a place":           {Filter{Words: "b 厅"}, 1},
		"complaints":        {Filter{Complaints: true}, 2},
		"those owed":        {Filter{Owed: true}, 1},
		"nothing":           {Filter{Words: "没有的"}, 0},
		"from tomorrow":     {Filter{From: b.now().Add(24 * time.Hour).UnixMilli()}, 0},
		"before tomorrow":   {Filter{To: b.now().Add(24 * time.Hour).UnixMilli()}, 5},
		"of an area":        {Filter{Areas: []Codes{{area, area}}}, 5},
		"of another":        {Filter{Areas: []Codes{{"610000000000", "619999999999"}}}, 0},
		"late":              {Filter{DueBefore: b.now().UnixMilli()}, 0},
		"late in the end":   {Filter{DueBefore: b.now().AddDate(0, 1, 0).UnixMilli()}, 4},
		"a unit's and open": {Filter{Unit: police, States: []State{Waiting}}, 3},
	} {
		x.f.Limit = 2
		var got []string
		for {
			some, err := b.orders.Find(t.Context(), x.f)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, l := range some {
				got, x.f.After = append(got, l.Name()), l.Opened()
			}
			if len(some) < x.f.Limit {
				break
			}
		}
		if len(slices.Compact(got)) != x.want {
			t.Errorf("%s: found %v, want %d", name, got, x.want)
		}
	}
}

// What an earlier version has kept gets what boards and searches ask for.
func checkWhatAnEarlierVersionKept(t *testing.T, on engine) {
	b := on(t)
	b.complete(t, "P", police, "", "13800000001")
	b.answer(t, "P", 1, 1)
	b.once(t)
	before := b.dump(t)
	err := b.db.Write(t.Context(), func(tx *db.Tx) error {
		if _, err := tx.ExecContext(t.Context(), "UPDATE rectify_order SET label = ''"); err != nil {
			return err
		}
		_, err := tx.ExecContext(t.Context(), "UPDATE rectify_part SET opened = 0, owed = 0, clue = 0, complaint = 0")
		return err
	})
	if err == nil {
		_, err = b.orders.Redue(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, b.dump(t)); diff != "" {
		t.Errorf("filled in it differs:\n%s", diff)
	}
}

// BenchmarkBoard counts and searches among 100,000 open orders of 2,000 units, and as many closed ones, and says how long the slowest of
// twenty took.
func BenchmarkBoard(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		dir := b.TempDir()
		benchBoard(b, newBureau(b, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db")))
	})
	b.Run("postgres", func(b *testing.B) {
		url := dbtest.StartPostgres(b).Database(b)
		benchBoard(b, newBureau(b, url, url))
	})
}

func benchBoard(b *testing.B, u *bureau) {
	const open, units = 100_000, 2000
	u.many(b, 2*open, units)
	for name, f := range map[string]func() error{
		"board": func() error { _, err := u.orders.Tallies(b.Context(), Filter{}); return err },
		"rate":  func() error { _, err := u.orders.Rates(b.Context(), Filter{From: 1}); return err },
		"search": func() error {
			_, err := u.orders.Find(b.Context(), Filter{Words: "事项 17", Limit: 200})
			return err
		},
		"nothing found": func() error { _, err := u.orders.Find(b.Context(), Filter{Words: "没有的", Limit: 200}); return err },
		"late": func() error {
			_, err := u.orders.Due(b.Context(), Filter{DueBefore: u.now().UnixMilli(), Limit: 200})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			var before, after syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				begin := time.Now()
				if err := f(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begin))
			}
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
				b.Fatal(err)
			}
			cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(cpu)/float64(len(took))/1e6, "cpu-ms/op") // of this process, also where the machine is busy
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}

// many writes parts, the half of them open, as they would stand after a year.
func (b *bureau) many(t testing.TB, parts, units int) {
	t.Helper()
	var orders, rows [][]any
	for i := range parts {
		id := int64(1_000_000 + i)
		about := Opening{Evaluation: id, Level: rating.VeryDissatisfied, Matter: fmt.Sprintf("事项 %d 的办理", i%97), Place: "政务服务大厅 3 号窗口"}
		orders = append(orders, []any{id, id, `{"evaluation":0,"matter":"` + about.Matter + `"}`, about.label(id)})
		began := b.now().Add(-time.Duration(i%365*24) * time.Hour).UnixMilli()
		p := Part{State: Waiting, Unit: fmt.Sprintf("UNIT%06d", i%units), Area: area, Named: i%2 == 0, Began: began, From: began, Since: began,
			Days: Days, Counts: true}
		if i >= parts/2 {
			p.State = Closed
		}
		row, err := b.orders.row(Kept{Order: id, Part: 1, Changed: id, Body: p})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	err := b.db.Write(t.Context(), func(tx *db.Tx) error {
		if err := tx.Insert(t.Context(), "rectify_order", []string{"id", "evaluation", "about", "label"}, orders); err != nil {
			return err
		}
		return tx.Insert(t.Context(), "rectify_part", []string{"changed", "unit", "area", "state", "due", "body", "opened", "clue", "complaint",
			"owed", "order_id", "part"}, rows)
	})
	if err != nil {
		t.Fatal(err)
	}
}
