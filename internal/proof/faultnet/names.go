package faultnet

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync/atomic"
)

// Answer is how a NameServer answers.
type Answer int32

// The ways of answering.
const (
	Silence  Answer = iota // not at all
	NotFound               // that there is no such name
	Loopback               // with 127.0.0.1
)

// NameServer is a DNS server that knows every name, or none.
type NameServer struct {
	conn   net.PacketConn
	answer atomic.Int32
	asked  atomic.Int64
}

// ListenNames returns a NameServer at port 53 of the IP address, which needs root. It is silent at first.
func ListenNames(address string) (*NameServer, error) {
	c, err := net.ListenPacket("udp", net.JoinHostPort(address, "53"))
	if err != nil {
		return nil, fmt.Errorf("faultnet: %w", err)
	}
	s := &NameServer{conn: c}
	go s.serve()
	return s, nil
}

// Set says how questions are answered from now on.
func (s *NameServer) Set(a Answer) { s.answer.Store(int32(a)) }

// Asked returns how many questions there have been.
func (s *NameServer) Asked() int64 { return s.asked.Load() }

// Close ends it.
func (s *NameServer) Close() error { return s.conn.Close() }

func (s *NameServer) serve() {
	for b := make([]byte, 1500); ; {
		n, from, err := s.conn.ReadFrom(b)
		if err != nil {
			return
		}
		s.asked.Add(1)
		if reply := reply(b[:n], Answer(s.answer.Load())); reply != nil {
			_, _ = s.conn.WriteTo(reply, from)
		}
	}
}

// reply returns the answer to a query of one question (RFC 1035, section 4), nil for none.
func reply(query []byte, a Answer) []byte {
	const header, typeA = 12, 1
	if a == Silence || len(query) < header {
		return nil
	}
	end := header
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5 // the root's label, type and class
	if end > len(query) {
		return nil
	}
	out := append([]byte(nil), query[:end]...)
	binary.BigEndian.PutUint16(out[2:], 0x8180) // an answer, recursion desired and available
	clear(out[6:header])                        // no records but the question
	switch {
	case a == NotFound:
		out[3] |= 3
	case binary.BigEndian.Uint16(out[end-4:]) == typeA:
		out[7] = 1
		out = append(out, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	return out
}
