package uplink

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	server "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// memory is a Log in memory.
type memory struct {
	mu       sync.Mutex
	records  [][]byte
	released uint64
	wake     chan struct{}
}

func newMemory() *memory { return &memory{wake: make(chan struct{}, 1)} }

func (m *memory) Device() rating.DeviceID   { return "box-1" }
func (m *memory) Epoch() rating.Epoch       { return 7 }
func (m *memory) Appended() <-chan struct{} { return m.wake }

// record returns a record's bytes.
func (m *memory) record(seq uint64) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records[seq-1]
}

func (m *memory) Released() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.released
}

func (m *memory) Last() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.records))
}

func (m *memory) Pending(after uint64, maxRecords, maxBytes int) (uint64, [][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	after = max(after, m.released)
	var out [][]byte
	size := 0
	for _, r := range m.records[after:] {
		if size += len(r); len(out) > 0 && (size > maxBytes || len(out) == maxRecords) {
			break
		}
		out = append(out, r)
	}
	return after + 1, out, nil
}

func (m *memory) Acknowledge(e rating.Epoch, through uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e != m.Epoch() || through > uint64(len(m.records)) {
		return errors.New("refused")
	}
	m.released = max(m.released, through)
	return nil
}

func (m *memory) append(n int) {
	m.mu.Lock()
	for range n {
		m.records = append(m.records, fmt.Appendf(nil, `{"n":%d}`, len(m.records)+1))
	}
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// appendLarge appends one record of so many bytes.
func (m *memory) appendLarge(size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = append(m.records, fmt.Appendf(nil, `{"n":%d,"x":"%s"}`, len(m.records)+1, strings.Repeat("x", size)))
}

// centre answers batches as a test tells it to.
type centre struct {
	t      *testing.T
	key    ed25519.PrivateKey
	box    []byte
	client mqtt.Client

	subscribed atomic.Int64 // how often it has begun to read

	mu      sync.Mutex
	got     map[uint64][]byte
	through uint64
	answer  func(c *centre, b wire.Batch)
}

func startCentre(t *testing.T, address string, key ed25519.PrivateKey, box []byte) *centre {
	t.Helper()
	c := &centre{t: t, key: key, box: box, got: make(map[uint64][]byte), answer: (*centre).ack}
	c.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("centre").
		SetMaxReconnectInterval(200 * time.Millisecond).
		SetOnConnectHandler(func(cl mqtt.Client) {
			said := cl.Subscribe(wire.Shared("central", wire.RecordsChannel), 1, c.receive)
			go func() {
				if said.WaitTimeout(time.Minute) && said.Error() == nil {
					c.subscribed.Add(1)
				}
			}()
		}))
	if tok := c.client.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatalf("centre: %v", tok.Error())
	}
	t.Cleanup(func() { c.client.Disconnect(50) })
	return c
}

func (c *centre) receive(_ mqtt.Client, m mqtt.Message) {
	b, err := wire.DecodeBatch(m.Payload())
	if err != nil || !b.Verify(c.box) {
		c.t.Errorf("a batch does not verify: %v", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range b.Records {
		c.got[b.First+uint64(i)] = r
	}
	for c.got[c.through+1] != nil {
		c.through++
	}
	c.answer(c, b)
}

// ack answers as it should be. It needs mu.
func (c *centre) ack(b wire.Batch) {
	c.send(c.key, wire.Ack{Device: b.Device, Epoch: b.Epoch, Through: c.through, Head: rating.HashOf(c.got[c.through]), First: b.First,
		Last: b.Last()})
}

func (c *centre) send(key ed25519.PrivateKey, a wire.Ack) {
	a.Time = time.Now().UnixMilli()
	payload, err := wire.Seal(key, wire.AckPurpose, &a)
	if err != nil {
		c.t.Error(err)
	}
	c.client.Publish(wire.Topic("box-1", wire.AckChannel), 1, false, payload)
}

func (c *centre) set(answer func(*centre, wire.Batch)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *centre) has() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.through
}

// broker is a broker that a test can stop and start again on the same port.
type broker interface {
	address() string
	start(t *testing.T)
	stop()
}

// embedded is a mochi broker.
type embedded struct {
	at   string
	hook server.Hook // who may do what; everybody everything if nil
	s    *server.Server
	open *connections
}

// connections is a listener that can close what it has accepted.
type connections struct {
	net.Listener
	mu  sync.Mutex
	all []net.Conn // guarded by mu
}

// Accept implements net.Listener.
func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, conn)
	return conn, err
}

func (c *connections) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.all {
		if conn != nil {
			_ = conn.Close() // which may have been closed
		}
	}
}

func (e *embedded) address() string { return e.at }

func (e *embedded) start(t *testing.T) {
	t.Helper()
	e.s = server.New(&server.Options{Logger: slog.New(slog.DiscardHandler)})
	hook := e.hook
	if hook == nil {
		hook = new(auth.AllowHook)
	}
	if err := e.s.AddHook(hook, nil); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", e.at)
	if err != nil {
		t.Fatal(err)
	}
	e.open = &connections{Listener: l}
	if err := e.s.AddListener(listeners.NewNet("t", e.open)); err != nil {
		t.Fatal(err)
	}
	if err := e.s.Serve(); err != nil {
		t.Fatal(err)
	}
}

// stop ends the broker. Mochi overlooks who logs in while it closes, and whose session was taken over in an unlucky moment, and waits for
// them.
func (e *embedded) stop() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = e.s.Close() // it returns none
	}()
	for {
		select {
		case <-closed:
			return
		case <-time.After(100 * time.Millisecond):
			e.open.closeAll()
		}
	}
}

// debian is Debian's broker.
type debian struct{ *mosquitto.Broker }

// newMosquitto returns one that lets everybody in and is not started yet.
func newMosquitto(t *testing.T) debian {
	t.Helper()
	return debian{mosquitto.New(t, mosquitto.Open)}
}

func (d debian) address() string { return d.Address }

func (d debian) start(t *testing.T) { d.Start(t) }

func (d debian) stop() { d.End(syscall.SIGKILL) }

// eachBroker runs a test against the embedded broker and against mosquitto.
func eachBroker(t *testing.T, test func(t *testing.T, b broker)) {
	t.Run("embedded", func(t *testing.T) {
		b := &embedded{at: testkit.Address(t)}
		b.start(t)
		defer b.stop()
		test(t, b)
	})
	t.Run("mosquitto", func(t *testing.T) {
		b := newMosquitto(t)
		b.start(t)
		defer func() { b.stop() }()
		test(t, b)
	})
}

// link is a running uplink with what it reports.
type link struct {
	*Uplink

	mu       sync.Mutex
	configs  []wire.Config
	commands []wire.Command
}

type keys struct {
	box, centre ed25519.PrivateKey
	sm2         crypto.Signer // signs in place of box, nil for none
}

func newKeys(t *testing.T) keys {
	t.Helper()
	_, box, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, centre, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return keys{box: box, centre: centre}
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func startLink(t *testing.T, address string, k keys, log *memory, mode AckMode) (*link, func()) {
	t.Helper()
	return startLinkTo(t, []string{"mqtt://" + address}, k, log, mode)
}

// startLinkTo starts an uplink that knows several addresses, and tries the first of them first.
func startLinkTo(t *testing.T, brokers []string, k keys, log *memory, mode AckMode) (*link, func()) {
	t.Helper()
	return startLinkOf(t, brokers, k, log, mode)
}

func startLinkOf(t *testing.T, brokers []string, k keys, log Log, mode AckMode) (*link, func()) {
	t.Helper()
	l := new(link)
	var key crypto.Signer = k.box
	if k.sm2 != nil {
		key = k.sm2
	}
	u, err := New(Config{
		Brokers: brokers, Username: "box-1", Key: key, Centre: public(k.centre), Log: log, AckMode: mode,
		Presence: wire.Presence{V: 1, Version: "test"}, Health: func() wire.Health { return wire.Health{V: 1} },
		OnConfig: func(c wire.Config) { l.mu.Lock(); defer l.mu.Unlock(); l.configs = append(l.configs, c) },
		OnCommand: func(c wire.Command) ([]wire.Part, error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.commands = append(l.commands, c)
			return []wire.Part{{Name: "store"}}, nil
		},
		OnState: func(bool) {}, OnAck: func(time.Time) {}, Now: time.Now, Random: rand.Float64, Logger: slog.New(slog.DiscardHandler),
		Resend: 300 * time.Millisecond, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, Drain: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Uplink, u.at = u, 0
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return l, stop
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}
