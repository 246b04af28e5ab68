package report

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
)

// endless is a journal to which another row comes with each look, as long as more says so.
type endless struct {
	*journal.Journal
	more func()
}

func (j *endless) Read(ctx context.Context, after int64, rows int) ([]journal.Entry, error) {
	j.more()
	return j.Journal.Read(ctx, after, rows)
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
	w.books, err = books.Open(t.Context(), books.Config{DB: w.db, Journal: w.journal, Holder: "anew", Now: w.now, Logger: slog.New(slog.DiscardHandler)})
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
