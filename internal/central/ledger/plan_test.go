package ledger

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestDecidingReadsOneVisit looks at how SQLite goes about the query that every evaluation makes: it must look up the visit and
// not read all that the box ever sent.
func TestDecidingReadsOneVisit(t *testing.T) {
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	steps, err := query(t.Context(), l.db, func(s scanner) (step string, err error) {
		var id, parent, unused int
		return step, s.Scan(&id, &parent, &unused, &step)
	}, "EXPLAIN QUERY PLAN "+candidates, "box", "1", "staff")
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 1 || !strings.Contains(steps[0], "USING INDEX evaluation_visit (device=? AND visit=? AND subject=?)") {
		t.Errorf("the plan is %q", steps)
	}
}
