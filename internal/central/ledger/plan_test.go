package ledger

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDecidingReadsWhatItIsAbout looks at how SQLite goes about the queries that every evaluation makes: they must look up what they are
// about and not read all that the box ever sent.
func TestDecidingReadsWhatItIsAbout(t *testing.T) {
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for name, q := range map[string]struct {
		text string
		args []any
		want []string
	}{
		"contenders of an item": {contenders, []any{"case p"}, []string{"SEARCH s USING PRIMARY KEY (item=?)", "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"}},
		"status":                {setStatus, []any{1}, []string{"SEARCH evaluation USING INTEGER PRIMARY KEY (rowid=?)", "SEARCH standing USING INDEX standing_evaluation (cursor=?)"}},
		"items":                 {"SELECT item FROM standing WHERE cursor = ?", []any{1}, []string{"SEARCH standing USING COVERING INDEX standing_evaluation (cursor=?)"}},
		"evaluations of a visit": {"SELECT cursor, project FROM evaluation WHERE device = ? AND visit = ? AND subject = ?", []any{"box", "1", "matter"},
			[]string{"SEARCH evaluation USING INDEX evaluation_visit (device=? AND visit=? AND subject=?)"}},
	} {
		steps, err := query(t.Context(), l.db, func(s scanner) (step string, err error) {
			var id, parent, unused int
			return step, s.Scan(&id, &parent, &unused, &step)
		}, "EXPLAIN QUERY PLAN "+q.text, q.args...)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range q.want {
			if !slices.Contains(steps, step) {
				t.Errorf("%s: the plan is %q and lacks %q", name, steps, step)
			}
		}
		if slices.ContainsFunc(steps, func(s string) bool { return strings.HasPrefix(s, "SCAN ") && !strings.HasPrefix(s, "SCAN CONSTANT") }) {
			t.Errorf("%s: the plan %q reads a whole table", name, steps)
		}
	}
}
