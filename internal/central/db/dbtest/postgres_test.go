package dbtest

import (
	"testing"

	"haochaping/internal/proof/pgserver"
)

// TestServer starts a server, keeps a table over a crash, and gives each test a database of its own. A standby follows and takes over.
func TestServer(t *testing.T) {
	p := StartPostgres(t)
	p.Database(t)
	p.Database(t)
	query := func(s *pgserver.Server, database, text string) string {
		t.Helper()
		out, err := s.Query(database, text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	query(p.Server, "t1", "CREATE TABLE kept (n bigint)")
	query(p.Server, "t1", "CHECKPOINT")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	const count = "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"
	if ours, of := query(p.Server, "t1", count), query(p.Server, "t2", count); of != "0" || ours != "1" {
		t.Errorf("the table stands %s times in its database and %s times in the other", ours, of)
	}
	standby, err := p.Standby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	if got := query(standby, "t1", count); got != "1" {
		t.Errorf("the table stands %s times on the standby", got)
	}
}
