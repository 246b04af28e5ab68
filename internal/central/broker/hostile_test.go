package broker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/proof/rawmqtt"
	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// startOpen starts a broker that lets every box in, with limits and a log of its own.
func startOpen(t *testing.T, most limits) (*Broker, *testkit.Said) {
	t.Helper()
	log := new(testkit.Said)
	b, err := listen(Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(log, nil))}, most)
	if err != nil {
		t.Fatal(err)
	}
	untilEnd(t, b)
	return b, log
}

func dial(b *Broker, l rawmqtt.Login) (*rawmqtt.Client, error) {
	return rawmqtt.Dial(b.Addr().String(), l, 10*time.Second)
}

func box(name string) rawmqtt.Login {
	return rawmqtt.Login{ID: "hcp-" + name, User: name, Clean: true, KeepAlive: 15}
}

// heap returns the bytes in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// What a client may not publish it may not leave as a will either, and is told so at the login.
func TestAWillObeysTheRulesOfAPublish(t *testing.T) {
	b, log := startOpen(t, usualLimits())
	own := func(ch wire.Channel) string { return wire.Topic("ft-09", ch) }
	for _, c := range []struct {
		will rawmqtt.Message
		want bool
	}{
		{rawmqtt.Message{Topic: own(wire.PresenceChannel), QoS: 1, Retain: true, Payload: []byte("{}")}, true},
		{rawmqtt.Message{Topic: own(wire.ReplyChannel), Payload: []byte("{}")}, true},
		{rawmqtt.Message{Topic: wire.Topic("ft-02", wire.ConfigChannel), QoS: 1, Retain: true, Payload: []byte("{}")}, false},
		{rawmqtt.Message{Topic: wire.Topic("ft-02", wire.PresenceChannel), QoS: 1, Retain: true, Payload: []byte("{}")}, false},
		{rawmqtt.Message{Topic: own(wire.AckChannel), QoS: 1, Payload: []byte("{}")}, false},
		{rawmqtt.Message{Topic: own(wire.HealthChannel), QoS: 1, Retain: true, Payload: []byte("{}")}, false},
		{rawmqtt.Message{Topic: own(wire.RecordsChannel), Payload: []byte("{}")}, false},
		{rawmqtt.Message{Topic: own(wire.PresenceChannel), QoS: 1, Retain: true, Payload: make([]byte, wire.MaxState+1)}, false},
		{rawmqtt.Message{Topic: "hcp/1/+/presence", Payload: []byte("{}")}, false},
		{rawmqtt.Message{Topic: "invented", Retain: true, Payload: []byte("{}")}, false},
		{rawmqtt.Message{Topic: "$SYS/broker/version", Retain: true, Payload: []byte("{}")}, false},
	} {
		l := box("ft-09")
		l.Will = &c.will
		conn, err := dial(b, l)
		const notAuthorized = rawmqtt.RefusedError(5)
		if c.want && err != nil || !c.want && !errors.Is(err, notAuthorized) {
			t.Errorf("a will on %s, %d bytes, retained %v: %v", c.will.Topic, len(c.will.Payload), c.will.Retain, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	if got := log.String(); !strings.Contains(got, "ft-09") || !strings.Contains(got, "its will: the topic is that of ft-02") {
		t.Errorf("the log does not say why: %s", got)
	}
}

// A will of a torn connection is kept within the same bounds as any message.
func TestWillsDoNotFillTheMemory(t *testing.T) {
	most := usualLimits()
	most.retained = 1 << 20
	b, _ := startOpen(t, most)
	before := heap()
	for i := range 1500 {
		l := box(fmt.Sprintf("x-%d", i))
		l.Will = &rawmqtt.Message{Topic: wire.Topic(rating.DeviceID(l.User), wire.PresenceChannel), Retain: true,
			Payload: make([]byte, wire.MaxState)}
		conn, err := dial(b, l)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
	}
	eventually(t, "all connections have ended", func() bool { return b.connections.count() == 0 })
	if kept := b.kept(); kept > 100 {
		t.Errorf("%d retained messages are kept", kept)
	}
	more := int(heap()) - int(before)
	t.Logf("%d KB more are in use", more>>10)
	if more > 8<<20 {
		t.Errorf("%d KB more are in use, want at most those 1 MB and the like", more>>10)
	}
}

// Retained messages are bounded in all, and a box that goes over what is left is still heard.
func TestRetainedMessagesAreBounded(t *testing.T) {
	most := usualLimits()
	most.retained = 10 * (1000 + most.retainedOverhead)
	b, _ := startOpen(t, most)
	centre, err := login(t, b, CentreName, b.Secret(), nil)
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 100)
	centre.Subscribe("hcp/1/+/presence", 0, func(_ mqtt.Client, m mqtt.Message) { heard <- m.Topic() }).Wait()
	publish := func(i int, size int) {
		l := box(fmt.Sprintf("x-%d", i))
		c, err := dial(b, l)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		m := rawmqtt.Message{Topic: wire.Topic(rating.DeviceID(l.User), wire.PresenceChannel), QoS: 1, Retain: true, Payload: make([]byte, size)}
		if _, err := c.Write(rawmqtt.AppendPublish(nil, m, 1)); err != nil {
			t.Fatal(err)
		}
		if p, err := rawmqtt.Read(c.In); err != nil || p.Type != rawmqtt.PubackType {
			t.Fatalf("a presence is not answered: %v %v", p, err)
		}
		<-heard
	}
	for i := range 20 {
		publish(i, 1000)
	}
	if kept := b.kept(); kept != 10 {
		t.Errorf("%d messages are kept, want 10", kept)
	}
	publish(3, 0) // taken away, which makes room
	publish(15, 500)
	publish(15, 900) // the same again takes no more
	if kept := b.kept(); kept != 10 {
		t.Errorf("%d messages are kept after one went and one came, want 10", kept)
	}
}

// A box cannot put another out: the client id belongs to the login.
func TestAClientIDBelongsToItsLogin(t *testing.T) {
	b, log := startOpen(t, usualLimits())
	held, err := dial(b, box("ft-02"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		user, id string
		want     bool
	}{
		{"ft-09", "hcp-ft-02", false}, {"ft-09", "ft-02", false}, {"ft-09", "", false}, {"ft-09", "centre-abc", false},
		{"ft-09", "chk-ft-02-abc", false}, {"ft-09", "chk-ft-09-abcdefg", false}, {"ft", "chk-ft-09-abc", false},
		{"ft-09", "hcp-ft-09", true}, {"ft-09", "chk-ft-09-abc", true},
	} {
		l := box(c.user)
		l.ID = c.id
		conn, err := dial(b, l)
		const badID = rawmqtt.RefusedError(2)
		if c.want && err != nil || !c.want && !errors.Is(err, badID) {
			t.Errorf("%s as %q: %v", c.user, c.id, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	if _, err := held.Write(rawmqtt.AppendPing(nil)); err != nil {
		t.Fatal(err)
	}
	if p, err := rawmqtt.Read(held.In); err != nil || p.Type != rawmqtt.PingrespType {
		t.Errorf("ft-02 was put out: %v", err)
	}
	if got := log.String(); !strings.Contains(got, "client id") || !strings.Contains(got, "hcp-ft-02") {
		t.Errorf("the log does not say why: %s", got)
	}
}

// Connections that never say anything are few and end soon, and a box logs in among them.
func TestSilentConnectionsAreBounded(t *testing.T) {
	most := usualLimits()
	most.firstByte = 2 * time.Second
	b, _ := startOpen(t, most)
	before := heap()
	var silent []net.Conn
	defer func() {
		for _, c := range silent {
			_ = c.Close()
		}
	}()
	for range 800 {
		c, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	if _, err := dial(b, box("ft-02")); err != nil {
		t.Errorf("a box cannot log in: %v", err)
	}
	if n := b.connections.count(); n > most.strangersPerHost+1 {
		t.Errorf("%d connections are kept, want at most %d and the box", n, most.strangersPerHost)
	}
	more := int(heap()) - int(before)
	t.Logf("%d KB more are in use", more>>10)
	if more > 5<<20 {
		t.Errorf("%d KB more are in use", more>>10)
	}
	eventually(t, "all silent connections were closed", func() bool { return b.connections.count() <= 1 })
	for _, c := range silent {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, net.ErrClosed) || err == nil || isTimeout(err) {
			t.Fatalf("a silent connection: %v, want it closed by the broker", err)
		}
	}
}

// One that says a little and never logs in ends too, and one that announces a great login or says something else at once.
func TestNoLoginIsNoConnection(t *testing.T) {
	most := usualLimits()
	most.firstByte, most.login = time.Second, time.Second
	b, _ := startOpen(t, most)
	for name, said := range map[string][]byte{
		"begins": {0x10}, "half a login": box("ft-02").Append(nil)[:9],
		"another packet": rawmqtt.AppendPing(nil), "a great login": {0x10, 0xff, 0xff, 0x0f},
		"a malformed length": {0x10, 0x80, 0x80, 0x80, 0x80},
	} {
		c, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(said); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(c); isTimeout(err) {
			t.Errorf("%s: the connection is kept", name)
		}
		_ = c.Close()
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// No session outlives its connection, whatever a login asks for.
func TestSessionsEndWithTheirConnections(t *testing.T) {
	b, _ := startOpen(t, usualLimits())
	before := heap()
	for i := range 3000 {
		l := box(fmt.Sprintf("x-%d", i))
		l.Clean = false
		c, err := dial(b, l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(rawmqtt.AppendSubscribe(nil, 1, wire.Topic(rating.DeviceID(l.User), wire.AckChannel))); err != nil {
			t.Fatal(err)
		}
		if p, err := rawmqtt.Read(c.In); err != nil || p.Type != rawmqtt.SubackType {
			t.Fatalf("no answer to a subscription: %v", err)
		}
		_ = c.Close()
	}
	eventually(t, "all clients are forgotten", func() bool { return b.server.Clients.Len() == 0 })
	more := int(heap()) - int(before)
	t.Logf("%d KB more are in use", more>>10)
	if more > 8<<20 {
		t.Errorf("%d KB more are in use after 3,000 sessions", more>>10)
	}
}

// The connections of one device are few, so that it takes no place of another, and those of all are bounded.
func TestLoginsAreBounded(t *testing.T) {
	most := usualLimits()
	most.logins = 6
	b, _ := startOpen(t, most)
	const unavailable = rawmqtt.RefusedError(3)
	for i := range 6 {
		l := box("ft-09")
		l.ID = fmt.Sprintf("chk-ft-09-%d", i)
		_, err := dial(b, l)
		if want := i < most.loginsPerDevice; want && err != nil || !want && !errors.Is(err, unavailable) {
			t.Errorf("connection %d of one device: %v", i+1, err)
		}
	}
	for i := range 3 {
		_, err := dial(b, box(fmt.Sprintf("x-%d", i)))
		if want := i < 2; want && err != nil || !want && !errors.Is(err, unavailable) {
			t.Errorf("box %d: %v", i+1, err)
		}
	}
	if _, err := login(t, b, CentreName, b.Secret(), nil); err != nil {
		t.Errorf("the centre finds no place: %v", err)
	}
}

// A client that asks for an endless silence is gone after the bound, since a half open connection would stay.
func TestKeepaliveIsBounded(t *testing.T) {
	b, _ := startOpen(t, usualLimits())
	for _, asked := range []uint16{0, 15, 65535} {
		l := box("ft-02")
		l.KeepAlive = asked
		c, err := dial(b, l)
		if err != nil {
			t.Fatal(err)
		}
		client, ok := b.server.Clients.Get(l.ID)
		if !ok || client.State.Keepalive == 0 || client.State.Keepalive > maxKeepalive {
			t.Errorf("asked for %d s, got %d", asked, client.State.Keepalive)
		}
		_ = c.Close()
	}
}

// kept returns how many messages of boxes are retained.
func (b *Broker) kept() (n int) {
	for topic := range b.server.Topics.Retained.GetAll() {
		if strings.HasPrefix(topic, wire.Prefix) {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}
