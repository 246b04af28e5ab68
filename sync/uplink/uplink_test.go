package uplink

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	server "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

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

func (m *memory) Released() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.released
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

// centre answers batches as a test tells it to.
type centre struct {
	t      *testing.T
	key    ed25519.PrivateKey
	box    ed25519.PublicKey
	client mqtt.Client

	mu      sync.Mutex
	got     map[uint64][]byte
	through uint64
	answer  func(c *centre, b wire.Batch)
}

func startCentre(t *testing.T, address string, key ed25519.PrivateKey, box ed25519.PublicKey) *centre {
	t.Helper()
	c := &centre{t: t, key: key, box: box, got: make(map[uint64][]byte), answer: (*centre).ack}
	c.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("centre").SetMaxReconnectInterval(200 * time.Millisecond).
		SetOnConnectHandler(func(cl mqtt.Client) { cl.Subscribe(wire.Shared("central", wire.RecordsChannel), 1, c.receive) }))
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
	c.send(c.key, wire.Ack{Device: b.Device, Epoch: b.Epoch, Through: c.through})
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
	at string
	s  *server.Server
}

func (e *embedded) address() string { return e.at }

func (e *embedded) start(t *testing.T) {
	t.Helper()
	e.s = server.New(&server.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := e.s.AddHook(new(auth.AllowHook), nil); err != nil {
		t.Fatal(err)
	}
	if err := e.s.AddListener(listeners.NewTCP(listeners.Config{ID: "t", Address: e.at})); err != nil {
		t.Fatal(err)
	}
	if err := e.s.Serve(); err != nil {
		t.Fatal(err)
	}
}

func (e *embedded) stop() { _ = e.s.Close() }

// mosquitto is Debian's broker.
type mosquitto struct {
	program, at, config string
	c                   *exec.Cmd
}

func (m *mosquitto) address() string { return m.at }

func (m *mosquitto) start(t *testing.T) {
	t.Helper()
	m.c = exec.Command(m.program, "-c", m.config)
	if err := m.c.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", m.at); err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal("mosquitto does not answer")
		}
	}
}

func (m *mosquitto) stop() { _ = m.c.Process.Kill(); _ = m.c.Wait() }

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// eachBroker runs a test against the embedded broker and against mosquitto.
func eachBroker(t *testing.T, test func(t *testing.T, b broker)) {
	t.Run("embedded", func(t *testing.T) {
		b := &embedded{at: freePort(t)}
		b.start(t)
		defer b.stop()
		test(t, b)
	})
	t.Run("mosquitto", func(t *testing.T) {
		program := "/usr/sbin/mosquitto"
		if _, err := os.Stat(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal("install the Debian package mosquitto")
			}
			t.Skip("install the Debian package mosquitto")
		}
		b := &mosquitto{program: program, at: freePort(t), config: filepath.Join(t.TempDir(), "m.conf")}
		_, port, _ := net.SplitHostPort(b.at)
		if err := os.WriteFile(b.config, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.start(t)
		defer func() { b.stop() }()
		test(t, b)
	})
}

// link is a running uplink with what it reports.
type link struct {
	*Uplink
	log *memory

	mu       sync.Mutex
	configs  []wire.Config
	commands []wire.Command
}

type keys struct{ box, centre ed25519.PrivateKey }

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
	return keys{box, centre}
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func startLink(t *testing.T, address string, k keys, log *memory, mode AckMode) (*link, func()) {
	t.Helper()
	l := &link{log: log}
	u, err := New(Config{
		Broker: "mqtt://" + address, Username: "box-1", Key: k.box, Centre: public(k.centre), Log: log, AckMode: mode,
		Presence: wire.Presence{V: 1, Version: "test"}, Health: func() wire.Health { return wire.Health{V: 1} },
		OnConfig: func(c wire.Config) { l.mu.Lock(); defer l.mu.Unlock(); l.configs = append(l.configs, c) },
		OnCommand: func(c wire.Command) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.commands = append(l.commands, c)
			return nil
		},
		OnState: func(bool) {}, OnAck: func(time.Time) {}, Now: time.Now, Random: rand.Float64, Logger: slog.New(slog.DiscardHandler),
		Resend: 300 * time.Millisecond, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, Drain: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	l.Uplink = u
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
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

func TestRecordsArriveThroughRestartsOfTheBroker(t *testing.T) {
	eachBroker(t, func(t *testing.T, b broker) {
		k := newKeys(t)
		c := startCentre(t, b.address(), k.centre, public(k.box))
		log := newMemory()
		l, stop := startLink(t, b.address(), k, log, AckCentre)
		log.append(1200)
		until(t, "the first records", func() bool { return log.Released() == 1200 })
		b.stop()
		log.append(300)
		until(t, "the loss of the connection", func() bool { return !l.Connected() })
		b.start(t)
		until(t, "the records of the outage", func() bool { return log.Released() == 1500 })
		if c.has() != 1500 {
			t.Errorf("the centre has through %d", c.has())
		}
		stop()
	})
}

func TestOnlyTheCentresWordReleases(t *testing.T) {
	eachBroker(t, func(t *testing.T, b broker) {
		k := newKeys(t)
		c := startCentre(t, b.address(), k.centre, public(k.box))
		var batches int
		c.set(func(c *centre, b wire.Batch) {
			batches++
			stranger := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
			c.send(stranger, wire.Ack{Device: b.Device, Epoch: b.Epoch, Through: b.Last()})
			c.send(c.key, wire.Ack{Device: b.Device, Epoch: b.Epoch + 1, Through: b.Last()})
			c.send(c.key, wire.Ack{Device: "box-2", Epoch: b.Epoch, Through: b.Last()})
			c.send(c.key, wire.Ack{Device: b.Device, Epoch: b.Epoch, Through: b.Last() + 1})
			c.client.Publish(wire.Topic("box-1", wire.AckChannel), 1, false, []byte(`{"v":1,`))
		})
		log := newMemory()
		l, _ := startLink(t, b.address(), k, log, AckCentre)
		log.append(10)
		until(t, "the records sent again, and false words dropped", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			s := l.Stats()
			return batches >= 3 && s.Refused >= 4 && s.Stale >= 4
		})
		if log.Released() != 0 {
			t.Fatalf("released through %d by nobody's word", log.Released())
		}
		c.set(func(c *centre, b wire.Batch) { c.ack(b); c.ack(b) }) // twice
		until(t, "the release", func() bool { return log.Released() == 10 })
	})
}

func TestBrokersWordReleasesInTheWeakerMode(t *testing.T) {
	eachBroker(t, func(t *testing.T, b broker) {
		k := newKeys(t)
		log := newMemory()
		startLink(t, b.address(), k, log, AckBroker)
		log.append(700)
		until(t, "the release", func() bool { return log.Released() == 700 })
	})
}

func TestConfigurationsAndCommands(t *testing.T) {
	eachBroker(t, func(t *testing.T, b broker) {
		k := newKeys(t)
		c := startCentre(t, b.address(), k.centre, public(k.box))
		l, _ := startLink(t, b.address(), k, newMemory(), AckCentre)
		until(t, "the connection", l.Connected)
		seal := func(key ed25519.PrivateKey, p wire.Purpose, ch wire.Channel, v any) {
			payload, err := wire.Seal(key, p, v)
			if err != nil {
				t.Fatal(err)
			}
			c.client.Publish(wire.Topic("box-1", ch), 1, false, payload).Wait()
		}
		window := func(generation uint32) *wire.Config {
			return &wire.Config{Device: "box-1", Window: rating.Window{ID: "w", Name: "n", Hall: "h", Generation: generation}}
		}
		seal(k.box, wire.ConfigPurpose, wire.ConfigChannel, window(9)) // not the centre's key
		for _, g := range []uint32{2, 1, 2, 3} {
			seal(k.centre, wire.ConfigPurpose, wire.ConfigChannel, window(g))
		}
		soon := time.Now().Add(time.Minute).UnixMilli()
		for _, cmd := range []wire.Command{
			{Device: "box-1", ID: "a", Name: "x", Expires: soon}, {Device: "box-1", ID: "a", Name: "x", Expires: soon},
			{Device: "box-1", ID: "late", Name: "x", Expires: 1}, {Device: "box-2", ID: "foreign", Name: "x", Expires: soon},
			{Device: "box-1", ID: "b", Name: "x", Expires: soon},
		} {
			seal(k.centre, wire.CommandPurpose, wire.CommandChannel, &cmd)
		}
		until(t, "the last command", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return len(l.commands) > 0 && l.commands[len(l.commands)-1].ID == "b" && len(l.configs) > 1
		})
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.commands) != 2 || l.commands[0].ID != "a" {
			t.Errorf("commands %+v, want a and b", l.commands)
		}
		if len(l.configs) != 2 || l.configs[0].Window.Generation != 2 || l.configs[1].Window.Generation != 3 {
			t.Errorf("configurations %+v, want generations 2 and 3", l.configs)
		}
	})
}

func TestPresenceAndDrain(t *testing.T) {
	eachBroker(t, func(t *testing.T, b broker) {
		k := newKeys(t)
		c := startCentre(t, b.address(), k.centre, public(k.box))
		var mu sync.Mutex
		var online []bool
		c.client.Subscribe(wire.Topic("box-1", wire.PresenceChannel), 1, func(_ mqtt.Client, m mqtt.Message) {
			if p, err := wire.DecodePresence(m.Payload()); err == nil {
				mu.Lock()
				defer mu.Unlock()
				online = append(online, p.Online)
			}
		}).Wait()
		log := newMemory()
		l, stop := startLink(t, b.address(), k, log, AckCentre)
		until(t, "the connection", l.Connected)
		log.append(50)
		stop() // what is pending gets its moment
		if log.Released() != 50 {
			t.Errorf("released through %d at an orderly end, want 50", log.Released())
		}
		until(t, "the farewell", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(online) >= 2 && online[0] && !online[len(online)-1]
		})
	})
}

// A clone with the same name takes the session over again and again; both go on, and the records arrive.
func TestTakenOverByAClone(t *testing.T) {
	eachBroker(t, func(t *testing.T, b broker) {
		k := newKeys(t)
		startCentre(t, b.address(), k.centre, public(k.box))
		log := newMemory()
		l, _ := startLink(t, b.address(), k, log, AckCentre)
		until(t, "the connection", l.Connected)
		for range 3 {
			clone := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + b.address()).SetClientID("hcp-box-1").SetUsername("box-1").SetAutoReconnect(false))
			if tok := clone.Connect(); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
				t.Fatal(tok.Error())
			}
			log.append(5)
		}
		until(t, "the records", func() bool { return log.Released() == 15 })
	})
}
