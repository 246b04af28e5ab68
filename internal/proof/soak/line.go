package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// weather is what a line does to what passes over it.
type weather string

// The weathers of a line.
const (
	fair    weather = "fair"
	cut     weather = "cut"         // nobody answers
	stalled weather = "half open"   // what was sent vanishes, nobody is told
	torn    weather = "reset"       // connections are reset in the middle of a packet
	thin    weather = "1 KB/s"      // slow, and half a second long
	portal  weather = "captive web" // somebody else answers, in HTTP
)

// line is the network between a box and the broker. Its methods are safe for concurrent use.
type line struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	now   weather
	conns map[net.Conn]bool
}

func newLine(target string) (*line, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &line{listener: l, target: target, now: fair, conns: make(map[net.Conn]bool)}
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

func (n *line) addr() string { return n.listener.Addr().String() }

func (n *line) close() error {
	err := n.listener.Close()
	n.set(cut)
	return err
}

func (n *line) weather() weather {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now
}

// set changes the weather. Connections that live in it go on; a cut ends them, and a captive portal knows only its own.
func (n *line) set(w weather) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.now = w
	if w == cut || w == portal {
		for c := range n.conns {
			_ = c.Close() // it may have ended already
		}
	}
}

func (n *line) keep(all ...net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range all {
		n.conns[c] = true
	}
}

func (n *line) forget(all ...net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range all {
		delete(n.conns, c)
	}
}

func (n *line) pass(box net.Conn) {
	defer func() { _ = box.Close() }()
	switch n.weather() {
	case cut:
		return
	case portal:
		_ = box.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = box.Read(make([]byte, 1))
		_, _ = io.WriteString(box, "HTTP/1.1 302 Found\r\nLocation: http://portal.invalid/login\r\nContent-Length: 0\r\n\r\n")
		return
	}
	broker, err := net.Dial("tcp", n.target)
	if err != nil {
		return
	}
	defer func() { _ = broker.Close() }()
	n.keep(box, broker)
	defer n.forget(box, broker)
	var both sync.WaitGroup
	for _, ends := range [][2]net.Conn{{box, broker}, {broker, box}} {
		both.Go(func() {
			n.copy(ends[0], ends[1])
			_ = ends[0].Close()
			_ = ends[1].Close()
		})
	}
	both.Wait()
}

// copy passes bytes on as the weather of the moment allows.
func (n *line) copy(from, to net.Conn) {
	b := make([]byte, 4096)
	for {
		k, err := from.Read(b)
		if k == 0 && err != nil {
			return
		}
		p := b[:k]
		switch n.weather() {
		case stalled:
			continue
		case torn:
			_, _ = to.Write(p[:rand.IntN(len(p)+1)])
			for _, c := range []net.Conn{from, to} {
				if tcp, ok := c.(*net.TCPConn); ok {
					_ = tcp.SetLinger(0) // a reset and not an end
				}
			}
			return
		case thin:
			time.Sleep(500*time.Millisecond + time.Duration(len(p))*time.Second/1024)
		}
		if _, werr := to.Write(p); errors.Join(err, werr) != nil {
			return
		}
	}
}
