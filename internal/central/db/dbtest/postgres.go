// Package dbtest gives tests databases on a PostgreSQL server that ends with the test.
package dbtest

import (
	"errors"
	"os"
	"sync"
	"testing"

	"haochaping/internal/proof/pgserver"
)

// Postgres is a running server.
type Postgres struct{ *pgserver.Server }

// StartPostgres starts a server that ends with the test. Without fsync it is fast; settings such as "fsync=on" go after those that make it so.
// The test is skipped if PostgreSQL is not installed, and fails with CI=1.
func StartPostgres(t testing.TB, settings ...string) Postgres {
	t.Helper()
	s, err := pgserver.New(append(pgserver.Fast(), settings...)...)
	need(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("end PostgreSQL: %v", err)
		}
	})
	return Postgres{s}
}

// need skips a test without PostgreSQL, which fails with CI=1.
func need(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, pgserver.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Shared is a server for all tests of a package, which the first that needs it starts: a server takes longer to make than most tests take. The package's
// TestMain ends with Close.
type Shared struct {
	once   sync.Once
	server *pgserver.Server
	err    error
}

// Database makes an empty database and returns its URL.
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	s.once.Do(func() { s.server, s.err = pgserver.New(pgserver.Fast()...) })
	need(t, s.err)
	return Postgres{s.server}.Database(t)
}

// Close ends the server, if there is one.
func (s *Shared) Close() error {
	if s.server == nil {
		return nil
	}
	return s.server.Close()
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
