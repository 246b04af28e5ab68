package store

import (
	"errors"
	"fmt"
	"os"
	"time"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/rating"
)

const (
	// keptAlways is how many of the newest records stay whatever the retention, for the visit that was open at a crash
	// is found among them.
	keptAlways = 64
	// compactGain is the least that a rewriting of the file must give back, in bytes; and it must be a quarter of the file.
	compactGain = 1 << 20
)

// Compact rewrites the file without the acknowledged records that the retention no longer wants, if that gives back a
// quarter of its size or more: bbolt never gives space back, and removing records one by one would write more than it
// frees. It returns how many records went. Ages are only told by clocks that were synchronised, of the record and of now;
// others wait for the limit of size. Presses wait only for what was appended meanwhile to be copied. A crash at any moment
// leaves the old file or the new one.
func (s *Store) Compact(now rating.Stamp) (removed uint64, err error) {
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	c, err := s.plan(now)
	if err != nil || c == nil {
		return 0, err
	}
	if err := c.run(); err != nil {
		s.fail(err, c.known.epoch)
		return 0, fmt.Errorf("compact the store: %w", err)
	}
	return c.mark.Seq - c.before.Seq, nil
}

// compaction is one rewriting.
type compaction struct {
	s      *Store
	known  state    // as of the plan
	before trimMark // of the old file
	mark   trimMark // of the new one
	db     *bolt.DB // the new one
	copied uint64   // seq through which it holds the records
}

// plan decides what goes. It returns nil if that is not worth it.
func (s *Store) plan(now rating.Stamp) (*compaction, error) {
	c := &compaction{s: s, known: s.now()}
	if c.known.epoch == 0 {
		return nil, nil
	}
	var size, used int64
	err := s.view(func(l layout) (err error) {
		c.before, err = l.trimmed(s.opt.Device, c.known.epoch)
		size = l.tx.Size()
		used = size - int64(l.tx.DB().Stats().FreePageN)*pageSize
		return err
	})
	if err != nil {
		return nil, err
	}
	c.mark = c.before
	held := int64(c.known.last - c.before.Seq)
	if held == 0 {
		return nil, nil
	}
	each := max(1, used/held)
	excess := int64(0)
	if s.opt.Retain.Bytes > 0 {
		excess = max(0, used-s.opt.Retain.Bytes) / each
	}
	limit := min(c.known.released, max(c.known.last, keptAlways)-keptAlways)
	for more := true; more; {
		from := c.mark.Seq
		err := s.view(func(l layout) error {
			n := 0
			return l.each(c.mark.Seq+1, func(seq uint64, raw []byte) error {
				more = seq <= limit && (excess > 0 || s.aged(raw, now))
				if n++; !more || n > chunk {
					return errEnough
				}
				excess--
				c.mark = trimMark{Seq: seq, Hash: rating.HashOf(raw)}
				return nil
			})
		})
		if err != nil {
			s.fail(err, c.known.epoch)
			return nil, err
		}
		more = more && c.mark.Seq > from
	}
	gain := size - used + int64(c.mark.Seq-c.before.Seq)*each
	if (gain < compactGain || 4*gain < size) && (!s.opt.anyGain || c.mark == c.before) {
		return nil, nil
	}
	return c, nil
}

// aged reports whether a record is older than the retention allows.
func (s *Store) aged(raw []byte, now rating.Stamp) bool {
	if s.opt.Retain.Days <= 0 || !now.Synced {
		return false
	}
	r, err := rating.DecodeRecord(raw)
	return err == nil && r.At.Synced && now.Time().Sub(r.At.Time()) > time.Duration(s.opt.Retain.Days)*24*time.Hour
}

func (c *compaction) run() (err error) {
	temp := c.s.path + suffixCompact
	if c.db, err = c.s.build(temp, c.known, c.mark); err != nil {
		return err
	}
	c.copied = c.mark.Seq
	for err == nil && c.copied < c.known.last {
		err = c.copy(c.known.last)
	}
	if err == nil {
		err = c.db.Sync() // most of the writing, which no press is to wait for
	}
	if err != nil {
		return errors.Join(err, c.db.Close(), os.Remove(temp))
	}
	c.s.write.Lock()
	defer c.s.write.Unlock()
	if err := c.last(); err != nil {
		return errors.Join(err, c.db.Close(), os.Remove(temp))
	}
	c.s.swap.Lock()
	defer c.s.swap.Unlock()
	// The name may have changed hands even if finish fails, and then the old file has none: what is there is opened anew
	// in any case.
	err = c.s.finish(c.db, temp)
	if err := c.s.shut(); err != nil {
		c.s.opt.Logger.Warn("the old store was not closed as it should", "error", err)
	}
	c.s.open()
	return errors.Join(err, c.s.trouble)
}

// copy copies some records up to and including the given seq.
func (c *compaction) copy(through uint64) error {
	type pair struct{ k, v []byte }
	var batch []pair
	err := c.s.view(func(l layout) error {
		return l.each(c.copied+1, func(seq uint64, raw []byte) error {
			if seq > through || len(batch) == chunk {
				return errEnough
			}
			k := seqKey(seq)
			batch = append(batch, pair{k, seal(k, raw)})
			return nil
		})
	})
	if err == nil && len(batch) == 0 {
		err = fmt.Errorf("%w: record %d is missing", ErrDamaged, c.copied+1)
	}
	if err != nil {
		return err
	}
	c.copied += uint64(len(batch))
	return c.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(recordsBucket)
		b.FillPercent = fillAppend
		for _, p := range batch {
			if err := b.Put(p.k, p.v); err != nil {
				return err
			}
		}
		return nil
	})
}

// last copies what has changed since the plan. The caller holds write.
func (c *compaction) last() error {
	known := c.s.now()
	if known.epoch != c.known.epoch {
		return errors.New("the file was replaced meanwhile")
	}
	for c.copied < known.last {
		if err := c.copy(known.last); err != nil {
			return err
		}
	}
	return c.db.Update(func(tx *bolt.Tx) error {
		l, err := layoutOf(tx)
		if err != nil {
			return err
		}
		for name := range c.known.notes {
			if _, ok := known.notes[name]; !ok {
				if err := l.meta.Delete([]byte(notePrefix + name)); err != nil {
					return err
				}
			}
		}
		return l.putKnown(known, c.mark)
	})
}
