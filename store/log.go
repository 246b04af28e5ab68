package store

import (
	"errors"
	"fmt"
	"maps"

	"haochaping/internal/rating"
)

// Append gives the bodies the next places in the log and returns the seq of the first when all are on the disk. An error
// means that they are not in the log: either the disk took none of them, or the next append writes over them.
func (s *Store) Append(bodies ...rating.Body) (first uint64, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.ready(); err != nil {
		return 0, err
	}
	first, err = s.append(bodies)
	if !errors.Is(err, ErrDamaged) {
		return first, err
	}
	s.replace(err)
	if err := s.ready(); err != nil {
		return 0, err
	}
	for _, b := range bodies {
		if b.Evaluation != nil && b.Evaluation.Replaces > 0 {
			return 0, fmt.Errorf("append a correction: what it corrects was set aside with a damaged file: %w", err)
		}
	}
	return s.append(bodies)
}

// ready makes sure that there is a file that can be written. The caller holds write.
func (s *Store) ready() error {
	s.swap.RLock() // a press must not wait for those who read
	well := s.db != nil && s.trouble == nil && !s.doubt
	s.swap.RUnlock()
	if well {
		return nil
	}
	s.swap.Lock()
	defer s.swap.Unlock()
	if s.lock == nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, s.trouble)
	}
	before := s.trouble
	if err := s.shut(); err != nil {
		s.opt.Logger.Warn("the store was not closed as it should", "error", err)
	}
	s.open()
	if s.trouble != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, s.trouble)
	}
	if before != nil {
		s.opt.Logger.Info("the store can be used again", "path", s.path, "epoch", s.now().epoch)
	}
	return nil
}

func (s *Store) append(bodies []rating.Body) (first uint64, err error) {
	k := s.now()
	first = k.last + 1
	if len(bodies) == 0 {
		return first, nil
	}
	for _, b := range bodies {
		if b.Evaluation != nil && b.Evaluation.Replaces >= first+uint64(len(bodies)) {
			return 0, fmt.Errorf("append a correction of record %d: the log holds records through %d; what is corrected was set aside",
				b.Evaluation.Replaces, k.last)
		}
	}
	if k.last == k.released {
		k.oldest = bodies[0].At
	}
	encoded := make([][]byte, len(bodies))
	for i, b := range bodies {
		r := rating.Record{V: rating.RecordVersion, Device: s.opt.Device, Epoch: k.epoch, Seq: k.last + 1, Prev: k.head, Body: b}
		if encoded[i], err = r.Encode(); err != nil {
			return 0, fmt.Errorf("append record: %w", err)
		}
		k.last, k.head = r.Seq, rating.HashOf(encoded[i])
	}
	if err := s.update(func(l layout) error {
		if k.released > k.marked {
			if err := l.putReleased(k.released); err != nil {
				return err
			}
		}
		return l.put(first, encoded)
	}); err != nil {
		return 0, fmt.Errorf("append record %d: %w", first, err)
	}
	k.marked = k.released
	s.set(func(known *state) {
		known.last, known.head, known.oldest, known.marked = k.last, k.head, k.oldest, k.marked
	})
	signal(s.appended)
	return first, nil
}

// Pending returns records that are not acknowledged and come after the given seq, oldest first: at most maxRecords, and at
// most maxBytes in all, but one if there is any. The bytes are the caller's. While the file cannot be used, there are none.
func (s *Store) Pending(after uint64, maxRecords, maxBytes int) (first uint64, records [][]byte, err error) {
	k := s.now()
	after = max(after, k.released)
	if k.epoch == 0 || after >= k.last || maxRecords <= 0 {
		return after + 1, nil, nil
	}
	size := 0
	err = s.view(func(l layout) error {
		return l.each(after+1, func(seq uint64, raw []byte) error {
			if size += len(raw); seq > k.last || size > maxBytes && len(records) > 0 {
				return errEnough
			}
			records = append(records, append([]byte(nil), raw...))
			if len(records) == maxRecords {
				return errEnough
			}
			return nil
		})
	})
	switch {
	case errors.Is(err, ErrUnavailable):
		return after + 1, nil, nil
	case err == nil && len(records) == 0:
		err = fmt.Errorf("%w: record %d is missing", ErrDamaged, after+1)
	}
	if err != nil {
		s.fail(err, k.epoch)
		return 0, nil, fmt.Errorf("read pending records: %w", err)
	}
	return after + 1, records, nil
}

// markStep is after how many released records the file is told without waiting for an append.
const markStep = 1000

// Acknowledge releases all records up to and including through. It returns ErrEpoch or ErrNotSent for what cannot be
// meant for this log. The file learns of it with the next append, by Mark, at Close, or when markStep records have come together:
// writing it each time would double what goes to the card. A power cut before that makes some records be sent again,
// which the books do not mind.
func (s *Store) Acknowledge(epoch rating.Epoch, through uint64) error {
	s.write.Lock()
	defer s.write.Unlock()
	k := s.now()
	switch {
	case epoch != k.epoch:
		return fmt.Errorf("acknowledge through %d of epoch %s: %w", through, epoch, ErrEpoch)
	case through > k.last:
		return fmt.Errorf("acknowledge through %d, the last record is %d: %w", through, k.last, ErrNotSent)
	case through <= k.released:
		return nil
	}
	var oldest rating.Stamp
	err := s.view(func(l layout) (err error) {
		oldest, err = l.stamp(through+1, k.last)
		return err
	})
	if errors.Is(err, ErrDamaged) {
		s.replace(err)
	}
	if err != nil {
		return fmt.Errorf("acknowledge through %d: %w", through, err)
	}
	s.set(func(k *state) { k.released, k.oldest = through, oldest })
	if through-k.marked < markStep {
		return nil
	}
	if err := s.mark(); err != nil {
		s.opt.Logger.Warn("an acknowledgement cannot be written; the records are sent again if the power fails", "error", err)
	}
	return nil
}

// Mark writes how far the records are released, if the file does not say so yet.
func (s *Store) Mark() error {
	s.write.Lock()
	defer s.write.Unlock()
	if err := s.mark(); err != nil {
		return fmt.Errorf("write how far the records are released: %w", err)
	}
	return nil
}

// mark is Mark. The caller holds write.
func (s *Store) mark() error {
	k := s.now()
	if k.released == k.marked {
		return nil
	}
	if err := s.update(func(l layout) error { return l.putReleased(k.released) }); err != nil {
		return err
	}
	s.set(func(now *state) { now.marked = k.released })
	return nil
}

// chunk is how many records one transaction reads of many: a long one would make a press wait whenever the file has to
// grow.
const chunk = 500

// Tail calls yield with the records that the file holds, newest first, until it returns false. The bytes are only valid
// during the call.
func (s *Store) Tail(yield func(seq uint64, raw []byte) bool) error {
	k := s.now()
	for seq := k.last; seq > 0; {
		more := true
		err := s.view(func(l layout) error {
			mark, err := l.trimmed(s.opt.Device, k.epoch)
			if err != nil {
				return err
			}
			for range chunk {
				if seq <= mark.Seq {
					more = false
					return nil
				}
				raw, err := l.record(seq)
				if err != nil {
					return err
				}
				seq--
				if more = yield(seq+1, raw); !more {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			s.fail(err, k.epoch)
			return fmt.Errorf("read the log backwards: %w", err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

// Report is what Verify found.
type Report struct {
	First, Last uint64 // seqs that the file holds
	Records     uint64
}

// Verify checks every record that the file holds: that it can be read, is in its place, and follows from the one before.
// What it finds damaged is replaced, as any damage is. It reads in steps, between which others may write.
func (s *Store) Verify() (Report, error) {
	k := s.now()
	var rep Report
	var c chain
	err := s.view(func(l layout) error {
		mark, err := l.trimmed(s.opt.Device, k.epoch)
		rep = Report{First: mark.Seq + 1, Last: mark.Seq}
		c = chain{device: s.opt.Device, epoch: k.epoch, head: mark.Hash, last: mark.Seq}
		return err
	})
	for before := rep.Last; err == nil && rep.Last < k.last; before = rep.Last {
		err = s.view(func(l layout) error {
			n := 0
			return l.each(rep.Last+1, func(seq uint64, raw []byte) error {
				if n++; seq > k.last || n > chunk {
					return errEnough
				}
				if err := c.add(seq, raw); err != nil {
					return err
				}
				if _, err := l.record(seq); err != nil {
					return err // a damaged branch can hide what a walk along the leaves still meets
				}
				rep.Last = seq
				rep.Records++
				return nil
			})
		})
		if err == nil && rep.Last == before {
			err = fmt.Errorf("%w: record %d is missing", ErrDamaged, rep.Last+1)
		}
	}
	if err != nil {
		s.fail(err, k.epoch)
		return rep, fmt.Errorf("verify the store: %w", err)
	}
	return rep, nil
}

// chain checks records one after the other.
type chain struct {
	device rating.DeviceID
	epoch  rating.Epoch
	head   rating.Hash
	last   uint64
}

func (c *chain) add(seq uint64, raw []byte) error {
	r, err := rating.DecodeRecord(raw)
	switch {
	case err != nil:
		return fmt.Errorf("%w: record %d: %w", ErrDamaged, seq, err)
	case r.Seq != seq || seq != c.last+1:
		return fmt.Errorf("%w: record %d stands where %d should", ErrDamaged, r.Seq, c.last+1)
	case r.Device != c.device || r.Epoch != c.epoch:
		return fmt.Errorf("%w: record %d is of device %s, epoch %s", ErrDamaged, r.Seq, r.Device, r.Epoch)
	case r.Prev != c.head:
		return fmt.Errorf("%w: record %d does not follow from the one before it", ErrDamaged, r.Seq)
	}
	c.head, c.last = rating.HashOf(raw), seq
	return nil
}

// Boot returns how often the machine has started, counting a start whose kernel boot ID it has not seen last time.
func (s *Store) Boot(id string) (uint32, error) {
	s.write.Lock()
	defer s.write.Unlock()
	m := s.now().boot
	if m.ID == id && m.Count > 0 {
		return m.Count, nil
	}
	m = bootMark{ID: id, Count: m.Count + 1}
	if err := s.change(func(l layout) error { return l.putJSON(keyBoot, m) }); err != nil {
		return 0, fmt.Errorf("count this boot: %w", err)
	}
	s.set(func(k *state) { k.boot = m })
	return m.Count, nil
}

// Note returns the small value that SetNote kept under key, nil if there is none.
func (s *Store) Note(key string) []byte { return s.now().notes[key] }

// SetNote keeps a small value beside the log, fsynced; nil takes it away.
func (s *Store) SetNote(key string, value []byte) error {
	s.write.Lock()
	defer s.write.Unlock()
	err := s.change(func(l layout) error {
		if value == nil {
			return l.meta.Delete([]byte(notePrefix + key))
		}
		return l.putMeta(notePrefix+key, value)
	})
	if err != nil {
		return fmt.Errorf("keep %s: %w", key, err)
	}
	s.set(func(k *state) {
		k.notes = maps.Clone(k.notes)
		if value == nil {
			delete(k.notes, key)
			return
		}
		k.notes[key] = append([]byte{}, value...)
	})
	return nil
}

// change is update for what is no record. The caller holds write.
func (s *Store) change(f func(layout) error) error {
	if err := s.ready(); err != nil {
		return err
	}
	change := func(l layout) error {
		if err := f(l); err != nil {
			return err
		}
		return l.fit()
	}
	err := s.update(change)
	if errors.Is(err, ErrDamaged) {
		s.replace(err)
		if err = s.ready(); err == nil {
			err = s.update(change)
		}
	}
	return err
}
