package main

import (
	"errors"
	"io"
	"net"
	"sync"
)

// network is the line between the demonstration's boxes and their broker, which can be cut, and which tells what passes.
type network struct {
	listener net.Listener
	target   string
	heard    func(topic string, payload []byte) // called from many goroutines

	mu    sync.Mutex
	up    bool              // guarded by mu
	conns map[net.Conn]bool // guarded by mu
}

// newNetwork listens on loopback, passes connections on to target, and calls heard with each message on its way.
func newNetwork(target string, heard func(topic string, payload []byte)) (*network, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &network{listener: l, target: target, heard: heard, up: true, conns: make(map[net.Conn]bool)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			go n.pass(c)
		}
	}()
	return n, nil
}

func (n *network) addr() string { return n.listener.Addr().String() }

func (n *network) isUp() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.up
}

// set cuts the network, ending all connections, or restores it.
func (n *network) set(up bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up = up
	if up {
		return
	}
	for c := range n.conns {
		_ = c.Close() // it may have ended already
	}
	clear(n.conns)
}

func (n *network) close() error {
	err := n.listener.Close()
	n.set(false)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// add notes connections as alive, or reports that the network is cut.
func (n *network) add(conns ...net.Conn) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range conns {
		if n.up {
			n.conns[c] = true
		}
	}
	return n.up
}

func (n *network) remove(conns ...net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range conns {
		delete(n.conns, c)
	}
}

func (n *network) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	if !n.isUp() {
		return
	}
	server, err := net.Dial("tcp", n.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	if !n.add(client, server) {
		return
	}
	defer n.remove(client, server)
	done := make(chan struct{}, 2)
	for _, ends := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(io.MultiWriter(ends[0], &messages{heard: n.heard}), ends[1])
			done <- struct{}{}
		}()
	}
	<-done
	_ = client.Close()
	_ = server.Close()
	<-done
}

// maxPacket bounds what messages keeps of a stream. A batch is smaller.
const maxPacket = 512 << 10

// messages finds the messages in one direction of an MQTT connection. It never fails: what it does not understand it passes over.
type messages struct {
	heard func(topic string, payload []byte)
	begun []byte // of the packet that is not complete
	lost  bool   // nothing that follows is understood
}

// Write reads the next part of the stream.
func (m *messages) Write(p []byte) (int, error) {
	if m.lost {
		return len(p), nil
	}
	m.begun = append(m.begun, p...)
	for {
		head, size := 1, 0
		for shift := 0; ; shift += 7 {
			if head >= len(m.begun) {
				return len(p), nil
			}
			b := m.begun[head]
			head++
			size |= int(b&127) << shift
			if b < 128 {
				break
			}
			if shift == 21 {
				m.lost = true
				return len(p), nil
			}
		}
		if size > maxPacket {
			m.lost, m.begun = true, nil
			return len(p), nil
		}
		if len(m.begun) < head+size {
			return len(p), nil
		}
		m.packet(m.begun[0], m.begun[head:head+size])
		m.begun = m.begun[head+size:]
	}
}

// packet tells of a message, if it is one.
func (m *messages) packet(kind byte, body []byte) {
	if kind>>4 != 3 || len(body) < 2 {
		return
	}
	n := 2 + int(body[0])<<8 + int(body[1])
	payload := n
	if kind&6 != 0 {
		payload += 2 // its number
	}
	if payload <= len(body) {
		m.heard(string(body[2:n]), body[payload:])
	}
}
