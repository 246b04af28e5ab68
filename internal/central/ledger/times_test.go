package ledger

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// stamped appends a press with the given stamp.
func stamped(t *testing.T, c *chain, v rating.VisitID, at rating.Stamp) {
	t.Helper()
	c.append(t, rating.EvaluationBody(at, rating.Evaluation{Visit: v, Subject: rating.StaffSubject, Level: 3, Channel: rating.Keypad}))
}

// fixes returns the evaluations in the books by their visits.
func fixes(t *testing.T, l *Ledger) map[rating.VisitID]Entry {
	t.Helper()
	entries, err := l.Latest(context.Background(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[rating.VisitID]Entry)
	for _, e := range entries {
		out[e.Visit] = e
	}
	return out
}

// TestTimesAreCorrectedLater: a box starts in 1970 and rates, starts again, is offline, and is told the time at last. What
// comes later corrects what is in the books.
func TestTimesAreCorrectedLater(t *testing.T) {
	l := openBooks(t)
	c := newChain()
	const hour = int64(time.Hour / time.Millisecond)
	now := noon.UnixMilli()
	stamped(t, c, 1, rating.Stamp{Boot: 1, Mono: hour, Wall: hour})            // 1970
	stamped(t, c, 2, rating.Stamp{Boot: 2, Mono: hour, Wall: now + 9999*hour}) // years ahead
	stamped(t, c, 3, rating.Stamp{Boot: 3, Mono: hour, Wall: 5})               // the same start as what follows
	c.append(t, rating.EventBody(rating.Stamp{Boot: 3, Mono: 3 * hour, Wall: now, Synced: true}, rating.EventClock))
	stamped(t, c, 4, rating.Stamp{Boot: 3, Mono: 4 * hour, Wall: now + hour, Synced: true})
	received := noon.Add(5 * time.Hour)
	for i := 1; i <= 5; i++ { // one by one, so that each is placed before the next is known
		b := c.batch(i, i, 0)
		if _, err := l.AddBatch(context.Background(), b, nil, received); err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			if f := fixes(t, l)[3]; f.Quality != rating.TimeEstimated || f.Latest.After(received) {
				t.Errorf("before the clock was set: %+v", f)
			}
		}
	}
	got := fixes(t, l)
	if f := got[3]; f.Quality != rating.TimeCorrected || f.At.Sub(noon.Add(-2*time.Hour)).Abs() > time.Second {
		t.Errorf("the same start: %s %s", f.Quality, f.At)
	}
	if f := got[4]; f.Quality != rating.TimeSet || !f.At.Equal(noon.Add(time.Hour)) {
		t.Errorf("a clock that is set: %s %s", f.Quality, f.At)
	}
	for v, most := range map[rating.VisitID]time.Time{1: noon.Add(-4 * time.Hour), 2: noon.Add(-3 * time.Hour)} {
		if f := got[v]; f.Quality != rating.TimeEstimated || f.Latest.Sub(most).Abs() > 10*time.Second || f.Earliest.Year() != 2021 {
			t.Errorf("visit %d: %s, from %s to %s, want the latter to be %s", v, f.Quality, f.Earliest, f.Latest, most)
		}
	}
}

// TestAPhoneAgainstACorrectedPress: which came first is decided anew when the time of the press is known.
func TestAPhoneAgainstACorrectedPress(t *testing.T) {
	l := openBooks(t)
	c := newChain()
	stamped(t, c, 1, rating.Stamp{Boot: 1, Mono: 1000, Wall: 7})
	c.append(t, rating.EventBody(rating.Stamp{Boot: 1, Mono: 61_000, Wall: noon.UnixMilli(), Synced: true}, rating.EventClock))
	phone := PhoneRating{Device: device, Visit: 1, Submission: "s", At: noon.Add(-30 * time.Second),
		Evaluations: []rating.Evaluation{{Visit: 1, Subject: rating.StaffSubject, Level: 5, Channel: rating.Phone}}}
	if _, err := l.AddPhone(context.Background(), phone); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 2; i++ {
		if _, err := l.AddBatch(context.Background(), c.batch(i, i, 0), nil, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := l.Latest(context.Background(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if want := map[rating.Channel]Status{rating.Keypad: Counted, rating.Phone: Later}[e.Channel]; e.Status != want {
			t.Errorf("by %s at %s: %s, want %s", e.Channel, e.At, e.Status, want)
		}
	}
}

// TestMigration opens books of version 1.
func TestMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	script, err := os.ReadFile("schema/1.sql")
	if err != nil {
		t.Fatal(err)
	}
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
	exec(string(script))
	exec("PRAGMA user_version = 1")
	c := newChain()
	stamped(t, c, 1, rating.Stamp{Boot: 1, Mono: 1000, Wall: 7})
	stamped(t, c, 2, rating.Stamp{Boot: 1, Mono: 2000, Wall: noon.UnixMilli(), Synced: true})
	received := noon.Add(time.Hour).UnixMilli()
	for i, raw := range c.records {
		r, err := rating.DecodeRecord(raw)
		if err != nil {
			t.Fatal(err)
		}
		hash := rating.HashOf(raw)
		exec("INSERT INTO record (device, epoch, seq, hash, prev, raw, received_at) VALUES (?, ?, ?, ?, ?, ?, ?)", device, epoch.String(), i+1, hash[:], r.Prev[:], raw, received)
		exec(`INSERT INTO evaluation (device, epoch, seq, submission, visit, subject, level, channel, replaces, reasons, text, at, synced, received_at, status)
			VALUES (?, ?, ?, '', ?, 'staff', 3, 'keypad', 0, 'null', '', ?, ?, ?, 'counted')`, device, epoch.String(), i+1, r.Evaluation.Visit.String(), r.At.Wall, r.At.Synced, received)
	}
	exec(`INSERT INTO evaluation (device, epoch, seq, submission, visit, subject, level, channel, replaces, reasons, text, at, synced, received_at, status)
		VALUES (?, '', 0, 's', ?, 'staff', 3, 'phone', 0, 'null', '', ?, 1, ?, 'counted')`, device, rating.VisitID(3).String(), noon.UnixMilli(), received)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	got := fixes(t, l)
	if f := got[1]; f.Quality != rating.TimeCorrected || !f.At.Equal(noon.Add(-time.Second)) {
		t.Errorf("before the clock was set: %s %s", f.Quality, f.At)
	}
	for _, v := range []rating.VisitID{2, 3} {
		if f := got[v]; f.Quality != rating.TimeSet || !f.At.Equal(noon) {
			t.Errorf("visit %d: %s %s", v, f.Quality, f.At)
		}
	}
}
