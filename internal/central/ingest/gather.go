package ingest

import (
	"net"
	"sync"
	"time"
)

const (
	// maxGathered is how many bytes may wait to be written before a writer has to.
	maxGathered = 256 << 10
	// gathering is how long it waits for more to come, if it has just written. A box waits a second and more for an answer.
	gathering = time.Millisecond
)

// gatherConn writes together what comes while it writes: paho writes every acknowledgement by itself, each in a system call here and at
// least one at the broker. A write that fails closes the connection and fails every later one.
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

// Write takes p to be written. It waits only while much is to be written already.
func (g *gatherConn) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.err == nil && !g.closed && len(g.waiting) > maxGathered {
		g.changed.Wait()
	}
	switch {
	case g.err != nil:
		return 0, g.err
	case g.closed:
		return 0, net.ErrClosed
	}
	if len(g.waiting) == 0 {
		g.changed.Broadcast()
	}
	g.waiting = append(g.waiting, p...)
	return len(p), nil
}

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
		err := g.SetWriteDeadline(time.Now().Add(g.patience))
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
	g.changed.Broadcast()
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
	if g.waiting == nil {
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
