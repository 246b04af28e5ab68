package store

import (
	"bytes"
	"context"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"haochaping/internal/rating"
)

// TestSalvageGoesOn stops Salvage in its middle, as a power cut would, and calls it again.
func TestSalvageGoesOn(t *testing.T) {
	good, _, want := filled(t, 400, 0)
	path := filepath.Join(t.TempDir(), "log.db")
	bad := bytes.Clone(good)
	clear(bad[:2*pageSize])
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	n := 0
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Salvage(ctx, func() rating.Stamp {
		if n++; n == 250 {
			cancel()
		}
		return rating.Stamp{Boot: 1}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("it ended with %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	records, events := salvaged(t, s)
	for i := range want {
		if got := records[uint64(i)+1]; len(got) == 0 || !bytes.Equal(got[0], want[i]) {
			t.Errorf("record %d was salvaged %d times", i+1, len(got))
		}
	}
	if events[len(events)-1].Detail["found"] != strconv.Itoa(len(want)) {
		t.Errorf("events %+v", events)
	}
}

// TestSetAsideAndNothingMore ends the program between the two halves of a replacement: the damaged file has its new name,
// and there is no room for a new file. The next start must know that there is something to salvage.
func TestSetAsideAndNothingMore(t *testing.T) {
	good, epoch, want := filled(t, 50, 10)
	path := filepath.Join(t.TempDir(), "log.db")
	if err := os.WriteFile(path+asideSuffix+"1", good, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openAt(t, path)
	if s.Epoch() == epoch || string(s.Note("window")) != "A12" {
		t.Errorf("epoch %s, window %q", s.Epoch(), s.Note("window"))
	}
	records, events := salvaged(t, s)
	if len(records) != 40 || !bytes.Equal(records[50][0], want[49]) || len(events) != 2 {
		t.Errorf("%d records were salvaged, events %+v", len(records), events)
	}
	if err := s.Acknowledge(s.Epoch(), s.Last()); err != nil {
		t.Fatal(err)
	}
	salvaged(t, s) // lets the file go
	if files, err := unread(path); err != nil || len(files) > 0 {
		t.Errorf("still to be read: %q, %v", files, err)
	}
}

// TestNotesAndTailShareAPage lets the small values grow while the tail fills their page.
func TestNotesAndTailShareAPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	s := openAt(t, path)
	random := mathrand.New(mathrand.NewPCG(1, 2))
	n := uint64(0)
	for round := range 200 {
		if err := s.SetNote(strconv.Itoa(round%7), bytes.Repeat([]byte{'x'}, random.IntN(1+round*20))); err != nil {
			t.Fatal(err)
		}
		for range random.IntN(4) {
			if _, err := s.Append(sized(int64(n), random.IntN(2)*random.IntN(60))); err != nil {
				t.Fatal(err)
			}
			n++
		}
		if round%10 != 0 {
			continue
		}
		epoch := s.Epoch()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, path)
		if r, err := s.Verify(); err != nil || s.Epoch() != epoch || r.Last != n {
			t.Fatalf("round %d: %+v, %v, epoch changed %t, trouble %v", round, r, err, s.Epoch() != epoch, s.Trouble())
		}
	}
}

// TestManyDamagedFiles: a dying card must not be filled with what it has spoilt.
func TestManyDamagedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	for round := range 13 {
		s := openAt(t, path)
		if _, err := s.Append(press(int64(round))); err != nil {
			t.Fatal(err)
		}
		salvaged(t, s)
		if err := s.Acknowledge(s.Epoch(), s.Last()); err != nil {
			t.Fatal(err)
		}
		salvaged(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, pageSize); err != nil {
			t.Fatal(err)
		}
	}
	files, err := Aside(path)
	if err != nil || len(files) != keptRead || !slices.Contains(files, path+asideSuffix+"12"+suffixRead) {
		t.Errorf("kept %q, %v", files, err)
	}
}
