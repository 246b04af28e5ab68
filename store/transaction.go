package store

import (
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"haochaping/internal/boltfile"
)

// view reads the file.
func (s *Store) view(f func(layout) error) error {
	s.swap.RLock()
	defer s.swap.RUnlock()
	return s.transact(false, f)
}

// update changes the file. The caller holds write.
func (s *Store) update(f func(layout) error) error {
	s.swap.RLock()
	defer s.swap.RUnlock()
	if s.db == nil {
		return s.transact(true, f)
	}
	err := s.transact(true, f)
	if err != nil {
		// After a failed fsync nobody knows what is on the disk: what the kernel shows may be more than what it wrote.
		s.doubt = true
	}
	return err
}

// transact runs f in a transaction. The caller holds swap for reading.
//
// Bbolt panics on what it does not understand, and then keeps its locks. So nobody may be waiting for one of them at that
// moment, and nobody may ask for one afterwards: else a reader would never let go of swap, and the file never be replaced.
func (s *Store) transact(writable bool, f func(layout) error) error {
	if s.db == nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, s.trouble)
	}
	tx, err := s.begin(writable)
	if err != nil {
		return err
	}
	err = s.guarded(func() error {
		l, err := layoutOf(tx)
		if err != nil {
			return err
		}
		if err := f(l); err != nil || !writable {
			return err
		}
		return tx.Commit()
	})
	if s.panicked.Load() {
		return err // the locks of the transaction are lost with the database
	}
	if endErr := s.guarded(tx.Rollback); err == nil && !errors.Is(endErr, bolterrors.ErrTxClosed) {
		err = endErr
	}
	return err
}

// begin begins a transaction. One goroutine at a time does, so that the others wait here and not for a lock of bbolt.
func (s *Store) begin(writable bool) (tx *bolt.Tx, err error) {
	s.beginning.Lock()
	defer s.beginning.Unlock()
	err = s.guarded(func() error {
		// What bbolt would panic over at this point is seen in time. The metas are all that it reads here.
		if err := boltfile.CheckMetas(s.file, pageSize); err != nil {
			return damage(err)
		}
		tx, err = s.db.Begin(writable)
		return err
	})
	return tx, err
}

// guarded is guarded for the open database. After a panic it is not asked again.
func (s *Store) guarded(f func() error) error {
	if s.panicked.Load() {
		return fmt.Errorf("%w: %w before", ErrDamaged, errPanic)
	}
	err := guarded(f)
	if errors.Is(err, errPanic) {
		s.panicked.Store(true)
	}
	return err
}
