package uplink

import (
	"fmt"
	"net"

	"haochaping/sync/wire"
)

// maxPacket is the greatest MQTT packet that is taken from a broker, in bytes after its fixed header: a sealed payload and
// its topic.
const maxPacket = wire.MaxSealed + 1024

// boundedConn ends a connection whose other end announces a packet that no message of ours needs. Paho would reserve what
// is announced, up to 256 MB, which is more than a box has to spare.
type boundedConn struct {
	net.Conn
	gate  packetGate
	cause func(error) // is told why, since paho does not say
}

// Read hands on what was read unless it holds the header of a packet that is too large. It belongs to one goroutine.
func (c *boundedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if gateErr := c.gate.pass(p[:n]); gateErr != nil {
		c.cause(gateErr)
		return 0, gateErr
	}
	return n, err
}

// packetGate follows the framing of MQTT (3.1.1, section 2.2): one byte of type, then the length of the rest in one to four
// bytes of seven bits, least significant first, then the rest.
type packetGate struct {
	body   int // bytes of the present packet still to come
	length int // as far as it has been read
	digits int // bytes of the length that have been read, 1 more than that after the type; 0 before a packet
}

// pass reads on and returns an error at the header of a packet that is larger than maxPacket or malformed.
func (g *packetGate) pass(b []byte) error {
	for len(b) > 0 {
		if g.body > 0 {
			n := min(g.body, len(b))
			g.body -= n
			b = b[n:]
			continue
		}
		c := b[0]
		b = b[1:]
		if g.digits == 0 {
			g.digits, g.length = 1, 0
			continue
		}
		g.length |= int(c&0x7f) << (7 * (g.digits - 1))
		g.digits++
		switch more := c&0x80 != 0; {
		case more && g.digits > 4:
			return fmt.Errorf("the broker sent a packet whose length is malformed")
		case g.length > maxPacket:
			return fmt.Errorf("the broker announced a packet of %d bytes or more, at most %d are taken", g.length, maxPacket)
		case !more:
			g.body, g.digits = g.length, 0
		}
	}
	return nil
}
