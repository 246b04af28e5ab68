// Package mqtt5 asks a broker in MQTT 5 what MQTT 3.1.1, which the product speaks, has no words for: whether a client may
// publish on a topic, and whether anybody is there to read it. A broker of 3.1.1 takes what it will not deliver, and says
// nothing; in MQTT 5 its answer to a PUBLISH has a reason.
//
// It is no client for messages: it logs in, publishes, and reads the answers.
package mqtt5

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Reason is why a broker answers as it does (MQTT 5, section 2.4). 0x80 and above are refusals.
type Reason byte

// Reasons that a PUBLISH is answered with.
const (
	Success       Reason = 0x00
	NobodyReads   Reason = 0x10
	NotAuthorised Reason = 0x87
	BadTopicName  Reason = 0x90
	QuotaExceeded Reason = 0x97
	PacketTooLong Reason = 0x95
)

// Refused reports whether the reason is a refusal.
func (r Reason) Refused() bool { return r >= 0x80 }

// ErrVersion says that the broker does not speak MQTT 5.
var ErrVersion = errors.New("the broker does not speak MQTT 5")

// RefusedError is a login that the broker refuses.
type RefusedError struct{ Reason }

// Error says why.
func (e RefusedError) Error() string {
	return fmt.Sprintf("the broker refuses the login, reason 0x%02x", byte(e.Reason))
}

// Login is who asks.
type Login struct{ ID, Username, Password string }

// Offer is what a broker says of itself at the login. What it does not mention it has.
type Offer struct {
	Shared    bool   // shared subscriptions
	Retained  bool   // retained messages
	QoS       byte   // greatest quality of service
	MaxPacket uint32 // bytes; 0 is no limit
}

// Client has logged in. It belongs to one goroutine.
type Client struct {
	conn  net.Conn
	in    *bufio.Reader
	limit time.Duration
	id    uint16
}

// Types of packets.
const (
	connackType = 2
	publishType = 3
	pubackType  = 4
)

// maxAnswer bounds a packet of the broker, in bytes.
const maxAnswer = 64 << 10

// Connect logs in over a connection, whose owner closes it. Limit bounds each answer.
func Connect(conn net.Conn, l Login, limit time.Duration) (*Client, Offer, error) {
	c := &Client{conn: conn, in: bufio.NewReader(conn), limit: limit}
	const cleanStart, password, username = 1 << 1, 1 << 6, 1 << 7
	flags := byte(cleanStart)
	body := appendString(nil, "MQTT")
	payload := appendString(nil, l.ID)
	if l.Username != "" {
		flags |= username
		payload = appendString(payload, l.Username)
	}
	if l.Password != "" {
		flags |= password
		payload = appendString(payload, l.Password)
	}
	const version, keepAlive = 5, 60                     // seconds
	body = append(body, version, flags, 0, keepAlive, 0) // no properties
	first, answer, err := c.ask(0x10, append(body, payload...))
	switch {
	case errors.Is(err, io.EOF) || err == nil && first>>4 != connackType:
		return nil, Offer{}, ErrVersion // as a broker of 3.1.1 ends the connection of a version that it does not know
	case err != nil:
		return nil, Offer{}, fmt.Errorf("log in with MQTT 5: %w", err)
	case len(answer) < 2:
		return nil, Offer{}, ErrVersion
	}
	const unacceptable3, unsupported = 0x01, 0x84
	switch reason := answer[1]; {
	case reason == unacceptable3 || reason == unsupported || len(answer) == 2: // two bytes are an answer of 3.1.1
		return nil, Offer{}, ErrVersion
	case Reason(reason).Refused():
		return nil, Offer{}, RefusedError{Reason(reason)}
	}
	return c, offer(answer[2:]), nil
}

// Publish publishes a message with quality of service 1 and returns the broker's reason. An error is no answer: the broker may
// have ended the connection because of the message.
func (c *Client) Publish(topic string, payload []byte) (Reason, error) {
	c.id++
	body := appendString(nil, topic)
	body = append(binary.BigEndian.AppendUint16(body, c.id), 0) // no properties
	const qos1 = 1 << 1
	first, answer, err := c.ask(publishType<<4|qos1, append(body, payload...))
	const disconnectType = 14
	switch {
	case err != nil:
		return 0, err
	case first>>4 == disconnectType && len(answer) > 0:
		return Reason(answer[0]), nil
	case first>>4 != pubackType || len(answer) < 2 || binary.BigEndian.Uint16(answer) != c.id:
		return 0, fmt.Errorf("the broker answers a PUBLISH with a packet of type %d", first>>4)
	case len(answer) == 2:
		return Success, nil
	}
	return Reason(answer[2]), nil
}

// ask sends a packet and reads the next one.
func (c *Client) ask(first byte, body []byte) (byte, []byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, nil, err
	}
	packet := append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...) // the same seven bits a byte as MQTT's
	if _, err := c.conn.Write(packet); err != nil {
		return 0, nil, err
	}
	kind, err := c.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	size, err := binary.ReadUvarint(c.in)
	if err != nil {
		return 0, nil, err
	}
	if size > maxAnswer {
		return 0, nil, fmt.Errorf("the broker announces a packet of %d bytes", size)
	}
	answer := make([]byte, size)
	_, err = io.ReadFull(c.in, answer)
	return kind, answer, err
}

// offer reads the properties of a CONNACK (MQTT 5, section 3.2.2.3). What it does not know ends the reading.
func offer(b []byte) Offer {
	o := Offer{Shared: true, Retained: true, QoS: 2}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return o
	}
	for b = b[n : n+int(size)]; len(b) > 0; {
		length := propertyLength(b)
		if length == 0 || length > len(b) {
			return o
		}
		switch value := b[1:length]; b[0] {
		case 0x24:
			o.QoS = value[0]
		case 0x25:
			o.Retained = value[0] != 0
		case 0x27:
			o.MaxPacket = binary.BigEndian.Uint32(value)
		case 0x2a:
			o.Shared = value[0] != 0
		}
		b = b[length:]
	}
	return o
}

// propertyLength returns the length of a property with its name, 0 if it is not one of a CONNACK.
func propertyLength(b []byte) int {
	text := func(at int) int {
		if len(b) < at+2 {
			return 0
		}
		return at + 2 + int(binary.BigEndian.Uint16(b[at:]))
	}
	switch b[0] {
	case 0x24, 0x25, 0x28, 0x29, 0x2a: // quality, retained, wildcards, identifiers, shared
		return 2
	case 0x13, 0x21, 0x22: // keep alive, receive maximum, topic aliases
		return 3
	case 0x11, 0x27: // session expiry, maximum packet
		return 5
	case 0x12, 0x15, 0x16, 0x1a, 0x1c, 0x1f: // client id, authentication, response, server, reason
		return text(1)
	case 0x26: // a pair of the user's
		if key := text(1); key > 0 {
			return text(key)
		}
	}
	return 0
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}
