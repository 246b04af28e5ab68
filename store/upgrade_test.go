package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/rating"
)

// TestUpgrade opens a file of format 1.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	epoch, records := writeFormat1(t, path, 1000, 10, 400)
	s := openAt(t, path)
	if s.Epoch() != epoch || s.Last() != 1000 || s.Released() != 400 || string(s.Note("window")) != "A12" {
		t.Errorf("epoch %s, last %d, released %d, note %q; trouble %v", s.Epoch(), s.Last(), s.Released(), s.Note("window"), s.Trouble())
	}
	if n, err := s.Boot("b"); n != 6 || err != nil {
		t.Errorf("boot %d, %v", n, err)
	}
	if r, err := s.Verify(); err != nil || r.First != 11 || r.Records != 990 {
		t.Errorf("verify: %+v, %v", r, err)
	}
	if _, got, err := s.Pending(0, 1000, 1<<20); err != nil || len(got) != 600 || !bytes.Equal(got[0], records[400]) {
		t.Errorf("%d records pending, %v", len(got), err)
	}
	if first, err := s.Append(press(1)); first != 1001 || err != nil {
		t.Errorf("append: %d, %v", first, err)
	}
	if files, _ := filepath.Glob(path + "?*"); len(files) > 0 {
		t.Errorf("left behind: %q", files)
	}
}

// writeFormat1 writes a file as the first version did, and returns all its records, of which the first few are trimmed.
func writeFormat1(t testing.TB, path string, n, trimmed int, released uint64) (rating.Epoch, [][]byte) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	const epoch = rating.Epoch(77)
	var all [][]byte
	head := rating.Genesis("box-1", epoch)
	var mark rating.Hash
	err = db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("meta"))
		if err != nil {
			return err
		}
		records, err := tx.CreateBucket([]byte("records"))
		if err != nil {
			return err
		}
		for i := range n {
			r := rating.Record{V: 1, Device: "box-1", Epoch: epoch, Seq: uint64(i) + 1, Prev: head, Body: press(int64(i))}
			raw, err := r.Encode()
			if err != nil {
				return err
			}
			head = rating.HashOf(raw)
			all = append(all, raw)
			if i < trimmed {
				mark = head
				continue
			}
			if err := records.Put(seqKey(r.Seq), raw); err != nil {
				return err
			}
		}
		return errors.Join(meta.Put([]byte("version"), seqKey(1)), meta.Put([]byte("device"), []byte("box-1")),
			meta.Put([]byte("epoch"), []byte(epoch.String())), meta.Put([]byte("released"), seqKey(released)),
			meta.Put([]byte("trimmed"), fmt.Appendf(nil, `{"seq":%d,"hash":%q}`, trimmed, mark)),
			meta.Put([]byte("boot"), []byte(`{"id":"a","count":5}`)), meta.Put([]byte("note:window"), []byte("A12")))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return epoch, all
}
