package main

import (
	"errors"
	"io"
	"net"
	"sync"
)

// network is the line between the demonstration's box and its broker, which can be cut.
type network struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	up    bool              // guarded by mu
	conns map[net.Conn]bool // guarded by mu
}

// newNetwork listens on loopback and passes connections on to target.
func newNetwork(target string) (*network, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &network{listener: l, target: target, up: true, conns: make(map[net.Conn]bool)}
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
			_, _ = io.Copy(ends[0], ends[1])
			done <- struct{}{}
		}()
	}
	<-done
	_ = client.Close()
	_ = server.Close()
	<-done
}
