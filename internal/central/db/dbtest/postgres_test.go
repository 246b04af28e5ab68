package dbtest

import (
	"strings"
	"testing"
)

// TestServer starts a server, keeps a table over a crash, and gives each test a database of its own.
func TestServer(t *testing.T) {
	p := StartPostgres(t)
	a, b := p.Database(t), p.Database(t)
	sql := func(url, text string) string {
		t.Helper()
		out, err := p.command("psql", "-Atqc", text, url).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", text, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	sql(a, "CREATE TABLE kept (n bigint)")
	sql(a, "CHECKPOINT")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	const count = "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"
	if of, ours := sql(b, count), sql(a, count); of != "0" || ours != "1" {
		t.Errorf("the table stands %s times in its database and %s times in the other", ours, of)
	}
}
