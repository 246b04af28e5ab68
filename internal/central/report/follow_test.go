package report

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// endless is a journal to which another row comes with each look, as long as more says so.
type endless struct {
	*journal.Journal
	more func()
}

func (j *endless) Follow(ctx context.Context, after int64, rows int) ([]journal.Entry, error) {
	j.more()
	return j.Journal.Follow(ctx, after, rows)
}

// TestRowsWithoutEndHoldUpNothingElse has rows come faster than they are looked at: orders are counted and a walk becomes whole meanwhile.
func TestRowsWithoutEndHoldUpNothingElse(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
	w.bad(t, 0, "")
	today := directory.DayOf(time.Now())
	looks, counted := 0, false
	w.reports.cfg.Journal = &endless{w.journal, func() {
		if looks++; looks > 20 {
			return
		}
		if p, err := w.reports.Progress(t.Context()); err != nil {
			t.Error(err)
		} else if !p.Counting && w.sum(t, Ask{Days: directory.Period{From: today - 1, To: today + 1}}).Total.Work.Standing == 1 {
			counted = true
		}
		if _, err := w.journal.Do(t.Context(), "operator test", "", journal.Act{Do: "test.row"}, nil); err != nil {
			t.Error(err)
		}
		w.wait(t)
	}}
	w.once(t)
	if looks < 20 || !counted {
		t.Errorf("after %d looks with rows still to come all is counted: %v", looks, counted)
	}
}

// TestOrdersWaitForTheirEvaluations: books that begin anew, as after a restore, do not have them yet.
func TestOrdersWaitForTheirEvaluations(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, "sqlite:"+filepath.Join(dir, "journal.db"), "sqlite:"+filepath.Join(dir, "books.db"))
	w.bad(t, 0, "")
	w.stop()
	var err error
	if w.db, err = db.Open(t.Context(), "sqlite:"+filepath.Join(dir, "anew.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.db.Close() })
	w.books, err = books.Open(t.Context(), books.Config{DB: w.db, Journal: w.journal, Holder: "anew", Now: w.now,
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w.reports = w.open(t, "here")
	w.once(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.books.Run(ctx) }()
	w.wait(t)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	w.once(t)
	today := directory.DayOf(time.Now())
	if n := w.sum(t, Ask{Days: directory.Period{From: today - 1, To: today + 1}}).Total.Work.Standing; n != 1 {
		t.Errorf("%d orders are counted", n)
	}
}

// checkAMonthOfAHallStays: from when there are enough answers, whatever comes later and is made anew; not while not all is counted.
func checkAMonthOfAHallStays(t *testing.T, on engine) {
	w := on(t)
	c, day := newChain(0), directory.Date(2025, 2, 3)
	stamp := func(n int) rating.Stamp {
		return rating.Stamp{Boot: 1, Mono: int64(n) * 60_000, Wall: day.Start().UnixMilli() + int64(n)*60_000, Synced: true}
	}
	for i := range 3 {
		c.add(t, rating.VisitBody(stamp(2*i), rating.Visit{ID: rating.VisitID(i + 1), Opener: rating.OpenedByPC, Grouping: rating.Single,
			WaitSec: 60, Subjects: []rating.Subject{rating.StaffSubject},
			Window: rating.Window{ID: c.window, Name: "窗口", Hall: "大厅", Generation: 1}}))
		c.add(t, rating.EvaluationBody(stamp(2*i+1), rating.Evaluation{Visit: rating.VisitID(i + 1), Subject: rating.StaffSubject, Level: 5,
			Channel: rating.Keypad}))
	}
	m := Month{Hall: "SL-H2", Days: directory.Period{From: directory.Date(2025, 2, 1), To: directory.Date(2025, 3, 1)},
		Closed: directory.Date(2025, 3, 8).Start(), Least: 2}
	answers := func() int64 {
		t.Helper()
		table, err := w.reports.Month(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return table.Total.By(rating.StaffSubject, rating.Keypad).Levels[5]
	}
	for n, want := range []int64{1, 2, 2} { // one alone is not kept
		w.append(t, c.batch(2*n+1, 2*n+2, day.Start().Add(time.Hour)))
		w.wait(t)
		w.once(t)
		if got := answers(); got != want {
			t.Errorf("after %d answers %d are told", n+1, got)
		}
	}
	if err := w.reports.Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := answers(); got != 2 {
		t.Errorf("made anew %d are told", got)
	}
	// which is no month, and not kept yet
	m.Days, m.Closed = directory.Period{From: directory.Date(2025, 1, 1), To: directory.Date(2025, 3, 1)}, time.Now().Add(time.Hour)
	w.bad(t, 1, "")
	if _, err := w.reports.Month(t.Context(), m); !errors.Is(err, ErrCounting) {
		t.Errorf("with rows still to come: %v", err)
	}
}
