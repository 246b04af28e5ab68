package broker

import (
	"errors"
	"fmt"
	"net"

	"haochaping/sync/wire"
)

// maxLogin is the greatest length in bytes that a login may announce: its will, topic, id, name and password. The library
// reserves what is announced before it knows who it is.
const maxLogin = wire.MaxState + 4<<10

// gates is a listener whose connections must begin with a login of reasonable size.
type gates struct{ net.Listener }

// Accept returns the next connection.
func (l gates) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gate{Conn: c}, nil
}

// gate looks at the first bytes that come over a connection: MQTT's one byte of type and the length of the rest in one to four
// bytes of seven bits, least significant first (3.1.1, section 2.2).
type gate struct {
	net.Conn
	seen   int // bytes of the first header; -1 after it
	length int
}

var errNoLogin = errors.New("the connection does not begin with a login of MQTT")

// Read belongs to one goroutine.
func (g *gate) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	for _, b := range p[:n] {
		if g.seen < 0 {
			break
		}
		if wrong := g.pass(b); wrong != nil {
			return 0, wrong
		}
	}
	return n, err
}

// pass looks at one byte of the header.
func (g *gate) pass(b byte) error {
	const connect = 0x10
	if g.seen == 0 {
		if b != connect {
			return errNoLogin
		}
		g.seen++
		return nil
	}
	g.length |= int(b&0x7f) << (7 * (g.seen - 1))
	switch more := b&0x80 != 0; {
	case g.length > maxLogin:
		return fmt.Errorf("a login of %d bytes or more, at most %d are allowed", g.length, maxLogin)
	case more && g.seen == 4:
		return errNoLogin
	case more:
		g.seen++
	default:
		g.seen = -1
	}
	return nil
}
