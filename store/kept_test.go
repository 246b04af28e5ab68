package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// checkKept reads what a log has kept from a seq on, and compares it with the range that is wanted; none if last is 0.
func checkKept(t *testing.T, s *Store, from uint64, maxRecords, maxBytes int, first, last uint64) {
	t.Helper()
	got, records, err := s.Kept(from, maxRecords, maxBytes)
	if err != nil {
		t.Fatalf("kept from %d: %v", from, err)
	}
	if last == 0 {
		if len(records) != 0 {
			t.Errorf("kept from %d: %d records from %d on, want none", from, len(records), got)
		}
		return
	}
	if got != first || got+uint64(len(records))-1 != last {
		t.Errorf("kept from %d: %d to %d, want %d to %d", from, got, got+uint64(len(records))-1, first, last)
	}
	for i, raw := range records {
		if r, err := rating.DecodeRecord(raw); err != nil || r.Seq != got+uint64(i) {
			t.Fatalf("under %d stands %d, %v", got+uint64(i), r.Seq, err)
		}
	}
}

func TestKeptOverATrimmedFront(t *testing.T) {
	o := options()
	o.Retain = Retention{Days: 1}
	s, err := Open(filepath.Join(t.TempDir(), "log.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	checkKept(t, s, 1, 10, 1<<20, 0, 0)
	bodies := make([]rating.Body, 20000)
	for i := range bodies {
		bodies[i] = press(int64(i))
	}
	if _, err := s.Append(bodies...); err != nil {
		t.Fatal(err)
	}
	if err := s.Acknowledge(s.Epoch(), 19_990); err != nil {
		t.Fatal(err)
	}
	checkKept(t, s, 1, 10, 1<<20, 1, 10) // released is not gone
	later := rating.Stamp{Boot: 2, Mono: 1, Wall: (48 * time.Hour).Milliseconds(), Synced: true}
	n, err := s.Compact(later)
	if err != nil || n == 0 {
		t.Fatalf("removed %d records, %v", n, err)
	}
	checkKept(t, s, 1, 10, 1<<20, n+1, n+10)
	checkKept(t, s, n, 10, 1<<20, n+1, n+10)
	checkKept(t, s, n+5, 10, 1, n+5, n+5) // one is larger than may be, and comes all the same
	checkKept(t, s, 19_985, 100, 1<<20, 19_985, 20_000)
	checkKept(t, s, 20_001, 10, 1<<20, 0, 0)
	checkKept(t, s, 1<<52, 10, 1<<20, 0, 0)
}

// TestKeptOverDamage spoils a released record below an open log: those around it can still be given, and the log goes on.
func TestKeptOverDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	s := openAt(t, path)
	for i := range int64(300) {
		if _, err := s.Append(press(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Acknowledge(s.Epoch(), 300); err != nil {
		t.Fatal(err)
	}
	epoch := s.Epoch()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hit := bytes.ReplaceAll(content, []byte(`"seq":101,`), []byte(`"seq":191,`))
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for at := range content {
		if content[at] != hit[at] {
			if _, err := f.WriteAt(hit[at:at+1], int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	checkKept(t, s, 50, 500, 1<<20, 50, 100)
	checkKept(t, s, 101, 500, 1<<20, 102, 300)
	if first, err := s.Append(press(1)); first != 301 || err != nil || s.Epoch() != epoch {
		t.Errorf("the next press: seq %d, epoch changed %t, %v", first, s.Epoch() != epoch, err)
	}
}
