package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"haochaping/internal/rating"
)

// connections is a listener that bounds the connections which it gives, and can close every one of them. The library closes
// those of the clients that it has in its list, and waits for the others, of which there may be some: one that is just
// logging in, or whose name another one has taken.
type connections struct {
	net.Listener
	most limits

	mu        sync.Mutex
	open      map[*connection]struct{}
	strangers []*connection // that have not logged in, oldest first
	logins    map[rating.DeviceID]int
	boxes     int // the sum of logins
	closed    bool
}

func newConnections(l net.Listener, most limits) *connections {
	return &connections{Listener: l, most: most, open: make(map[*connection]struct{}), logins: make(map[rating.DeviceID]int)}
}

// Accept returns the next connection. Where there are too many that have not logged in it closes the oldest rather than this
// one, since a box logs in at once and who does not is none.
func (l *connections) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, l: l, host: host(conn.RemoteAddr())}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		_ = conn.Close() // its client has only just come and will try elsewhere
		return nil, net.ErrClosed
	}
	l.open[c] = struct{}{}
	displaced := l.displaced(c.host)
	l.strangers = append(l.strangers, c)
	c.silent = time.AfterFunc(l.most.firstByte, c.give)
	c.late = time.AfterFunc(l.most.login, c.give)
	l.mu.Unlock()
	if displaced != nil {
		displaced.give()
	}
	return c, nil
}

// displaced returns the stranger that must go for another one of an address, nil if there is room. It needs mu.
func (l *connections) displaced(host netip.Addr) *connection {
	var oldest *connection
	of := 0
	for _, s := range l.strangers {
		if s.host == host {
			if of++; oldest == nil {
				oldest = s
			}
		}
	}
	switch {
	case of >= l.most.strangersPerHost:
		return oldest
	case len(l.strangers) >= l.most.strangers:
		return l.strangers[0]
	}
	return nil
}

// host returns the address that a connection comes from: of IPv6 the network, since a machine has as many as it likes of it.
func host(a net.Addr) netip.Addr {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is4() {
		return addr
	}
	network, err := addr.Prefix(64)
	if err != nil {
		return addr
	}
	return network.Addr()
}

var errNoConnection = errors.New("the connection has ended")

// admit notes that a device has logged in over a connection, by a certificate if that is not nil, or the centre where the device is empty.
// It returns an error if there are too many.
func (l *connections) admit(conn net.Conn, d rating.DeviceID, by *x509.Certificate) error {
	c := raw(conn)
	if c == nil {
		return errNoConnection
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.open[c]; !open {
		return errNoConnection
	}
	if d != "" {
		switch {
		case l.logins[d] >= l.most.loginsPerDevice:
			return fmt.Errorf("%s has %d connections, at most %d are allowed", d, l.logins[d], l.most.loginsPerDevice)
		case l.boxes >= l.most.logins:
			return fmt.Errorf("%d boxes are connected, this broker takes no more; use one of your own, as in deploy/broker", l.boxes)
		}
		l.logins[d]++
		l.boxes++
	}
	l.forget(c)
	c.device, c.certificate = d, by
	return nil
}

// sweep closes the connections that were opened by certificates which are revoked or have ended: no login would be taken with them.
func (l *connections) sweep(revoked func(*x509.Certificate) bool, now time.Time) {
	l.mu.Lock()
	var out []*connection
	for c := range l.open {
		if c.certificate != nil && (now.After(c.certificate.NotAfter) || revoked(c.certificate)) {
			out = append(out, c)
		}
	}
	l.mu.Unlock()
	for _, c := range out {
		_ = c.Conn.Close() // whoever reads from it learns of it
	}
}

// forget says that a connection is no stranger any more. It needs mu.
func (l *connections) forget(c *connection) {
	c.silent.Stop()
	c.late.Stop()
	if i := slices.Index(l.strangers, c); i >= 0 {
		l.strangers = slices.Delete(l.strangers, i, i+1)
	}
}

// refuse closes what comes from now on.
func (l *connections) refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// count returns the number of connections.
func (l *connections) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// closeAll closes what is open.
func (l *connections) closeAll() {
	l.mu.Lock()
	var open []*connection
	for c := range l.open {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		_ = c.Conn.Close()
	}
}

// connection is one of connections, below TLS if there is any.
type connection struct {
	net.Conn
	l            *connections
	host         netip.Addr
	silent, late *time.Timer // that close a stranger

	device      rating.DeviceID   // guarded by l.mu; empty before the login, and of the centre
	certificate *x509.Certificate // guarded by l.mu; by which it has logged in, nil for none
	said        bool              // belongs to the goroutine that reads
}

// Read reads. The first byte is a sign of life.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.said {
		c.said = true
		c.silent.Stop()
	}
	return n, err
}

// give gives up a connection that has not logged in. One that has done so meanwhile, or is closed, it leaves alone.
func (c *connection) give() {
	c.l.mu.Lock()
	stranger := slices.Contains(c.l.strangers, c)
	c.l.mu.Unlock()
	if stranger {
		_ = c.Close() // whoever reads from it learns of it
	}
}

// Close closes the connection.
func (c *connection) Close() error {
	l := c.l
	l.mu.Lock()
	if _, open := l.open[c]; open {
		delete(l.open, c)
		l.forget(c)
		if c.device != "" {
			l.boxes--
			if l.logins[c.device]--; l.logins[c.device] == 0 {
				delete(l.logins, c.device)
			}
		}
	}
	l.mu.Unlock()
	return c.Conn.Close()
}

// raw returns the connection below TLS and gate, nil if there is none.
func raw(c net.Conn) *connection {
	if g, ok := c.(*gate); ok {
		c = g.Conn
	}
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	out, _ := c.(*connection)
	return out
}

// shown returns the certificate that the other end of a connection has shown, nil if there is none. TLS has proven that it has the key.
func shown(c net.Conn) *x509.Certificate {
	if g, ok := c.(*gate); ok {
		c = g.Conn
	}
	t, ok := c.(*tls.Conn)
	if !ok {
		return nil
	}
	if all := t.ConnectionState().PeerCertificates; len(all) > 0 {
		return all[0]
	}
	return nil
}
