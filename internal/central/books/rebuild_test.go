package books

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

func silent(Progress) {}

// busy enters a life of two boxes, with what makes findings.
func busy(t *testing.T, w *world) {
	t.Helper()
	for run := range 5 {
		rapid.Custom(func(t *rapid.T) bool {
			drawLife(t, run+1).deliver(t, w)
			return true
		}).Example(run)
	}
	c := events(t, 10)
	copied := copyOf(t, c, 4, 3)
	w.append(t, c.all())
	w.append(t, copied.batch(6, 7, 4))
	w.append(t, copied.batch(5, 7, 4))
	holes := chainOf(box, 77)
	for i := range 9 {
		holes.append(t, press(int64(i), rating.VisitID(9000+i), 4, 0))
	}
	for _, i := range []int{3, 7, 9} {
		w.append(t, holes.batch(i, i, uint64(i)-1))
	}
	w.append(t, holes.batch(2, 2, 0))
}

// exec changes what no program of ours would.
func (w *world) exec(t *testing.T, text string, args ...any) {
	t.Helper()
	if err := w.booksDB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.ExecContext(t.Context(), newTables(w.booksDB.Engine(), w.generation(t)).of(text), args...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) generation(t fatal) int64 {
	t.Helper()
	g, err := readGeneration(context.Background(), w.booksDB)
	if err != nil {
		t.Fatalf("generation: %v", err)
	}
	return g.number
}

// checkARebuildMakesTheSameBooks, adds nothing to the feed, and what was made goes on growing.
func checkARebuildMakesTheSameBooks(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		busy(t, w)
		w.follow(t)
		before := w.dump(t, 1)
		said, err := w.books.Decisions(t.Context(), 0, 100_000)
		if err != nil || len(said) == 0 {
			t.Fatalf("%d decisions, %v", len(said), err)
		}
		if err := w.books.Rebuild(t.Context(), silent); err != nil {
			t.Fatal(err)
		}
		if n := w.generation(t); n != 2 {
			t.Fatalf("generation %d is read", n)
		}
		if diff := cmp.Diff(before, w.dump(t, 2)); diff != "" {
			t.Errorf("books (-before +after):\n%s", diff)
		}
		again, err := w.books.Decisions(t.Context(), 0, 100_000)
		if diff := cmp.Diff(said, again); diff != "" || err != nil {
			t.Errorf("feed (-before +after):\n%s, %v", diff, err)
		}
		c := chainOf(box, 99)
		c.append(t, press(1, 777, 5, 0))
		w.append(t, c.all())
		if _, err := w.projector.follow(t.Context(), false); err == nil {
			t.Error("the projector of the old books did not see that they are no longer read")
		}
		w.follow(t)
		w.feedAgrees(t)
		if v, err := w.books.Verify(t.Context(), silent); err != nil || len(v.Differences) > 0 || v.Rows == 0 {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
}

// checkBooksOfAFormerSchemaAreReplaced, whose claims name their cases: the feed says what counts otherwise, and nothing else.
func checkBooksOfAFormerSchemaAreReplaced(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		busy(t, w)
		w.follow(t)
		said, err := w.books.Decisions(t.Context(), 0, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"CREATE TABLE {claim}_former (item {int} NOT NULL, evaluation {int} NOT NULL, project TEXT NOT NULL, standing {int} NOT NULL, PRIMARY " +
				"KEY (item, evaluation))",
			"INSERT INTO {claim}_former SELECT k.item, c.evaluation, k.project, c.standing FROM {claim} c JOIN {case} k ON k.n = c.cased",
			"DROP TABLE {claim}", "ALTER TABLE {claim}_former RENAME TO {claim}", "ALTER TABLE {case} RENAME COLUMN n TO rest",
			"UPDATE books_state SET schema_version = 5",
		} {
			w.exec(t, text)
		}
		counts, err := db.Query(t.Context(), w.booksDB, func(s db.Scanner) (id int64, err error) { return id, s.Scan(&id) },
			newTables(w.booksDB.Engine(), 1).of("SELECT evaluation FROM {claim} WHERE standing = 1 ORDER BY evaluation LIMIT 1"))
		if err != nil || len(counts) != 1 {
			t.Fatal(counts, err)
		}
		w.exec(t, "UPDATE {claim} SET standing = 2 WHERE evaluation = $1", counts[0])
		if err := w.books.Rebuild(t.Context(), silent); err != nil {
			t.Fatal(err)
		}
		again, err := w.books.Decisions(t.Context(), 0, 100_000)
		if err != nil || len(again) <= len(said) {
			t.Fatalf("%d decisions after %d: %v", len(again), len(said), err)
		}
		for _, d := range again[len(said):] {
			if d.Evaluation != counts[0] || d.Before != 0 {
				t.Errorf("the feed says %+v", d)
			}
		}
	})
}

// checkARebuildGoesOnWhereItWas: an interrupted one is not begun anew, and one of another version of the rules is.
func checkARebuildGoesOnWhereItWas(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		busy(t, w)
		w.follow(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.now = w.now.Add(time.Hour)
		if err := w.books.Rebuild(ctx, func(p Progress) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted: %v", err)
		}
		begun := newTables(w.booksDB.Engine(), 2)
		p := &projector{b: w.books, t: begun}
		if err := p.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.catchUp(t.Context(), 5, func() (bool, error) { return true, nil }); err != nil || p.pos != 5 {
			t.Fatalf("at row %d, %v", p.pos, err)
		}
		first := int64(-1)
		if err := w.books.Rebuild(t.Context(), func(p Progress) {
			if first < 0 {
				first = p.Done
			}
		}); err != nil {
			t.Fatal(err)
		}
		if n := w.generation(t); n != 2 || first != 5 {
			t.Errorf("generation %d is read, and the rebuild went on from row %d", n, first)
		}
		w.exec(t, "UPDATE books_state SET rules = rules + 1")
		if stale, err := w.books.Stale(t.Context()); err != nil || !stale {
			t.Errorf("books of other rules are stale: %t, %v", stale, err)
		}
		if _, err := w.books.Latest(t.Context(), 1); !errors.Is(err, ErrStale) {
			t.Errorf("they are read: %v", err)
		}
		if err := w.books.Rebuild(t.Context(), silent); err != nil {
			t.Fatal(err)
		}
		if _, err := w.books.Latest(t.Context(), 1); err != nil || w.generation(t) != 3 {
			t.Errorf("generation %d, %v", w.generation(t), err)
		}
	})
}

// checkTheFeedSaysWhatARebuildChanges: where the old books were wrong, the feed says so when the new ones take their place.
func checkTheFeedSaysWhatARebuildChanges(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		c.append(t, rating.VisitBody(at(0), ofCases(1, rating.Single, false, "a")), keyed(1000, 1, ""),
			rating.VisitBody(at(2000), ofCases(2, rating.Single, false, "a")), keyed(3000, 2, ""), press(4000, 3, 5, 0))
		w.enter(t, c.all())
		entries := w.since(t)
		w.exec(t, "UPDATE {claim} SET standing = CASE WHEN evaluation = $1 THEN 3 ELSE 1 END", entries[0].Cursor)
		w.exec(t, "UPDATE {evaluation} SET standing = 3 WHERE id = $1", entries[2].Cursor)
		v, err := w.books.Verify(t.Context(), silent)
		if err != nil || len(v.Differences) != 3 || !strings.Contains(v.Differences[0], "evaluation") {
			t.Errorf("verify: %+v, %v", v, err)
		}
		before, err := w.books.Decisions(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.books.Rebuild(t.Context(), silent); err != nil {
			t.Fatal(err)
		}
		got, err := w.books.Decisions(t.Context(), int64(len(before)), 100)
		want := []Decision{
			{ID: 3, Pos: 1, Item: rating.Item{Device: box, Visit: 3, Subject: rating.StaffSubject}, Evaluation: entries[2].Cursor},
			{ID: 4, Pos: 1, Item: rating.Item{Case: rating.CaseKey{Project: "a"}}, Evaluation: entries[0].Cursor, Before: entries[1].Cursor},
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("feed (-want +got):\n%s, %v", diff, err)
		}
	})
}

// checkVerifyFindsWhatWasChanged changes, removes and adds a row of each table; of three of them, which chance chooses, where few do.
func checkVerifyFindsWhatWasChanged(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		busy(t, w)
		w.follow(t)
		tried := 0
		for name, text := range map[string]string{
			"a level": "UPDATE {evaluation} SET level = 6 - level WHERE level <> 3 AND id = (SELECT min(id) FROM {evaluation} WHERE level <> " +
				"3)",
			"a visit":      "DELETE FROM {visit} WHERE n = 1",
			"a finding":    "UPDATE {finding} SET resolved_at = 1 WHERE resolved_at IS NULL",
			"a start":      "UPDATE {span} SET earliest = earliest + 1 WHERE boot = 1",
			"a record":     "UPDATE {log} SET records = records + 1 WHERE id = 1",
			"a claim":      "INSERT INTO {claim} (cased, evaluation, overall, direct, standing) VALUES (1, 2, 0, 1, 1)",
			"a fork":       "DELETE FROM {fork}",
			"a device":     "UPDATE {device} SET enrolled_at = 5 WHERE id = 1",
			"a hash":       "UPDATE {log} SET hash = prev WHERE id = 1",
			"a last visit": "DELETE FROM {visit} WHERE n = (SELECT max(n) FROM {visit})",
		} {
			if tried++; tried > 3 && w.brief() {
				break
			}
			w.exec(t, text)
			if v, err := w.books.Verify(t.Context(), silent); err != nil || len(v.Differences) == 0 {
				t.Errorf("%s: %+v, %v", name, v, err)
			}
			if err := w.books.Rebuild(t.Context(), silent); err != nil {
				t.Fatal(err)
			}
		}
		if v, err := w.books.Verify(t.Context(), silent); err != nil || len(v.Differences) != 0 {
			t.Errorf("after the rebuilds: %+v, %v", v, err)
		}
	})
}

// checkLogs lists what each log holds.
func checkLogs(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		for i := range 12 {
			c.append(t, press(int64(i), rating.VisitID(1+i), 4, 0))
		}
		c.records[1] = []byte("{}")
		for _, b := range [][2]int{{2, 3}, {5, 6}, {8, 8}, {11, 12}} {
			w.enter(t, c.batch(b[0], b[1], 0))
		}
		w.enter(t, c.batch(9, 9, 4))
		got, err := w.books.Logs(t.Context(), 0, 10)
		want := []Log{{ID: 1, Device: box, Epoch: epoch, Records: 8, First: 2, Last: 12, Entries: 5, Quarantined: 1, Waiting: 2, Open: 4}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("logs (-want +got):\n%s, %v", diff, err)
		}
	})
}

// checkTwoInstances runs two projectors of one journal: one makes the books, and the other one goes on when the first has ended.
func checkTwoInstances(t *testing.T, on engine) {
	on(t, func(t *testing.T, open func(testing.TB) *world) {
		w, c := open(t), newChain()
		for i := range 40 {
			c.append(t, press(int64(i), rating.VisitID(i+1), 5, 0))
		}
		cfg := w.books.cfg
		cfg.Holder = "there"
		other, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { first <- w.books.Run(ctx) }()
		r := w.append(t, c.batch(1, 20, 0))
		if err := w.books.Wait(t.Context(), r.Pos); err != nil {
			t.Fatal(err)
		}
		running, stop := context.WithCancel(t.Context())
		defer stop()
		go func() { second <- other.Run(running) }()
		cancel()
		if err := <-first; err != nil {
			t.Fatal(err)
		}
		r = w.append(t, c.batch(21, 40, 0))
		if err := other.Wait(t.Context(), r.Pos); err != nil {
			t.Fatal(err)
		}
		// A third one that does not know of them changes nothing.
		late := &projector{b: w.books, t: newTables(w.booksDB.Engine(), 1), live: true}
		late.state, late.pos = newState(counters{}), 0
		entries, err := w.journal.Read(t.Context(), 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := decode(entries)
		if err != nil {
			t.Fatal(err)
		}
		if err := late.write(t.Context(), rows); !errors.Is(err, errOvertaken) {
			t.Errorf("a projector that is late: %v", err)
		}
		stop()
		if err := <-second; err != nil {
			t.Fatal(err)
		}
		if got := w.since(t); len(got) != 40 {
			t.Errorf("%d evaluations", len(got))
		}
	})
}
