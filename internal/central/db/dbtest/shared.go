package dbtest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"haochaping/internal/proof/pgserver"
)

// Shared is one server for all tests of a package that do nothing to it but use a database of their own, and close it: a cluster takes a
// second to make.
// The zero one is ready; it is safe for concurrent use. The package's TestMain ends it by Main.
type Shared struct {
	once   sync.Once
	server *pgserver.Server
	err    error
}

// Database makes an empty database and returns its URL. Without PostgreSQL it does as StartPostgres.
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	s.once.Do(func() { s.server, s.err = pgserver.New(append(pgserver.Fast(), "max_connections=300")...) })
	if errors.Is(s.err, pgserver.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(s.err)
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	return Postgres{s.server}.Database(t)
}

// Main runs the tests, ends the server, and returns the status with which TestMain is to exit.
func (s *Shared) Main(m *testing.M) int {
	status := m.Run()
	if s.server == nil {
		return status
	}
	if err := s.server.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "end PostgreSQL:", err)
		return 1
	}
	return status
}
