package supportfile

import (
	"bytes"
	"context"
	"slices"
	"sync"
)

// tailRoom is how much of a log a Tail keeps, in bytes: some thousand lines.
const tailRoom = 128 << 10

// Tail keeps the end of a log that is written to it, for a daemon that may not read the machine's. It is safe for concurrent use.
type Tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu; up to two rooms, so that little is moved
}

// Write implements io.Writer. It never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(p) > tailRoom {
		t.text = append(t.text[:0], ending(p)...)
		return len(p), nil
	}
	t.text = append(t.text, p...)
	if len(t.text) > 2*tailRoom {
		t.text = slices.Delete(t.text, 0, len(t.text)-len(ending(t.text)))
	}
	return len(p), nil
}

// Log returns whole lines of the end, with the fields that may be told.
func (t *Tail) Log(context.Context) ([]byte, error) {
	t.mu.Lock()
	text := bytes.Clone(ending(t.text))
	t.mu.Unlock()
	return safeLog(text), nil
}

// ending returns the whole lines at the end of a text for which there is room: what follows a cut may look like a field that is told.
func ending(text []byte) []byte {
	if over := len(text) - tailRoom; over > 0 {
		_, text, _ = bytes.Cut(text[over-1:], []byte("\n"))
	}
	return text
}
