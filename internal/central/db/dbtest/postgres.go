// Package dbtest gives tests databases on a PostgreSQL server that ends with the test.
package dbtest

import (
	"errors"
	"os"
	"testing"

	"haochaping/internal/proof/pgserver"
)

// Postgres is a running server.
type Postgres struct{ *pgserver.Server }

// StartPostgres starts a server that ends with the test. Without fsync it is fast; settings such as "fsync=on" go after those that make it
// so. The test is skipped if PostgreSQL is not installed, and fails with CI=1.
func StartPostgres(t testing.TB, settings ...string) Postgres {
	t.Helper()
	s, err := pgserver.New(append(pgserver.Fast(), settings...)...)
	if errors.Is(err, pgserver.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("end PostgreSQL: %v", err)
		}
	})
	return Postgres{s}
}

// Database makes an empty database and returns its URL.
func (p Postgres) Database(t testing.TB) string {
	t.Helper()
	url, err := p.Server.Database()
	if err != nil {
		t.Fatal(err)
	}
	return url
}
