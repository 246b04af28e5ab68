package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"haochaping/internal/rating"
	"haochaping/store"
)

// look opens the log and says what is in it:
//
//	none                             there is no file
//	broken WHY                       it is not as a log should be after a cut
//	log EPOCH FIRST LAST RELEASED    it verifies
//	record SEQ HASH                  of each record
func look(out io.Writer, path string) error {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		say("none")
		return nil
	}
	s, err := store.Open(path, store.Options{Device: device, Random: rand.Reader, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if err := s.Trouble(); err != nil {
		say("broken it cannot be used: %v", err)
	}
	rep, err := s.Verify()
	if err != nil {
		say("broken %v", err)
	}
	if aside, err := store.Aside(path); err != nil || len(aside) > 0 {
		say("broken a cut looks like damage to it: %q, %v", aside, err)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		say("broken it leaves behind %q, %v", left, err)
	}
	say("log %s %d %d %d", s.Epoch(), rep.First, rep.Last, s.Released())
	err = s.Tail(func(seq uint64, raw []byte) bool {
		say("record %d %s", seq, rating.HashOf(raw))
		return true
	})
	return errors.Join(err, s.Close())
}
