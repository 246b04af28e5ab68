package boltfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// written writes buckets of keys and values with bbolt, some of them removed again, and returns the file's bytes.
func written(t fatal, path string, buckets map[string]map[string]string, removed []string) []byte {
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: 4096, NoSync: true})
	if err != nil {
		t.Fatalf("%v", err)
	}
	for name, content := range buckets {
		err = errors.Join(err, db.Update(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(name))
			if err != nil {
				return err
			}
			for k, v := range content {
				if err := b.Put([]byte(k), []byte(v)); err != nil {
					return err
				}
			}
			return nil
		}), db.Update(func(tx *bolt.Tx) error {
			for _, k := range removed {
				if err := tx.Bucket([]byte(name)).Delete([]byte(k)); err != nil {
					return err
				}
			}
			return nil
		}))
		for _, k := range removed {
			delete(content, k)
		}
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatalf("%v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return b
}

type fatal interface{ Fatalf(string, ...any) }

// TestReadsWhatBboltWrites compares the reader with bbolt's own files: small buckets, large ones, and values of many pages.
func TestReadsWhatBboltWrites(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		buckets := make(map[string]map[string]string)
		var removed []string
		for b := range rapid.IntRange(1, 3).Draw(t, "buckets") {
			content := make(map[string]string)
			size := rapid.SampledFrom([]int{0, 10, 300, 20_000}).Draw(t, "size")
			for k := range rapid.SampledFrom([]int{0, 1, 20, 2000}).Draw(t, "keys") {
				if size == 20_000 && k == 30 {
					break
				}
				content[fmt.Sprintf("%08d", k*7%1999)] = string(bytes.Repeat([]byte{byte('a' + k%26)}, size))
			}
			buckets[fmt.Sprintf("bucket %d", b)] = content
		}
		for k := range rapid.IntRange(0, 500).Draw(t, "removed") {
			removed = append(removed, fmt.Sprintf("%08d", k*3))
		}
		n++
		raw := written(t, filepath.Join(dir, fmt.Sprint(n)), buckets, removed)
		f, err := Open(bytes.NewReader(raw), int64(len(raw)))
		if err != nil || f.OneMeta {
			t.Fatalf("open: %v, one meta %t", err, f != nil && f.OneMeta)
		}
		if err := f.Check(); err != nil {
			t.Fatalf("check: %v", err)
		}
		for name, want := range buckets {
			b, err := f.RootBucket().Bucket([]byte(name))
			if err != nil {
				t.Fatalf("%v", err)
			}
			got := 0
			from := []byte(fmt.Sprintf("%08d", rapid.IntRange(0, 2000).Draw(t, "from")))
			if err := b.Walk(from, func(e Element) error {
				if want[string(e.Key)] != string(e.Value) || bytes.Compare(e.Key, from) < 0 {
					return fmt.Errorf("%s: %q", name, e.Key)
				}
				got++
				return nil
			}); err != nil {
				t.Fatalf("walk: %v", err)
			}
			expect := 0
			for k := range want {
				if k >= string(from) {
					expect++
				}
			}
			if got != expect {
				t.Fatalf("%s: %d elements from %s on, want %d", name, got, from, expect)
			}
		}
		if _, err := f.RootBucket().Bucket([]byte("none")); !errors.Is(err, ErrNoBucket) {
			t.Fatalf("a bucket that is not there: %v", err)
		}
	})
}

// TestScanFindsWhatTheTreeHasLost wipes the metas and every branch.
func TestScanFindsWhatTheTreeHasLost(t *testing.T) {
	content := make(map[string]string)
	for k := range 5000 {
		content[fmt.Sprintf("%08d", k)] = "value " + fmt.Sprint(k)
	}
	content["large"] = string(bytes.Repeat([]byte{'x'}, 30_000))
	raw := written(t, filepath.Join(t.TempDir(), "db"), map[string]map[string]string{"b": content, "small": {"inline": "1"}}, nil)
	content["inline"] = "1"
	for at := 0; at < len(raw); at += 4096 {
		if flags := raw[at+8]; flags == branchFlag || flags == metaFlag || flags == freelistFlag {
			clear(raw[at : at+200])
		}
	}
	if _, err := Open(bytes.NewReader(raw), int64(len(raw))); !errors.Is(err, ErrDamaged) {
		t.Errorf("open: %v", err)
	}
	found := make(map[string]bool)
	if _, err := Scan(bytes.NewReader(raw), int64(len(raw)), 4096, func(_ uint64, e Element) error {
		if !e.Bucket && content[string(e.Key)] == string(e.Value) {
			found[string(e.Key)] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(found) != len(content) {
		t.Errorf("%d of %d elements were found", len(found), len(content))
	}
}

// FuzzRead reads whatever there may be in a file: each four bytes of damage are a place and what is flipped there.
func FuzzRead(f *testing.F) {
	content := make(map[string]string)
	for k := range 400 {
		content[fmt.Sprintf("%08d", k)] = fmt.Sprintf("value %0100d", k)
	}
	good := written(f, filepath.Join(f.TempDir(), "db"), map[string]map[string]string{"b": content, "c": {"x": "y"}}, []string{"00000007"})
	f.Add([]byte{}, ^uint32(0))
	f.Add([]byte{0, 48, 8, 3}, ^uint32(0))
	f.Add([]byte{0, 0, 16, 1, 0, 16, 90, 1}, uint32(9000))
	f.Fuzz(func(t *testing.T, damage []byte, cut uint32) {
		bad := bytes.Clone(good[:min(int(cut), len(good))])
		for ; len(damage) >= 4 && len(bad) > 0; damage = damage[4:] {
			at := int(damage[0])<<16 | int(damage[1])<<8 | int(damage[2])
			bad[at%len(bad)] ^= damage[3]
		}
		r := bytes.NewReader(bad)
		count := func(_ uint64, e Element) error { _ = append(append([]byte{}, e.Key...), e.Value...); return nil }
		if _, err := Scan(r, int64(len(bad)), 4096, count); err != nil {
			t.Error(err)
		}
		file, err := Open(r, int64(len(bad)))
		if err != nil {
			return
		}
		_ = file.Check()
		for _, name := range []string{"b", "c", "d"} {
			b, err := file.RootBucket().Bucket([]byte(name))
			if err == nil {
				_ = b.Walk([]byte("00000100"), func(e Element) error { return count(0, e) })
			}
		}
	})
}
