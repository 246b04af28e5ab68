package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"haochaping/internal/rating"
)

// Errors of Open.
var (
	ErrInUse   = errors.New("the store is in use by another process; only one daemon may write it")
	ErrForeign = errors.New("the store belongs to another device")
	ErrNewer   = errors.New("the store was written by a newer version of this program")
	ErrDamaged = errors.New("the store is damaged")
)

// Errors of Acknowledge.
var (
	ErrEpoch   = errors.New("the acknowledgement is for another store file")
	ErrNotSent = errors.New("the acknowledgement is for records that do not exist")
)

// Version is the version of the file's format.
const Version = 1

// lockWait is how long Open waits for another process to let the file go, as at a quick restart.
const lockWait = 2 * time.Second

// fillAppend is how full a page of records becomes. Records are only ever added at the end, so no room is kept for others.
const fillAppend = 1.0

// The file has two buckets. Records maps the seq (8 bytes, big-endian) to the record's bytes. Meta holds small values;
// it is not written by Append, so that an append touches as few pages as can be.
var (
	recordsBucket = []byte("records")
	metaBucket    = []byte("meta")
)

// The keys of the meta bucket.
const (
	keyVersion  = "version"
	keyDevice   = "device"
	keyEpoch    = "epoch"
	keyBoot     = "boot"     // bootMark
	keyReleased = "released" // 8 bytes
	keyTrimmed  = "trimmed"  // trimMark, set when records are removed
	notePrefix  = "note:"
)

// trimMark continues numbering and chain when the records before it are gone.
type trimMark struct {
	Seq  uint64      `json:"seq"`
	Hash rating.Hash `json:"hash"`
}

type bootMark struct {
	ID    string `json:"id"`
	Count uint32 `json:"count"`
}

// Retention says how long acknowledged records stay: until they are older than Days, or the oldest beyond Bytes in all.
// Zero is no limit.
type Retention struct {
	Days  int
	Bytes int64
}

// Options are the arguments of Open.
type Options struct {
	Device rating.DeviceID
	Random io.Reader // for the epoch of a new file
	Retain Retention
	Logger *slog.Logger

	// openFile opens the database file. Tests replace it to make writes fail.
	openFile func(string, int, os.FileMode) (*os.File, error)
}

// Store is an open log. Its methods are safe for concurrent use.
type Store struct {
	path     string
	opt      Options
	epoch    rating.Epoch
	appended chan struct{}

	write sync.Mutex // held by whoever changes the file, so that seq and head are taken and committed in order

	swap sync.RWMutex // held for reading while db is used, for writing while Compact replaces it
	db   *bolt.DB     // guarded by swap

	mu       sync.Mutex
	last     uint64       // guarded by mu; seq of the newest record
	head     rating.Hash  // guarded by mu; its hash
	released uint64       // guarded by mu
	oldest   rating.Stamp // guarded by mu; of the oldest record that is not released
}

// Open opens the log of a device, and creates it if there is no file.
func Open(path string, o Options) (*Store, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path, o); err != nil {
			return nil, fmt.Errorf("create the store %s: %w", path, err)
		}
	}
	s := &Store{path: path, opt: o, appended: make(chan struct{}, 1)}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open the store %s: %w", path, err)
	}
	return s, nil
}

// create makes a new file under another name and gives it its own only when it is whole on the disk: bbolt's first
// initialisation does not survive a power cut.
func create(path string, o Options) error {
	epoch, err := rating.NewEpoch(o.Random)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	temp := path + ".new"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bolt.Open(temp, 0o600, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucket(metaBucket)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucket(recordsBucket); err != nil {
			return err
		}
		return errors.Join(
			meta.Put([]byte(keyVersion), binary.BigEndian.AppendUint64(nil, Version)),
			meta.Put([]byte(keyDevice), []byte(o.Device)),
			meta.Put([]byte(keyEpoch), []byte(epoch.String())),
			meta.Put([]byte(keyReleased), make([]byte, 8)))
	})
	if err := errors.Join(err, db.Sync(), db.Close()); err != nil {
		return err
	}
	return replace(temp, path)
}

// replace renames a synced file and syncs the folder, so that the name survives a power cut too.
func replace(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// open opens the file and reads what is kept in memory. Bbolt panics on some damaged files; that is damage and no crash.
func (s *Store) open() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	if info, err := os.Stat(s.path); err == nil && info.Size() == 0 {
		return fmt.Errorf("%w: the file is empty", ErrDamaged) // bbolt would make a new log of it
	}
	db, err := bolt.Open(s.path, 0o600, &bolt.Options{Timeout: lockWait, FreelistType: bolt.FreelistMapType, OpenFile: s.opt.openFile})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return ErrInUse
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := s.load(db); err != nil {
		return errors.Join(err, db.Close())
	}
	s.db = db
	return nil
}

func (s *Store) load(db *bolt.DB) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return db.View(func(tx *bolt.Tx) error {
		meta, records := tx.Bucket(metaBucket), tx.Bucket(recordsBucket)
		if meta == nil || records == nil {
			return fmt.Errorf("%w: a bucket is missing", ErrDamaged)
		}
		version, released := meta.Get([]byte(keyVersion)), meta.Get([]byte(keyReleased))
		if len(version) != 8 || len(released) != 8 {
			return fmt.Errorf("%w: version or release mark is missing", ErrDamaged)
		}
		if v := binary.BigEndian.Uint64(version); v > Version {
			return fmt.Errorf("%w: its format is %d, this program knows %d", ErrNewer, v, Version)
		}
		if d := string(meta.Get([]byte(keyDevice))); d != string(s.opt.Device) {
			return fmt.Errorf("%w: it is that of %q, this is %q", ErrForeign, d, s.opt.Device)
		}
		epoch, err := rating.ParseEpoch(string(meta.Get([]byte(keyEpoch))))
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		s.epoch = epoch
		mark, err := trimmed(meta, s.opt.Device, epoch)
		if err != nil {
			return err
		}
		s.last, s.head, s.released = mark.Seq, mark.Hash, binary.BigEndian.Uint64(released)
		if k, v := records.Cursor().Last(); k != nil {
			if len(k) != 8 {
				return fmt.Errorf("%w: a record's key has %d bytes", ErrDamaged, len(k))
			}
			s.last, s.head = binary.BigEndian.Uint64(k), rating.HashOf(v)
		}
		if s.released > s.last {
			return fmt.Errorf("%w: released through %d, yet the last record is %d", ErrDamaged, s.released, s.last)
		}
		return s.findOldest(records)
	})
}

// findOldest sets the stamp of the oldest record that is not released.
func (s *Store) findOldest(records *bolt.Bucket) error {
	s.oldest = rating.Stamp{}
	if s.released == s.last {
		return nil
	}
	raw := records.Get(seqKey(s.released + 1))
	if raw == nil {
		return fmt.Errorf("%w: record %d is missing", ErrDamaged, s.released+1)
	}
	r, err := rating.DecodeRecord(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s.oldest = r.At
	return nil
}

func trimmed(meta *bolt.Bucket, d rating.DeviceID, e rating.Epoch) (trimMark, error) {
	b := meta.Get([]byte(keyTrimmed))
	if b == nil {
		return trimMark{Hash: rating.Genesis(d, e)}, nil
	}
	var m trimMark
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fmt.Errorf("%w: trim mark: %w", ErrDamaged, err)
	}
	return m, nil
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// Device returns the device that the log belongs to.
func (s *Store) Device() rating.DeviceID { return s.opt.Device }

// Epoch returns the file's epoch.
func (s *Store) Epoch() rating.Epoch { return s.epoch }

// Appended returns a channel that has a value after records were appended since the last receive.
func (s *Store) Appended() <-chan struct{} { return s.appended }

// Last returns the seq of the newest record, 0 if there never was one.
func (s *Store) Last() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Released returns the seq through which the centre has acknowledged.
func (s *Store) Released() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.released
}

// Backlog is what the centre has not acknowledged.
type Backlog struct {
	Pending uint64       // records
	Oldest  rating.Stamp // of the oldest of them; zero if there is none
}

// Backlog returns what the centre has not acknowledged.
func (s *Store) Backlog() Backlog {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Backlog{Pending: s.last - s.released, Oldest: s.oldest}
}

// Close closes the file. What was appended is on the disk already.
func (s *Store) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	s.swap.Lock()
	defer s.swap.Unlock()
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

func (s *Store) view(f func(meta, records *bolt.Bucket) error) error {
	s.swap.RLock()
	defer s.swap.RUnlock()
	return s.db.View(func(tx *bolt.Tx) error { return f(tx.Bucket(metaBucket), tx.Bucket(recordsBucket)) })
}

// update changes the file. The caller holds write.
func (s *Store) update(f func(meta, records *bolt.Bucket) error) error {
	s.swap.RLock()
	defer s.swap.RUnlock()
	return s.db.Update(func(tx *bolt.Tx) error { return f(tx.Bucket(metaBucket), tx.Bucket(recordsBucket)) })
}
