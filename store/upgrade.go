package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/boltfile"
	"haochaping/internal/rating"
)

// upgrade rewrites a file of format 1, in which values had no checksums and the release mark lay in the bucket meta. A
// power cut leaves the old file or the new one, both of the same epoch. The caller holds write and swap.
func (s *Store) upgrade() (err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	old, err := boltfile.Open(f, info.Size())
	if err != nil {
		return damage(err)
	}
	k, mark, err := readFormat1(old)
	if err != nil {
		return err
	}
	temp := s.path + suffixUpgrade
	db, err := s.build(temp, k, mark)
	if err != nil {
		return err
	}
	if err := copyFormat1(old, db); err != nil {
		return errors.Join(damage(err), db.Close(), os.Remove(temp))
	}
	return s.finish(db, temp)
}

func readFormat1(old *boltfile.File) (k state, mark trimMark, err error) {
	k.notes = make(map[string][]byte)
	meta, err := old.RootBucket().Bucket(metaBucket)
	if err != nil {
		return k, mark, damage(err)
	}
	var device string
	err = meta.Walk(nil, func(e boltfile.Element) (err error) {
		switch key := string(e.Key); {
		case key == keyDevice:
			device = string(e.Value)
		case key == keyEpoch:
			k.epoch, err = rating.ParseEpoch(string(e.Value))
		case key == "released" && len(e.Value) == 8:
			k.released = binary.BigEndian.Uint64(e.Value)
		case key == keyBoot:
			err = json.Unmarshal(e.Value, &k.boot)
		case key == keyTrimmed:
			err = json.Unmarshal(e.Value, &mark)
		case strings.HasPrefix(key, notePrefix):
			k.notes[key[len(notePrefix):]] = append([]byte{}, e.Value...)
		}
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, e.Key, err)
		}
		return nil
	})
	if err == nil && (k.epoch == 0 || device == "") {
		err = fmt.Errorf("%w: its epoch or its device is missing", ErrDamaged)
	}
	return k, mark, damage(err)
}

// copyFormat1 copies the records.
func copyFormat1(old *boltfile.File, db *bolt.DB) error {
	records, err := old.RootBucket().Bucket(recordsBucket)
	if err != nil {
		return err
	}
	type pair struct{ k, v []byte }
	var batch []pair
	flush := func() error {
		defer func() { batch = batch[:0] }()
		return db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket(recordsBucket)
			b.FillPercent = fillAppend
			for _, p := range batch {
				if err := b.Put(p.k, seal(p.k, p.v)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = records.Walk(nil, func(e boltfile.Element) error {
		if len(e.Key) != 8 || e.Bucket {
			return fmt.Errorf("%w: a record's key is %q", ErrDamaged, e.Key)
		}
		batch = append(batch, pair{append([]byte(nil), e.Key...), append([]byte(nil), e.Value...)})
		if len(batch) < chunk {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}
