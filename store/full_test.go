package store

import (
	"bytes"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"haochaping/internal/proof/simulation"
	"haochaping/internal/rating"
)

// TestDiskFullAtAnyWrite leaves a little more room each time, so that creation, append, growth of the file, move of the tail
// and compaction each meet the end of it. What was thanked for stays, nothing is set aside, and with room it goes on. The short form takes
// every third amount, from one that is drawn.
func TestDiskFullAtAnyWrite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount small disks")
	}
	dir := t.TempDir()
	failed := 0
	first, step := 0, 4<<10
	if !simulation.Long() {
		first, step = mathrand.IntN(3)*step, 3*step
	}
	for left := first; left <= 240<<10; left += step {
		if err := syscall.Mount("small", dir, "tmpfs", 0, "size=2m"); err != nil {
			t.Skipf("a disk cannot be mounted here: %v", err)
		}
		if fillUp(t, dir, left) {
			failed++
		}
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
	}
	if failed == 0 {
		t.Error("the disk was never full; the test proves nothing")
	}
}

// fillUp uses a log on a disk with so much room left, then makes room. It reports whether the disk was ever full.
func fillUp(t *testing.T, dir string, left int) (failed bool) {
	t.Helper()
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	if info, err := f.Stat(); err != nil || f.Truncate(info.Size()-int64(left)) != nil {
		t.Fatal(err)
	}
	o := options()
	o.Retain, o.anyGain = Retention{Bytes: 1}, true
	path := filepath.Join(dir, "log.db")
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var thanked [][]byte
	press1 := func(n int) error {
		seq, err := s.Append(sized(int64(n), n%3*10))
		if err != nil {
			return err
		}
		if seq != uint64(len(thanked))+1 {
			t.Fatalf("%d KB left: record %d was thanked for as %d", left>>10, len(thanked)+1, seq)
		}
		return s.Tail(func(_ uint64, raw []byte) bool { thanked = append(thanked, bytes.Clone(raw)); return false })
	}
	for n := range 400 {
		if press1(n) != nil {
			failed = true
		}
		if n == 300 {
			_ = s.Acknowledge(s.Epoch(), s.Last()/2)
			_, _ = s.Compact(rating.Stamp{Boot: 1}) // may not find the room
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if err := press1(n); err != nil {
			t.Fatalf("%d KB left: with room again: %v", left>>10, err)
		}
	}
	if r, err := s.Verify(); err != nil || r.Last != uint64(len(thanked)) {
		t.Errorf("%d KB left: %+v, %v; %d were thanked for", left>>10, r, err, len(thanked))
	}
	if err := s.Tail(func(seq uint64, raw []byte) bool {
		if !bytes.Equal(raw, thanked[seq-1]) {
			t.Errorf("%d KB left: record %d is not what it was", left>>10, seq)
		}
		return true
	}); err != nil {
		t.Error(err)
	}
	if files, err := Aside(path); err != nil || len(files) > 0 {
		t.Errorf("%d KB left: a full disk was taken for damage: %q, %v", left>>10, files, err)
	}
	return failed
}
