package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/rating"
)

// Append gives the bodies the next places in the log and returns the seq of the first when all are on the disk. An error
// means that none is, and that nothing has changed.
func (s *Store) Append(bodies ...rating.Body) (first uint64, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	last, head, oldest, pending := s.last, s.head, s.oldest, s.last-s.released
	s.mu.Unlock()
	first = last + 1
	if len(bodies) == 0 {
		return first, nil
	}
	if pending == 0 {
		oldest = bodies[0].At
	}
	encoded := make([][]byte, len(bodies))
	for i, b := range bodies {
		r := rating.Record{V: rating.RecordVersion, Device: s.opt.Device, Epoch: s.epoch, Seq: last + 1, Prev: head, Body: b}
		if encoded[i], err = r.Encode(); err != nil {
			return 0, fmt.Errorf("append record: %w", err)
		}
		last, head = r.Seq, rating.HashOf(encoded[i])
	}
	err = s.update(func(_, records *bolt.Bucket) error {
		records.FillPercent = fillAppend
		for i, b := range encoded {
			if err := records.Put(seqKey(first+uint64(i)), b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("append record %d: %w", first, err)
	}
	s.mu.Lock()
	s.last, s.head, s.oldest = last, head, oldest
	s.mu.Unlock()
	select {
	case s.appended <- struct{}{}:
	default:
	}
	return first, nil
}

// Pending returns records that are not acknowledged and come after the given seq, oldest first: at most maxRecords, and at
// most maxBytes in all, but one if there is any. The bytes are the caller's.
func (s *Store) Pending(after uint64, maxRecords, maxBytes int) (first uint64, records [][]byte, err error) {
	after = max(after, s.Released())
	size := 0
	err = s.view(func(_, bucket *bolt.Bucket) error {
		c := bucket.Cursor()
		for k, v := c.Seek(seqKey(after + 1)); k != nil && len(records) < maxRecords; k, v = c.Next() {
			if size += len(v); size > maxBytes && len(records) > 0 {
				break
			}
			if want := after + 1 + uint64(len(records)); binary.BigEndian.Uint64(k) != want {
				return fmt.Errorf("%w: record %d is missing", ErrDamaged, want)
			}
			records = append(records, append([]byte(nil), v...))
		}
		return nil
	})
	if err != nil {
		return 0, nil, fmt.Errorf("read pending records: %w", err)
	}
	return after + 1, records, nil
}

// Acknowledge releases all records up to and including through. It returns ErrEpoch or ErrNotSent for what cannot be
// meant for this log, and writes nothing for what is acknowledged already.
func (s *Store) Acknowledge(epoch rating.Epoch, through uint64) error {
	if epoch != s.epoch {
		return fmt.Errorf("acknowledge through %d of epoch %s: %w", through, epoch, ErrEpoch)
	}
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	last, released := s.last, s.released
	s.mu.Unlock()
	if through > last {
		return fmt.Errorf("acknowledge through %d, the last record is %d: %w", through, last, ErrNotSent)
	}
	if through <= released {
		return nil
	}
	var oldest rating.Stamp
	err := s.update(func(meta, records *bolt.Bucket) error {
		if through < last {
			r, err := rating.DecodeRecord(records.Get(seqKey(through + 1)))
			if err != nil {
				return fmt.Errorf("%w: record %d: %w", ErrDamaged, through+1, err)
			}
			oldest = r.At
		}
		return meta.Put([]byte(keyReleased), seqKey(through))
	})
	if err != nil {
		return fmt.Errorf("acknowledge through %d: %w", through, err)
	}
	s.mu.Lock()
	s.released, s.oldest = through, oldest
	s.mu.Unlock()
	return nil
}

// Tail calls yield with the records that the file holds, newest first, until it returns false. The bytes are only valid
// during the call.
func (s *Store) Tail(yield func(seq uint64, raw []byte) bool) error {
	return s.view(func(_, records *bolt.Bucket) error {
		c := records.Cursor()
		for k, v := c.Last(); k != nil && yield(binary.BigEndian.Uint64(k), v); k, v = c.Prev() {
			continue
		}
		return nil
	})
}

// Report is what Verify found.
type Report struct {
	First, Last uint64 // seqs that the file holds
	Records     uint64
}

// Verify checks every record that the file holds: that it can be read, is in its place, and follows from the one before.
func (s *Store) Verify() (Report, error) {
	var rep Report
	err := s.view(func(meta, records *bolt.Bucket) error {
		mark, err := trimmed(meta, s.opt.Device, s.epoch)
		if err != nil {
			return err
		}
		rep = Report{First: mark.Seq + 1, Last: mark.Seq}
		head := mark.Hash
		return records.ForEach(func(k, v []byte) error {
			r, err := rating.DecodeRecord(v)
			switch {
			case err != nil:
				return fmt.Errorf("%w: record %d: %w", ErrDamaged, rep.Last+1, err)
			case r.Seq != rep.Last+1 || len(k) != 8 || binary.BigEndian.Uint64(k) != r.Seq:
				return fmt.Errorf("%w: record %d stands where %d should", ErrDamaged, r.Seq, rep.Last+1)
			case r.Device != s.opt.Device || r.Epoch != s.epoch:
				return fmt.Errorf("%w: record %d is of device %s, epoch %s", ErrDamaged, r.Seq, r.Device, r.Epoch)
			case r.Prev != head:
				return fmt.Errorf("%w: record %d does not follow from the one before it", ErrDamaged, r.Seq)
			}
			head = rating.HashOf(v)
			rep.Last = r.Seq
			rep.Records++
			return nil
		})
	})
	if err != nil {
		return rep, fmt.Errorf("verify the store: %w", err)
	}
	return rep, nil
}

// Boot returns how often the machine has started, counting a start whose kernel boot ID it has not seen last time.
func (s *Store) Boot(id string) (uint32, error) {
	s.write.Lock()
	defer s.write.Unlock()
	var m bootMark
	err := s.view(func(meta, _ *bolt.Bucket) error {
		if b := meta.Get([]byte(keyBoot)); b != nil {
			return json.Unmarshal(b, &m)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read the boot count: %w", err)
	}
	if m.ID == id && m.Count > 0 {
		return m.Count, nil
	}
	m = bootMark{ID: id, Count: m.Count + 1}
	if err := s.put(keyBoot, m); err != nil {
		return 0, fmt.Errorf("count this boot: %w", err)
	}
	return m.Count, nil
}

// put stores a value as JSON in the meta bucket. The caller holds write.
func (s *Store) put(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.update(func(meta, _ *bolt.Bucket) error { return meta.Put([]byte(key), b) })
}

// Note returns the small value that SetNote kept under key, nil if there is none.
func (s *Store) Note(key string) (value []byte, err error) {
	err = s.view(func(meta, _ *bolt.Bucket) error {
		if b := meta.Get([]byte(notePrefix + key)); b != nil {
			value = append([]byte{}, b...)
		}
		return nil
	})
	return value, err
}

// SetNote keeps a small value beside the log, fsynced.
func (s *Store) SetNote(key string, value []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	err := s.update(func(meta, _ *bolt.Bucket) error { return meta.Put([]byte(notePrefix+key), value) })
	if err != nil {
		return fmt.Errorf("keep %s: %w", key, err)
	}
	return nil
}
