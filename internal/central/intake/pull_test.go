package intake

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestRepliesInAPipe: what is no file is refused, and not waited for, since nobody may ever write there.
func TestRepliesInAPipe(t *testing.T) {
	p := &Pull{Path: filepath.Join(t.TempDir(), "pipe")}
	if err := syscall.Mkfifo(p.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Once(t.Context()) }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a pipe is read as a file")
		}
	case <-time.After(time.Minute):
		t.Error("a pipe is waited for")
	}
}
