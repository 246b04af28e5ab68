package ingest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// readBuffer is how many bytes are read at once: paho itself reads a byte, and another, and then the rest.
const readBuffer = 64 << 10

// slimConn hands on what a broker sends, but empties every message that is larger than the contract allows: paho would
// reserve what is announced, up to 256 MB, for whoever may publish. The message itself goes on, without its payload, so
// that it can be answered; a broker would send it again else, or wait for ever. It is made for MQTT 3.1.1: one byte of
// type, then the length of the rest in one to four bytes of seven bits, then the rest.
type slimConn struct {
	net.Conn
	in   *bufio.Reader
	most int    // bytes of a packet after its fixed header
	out  []byte // to be handed on before anything else
	body int    // bytes of the present packet to be handed on as they come
	skip int    // bytes after that to be dropped
}

func newSlimConn(c net.Conn, most int) *slimConn {
	return &slimConn{Conn: c, in: bufio.NewReaderSize(c, readBuffer), most: most}
}

// Read belongs to one goroutine.
func (c *slimConn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(c.out) == 0 && c.body == 0 {
		if c.skip > 0 {
			n, err := c.in.Discard(c.skip)
			c.skip -= n
			if err != nil {
				return 0, err
			}
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.out) > 0 {
		n := copy(p, c.out)
		c.out = c.out[n:]
		return n, nil
	}
	n, err := c.in.Read(p[:min(len(p), c.body)])
	c.body -= n
	return n, err
}

// next reads the header of a packet and, if that is too large, what is kept of it.
func (c *slimConn) next() error {
	kind, err := c.in.ReadByte()
	if err != nil {
		return err
	}
	header := []byte{kind}
	length := 0
	for shift := 0; ; shift += 7 {
		b, err := c.in.ReadByte()
		if err != nil {
			return err
		}
		header = append(header, b)
		length |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			break
		}
		if shift == 21 {
			return errors.New("the broker sent a packet whose length is malformed")
		}
	}
	if length <= c.most {
		c.out, c.body = header, length
		return nil
	}
	const publish = 3
	if kind>>4 != publish {
		return fmt.Errorf("the broker announced a packet of type %d with %d bytes, at most %d are taken", kind>>4, length, c.most)
	}
	var size [2]byte
	if _, err := io.ReadFull(c.in, size[:]); err != nil {
		return err
	}
	keep := 2 + int(binary.BigEndian.Uint16(size[:])) // the topic
	if kind&0x06 != 0 {
		keep += 2 // the packet's number
	}
	if keep > length {
		return errors.New("the broker sent a message whose topic is malformed")
	}
	c.out = binary.AppendUvarint([]byte{kind}, uint64(keep)) // the same seven bits a byte as MQTT's
	c.out = append(c.out, size[:]...)
	rest := make([]byte, keep-2)
	if _, err := io.ReadFull(c.in, rest); err != nil {
		return err
	}
	c.out = append(c.out, rest...)
	c.skip = length - keep
	return nil
}
