package kernelclock_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/kernelclock"
)

func TestMarkFollowsTheClock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "synchronised")
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		mark := kernelclock.Mark{Path: path, SinceBoot: func() time.Duration { return time.Hour + time.Since(begun) }}
		ctx, cancel := context.WithCancel(t.Context())
		var right atomic.Bool
		ended := make(chan error, 1)
		go func() { ended <- mark.Keep(ctx, func() (bool, error) { return right.Load(), nil }) }()
		for i, want := range []bool{true, true, false, true} {
			right.Store(want)
			time.Sleep(kernelclock.Pause + time.Millisecond)
			synctest.Wait()
			if got := mark.Valid(); got != want {
				t.Errorf("look %d: the mark is valid: %v, want %v", i, got, want)
			}
		}
		cancel()
		if err := <-ended; err != nil || mark.Valid() {
			t.Errorf("the mark's keeper ended with %v; the mark is valid still: %v", err, mark.Valid())
		}
	})
}

// Whoever keeps the mark may die, and files can hold anything.
func TestMarkInDoubtSaysNo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "synchronised")
	mark := kernelclock.Mark{Path: path, SinceBoot: func() time.Duration { return time.Hour }}
	if mark.Valid() {
		t.Error("a mark that is missing is valid")
	}
	for text, want := range map[string]bool{
		"3600000\n": true, "3597001\n": true, "3596999\n": false, "3601001\n": false, "": false, "-1\n": false, "yes\n": false,
		"9223372036854775807\n": false, "99999999999999999999\n": false,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := mark.Valid(); got != want {
			t.Errorf("one hour after boot, the mark %q is valid: %v, want %v", text, got, want)
		}
	}
}

func TestKeeperThatMayNotAskEnds(t *testing.T) {
	mark := kernelclock.Mark{Path: filepath.Join(t.TempDir(), "synchronised"), SinceBoot: kernelclock.SinceBoot}
	if err := mark.Keep(t.Context(), func() (bool, error) { return false, os.ErrPermission }); !errors.Is(err, os.ErrPermission) {
		t.Errorf("Keep returned %v, want the refusal", err)
	}
}
