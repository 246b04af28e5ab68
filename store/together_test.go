package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/rating"
)

// TestEverythingAtOnce does everything that can be done to a store at the same time, and damages it meanwhile. Nobody waits
// for ever, and in the end every press that was thanked for is in the last file, in a file that was set aside, or salvaged.
func TestEverythingAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	o := options()
	o.Retain, o.anyGain = Retention{Bytes: 1}, true
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	loop := func(f func(n int64) error) {
		all.Go(func() {
			for n := int64(0); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := f(n); err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrEpoch) && !errors.Is(err, ErrNotSent) {
					t.Error(err)
					return
				}
			}
		})
	}
	var mono, thanked atomic.Int64
	now := func() rating.Stamp { return rating.Stamp{Boot: 1, Mono: mono.Add(1)} }
	for range 2 {
		loop(func(int64) error {
			_, err := s.Append(rating.EventBody(now(), rating.EventPaused))
			if err == nil {
				thanked.Add(1)
			}
			return err
		})
	}
	loop(func(int64) error {
		epoch, after := s.Epoch(), s.Released()
		first, records, err := s.Pending(after, 50, 1<<20)
		if err != nil || len(records) == 0 {
			return err
		}
		return s.Acknowledge(epoch, first+uint64(len(records))/2)
	})
	loop(func(int64) error { _, err := s.Verify(); return err })
	loop(func(n int64) error {
		time.Sleep(5 * time.Millisecond)
		return s.SetNote(fmt.Sprint(n%5), make([]byte, n%900))
	})
	loop(func(int64) error {
		time.Sleep(20 * time.Millisecond)
		_, err := s.Compact(now())
		if err != nil && s.Trouble() == nil {
			return nil // the file was replaced meanwhile
		}
		return err
	})
	loop(func(int64) error { return s.Salvage(t.Context(), now) })
	loop(func(int64) error {
		time.Sleep(150 * time.Millisecond)
		s.fail(fmt.Errorf("%w: by the test", ErrDamaged), s.Epoch())
		return nil
	})
	loop(func(int64) error { _ = s.Tail(func(uint64, []byte) bool { return true }); return nil })
	loop(func(int64) error {
		time.Sleep(time.Millisecond)
		n, err := Inspect(path)
		if err == nil {
			err = n.Records(0, func(rating.Record, []byte) error { return nil })
		}
		_ = err // the file may be replaced between the two
		return nil
	})
	time.Sleep(2 * time.Second)
	close(stop)
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("somebody waits for ever")
	}
	if err := s.Salvage(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if thanked.Load() == 0 {
		t.Error("nothing was appended")
	}
}

// TestReadersWhileTheMetasVanish takes both metas of the file away while others read it. Bbolt panics at that, and keeps a
// lock; nobody may wait for it for ever, least of all a press.
func TestReadersWhileTheMetasVanish(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	s := openAt(t, path)
	for i := range int64(600) {
		if _, err := s.Append(press(i)); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	var rounds atomic.Int64
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, _ = s.Verify() // fails once the file is spoilt
				rounds.Add(1)
			}
		})
	}
	for rounds.Load() < 6 {
		time.Sleep(time.Millisecond)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteAt(make([]byte, 2*pageSize), 0)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	epoch, appended := s.Epoch(), make(chan error, 1)
	go func() { _, err := s.Append(press(1)); appended <- err }()
	select {
	case err := <-appended:
		if err != nil || s.Epoch() == epoch {
			t.Errorf("append: %v; the epoch is %s, before it was %s", err, s.Epoch(), epoch)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("a press waits for ever")
	}
	close(stop)
	readers.Wait()
}
