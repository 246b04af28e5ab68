package broker

import (
	"net"
	"sync"
)

// connections is a listener that can close every connection it has given. The library closes those of the clients that it has in
// its list, and waits for the others, of which there may be some: one that is just logging in, or whose name another one has
// taken.
type connections struct {
	net.Listener

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
}

func newConnections(l net.Listener) *connections {
	return &connections{Listener: l, open: make(map[net.Conn]struct{})}
}

// Accept returns the next connection.
func (l *connections) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = c.Close() // its client has only just come and will try elsewhere
		return nil, net.ErrClosed
	}
	l.open[c] = struct{}{}
	return &connection{c, l}, nil
}

// closeAll closes what is open, and what comes from now on.
func (l *connections) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.open {
		_ = c.Close()
	}
}

type connection struct {
	net.Conn
	l *connections
}

// Close closes the connection.
func (c *connection) Close() error {
	c.l.mu.Lock()
	delete(c.l.open, c.Conn)
	c.l.mu.Unlock()
	return c.Conn.Close()
}
