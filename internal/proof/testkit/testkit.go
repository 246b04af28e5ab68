// Package testkit is what the tests of several packages need alike: addresses that are free, and what programs have said. It starts
// nothing.
package testkit

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long something is waited for on a busy machine.
const patience = time.Minute

// Said is what a program or a log has said so far. It is safe for concurrent use, and the zero one is empty.
type Said struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

// Shown returns a Said that the test shows if it fails.
func Shown(t testing.TB, name string) *Said {
	t.Helper()
	s := new(Said)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", name, s)
		}
	})
	return s
}

// Write adds to it.
func (s *Said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String returns all of it.
func (s *Said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Wait waits until words were said n times.
func (s *Said) Wait(t testing.TB, words string, n int) {
	t.Helper()
	for end := time.Now().Add(patience); strings.Count(s.String(), words) < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%q was not said %d times:\n%s", words, n, s)
		}
	}
}

// Module returns the folder of go.mod above the one in which the test runs, or that one where there is none. A program built with -trimpath
// does not know where its source stands.
func Module() string {
	folder, err := filepath.Abs(".")
	if err != nil {
		return "."
	}
	for up := folder; ; up = filepath.Dir(up) {
		if _, err := os.Stat(filepath.Join(up, "go.mod")); err == nil {
			return up
		}
		if up == filepath.Dir(up) {
			return folder
		}
	}
}
