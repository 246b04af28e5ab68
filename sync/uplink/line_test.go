package uplink

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	server "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"haochaping/internal/proof/testkit"
	"haochaping/sync/wire"
)

// presences collects what the broker says of box-1.
type presences struct {
	mu     sync.Mutex
	online []bool
}

func watchPresence(c *centre) *presences {
	p := &presences{}
	c.client.Subscribe(wire.Topic("box-1", wire.PresenceChannel), 1, func(_ mqtt.Client, m mqtt.Message) {
		if v, err := wire.DecodePresence(m.Payload()); err == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			if n := len(p.online); n == 0 || p.online[n-1] != v.Online { // a broker may say it twice
				p.online = append(p.online, v.Online)
			}
		}
	}).Wait()
	return p
}

// began reports whether that is what was said first.
func (p *presences) began(want ...bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.online) >= len(want) && slices.Equal(p.online[:len(want)], want)
}

// A box that gives a connection up may not find another: until it does, the broker must say that it is offline.
func TestTheBrokerSaysOfflineWhenTheConnectionIsGivenUp(t *testing.T) {
	eachBroker(t, func(t *testing.T, b broker) {
		k := newKeys(t)
		c := startCentre(t, b.address(), k.centre, public(k.box))
		c.set(func(*centre, wire.Batch) {})
		p := watchPresence(c)
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Logf("the broker said %v", p.online)
		}()
		log := newMemory()
		l, stop := startLink(t, b.address(), k, log, AckCentre)
		until(t, "the connection", l.Connected)
		log.append(1)
		until(t, "offline between the connections", func() bool { return p.began(true, false, true) })
		c.set((*centre).ack)
		until(t, "the release", func() bool { return log.Released() == 1 })
		stop()
	})
}

// proxy passes connections on to a broker until it is told to stall: then it keeps them open and moves nothing.
type proxy struct {
	net.Listener
	to string

	mu      sync.Mutex
	stalled map[net.Conn]bool // guarded by mu
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, to: to, stalled: make(map[net.Conn]bool)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			box, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(box)
		}
	}()
	return p
}

func (p *proxy) serve(box net.Conn) {
	defer func() { _ = box.Close() }()
	far, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	p.mu.Lock()
	p.stalled[box] = false
	p.mu.Unlock()
	gone := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		defer func() { gone <- struct{}{} }()
		b := make([]byte, 4096)
		for {
			n, err := from.Read(b)
			if err != nil {
				return
			}
			if p.isStalled(box) {
				_, _ = io.Copy(io.Discard, far) // swallow the broker's side; never read the box's again
				return
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
	}
	go pass(far, box)
	go pass(box, far)
	<-gone
	<-gone
}

func (p *proxy) isStalled(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stalled[c]
}

// stall makes all connections that are open now half open.
func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.stalled {
		p.stalled[c] = true
	}
}

func TestAHalfOpenConnectionIsGivenUp(t *testing.T) {
	b := &embedded{at: testkit.Address(t)} // whose broker it is makes no difference behind the proxy
	b.start(t)
	defer b.stop()
	k := newKeys(t)
	startCentre(t, b.address(), k.centre, public(k.box))
	p := startProxy(t, b.address())
	log := newMemory()
	l, stop := startLink(t, p.Addr().String(), k, log, AckCentre)
	log.append(5)
	until(t, "the first records", func() bool { return log.Released() == 5 })
	p.stall()
	log.append(5)
	until(t, "the records by another connection", func() bool { return log.Released() == 10 })
	if s := l.Stats(); s.Connections < 2 || s.Silences == 0 {
		t.Errorf("%+v, want more than one connection and silences between", s)
	}
	stop()
}

func TestTheEndIsBoundedOnAHalfOpenConnection(t *testing.T) {
	b := &embedded{at: testkit.Address(t)} // whose broker it is makes no difference behind the proxy
	b.start(t)
	defer b.stop()
	k := newKeys(t)
	startCentre(t, b.address(), k.centre, public(k.box))
	p := startProxy(t, b.address())
	log := newMemory()
	l, stop := startLink(t, p.Addr().String(), k, log, AckCentre)
	until(t, "the connection", l.Connected)
	p.stall()
	log.append(100)
	start := time.Now()
	stop()
	if got := time.Since(start); got > 2*time.Second+500*time.Millisecond {
		t.Errorf("the end took %s, want 1 s for the records and 1 s for the farewell", got)
	}
	if log.Released() != 0 {
		t.Errorf("released through %d", log.Released())
	}
}

// deaf denies a box its subscriptions.
type deaf struct{ server.HookBase }

func (*deaf) ID() string { return "deaf" }
func (*deaf) Provides(b byte) bool {
	return b == server.OnACLCheck || b == server.OnConnectAuthenticate
}
func (*deaf) OnConnectAuthenticate(*server.Client, packets.Packet) bool {
	return true
}
func (*deaf) OnACLCheck(_ *server.Client, _ string, write bool) bool { return write }

// A broker whose access rules are wrong must be told of as such, not as a centre that is down. Mosquitto's own rules grant
// every subscription and deny the messages, which nobody can see from here.
func TestARefusedSubscriptionIsAnError(t *testing.T) {
	b := &embedded{at: testkit.Address(t), hook: new(deaf)}
	b.start(t)
	defer b.stop()
	u := bench(t, newMemory(), newKeys(t), nil)
	u.brokers[0].Host = b.at
	c, err := u.connect(t.Context())
	if err == nil {
		c.end(true)
		t.Fatal("connected to a broker that will not let the box read")
	}
	if !strings.Contains(err.Error(), "access rules") {
		t.Errorf("the error says %q, not what to look at", err)
	}
}

// TestAHugePacketEndsTheConnection announces 256 MB.
func TestAHugePacketEndsTheConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ended := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer func() { _ = conn.Close() }()
		r := bufio.NewReader(conn)
		_, _ = r.Peek(1) // the CONNECT
		_, _ = conn.Write([]byte{0x20, 2, 0, 0})
		_, _ = conn.Write(append([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}, bytes.Repeat([]byte{0}, 100)...))
		_, err = io.Copy(io.Discard, r) // until the box hangs up
		ended <- err
	}()
	u := bench(t, newMemory(), newKeys(t), nil)
	u.brokers[0].Host = l.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := u.connect(ctx); err == nil || !strings.Contains(err.Error(), "announced a packet") {
		t.Errorf("the connection ended with %v", err)
	}
	t.Logf("the broker's side ended with %v", <-ended)
}

func TestBrokerAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"mqtt://mqtt.example.com": "tcp://mqtt.example.com:1883", "mqtts://mqtt.example.com": "ssl://mqtt.example.com:8883",
		"tcp://127.0.0.1:1": "tcp://127.0.0.1:1", "ssl://[::1]:2": "ssl://[::1]:2", "http://mqtt.example.com": "", "mqtt://": "",
		"mqtt.example.com:1883": "", "mqtts://:8883": "", "://": "",
	} {
		got := ""
		if u, err := brokerURL(in); err == nil {
			got = u.String()
		}
		if got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
