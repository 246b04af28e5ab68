package db_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
)

// What is dumped from one engine fills tables of the other one with the same rows.
func TestDumpAndFill(t *testing.T) {
	lite, server := "sqlite:"+filepath.Join(t.TempDir(), "a.db"), dbtest.StartPostgres(t).Database(t)
	for _, way := range []struct{ name, from, to string }{{"to the server", lite, server},
		{"from the server", server, "sqlite:" + filepath.Join(t.TempDir(), "b.db")}} {
		t.Run(way.name, func(t *testing.T) {
			from, to := openThing(t, way.from), openThing(t, way.to)
			if way.from == lite {
				exec(t, from, "INSERT INTO thing (id, name, bytes) VALUES ($1, $2, $3), ($4, $5, NULL)", 1, "甲", []byte{0, 255}, 2, "")
			}
			want := dumped(t, from)
			if len(want) != 2 {
				t.Fatalf("%d rows were dumped, want 2", len(want))
			}
			for _, b := range want {
				if err := to.Fill(t.Context(), []string{"thing"}, b); err != nil {
					t.Fatal(err)
				}
			}
			if got := dumped(t, to); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("filled\n%s\nwant\n%s", got, want)
			}
		})
	}
	d := openThing(t, "sqlite:"+filepath.Join(t.TempDir(), "c.db"))
	for _, bad := range []string{`{"table":"other","counts":{"id":1}}`, `{"table":"thing","counts":{"id) VALUES (1);--":1}}`, `{`} {
		if err := d.Fill(t.Context(), []string{"thing"}, []byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func openThing(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	kind := "BLOB"
	if d.Engine() == db.Postgres {
		kind = "BYTEA"
	}
	exec(t, d, "CREATE TABLE IF NOT EXISTS thing (id BIGINT PRIMARY KEY, name TEXT NOT NULL, bytes "+kind+")")
	return d
}

func exec(t *testing.T, d *db.DB, text string, args ...any) {
	t.Helper()
	if err := d.Write(t.Context(), func(tx *db.Tx) error { _, err := tx.ExecContext(t.Context(), text, args...); return err }); err != nil {
		t.Fatal(err)
	}
}

func dumped(t *testing.T, d *db.DB) (all [][]byte) {
	t.Helper()
	if err := d.Dump(t.Context(), []string{"thing"}, func(b []byte) error { all = append(all, b); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}
