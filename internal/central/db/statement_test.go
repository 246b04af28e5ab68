package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func openTest(t *testing.T) *DB {
	t.Helper()
	d, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	write(t, d, "CREATE TABLE kept (n BIGINT, word TEXT)")
	return d
}

func write(t *testing.T, d *DB, text string, args ...any) {
	t.Helper()
	err := d.Write(t.Context(), func(tx *Tx) error {
		_, err := tx.ExecContext(t.Context(), text, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// A statement that is kept prepared sees what has become of its table, and may be used while a query of the same text is read.
func TestKeptStatements(t *testing.T) {
	d, ctx := openTest(t), t.Context()
	const query = "SELECT * FROM kept WHERE n > $1 ORDER BY n"
	for n := range 3 {
		write(t, d, "INSERT INTO kept (n, word) VALUES ($1, $2)", n+1, "w")
	}
	err := d.Read(ctx, func(tx *Tx) error {
		outer, err := tx.QueryContext(ctx, query, 0)
		if err != nil {
			return err
		}
		defer func() { _ = outer.Close() }()
		seen := 0
		for outer.Next() {
			seen++
			inner, err := Query(ctx, tx, func(s Scanner) (n int, err error) { return n, s.Scan(&n, new(string)) }, query, 1)
			if err != nil || len(inner) != 2 {
				t.Errorf("within row %d: %v, %v; want two rows", seen, inner, err)
			}
		}
		if seen != 3 {
			t.Errorf("%d rows were read, want 3", seen)
		}
		return outer.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, "ALTER TABLE kept ADD COLUMN more TEXT DEFAULT 'm'")
	got, err := Query(ctx, d, func(s Scanner) (more string, err error) { return more, s.Scan(new(int), new(string), &more) }, query, 2)
	if err != nil || len(got) != 1 || got[0] != "m" {
		t.Errorf("after the table has one more column: %q, %v", got, err)
	}
	for i := range 3 * maxKept { // more texts than are kept
		text := fmt.Sprintf("SELECT n + %d FROM kept WHERE n = $1", i)
		got, err := Query(ctx, d, func(s Scanner) (n int, err error) { return n, s.Scan(&n) }, text, 1)
		if err != nil || got[0] != i+1 {
			t.Fatalf("text %d: %v, %v", i, got, err)
		}
	}
}

// What database/sql has rolled back because a context has ended is not committed row by row by what still runs.
func TestNothingIsWrittenAfterItsTransactionHasEnded(t *testing.T) {
	d := openTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Write(ctx, func(tx *Tx) error {
		cancel()
		var err error
		for err == nil { // until database/sql has noticed
			_, err = tx.ExecContext(t.Context(), "INSERT INTO kept (n) VALUES (0)")
		}
		if !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("got %v, want %v", err, sql.ErrTxDone)
		}
		return tx.Insert(t.Context(), "kept", []string{"n"}, [][]any{{int64(1)}})
	})
	if err == nil {
		t.Error("the transaction was committed after its context had ended")
	}
	n, err := Query(t.Context(), d, func(s Scanner) (n int, err error) { return n, s.Scan(&n) }, "SELECT count(*) FROM kept")
	if err != nil || n[0] != 0 {
		t.Errorf("%v rows, %v; want none", n, err)
	}
}

func TestUnnumbered(t *testing.T) {
	for text, want := range map[string]string{
		"INSERT INTO a VALUES ($1, $2)":               "INSERT INTO a VALUES (?, ?)",
		"UPDATE a SET b = $2 WHERE c = $1":            "UPDATE a SET b = $2 WHERE c = $1",
		"SELECT $1 WHERE a = $1":                      "SELECT $1 WHERE a = $1",
		"SELECT 1":                                    "SELECT 1",
		"SELECT $1, $a":                               "SELECT $1, $a",
		"SELECT " + strings.Repeat("$1 ", 12):         "SELECT " + strings.Repeat("$1 ", 12),
		"VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)": "VALUES (?,?,?,?,?,?,?,?,?,?,?)",
	} {
		if got := unnumbered(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
