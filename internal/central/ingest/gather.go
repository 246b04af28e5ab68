package ingest

import (
	"errors"
	"net"
	"sync"
	"time"
)

// errFull says that a broker takes much less than it is sent.
var errFull = errors.New("the broker does not take what it is sent")

const (
	// maxGathered is how many bytes may wait to be written: the greatest configurations that may be published at once, and more
	// acknowledgements than batches may be under way.
	maxGathered = 8 << 20
	// gathering is how long it waits for more to come, if it has just written. A box waits a second and more for an answer.
	gathering = time.Millisecond
	// keptBuffer is how many bytes of room are kept for the next ones.
	keptBuffer = 64 << 10
)

// gatherConn writes together what comes while it writes: paho writes every acknowledgement by itself, each in a system call here and at
// least one at the broker. A write that fails closes the connection and fails every later one. Write never waits for the network: a
// publication would wait in paho then, and, when the session has ended meanwhile, go on waiting.
type gatherConn struct {
	net.Conn
	patience time.Duration // bounds each write

	mu      sync.Mutex
	changed *sync.Cond // signalled when any of these has changed
	waiting []byte     // guarded by mu
	writing bool       // guarded by mu
	closed  bool       // guarded by mu; nothing more is taken
	err     error      // guarded by mu; of a write
}

// newGatherConn returns a connection whose Run writes.
func newGatherConn(c net.Conn, patience time.Duration) *gatherConn {
	g := &gatherConn{Conn: c, patience: patience}
	g.changed = sync.NewCond(&g.mu)
	return g
}

// Write takes p to be written.
func (g *gatherConn) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.err != nil:
		return 0, g.err
	case g.closed:
		return 0, net.ErrClosed
	case len(g.waiting)+len(p) > maxGathered:
		return 0, errFull
	}
	if len(g.waiting) == 0 {
		g.changed.Broadcast()
	}
	g.waiting = append(g.waiting, p...)
	return len(p), nil
}

// SetWriteDeadline does nothing: each write has one of its own.
func (g *gatherConn) SetWriteDeadline(time.Time) error { return nil }

// Run writes until the connection is closed or a write has failed.
func (g *gatherConn) Run() {
	var last time.Time
	for {
		if !g.await() {
			return
		}
		if time.Since(last) < 2*gathering {
			time.Sleep(gathering)
		}
		b := g.next()
		err := g.Conn.SetWriteDeadline(time.Now().Add(g.patience))
		if err == nil {
			_, err = g.Conn.Write(b)
		}
		g.wrote(b, err)
		if err != nil {
			return
		}
		last = time.Now()
	}
}

// await waits for something to write and reports whether there is something. It is called by Run alone, as what follows.
func (g *gatherConn) await() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.waiting) == 0 && !g.closed {
		g.changed.Wait()
	}
	return len(g.waiting) > 0
}

func (g *gatherConn) next() []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.waiting
	g.waiting, g.writing = nil, true
	return b
}

func (g *gatherConn) wrote(b []byte, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writing = false
	if err != nil {
		g.err = err
		_ = g.Conn.Close() // so that whoever reads learns of it too
	}
	if g.waiting == nil && cap(b) <= keptBuffer {
		g.waiting = b[:0]
	}
	g.changed.Broadcast()
}

// Close closes the connection after what waits is written, for which it has a second.
func (g *gatherConn) Close() error {
	late := time.AfterFunc(time.Second, func() { _ = g.Conn.Close() }) // which ends the write
	defer late.Stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.changed.Broadcast()
	for g.err == nil && (len(g.waiting) > 0 || g.writing) {
		g.changed.Wait()
	}
	return g.Conn.Close()
}
