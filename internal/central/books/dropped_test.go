package books

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"haochaping/internal/central/db"
)

// TestDroppedBooksAreInNoFile writes something into the books of which the journal knows nothing, makes them anew, and looks for it in the
// files.
func TestDroppedBooksAreInNoFile(t *testing.T) {
	onSQLite(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		busy(t, w)
		w.follow(t)
		const mark = "something that only the old books say"
		w.exec(t, "UPDATE {visit} SET closing = '"+mark+"'")
		paths, err := db.Query(t.Context(), w.booksDB, func(s db.Scanner) (p string, err error) { return p, s.Scan(&p) },
			"SELECT file FROM pragma_database_list")
		if err != nil || len(paths) != 1 {
			t.Fatal(paths, err)
		}
		has := func() bool {
			var all []byte
			for _, suffix := range []string{"", "-wal"} {
				b, err := os.ReadFile(paths[0] + suffix)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, b...)
			}
			return bytes.Contains(all, []byte(mark))
		}
		if !has() {
			t.Fatal("it is not in the files before: the test looks for the wrong thing")
		}
		if err := w.books.Rebuild(t.Context(), silent); err != nil {
			t.Fatal(err)
		}
		if has() {
			t.Error("the dropped books are still in the files")
		}
	})
}

// TestDroppingBooksTakesLittleOfTheLog drops a generation of many rows, and looks how far the write-ahead log has grown.
func TestDroppingBooksTakesLittleOfTheLog(t *testing.T) {
	onSQLite(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		w.beside(t, 100)
		old := newTables(db.SQLite, 100)
		const n, each = 30_000, 1000
		for from := 0; from < n; from += 10_000 {
			if err := w.booksDB.Write(t.Context(), func(tx *db.Tx) error {
				visits, claims := make([][]any, 10_000), make([][]any, 10_000)
				for i := range visits {
					visits[i] = []any{from + i + 1, 1_000_000 - i, 1, 0, 0, strings.Repeat("v", each), "", 0, ""}
					claims[i] = []any{i % 7, from + i, 0, 0, 0}
				}
				return errors.Join(tx.Insert(t.Context(), old.name("visit"), columns("visit"), visits),
					tx.Insert(t.Context(), old.name("claim"), columns("claim"), claims))
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.booksDB.Scrub(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		paths, err := db.Query(t.Context(), w.booksDB, func(s db.Scanner) (p string, err error) { return p, s.Scan(&p) },
			"SELECT file FROM pragma_database_list")
		if err != nil || len(paths) != 1 {
			t.Fatal(paths, err)
		}
		if dropped, err := w.books.sweepOne(t.Context(), old, func() error { return nil }); err != nil || !dropped {
			t.Fatal(dropped, err)
		}
		info, err := os.Stat(paths[0] + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > n*each*3/4 {
			t.Errorf("the write-ahead log has grown to %d bytes, and the greatest table has %d", info.Size(), n*each)
		}
		if left, err := one(t.Context(), w.booksDB, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'b100_%'"); err != nil || left != 0 {
			t.Errorf("%d of its tables and indexes are left, %v", left, err)
		}
	})
}

// TestTwoSweepAtOnce drops a generation from two sides, as when one was so late that its lease went to the other: neither minds.
func TestTwoSweepAtOnce(t *testing.T) {
	onSQLite(t, func(t *testing.T, open func(testing.TB) *world) {
		w := open(t)
		for n := range int64(20) {
			n += 100
			w.beside(t, n)
			old := newTables(db.SQLite, n)
			errs := make(chan error)
			for range 2 {
				go func() {
					_, err := w.books.sweepOne(t.Context(), old, func() error { return nil })
					errs <- err
				}()
			}
			if err := errors.Join(<-errs, <-errs); err != nil {
				t.Fatal(err)
			}
		}
	})
}
