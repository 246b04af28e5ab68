package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/rating"
)

// What a file that is not finished is called.
const (
	suffixNew     = ".new"
	suffixCompact = ".compact"
	suffixUpgrade = ".upgrade"
)

// create makes a new file of a new epoch, which takes over what is known of boots and notes.
func (s *Store) create() error {
	random := s.opt.Random
	if random == nil {
		random = rand.Reader
	}
	epoch, err := rating.NewEpoch(random)
	if err != nil {
		return err
	}
	k := s.now()
	if files, err := unread(s.path); err == nil && len(files) > 0 && k.notes == nil {
		// A file was set aside and the disk did not let a new one be made before the program ended.
		w := readWreck(files[len(files)-1], s.opt.Device)
		k.boot, k.notes = w.boot, w.notes
	}
	k = state{epoch: epoch, boot: k.boot, notes: maps.Clone(k.notes)}
	db, err := s.build(s.path+suffixNew, k, trimMark{})
	if err != nil {
		return err
	}
	return s.finish(db, s.path+suffixNew)
}

// build makes a database of the given state, without records, which is not on the disk before finish.
func (s *Store) build(temp string, k state, mark trimMark) (*bolt.DB, error) {
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	db, _, err := s.bolt(temp, func(o *bolt.Options) { o.NoSync, o.NoGrowSync, o.OpenFile = true, true, nil })
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{metaBucket, recordsBucket} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		l, err := layoutOf(tx)
		if err != nil {
			return err
		}
		return errors.Join(
			l.meta.Put([]byte(keyVersion), seqKey(Version)),
			l.putMeta(keyDevice, []byte(s.opt.Device)),
			l.putMeta(keyEpoch, []byte(k.epoch.String())),
			l.putKnown(k, mark))
	})
	if err != nil {
		return nil, errors.Join(err, db.Close(), os.Remove(temp))
	}
	return db, nil
}

// putKnown writes what the meta bucket and the root hold of a state.
func (l layout) putKnown(k state, mark trimMark) error {
	errs := []error{l.putReleased(k.released)}
	if k.boot.Count > 0 {
		errs = append(errs, l.putJSON(keyBoot, k.boot))
	}
	if mark.Seq > 0 {
		errs = append(errs, l.putJSON(keyTrimmed, mark))
	}
	for name, value := range k.notes {
		errs = append(errs, l.putMeta(notePrefix+name, value))
	}
	return errors.Join(errs...)
}

func (l layout) putJSON(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return l.putMeta(key, b)
}

// finish brings a built database to the disk and gives it the log's name: a power cut leaves the one or the other.
func (s *Store) finish(db *bolt.DB, temp string) error {
	if err := errors.Join(db.Sync(), db.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return rename(temp, s.path)
}

// rename renames a file and syncs the folder, so that the name survives a power cut too.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(to)
}

// syncFolder brings the names in the folder of a file to the disk.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
