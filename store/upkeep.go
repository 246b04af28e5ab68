package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/rating"
)

const (
	// keptAlways is how many of the newest records stay whatever the retention, for the visit that was open at a crash
	// is found among them.
	keptAlways = 64
	// trimStep is how many records one transaction removes, so that a press never waits for a long one.
	trimStep = 500
	// compactSlack is how much more than the records' own pages a file may take before Compact rewrites it.
	compactSlack = 1 << 20
)

// Trim removes acknowledged records that the retention no longer wants, oldest first, and returns how many. Ages are
// only told by clocks that were synchronised, of the record and of now; others wait for the limit of size.
func (s *Store) Trim(now rating.Stamp) (removed int, err error) {
	for {
		n, err := s.trimSome(now)
		removed += n
		if err != nil || n < trimStep {
			return removed, err
		}
	}
}

func (s *Store) trimSome(now rating.Stamp) (int, error) {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	last, released := s.last, s.released
	s.mu.Unlock()
	limit := released
	if last < keptAlways {
		return 0, nil
	}
	limit = min(limit, last-keptAlways)
	var gone []uint64
	var mark trimMark
	err := s.view(func(_, records *bolt.Bucket) error {
		excess := int64(0)
		if s.opt.Retain.Bytes > 0 {
			excess = usedBytes(records) - s.opt.Retain.Bytes
		}
		c := records.Cursor()
		for k, v := c.First(); k != nil && len(gone) < trimStep; k, v = c.Next() {
			seq := binary.BigEndian.Uint64(k)
			if seq > limit || excess <= 0 && !s.aged(v, now) {
				break
			}
			excess -= int64(len(v))
			gone = append(gone, seq)
			mark = trimMark{Seq: seq, Hash: rating.HashOf(v)}
		}
		return nil
	})
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	err = s.update(func(meta, records *bolt.Bucket) error {
		for _, seq := range gone {
			if err := records.Delete(seqKey(seq)); err != nil {
				return err
			}
		}
		b, err := json.Marshal(mark)
		if err != nil {
			return err
		}
		return meta.Put([]byte(keyTrimmed), b)
	})
	if err != nil {
		return 0, fmt.Errorf("trim the store: %w", err)
	}
	return len(gone), nil
}

// aged reports whether a record is older than the retention allows.
func (s *Store) aged(raw []byte, now rating.Stamp) bool {
	if s.opt.Retain.Days <= 0 || !now.Synced {
		return false
	}
	r, err := rating.DecodeRecord(raw)
	return err == nil && r.At.Synced && now.Time().Sub(r.At.Time()) > time.Duration(s.opt.Retain.Days)*24*time.Hour
}

// usedBytes returns how much of the file the records take.
func usedBytes(records *bolt.Bucket) int64 {
	st := records.Stats()
	return int64(st.LeafInuse + st.BranchInuse)
}

// Compact rewrites the file when it is mostly free, since bbolt never gives space back. A crash at any moment leaves the old
// file or the new one. Presses wait meanwhile; a file of 100,000 records takes about a second.
func (s *Store) Compact() error {
	s.write.Lock()
	defer s.write.Unlock()
	s.swap.Lock()
	defer s.swap.Unlock()
	mostlyFree := false
	err := s.db.View(func(tx *bolt.Tx) error {
		mostlyFree = tx.Size() > 2*usedBytes(tx.Bucket(recordsBucket))+compactSlack
		return nil
	})
	if err != nil || !mostlyFree {
		return err
	}
	temp := s.path + ".compact"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("compact the store: %w", err)
	}
	if err := s.rewrite(temp); err != nil {
		return fmt.Errorf("compact the store: %w", errors.Join(err, os.Remove(temp)))
	}
	// The new file is locked before it takes the old one's name, so that no other process can come between.
	next, err := bolt.Open(temp, 0o600, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType, OpenFile: s.opt.openFile})
	if err != nil {
		return fmt.Errorf("compact the store: %w", err)
	}
	if err := replace(temp, s.path); err != nil {
		return fmt.Errorf("compact the store: %w", errors.Join(err, next.Close()))
	}
	old := s.db
	s.db = next
	if err := old.Close(); err != nil {
		return fmt.Errorf("compact the store: close the old file: %w", err)
	}
	return nil
}

// rewrite copies what the file holds into a new one and syncs it.
func (s *Store) rewrite(temp string) error {
	dst, err := bolt.Open(temp, 0o600, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = bolt.Compact(dst, s.db, 4<<20)
	return errors.Join(err, dst.Sync(), dst.Close())
}

// Size returns the file's size in bytes.
func (s *Store) Size() (int64, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return 0, fmt.Errorf("size of the store: %w", err)
	}
	return info.Size(), nil
}
