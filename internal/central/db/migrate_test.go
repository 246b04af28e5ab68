package db_test

import (
	"path/filepath"
	"testing"
	"testing/fstest"

	"golang.org/x/sync/errgroup"

	"haochaping/internal/central/db"
)

// A service that starts for the first time and commands beside it make the tables once, and none of them fails.
func TestSeveralMigrateAtOnce(t *testing.T) {
	scripts := fstest.MapFS{
		"00001_a.sql": {Data: []byte("CREATE TABLE one (id BIGINT PRIMARY KEY)")},
		"00002_b.sql": {Data: []byte("CREATE TABLE two (id BIGINT PRIMARY KEY)")},
		"00003_c.sql": {Data: []byte("ALTER TABLE two ADD COLUMN name TEXT")},
	}
	for range 20 {
		url := "sqlite:" + filepath.Join(t.TempDir(), "x.db")
		var g errgroup.Group
		for range 4 {
			g.Go(func() error {
				d, err := db.Open(t.Context(), url)
				if err != nil {
					return err
				}
				defer func() { _ = d.Close() }()
				return d.Migrate(t.Context(), "things", scripts)
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}
