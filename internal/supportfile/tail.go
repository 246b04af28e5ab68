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
	t.text = append(t.text, p[max(0, len(p)-tailRoom):]...)
	if len(t.text) > 2*tailRoom {
		t.text = slices.Delete(t.text, 0, len(t.text)-tailRoom)
	}
	return len(p), nil
}

// Log returns whole lines of the end, with the fields that may be told.
func (t *Tail) Log(context.Context) ([]byte, error) {
	t.mu.Lock()
	text := bytes.Clone(t.text)
	t.mu.Unlock()
	if over := len(text) - tailRoom; over > 0 {
		text = text[over:]
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return safeLog(text), nil
}
