package store

import (
	"bytes"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/boltfile"
	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// filled returns the bytes of a log of so many records and what was appended, in order.
func filled(t testing.TB, n int, released uint64) (content []byte, epoch rating.Epoch, records [][]byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log.db")
	s := openAt(t, path)
	if _, err := s.Boot("boot"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetNote("window", []byte("A12")); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		cases := 0
		if i%10 == 3 {
			cases = i % 150
		}
		if _, err := s.Append(sized(int64(i), cases)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Acknowledge(s.Epoch(), released); err != nil {
		t.Fatal(err)
	}
	if err := s.Tail(func(_ uint64, raw []byte) bool {
		records = append([][]byte{bytes.Clone(raw)}, records...)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	epoch = s.Epoch()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content, epoch, records
}

// salvaged runs Salvage and returns the bytes of the records that it has entered, by their seqs, and the events.
func salvaged(t testing.TB, s *Store) (records map[uint64][][]byte, events []rating.Event) {
	t.Helper()
	n := int64(0)
	now := func() rating.Stamp { n++; return rating.Stamp{Boot: 1, Mono: n} }
	if err := s.Salvage(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	records = make(map[uint64][][]byte)
	if err := s.Tail(func(_ uint64, raw []byte) bool {
		r, err := rating.DecodeRecord(raw)
		if err != nil {
			t.Fatal(err)
		}
		switch r.Kind {
		case rating.KindSalvaged:
			inner, err := rating.DecodeRecord(r.Salvaged.Record)
			if err != nil {
				t.Fatal(err)
			}
			records[inner.Seq] = append(records[inner.Seq], r.Salvaged.Record)
		case rating.KindEvent:
			events = append([]rating.Event{*r.Event}, events...)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return records, events
}

// TestDamagedFilesAreSetAside opens files that are no log of this box. Each makes room for a new one with a new epoch, and
// what can be read of it reaches the new log.
func TestDamagedFilesAreSetAside(t *testing.T) {
	const n, released = 300, 100
	good, epoch, want := filled(t, n, released)
	newer := func() []byte {
		path := filepath.Join(t.TempDir(), "newer.db")
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte(keyVersion), seqKey(Version+1)) }); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	wiped := bytes.Clone(good)
	clear(wiped[:2*pageSize])
	for name, c := range map[string]struct {
		content []byte
		device  rating.DeviceID
		least   int // records that must be salvaged, of the 200 that the centre does not have
	}{
		"empty":       {nil, "box-1", 0},
		"text":        {bytes.Repeat([]byte("not a database\n"), 1000), "box-1", 0},
		"truncated":   {good[:len(good)/2], "box-1", 20},
		"one page":    {good[:pageSize], "box-1", 0},
		"no metas":    {wiped, "box-1", 200},
		"other box":   {good, "box-2", 0},
		"new version": {newer(), "box-1", 200},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log.db")
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			o := options()
			o.Device = c.device
			s, err := Open(path, o)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if s.Epoch() == epoch || s.Epoch() == 0 || s.Last() != 0 {
				t.Errorf("epoch %s, last %d, trouble %v", s.Epoch(), s.Last(), s.Trouble())
			}
			if _, err := s.Append(press(1)); err != nil {
				t.Fatal(err)
			}
			select {
			case <-s.Damaged():
			default:
				t.Error("nobody was told of the damage")
			}
			files, err := Aside(path)
			if err != nil || len(files) != 1 {
				t.Fatalf("set aside: %q, %v", files, err)
			}
			if after, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(after, c.content) {
				t.Errorf("the file was changed (%v)", err)
			}
			records, events := salvaged(t, s)
			if len(records) < c.least || c.least == 0 && len(records) > 0 {
				t.Errorf("%d records were salvaged, want %d", len(records), c.least)
			}
			for seq, raws := range records {
				if len(raws) != 1 || !bytes.Equal(raws[0], want[seq-1]) || c.least == 200 && seq <= released {
					t.Errorf("record %d was salvaged otherwise than it was written, or %d times, or in vain", seq, len(raws))
				}
			}
			if len(events) != 2 || events[0].Name != rating.EventDamage || events[1].Name != rating.EventSalvage {
				t.Fatalf("events %+v", events)
			}
			if c.least == 200 && (events[1].Detail["epoch"] != epoch.String() || events[1].Detail["first"] != "101" ||
				events[1].Detail["last"] != "300") {
				t.Errorf("the report says %v", events[1].Detail)
			}
			if again, _ := salvaged(t, s); len(again) != len(records) {
				t.Errorf("a second run made it %d records", len(again))
			}
			if window := s.Note("window"); c.least == 200 && string(window) != "A12" || c.device == "box-2" && window != nil {
				t.Errorf("the window is %q", window)
			}
		})
	}
}

// TestFlippedBytes damages files at random places. Whatever is hit: the log opens, takes a press within the first two
// tries, verifies afterwards, and of what was written all but what was hit is there, unchanged.
func TestFlippedBytes(t *testing.T) {
	const n = 120
	good, epoch, want := filled(t, n, 0)
	seed := uint64(time.Now().UnixNano())
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	replaced := 0
	for round := range simulation.Of(240) {
		bad := bytes.Clone(good)
		flips := 1 + random.IntN(4)
		pages := make(map[int]bool)
		for range flips {
			at := random.IntN(len(bad))
			if round%3 == 0 { // headers and small values are where it hurts
				at = at/pageSize*pageSize + random.IntN(200)
			}
			bad[at] ^= byte(1 + random.IntN(255))
			pages[at/pageSize] = true
		}
		checkDamaged(t, fmt.Sprintf("seed %d, round %d", seed, round), bad, epoch, want, 40*len(pages), &replaced)
	}
	if replaced == 0 {
		t.Error("no file was ever replaced; the test proves nothing")
	}
}

// checkDamaged opens a damaged file and lets it be used. At most lost records may be missing.
func checkDamaged(t *testing.T, name string, content []byte, epoch rating.Epoch, want [][]byte, lost int, replaced *int) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "log.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, options())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer func() { _ = s.Close(); _ = os.RemoveAll(dir) }()
	if _, err := s.Append(press(1)); err != nil {
		t.Fatalf("%s: append: %v", name, err)
	}
	_, _ = s.Verify() // finds what opening did not, and replaces it
	if _, err := s.Append(press(2)); err != nil {
		t.Fatalf("%s: append after verifying: %v", name, err)
	}
	if _, err := s.Verify(); err != nil {
		t.Fatalf("%s: it does not verify in the end: %v", name, err)
	}
	if s.Epoch() == epoch {
		if _, records, err := s.Pending(0, len(want), 1<<30); err != nil || len(records) != len(want) {
			t.Fatalf("%s: %d records, %v", name, len(records), err)
		} else if i := slices.IndexFunc(want, func(raw []byte) bool {
			return !slices.ContainsFunc(records, func(r []byte) bool { return bytes.Equal(r, raw) })
		}); i >= 0 {
			t.Fatalf("%s: record %d is gone, and nobody has noticed", name, i+1)
		}
		return
	}
	*replaced++
	records, _ := salvaged(t, s)
	missing := 0
	for i, raw := range want {
		switch got := records[uint64(i)+1]; {
		case len(got) == 0:
			missing++
		case len(got) > 1 || !bytes.Equal(got[0], raw):
			t.Errorf("%s: record %d was salvaged otherwise than it was written, or %d times", name, i+1, len(got))
		}
	}
	if missing > lost {
		t.Errorf("%s: %d records are lost, want %d at most", name, missing, lost)
	}
}

// TestDamageFoundWhileRunning flips bytes of records below an open log: the reader finds them, and the next press is
// taken by a new file.
func TestDamageFoundWhileRunning(t *testing.T) {
	for _, how := range []string{"pending", "verify", "acknowledge"} {
		t.Run(how, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log.db")
			s := openAt(t, path)
			for i := range int64(300) {
				if _, err := s.Append(press(i)); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(s.SetNote("window", []byte("A12")), s.Acknowledge(s.Epoch(), 20)); err != nil {
				t.Fatal(err)
			}
			epoch := s.Epoch()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			needle := []byte(`"seq":201,`)
			hit := bytes.ReplaceAll(content, needle, []byte(`"seq":291,`))
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
			switch how {
			case "pending":
				_, _, err = s.Pending(150, 500, 1<<20)
			case "verify":
				_, err = s.Verify()
			case "acknowledge":
				err = s.Acknowledge(epoch, 200)
			}
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("%v, want ErrDamaged", err)
			}
			if first, err := s.Append(press(1)); first != 1 || err != nil || s.Epoch() == epoch {
				t.Errorf("the next press: seq %d, epoch changed %t, %v", first, s.Epoch() != epoch, err)
			}
			if string(s.Note("window")) != "A12" {
				t.Errorf("the window is %q", s.Note("window"))
			}
			records, events := salvaged(t, s)
			if len(records) != 279 || records[201] != nil {
				t.Errorf("%d records were salvaged, 201 among them: %t", len(records), records[201] != nil)
			}
			if last := events[len(events)-1]; last.Detail["first"] != "21" || last.Detail["last"] != "300" {
				t.Errorf("the report says %v", last.Detail)
			}
		})
	}
}

// TestPressMeetsDamage spoils the root page below an open log. A press goes to a new file at once; a correction does not,
// since what it names is not there.
func TestPressMeetsDamage(t *testing.T) {
	for _, replaces := range []uint64{0, 1} {
		path := filepath.Join(t.TempDir(), "log.db")
		s := openAt(t, path)
		if _, err := s.Append(press(1)); err != nil {
			t.Fatal(err)
		}
		epoch := s.Epoch()
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		image, err := boltfile.Open(f, info.Size())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, pageSize), int64(image.Root)*pageSize); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		b := press(2)
		b.Evaluation.Replaces = replaces
		first, err := s.Append(b)
		if (err != nil) != (replaces > 0) || s.Epoch() == epoch {
			t.Errorf("replaces %d: seq %d, epoch changed %t, %v", replaces, first, s.Epoch() != epoch, err)
		}
		if _, err := s.Append(press(3)); err != nil {
			t.Errorf("replaces %d: the next press: %v", replaces, err)
		}
		if r, err := s.Verify(); err != nil || r.Records != 2-replaces {
			t.Errorf("replaces %d: verify: %+v, %v", replaces, r, err)
		}
	}
}
