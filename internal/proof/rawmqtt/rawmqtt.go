// Package rawmqtt writes and reads packets of MQTT 3.1.1, for harnesses that must do what a library does not: ten thousand
// clients without a goroutine of their own for each task, and clients that do not play by the rules.
//
// It neither answers nor repeats anything by itself.
package rawmqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Types of packets.
const (
	ConnectType     = 1
	ConnackType     = 2
	PublishType     = 3
	PubackType      = 4
	SubscribeType   = 8
	SubackType      = 9
	PingrespType    = 13
	disconnectFirst = 0xe0
)

// Message is an application message.
type Message struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

// Login is what a CONNECT says.
type Login struct {
	ID, User, Password string
	Clean              bool
	KeepAlive          uint16 // seconds
	Will               *Message
}

// Append appends the CONNECT.
func (l Login) Append(b []byte) []byte {
	var flags byte
	if l.Clean {
		flags |= 1 << 1
	}
	body := appendString(nil, "MQTT")
	body = append(body, 4)
	payload := appendString(nil, l.ID)
	if w := l.Will; w != nil {
		flags |= 1<<2 | w.QoS<<3
		if w.Retain {
			flags |= 1 << 5
		}
		payload = appendString(payload, w.Topic)
		payload = appendString(payload, string(w.Payload))
	}
	if l.User != "" {
		flags |= 1 << 7
		payload = appendString(payload, l.User)
	}
	if l.Password != "" {
		flags |= 1 << 6
		payload = appendString(payload, l.Password)
	}
	body = append(body, flags)
	body = binary.BigEndian.AppendUint16(body, l.KeepAlive)
	b = appendHeader(b, ConnectType<<4, len(body)+len(payload))
	return append(append(b, body...), payload...)
}

// AppendPublish appends a PUBLISH. The id is used if the quality of service is above 0.
func AppendPublish(b []byte, m Message, id uint16) []byte {
	first := byte(PublishType<<4) | m.QoS<<1
	if m.Retain {
		first |= 1
	}
	size := 2 + len(m.Topic) + len(m.Payload)
	if m.QoS > 0 {
		size += 2
	}
	b = appendString(appendHeader(b, first, size), m.Topic)
	if m.QoS > 0 {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return append(b, m.Payload...)
}

// AppendPuback appends the answer to a PUBLISH.
func AppendPuback(b []byte, id uint16) []byte {
	return binary.BigEndian.AppendUint16(appendHeader(b, PubackType<<4, 2), id)
}

// AppendSubscribe appends a SUBSCRIBE with quality of service 1.
func AppendSubscribe(b []byte, id uint16, filters ...string) []byte {
	size := 2
	for _, f := range filters {
		size += 3 + len(f)
	}
	b = binary.BigEndian.AppendUint16(appendHeader(b, SubscribeType<<4|2, size), id)
	for _, f := range filters {
		b = append(appendString(b, f), 1)
	}
	return b
}

// AppendPing appends a PINGREQ.
func AppendPing(b []byte) []byte { return append(b, 0xc0, 0) }

// AppendDisconnect appends a DISCONNECT.
func AppendDisconnect(b []byte) []byte { return append(b, disconnectFirst, 0) }

func appendHeader(b []byte, first byte, size int) []byte {
	return binary.AppendUvarint(append(b, first), uint64(size)) // the same seven bits a byte as MQTT's
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// Packet is what came.
type Packet struct {
	Type  byte
	Flags byte
	Body  []byte
}

// maxPacket bounds what is read, in bytes.
const maxPacket = 1 << 20

// Read reads a packet.
func Read(r *bufio.Reader) (Packet, error) {
	first, err := r.ReadByte()
	if err != nil {
		return Packet{}, err
	}
	size, err := binary.ReadUvarint(r)
	if err != nil {
		return Packet{}, err
	}
	if size > maxPacket {
		return Packet{}, fmt.Errorf("a packet of %d bytes", size)
	}
	p := Packet{Type: first >> 4, Flags: first & 0x0f, Body: make([]byte, size)}
	_, err = io.ReadFull(r, p.Body)
	return p, err
}

var errMalformed = errors.New("a malformed packet")

// ID returns the number of a PUBACK or SUBACK, 0 if it has none.
func (p Packet) ID() uint16 {
	if len(p.Body) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(p.Body)
}

// Message returns what a PUBLISH carries, and its number.
func (p Packet) Message() (m Message, id uint16, err error) {
	if p.Type != PublishType || len(p.Body) < 2 {
		return m, 0, errMalformed
	}
	m.QoS, m.Retain = p.Flags>>1&3, p.Flags&1 == 1
	n := int(binary.BigEndian.Uint16(p.Body))
	rest := p.Body[2:]
	if len(rest) < n {
		return m, 0, errMalformed
	}
	m.Topic, rest = string(rest[:n]), rest[n:]
	if m.QoS > 0 {
		if len(rest) < 2 {
			return m, 0, errMalformed
		}
		id, rest = binary.BigEndian.Uint16(rest), rest[2:]
	}
	m.Payload = rest
	return m, id, nil
}

// Client is a connection that has logged in. It is for one goroutine.
type Client struct {
	net.Conn
	In *bufio.Reader
}

// RefusedError is the code of a CONNACK that refuses.
type RefusedError byte

// Error says the code.
func (e RefusedError) Error() string {
	return fmt.Sprintf("the broker refuses the login with code %d", byte(e))
}

// Dial connects and logs in, and returns a RefusedError if the broker says no.
func Dial(address string, l Login, patience time.Duration) (*Client, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	c := &Client{conn, bufio.NewReaderSize(conn, 512)}
	if err := c.login(l, patience); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (c *Client) login(l Login, patience time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := c.Write(l.Append(nil)); err != nil {
		return err
	}
	p, err := Read(c.In)
	switch {
	case err != nil:
		return fmt.Errorf("no answer to the login: %w", err)
	case p.Type != ConnackType || len(p.Body) < 2:
		return errMalformed
	case p.Body[1] != 0:
		return RefusedError(p.Body[1])
	}
	return c.SetDeadline(time.Time{})
}
