package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"haochaping/internal/boltfile"
	"haochaping/internal/rating"
)

// lockFolder makes sure that one process at a time uses the log. The lock is on the folder and not on the file, for the
// file is replaced now and then, and a disk that is full or read-only can still be locked.
func lockFolder(path string) (*os.File, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		if _, statErr := os.Stat(dir); statErr != nil {
			return nil, fmt.Errorf("the folder cannot be made: %w", err)
		}
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(lockWait); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock the folder: %w", err), d.Close())
		}
		if time.Now().After(end) {
			return nil, errors.Join(ErrInUse, d.Close())
		}
	}
}

// InUse reports whether a process has opened the log. Who may not look at its folder learns that no process is known.
func InUse(path string) bool {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return false
	}
	defer func() { _ = d.Close() }() // which lets go of the lock
	return errors.Is(unix.Flock(int(d.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// errNoFile says that something else has the log's name.
var errNoFile = errors.New("it is no ordinary file; move it away")

// openRegular opens a file to be read. Opening a pipe would wait for whoever writes into it.
func openRegular(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	return os.Open(path)
}

// errPanic is what bbolt does when it meets a page that it does not understand.
var errPanic = errors.New("the database stumbled")

// guarded turns a panic or a memory fault of f into an error. Bbolt maps the file, so a page that the disk cannot read, or
// that sends bbolt out of the file, is a fault.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %w: %v", ErrDamaged, errPanic, p)
		}
	}()
	return f()
}

// bolt opens a database file with the options of this package.
func (s *Store) bolt(path string, change func(*bolt.Options)) (db *bolt.DB, file *os.File, err error) {
	open := s.opt.openFile
	if open == nil {
		open = os.OpenFile
	}
	o := &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType, PageSize: pageSize,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			file, err = open(name, flag, mode)
			return file, err
		}}
	if change != nil {
		change(o)
	}
	err = guarded(func() (err error) {
		db, err = bolt.Open(path, 0o600, o)
		return err
	})
	if err != nil {
		if file != nil && errors.Is(err, errPanic) {
			_ = file.Close() // bbolt has not come to it
		}
		return nil, nil, err
	}
	db.AllocSize = 1 << 20
	return db, file, nil
}

// shut closes the database. The caller holds swap.
func (s *Store) shut() error {
	if s.panicked.Load() {
		s.abandon()
		return nil
	}
	db := s.db
	s.db, s.file = nil, nil
	if db == nil {
		return nil
	}
	return guarded(db.Close)
}

// abandon lets a database go that has panicked: its locks may be held for ever, so that it must not be touched again. Its
// mapping stays until the process ends. The caller holds swap.
func (s *Store) abandon() {
	if s.file != nil {
		_ = s.file.Close() // what matters is that it is let go
	}
	s.db, s.file = nil, nil
}

// open makes the file ready, whatever it takes, and notes in trouble why it could not. The caller holds write and swap.
func (s *Store) open() {
	for _, leftover := range []string{suffixNew, suffixCompact, suffixUpgrade} {
		_ = os.Remove(s.path + leftover) // whatever was not finished; a failure shows when it is needed
	}
	s.doubt = false
	err := s.openFile()
	if errors.Is(err, ErrDamaged) {
		if err = s.setAside(err); err == nil {
			err = s.openFile()
		}
	}
	before := s.trouble
	s.trouble = err
	switch {
	case err == nil:
		s.unread = 0
	case before == nil || before.Error() != err.Error(): // it is tried every two seconds, and may be so for days
		s.opt.Logger.Error("the store cannot be used; it is tried again", "path", s.path, "error", err)
	}
}

// maxUnread is how often a file that the disk cannot read is tried before it counts as damaged.
const maxUnread = 3

// openFile opens the file, or makes one if there is none. ErrDamaged says that it is not ours to use. The caller holds
// write and swap.
func (s *Store) openFile() error {
	// Whatever name was given last must be there after a power cut, before anything is written under it.
	if err := syncFolder(s.path); err != nil && !errors.Is(err, unix.EROFS) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("sync its folder: %w", err)
	}
	version, err := s.look()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := s.create(); err != nil {
			return fmt.Errorf("create it: %w", err)
		}
	case errors.Is(err, unix.EIO):
		if s.unread++; s.unread >= maxUnread {
			return fmt.Errorf("%w: the disk could not read it %d times: %w", ErrDamaged, s.unread, err)
		}
		return err
	case err != nil:
		return err
	case version < Version:
		if err := s.upgrade(); err != nil {
			return fmt.Errorf("upgrade it from format %d: %w", version, err)
		}
	}
	db, file, err := s.bolt(s.path, nil)
	var readOnly error
	if errors.Is(err, unix.EROFS) || errors.Is(err, fs.ErrPermission) {
		readOnly = err // what it holds can still be sent
		db, file, err = s.bolt(s.path, func(o *bolt.Options) { o.ReadOnly = true })
	}
	if err != nil {
		return err
	}
	next, err := s.load(db)
	if err != nil {
		s.db, s.file = db, file
		s.abandon()
		return err
	}
	s.db, s.file = db, file
	s.panicked.Store(false)
	s.set(func(k *state) { *k = next })
	return readOnly
}

// look reads what can be read without bbolt, so that bbolt opens only what it can stand. It returns the format's version.
func (s *Store) look() (version uint64, err error) {
	f, err := openRegular(s.path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	image, err := boltfile.Open(f, info.Size())
	if err != nil {
		return 0, damage(err)
	}
	if image.OneMeta { // a power cut leaves the old or the new one, since a meta is smaller than a sector
		return 0, fmt.Errorf("%w: one of its two meta pages is not valid, and the last records may be gone with it", ErrDamaged)
	}
	if err := image.Check(); err != nil {
		return 0, damage(err)
	}
	meta, err := image.RootBucket().Bucket(metaBucket)
	if err != nil {
		return 0, damage(err)
	}
	raw, device := []byte(nil), []byte(nil)
	if err := meta.Walk(nil, func(e boltfile.Element) error {
		switch string(e.Key) {
		case keyVersion:
			raw = append(raw, e.Value...)
		case keyDevice:
			device = append(device, e.Value...)
		}
		return nil
	}); err != nil {
		return 0, damage(err)
	}
	if len(raw) != 8 {
		return 0, fmt.Errorf("%w: its version is missing", ErrDamaged)
	}
	if version = binary.BigEndian.Uint64(raw); version > Version || version == 0 {
		return 0, fmt.Errorf("%w: its format is %d, which a newer program wrote; this one knows %d", ErrDamaged, version, Version)
	}
	if version > 1 {
		if device, err = unseal([]byte(keyDevice), device); err != nil {
			return 0, err
		}
	}
	if string(device) != string(s.opt.Device) {
		return 0, fmt.Errorf("%w: it is the log of the box %q, this is %q", ErrDamaged, device, s.opt.Device)
	}
	return version, nil
}

// damage turns what boltfile finds into this package's error. What the disk could not read stays what it is.
func damage(err error) error {
	if errors.Is(err, boltfile.ErrDamaged) || errors.Is(err, boltfile.ErrNoBucket) {
		return fmt.Errorf("%w: %s", ErrDamaged, strings.TrimPrefix(err.Error(), boltfile.ErrDamaged.Error()+": "))
	}
	return err
}

// load reads what is kept in memory.
func (s *Store) load(db *bolt.DB) (k state, err error) {
	err = guarded(func() error {
		return db.View(func(tx *bolt.Tx) error {
			l, err := layoutOf(tx)
			if err != nil {
				return err
			}
			k, err = loadState(l)
			return err
		})
	})
	if old := s.now(); err == nil && old.epoch == k.epoch {
		// Opened again in doubt. What memory knows to be committed must be there; what is beyond it was not, and makes way.
		if k.last < old.last || k.released < old.marked {
			return k, fmt.Errorf("%w: records through %d were written, it holds them through %d", ErrDamaged, old.last, k.last)
		}
		k.last, k.head, k.released, k.marked, k.oldest = old.last, old.head, old.released, old.marked, old.oldest
	}
	return k, err
}

func loadState(l layout) (k state, err error) {
	epoch, err := l.metaValue(keyEpoch)
	if err != nil {
		return k, err
	}
	if k.epoch, err = rating.ParseEpoch(string(epoch)); err != nil {
		return k, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	device, err := l.metaValue(keyDevice)
	if err != nil {
		return k, err
	}
	mark, err := l.trimmed(rating.DeviceID(device), k.epoch)
	if err != nil {
		return k, err
	}
	if k.released, err = l.released(); err != nil {
		return k, err
	}
	k.last, k.head = mark.Seq, mark.Hash
	if seq := l.lastSeq(); seq > 0 {
		raw, err := l.record(seq)
		if err != nil {
			return k, err
		}
		k.last, k.head = seq, rating.HashOf(raw)
	}
	if k.released > k.last {
		return k, fmt.Errorf("%w: released through %d, yet the last record is %d", ErrDamaged, k.released, k.last)
	}
	k.marked = k.released
	if k.oldest, err = l.stamp(k.released+1, k.last); err != nil {
		return k, err
	}
	if k.boot, err = l.boot(); err != nil {
		return k, err
	}
	k.notes = make(map[string][]byte)
	c := l.meta.Cursor()
	for key, v := c.Seek([]byte(notePrefix)); strings.HasPrefix(string(key), notePrefix); key, v = c.Next() {
		value, err := unseal(key, v)
		if err != nil {
			return k, err
		}
		k.notes[string(key[len(notePrefix):])] = append([]byte{}, value...)
	}
	return k, nil
}

// stamp returns the stamp of a record, or the zero one if it is beyond last.
func (l layout) stamp(seq, last uint64) (rating.Stamp, error) {
	if seq > last {
		return rating.Stamp{}, nil
	}
	raw, err := l.record(seq)
	if err != nil {
		return rating.Stamp{}, err
	}
	r, err := rating.DecodeRecord(raw)
	if err != nil {
		return rating.Stamp{}, fmt.Errorf("%w: record %d: %w", ErrDamaged, seq, err)
	}
	return r.At, nil
}

func (l layout) trimmed(d rating.DeviceID, e rating.Epoch) (trimMark, error) {
	m := trimMark{Hash: rating.Genesis(d, e)}
	return m, l.decodeMeta(keyTrimmed, &m)
}

func (l layout) boot() (m bootMark, err error) { return m, l.decodeMeta(keyBoot, &m) }

// decodeMeta reads a JSON value of the meta bucket into v, which stays as it is if there is none.
func (l layout) decodeMeta(key string, v any) error {
	b, err := l.metaValue(key)
	if err != nil || b == nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, key, err)
	}
	return nil
}
