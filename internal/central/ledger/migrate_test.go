package ledger

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

// TestBooksOfSchema3OfNewerBoxes opens books whose centre was older than its boxes: it kept the records as they were, and did not know
// that a visit may ask, and an evaluation be, about one case.
func TestBooksOfSchema3OfNewerBoxes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := db.Exec(text, args...); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		script, err := schemas.ReadFile(fmt.Sprintf("schema/%d.sql", i+1))
		if err != nil {
			t.Fatal(err)
		}
		exec(string(script))
	}
	exec("PRAGMA user_version = 3")
	c := newChain()
	c.append(t, themeVisit(0, 5))
	for i, project := range []string{"p1", "p2", "p1"} {
		c.append(t, rating.EvaluationBody(at(int64(i+1)*1000), rating.Evaluation{Visit: 5, Subject: rating.MatterSubject, Case: project,
			Level: rating.Level(i + 1), Channel: rating.Keypad}))
	}
	for i, raw := range c.records {
		r, err := rating.DecodeRecord(raw)
		if err != nil {
			t.Fatal(err)
		}
		hash := rating.HashOf(raw)
		exec("INSERT INTO record (device, epoch, seq, hash, prev, raw, received_at) VALUES (?, ?, ?, ?, ?, ?, 0)", device, epoch.String(), i+1, hash[:], r.Prev[:], raw)
		if v := r.Visit; v != nil {
			v.Separate = false // as that version read it
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			exec("INSERT INTO visit (device, id, visit, opened_at) VALUES (?, ?, ?, ?)", device, v.ID.String(), string(text), r.At.Wall)
			continue
		}
		exec(`INSERT INTO evaluation (device, epoch, seq, submission, visit, subject, level, channel, replaces, reasons, text, at, synced, received_at, status, boot, mono, time)
			VALUES (?, ?, ?, '', ?, 'matter', ?, 'keypad', 0, 'null', '', ?, 1, 0, 'later', ?, ?, ?)`,
			device, epoch.String(), i+1, r.Evaluation.Visit.String(), r.Evaluation.Level, r.At.Wall, r.At.Boot, r.At.Mono, r.At.Wall)
	}
	// What an older version accepted, SQLite need not be able to read: fields that it did not know, deeper than SQLite goes.
	deep := append(make([]byte, 0, 5000), `{"kind":"event","more":`...)
	for range 2000 {
		deep = append(deep, '[')
	}
	for range 2000 {
		deep = append(deep, ']')
	}
	exec("INSERT INTO record (device, epoch, seq, hash, prev, raw, received_at) VALUES (?, ?, 5, x'00', x'00', ?, 0)", device, epoch.String(), append(deep, '}'))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	entries, err := l.Since(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprintf("%s %d %s", e.Case, e.Level, e.Status))
	}
	if diff := cmp.Diff([]string{"p1 1 counted", "p2 2 counted", "p1 3 later"}, got); diff != "" {
		t.Errorf("evaluations (-want +got):\n%s", diff)
	}
	v, err := l.Visit(t.Context(), device, 5)
	if err != nil || v.Visit == nil || !v.Visit.Separate || len(v.Counted) != 2 {
		t.Errorf("the visit: %+v, %v", v, err)
	}
}
