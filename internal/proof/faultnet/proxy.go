package faultnet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"time"
)

// Behaviour is what a Proxy does with a connection. It owns client, which the Proxy closes when it returns. Dial connects
// to what lies behind the Proxy; the Proxy closes that connection too.
type Behaviour func(client net.Conn, dial func() (net.Conn, error))

// Proxy stands between a client and a server and treats each connection as it is told to.
type Proxy struct {
	listener net.Listener

	mu        sync.Mutex
	target    string
	behaviour Behaviour
	conns     map[net.Conn]bool // those that are open, at both sides
	accepted  int
	closed    bool
}

// Listen returns a Proxy that passes connections on to the target, host:port or a socket's path, until it is told otherwise.
func Listen(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("faultnet: %w", err)
	}
	p := &Proxy{listener: l, target: target, behaviour: Pass, conns: make(map[net.Conn]bool)}
	go p.accept()
	return p, nil
}

// Addr returns the address at which the Proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Accepted returns how many connections there have been.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Target sets what lies behind the Proxy, for the connections to come.
func (p *Proxy) Target(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = address
}

// Set resets the connections that there are, and treats those to come in another way.
func (p *Proxy) Set(b Behaviour) {
	p.mu.Lock()
	p.behaviour = b
	p.mu.Unlock()
	p.Reset()
}

// Later treats the connections to come in another way, and leaves those that there are alone.
func (p *Proxy) Later(b Behaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behaviour = b
}

// Reset ends all connections as a machine does that has lost its memory: with RST.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		reset(c)
	}
}

// Close ends everything.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Reset()
	return p.listener.Close()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.accepted++
		behave, target := p.behaviour, p.target
		p.mu.Unlock()
		go p.serve(c, behave, target)
	}
}

func (p *Proxy) serve(client net.Conn, behave Behaviour, target string) {
	defer p.drop(client)
	if !p.keep(client) {
		return
	}
	var server net.Conn
	defer func() {
		if server != nil {
			p.drop(server)
		}
	}()
	behave(client, func() (net.Conn, error) {
		network := "tcp"
		if filepath.IsAbs(target) {
			network = "unix"
		}
		c, err := net.DialTimeout(network, target, 5*time.Second)
		if err != nil {
			return nil, err
		}
		server = c
		if !p.keep(c) {
			return nil, net.ErrClosed
		}
		return c, nil
	})
}

func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
	_ = c.Close() // it may be closed already
}

func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // a closed connection has none
	}
	_ = c.Close()
}

// Pass passes everything on in both directions until either side ends.
func Pass(client net.Conn, dial func() (net.Conn, error)) {
	server, err := dial()
	if err != nil {
		return
	}
	relay(client, server, io.Copy)
}

// relay copies from the client to the server by copyUp, and back, until either ends.
func relay(client, server net.Conn, copyUp func(io.Writer, io.Reader) (int64, error)) {
	done := make(chan struct{}, 2)
	go func() { _, _ = copyUp(server, client); done <- struct{}{} }()
	go func() { _, _ = io.Copy(client, server); done <- struct{}{} }()
	<-done
	_, _ = client.Close(), server.Close()
	<-done
}

// ResetAfter passes connections on and resets each after as many bytes of the client as bytes says, which may be in the
// middle of a packet.
func ResetAfter(bytes func() int64) Behaviour {
	return func(client net.Conn, dial func() (net.Conn, error)) {
		server, err := dial()
		if err != nil {
			return
		}
		relay(client, server, func(w io.Writer, r io.Reader) (int64, error) {
			n, err := io.CopyN(w, r, bytes())
			if err == nil {
				reset(client)
				reset(server)
			}
			return n, err
		})
	}
}

// Stall passes connections on until stop is closed, and from then on moves nothing, though it keeps them open.
func Stall(stop <-chan struct{}) Behaviour {
	return func(client net.Conn, dial func() (net.Conn, error)) {
		server, err := dial()
		if err != nil {
			return
		}
		dead := func(w io.Writer, r io.Reader) (int64, error) { return io.Copy(gate{w, stop}, r) }
		done := make(chan struct{}, 2)
		go func() { _, _ = dead(server, client); done <- struct{}{} }()
		go func() { _, _ = dead(client, server); done <- struct{}{} }()
		<-done
		_, _ = client.Close(), server.Close()
		<-done
	}
}

// gate swallows what is written once stop is closed.
type gate struct {
	io.Writer
	stop <-chan struct{}
}

// Write implements io.Writer.
func (g gate) Write(b []byte) (int, error) {
	select {
	case <-g.stop:
		return len(b), nil
	default:
		return g.Writer.Write(b)
	}
}

var errNoPacket = errors.New("faultnet: no MQTT packet")
