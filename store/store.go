package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"haochaping/internal/rating"
)

// ErrInUse is returned by Open.
var ErrInUse = errors.New("the store is in use by another process, and only one may write it: stop the other ratingd, or give this one a " +
	"state folder of its own")

// ErrDamaged says that the file does not hold what it should. It is what Inspect returns, and the reason of a Damage.
var ErrDamaged = errors.New("the store is damaged")

// ErrUnavailable says that there is no file to write: the disk does not let it be opened or made. Append tries it anew.
var ErrUnavailable = errors.New("the store cannot be used")

// Errors of Acknowledge.
var (
	ErrEpoch   = errors.New("the acknowledgement is for another store file")
	ErrNotSent = errors.New("the acknowledgement is for records that do not exist")
)

// lockWait is how long Open waits for another process to let the folder go, as at a quick restart.
const lockWait = 2 * time.Second

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

	// For tests: openFile opens the database file, and can make writes fail; anyGain lets Compact work for the least gain.
	openFile func(string, int, os.FileMode) (*os.File, error)
	anyGain  bool
}

// Store is an open log. Its methods are safe for concurrent use.
type Store struct {
	path     string
	opt      Options
	lock     *os.File // of the folder
	appended chan struct{}
	damaged  chan struct{}

	upkeep sync.Mutex // held by Compact and Salvage, of which one runs at a time; taken before write
	write  sync.Mutex // held by whoever changes or replaces the file, so that seq and head are taken and committed in order

	swap    sync.RWMutex // held for reading while db is used, for writing while it is replaced; taken after write
	db      *bolt.DB     // guarded by swap; nil while there is none
	file    *os.File     // guarded by swap; below db
	trouble error        // guarded by swap; why db is nil or cannot be written
	doubt   bool         // guarded by write; the last commit failed, so the file is opened anew before the next
	unread  int          // guarded by write; attempts to open that the disk could not read

	beginning sync.Mutex  // held by whoever begins a transaction; taken after swap
	panicked  atomic.Bool // the database has, and may hold its locks for ever: it must not be touched again

	mu    sync.Mutex
	known state // guarded by mu
}

// state is what is kept in memory of the file.
type state struct {
	epoch    rating.Epoch // 0 while there has been no file
	last     uint64       // seq of the newest record
	head     rating.Hash  // its hash
	released uint64
	marked   uint64       // as far as the file says that it is released; at most released
	oldest   rating.Stamp // of the oldest record that is not released
	boot     bootMark
	notes    map[string][]byte
}

// Open opens the log of a device. If there is no file it makes one; if the file is damaged, another device's or a newer
// program's, it sets it aside and makes one. If the disk allows neither, Open still succeeds: Append then fails with
// ErrUnavailable, and tries again each time. The only errors are ErrInUse and a path that can never be one.
func Open(path string, o Options) (*Store, error) {
	lock, err := lockFolder(path)
	if err != nil {
		return nil, fmt.Errorf("open the store %s: %w", path, err)
	}
	s := &Store{path: path, opt: o, lock: lock, appended: make(chan struct{}, 1), damaged: make(chan struct{}, 1)}
	s.write.Lock()
	defer s.write.Unlock()
	s.swap.Lock()
	defer s.swap.Unlock()
	s.open()
	return s, nil
}

// Close closes the file. What was appended is on the disk already.
func (s *Store) Close() error {
	s.upkeep.Lock()
	defer s.upkeep.Unlock()
	s.write.Lock()
	defer s.write.Unlock()
	err := s.mark()
	s.swap.Lock()
	defer s.swap.Unlock()
	err = errors.Join(err, s.shut())
	s.trouble = errors.New("it is closed")
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
		s.lock = nil
	}
	if err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// Device returns the device that the log belongs to.
func (s *Store) Device() rating.DeviceID { return s.opt.Device }

// Epoch returns the file's epoch. It changes when a damaged file is replaced, and is 0 while there has been no file.
func (s *Store) Epoch() rating.Epoch { return s.now().epoch }

// Appended returns a channel that has a value after records were appended since the last receive.
func (s *Store) Appended() <-chan struct{} { return s.appended }

// Damaged returns a channel that has a value after a file was set aside since the last receive: Salvage has work.
func (s *Store) Damaged() <-chan struct{} { return s.damaged }

// Last returns the seq of the newest record, 0 if there never was one.
func (s *Store) Last() uint64 { return s.now().last }

// Released returns the seq through which the centre has acknowledged.
func (s *Store) Released() uint64 { return s.now().released }

// Backlog is what the centre has not acknowledged.
type Backlog struct {
	Pending uint64       // records
	Oldest  rating.Stamp // of the oldest of them; zero if there is none
}

// Backlog returns what the centre has not acknowledged.
func (s *Store) Backlog() Backlog {
	k := s.now()
	return Backlog{Pending: k.last - k.released, Oldest: k.oldest}
}

// Trouble returns why the file cannot be used, nil if it can or nobody has tried.
func (s *Store) Trouble() error {
	s.swap.RLock()
	defer s.swap.RUnlock()
	return s.trouble
}

// Size returns the file's size in bytes, 0 if there is none.
func (s *Store) Size() (int64, error) {
	info, err := os.Stat(s.path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("size of the store: %w", err)
	}
	return info.Size(), nil
}

func (s *Store) now() state {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

func (s *Store) set(f func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.known)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
