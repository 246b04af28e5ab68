package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/central/broker"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// runAt starts an instance at any broker.
func (c *centre) runAt(at, name string, j Journal, f Fleet) *Ingest {
	c.t.Helper()
	in, _ := c.runWith(Config{Broker: "mqtt://" + at, ClientID: name, Username: broker.CentreName, Password: "-", Journal: j, Fleet: f,
		Key: key(9), Now: time.Now, Logger: quiet})
	return in
}

func attacker(t *testing.T, at, user string) mqtt.Client {
	t.Helper()
	m := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + at).SetClientID("chk-" + user + "-m").SetUsername(user).
		SetAutoReconnect(true).SetMaxReconnectInterval(50 * time.Millisecond))
	if tok := m.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	t.Cleanup(func() { m.Disconnect(0) })
	return m
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

// Whatever anybody publishes, an honest box is served meanwhile and after, and nothing of it stays in memory or the books.
func TestHostilePayloads(t *testing.T) {
	for _, kind := range []string{"embedded", "mosquitto"} {
		t.Run(kind, func(t *testing.T) {
			c := newCentre(t)
			l := c.open()
			enrol(t, l.Fleet)
			at := c.broker.Addr().String()
			if kind == "mosquitto" {
				at = mosquitto.Start(t, mosquitto.Open)
				c.runAt(at, "one", l.Journal, l.Fleet)
			} else {
				c.run("one", l.Journal, l.Fleet)
			}
			b := newBoxAt(t, at)
			b.send(2, key(1))
			b.wantThrough(2)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for _, name := range []string{"box-2", "box-1"} {
				attack(t, at, name, kind == "mosquitto")
			}
			b.send(200, key(1))
			b.wantThrough(202)
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
				t.Errorf("%d MB are still in use after the attack", grown>>20)
			}
			l.wantRecords(t, 202)
			states, err := l.States(t.Context(), "", 5000)
			if err != nil || len(states) > 1100 {
				t.Errorf("%d devices are remembered, %v", len(states), err)
			}
		})
	}
}

// attack publishes everything that is wrong, as the device with the given name, and as any if the broker allows it.
func attack(t *testing.T, at, name string, anyName bool) {
	m := attacker(t, at, name)
	stranger := wire.Batch{Device: rating.DeviceID(name), Epoch: 7, First: 1, Records: [][]byte{[]byte(`{"v":1}`)}}
	stranger.Sign(key(3))
	forged, err := stranger.Encode()
	if err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte{'x'}, wire.MaxBatch)
	payloads := [][]byte{nil, {0}, []byte("{}"), []byte(`{"v":1`), []byte(strings.Repeat("[", 100_000)), forged, large}
	for _, ch := range []wire.Channel{wire.RecordsChannel, wire.PresenceChannel, wire.HealthChannel, wire.ReplyChannel} {
		for _, p := range payloads {
			m.Publish(wire.Topic(rating.DeviceID(name), ch), 1, ch == wire.PresenceChannel && len(p) > 1000, p)
			m.Publish(wire.Topic(rating.DeviceID(name), ch), 0, false, p)
		}
	}
	for range 60 { // a flood without flow control
		m.Publish(wire.Topic(rating.DeviceID(name), wire.RecordsChannel), 0, false, large)
	}
	for i := range 1500 {
		other := rating.DeviceID(fmt.Sprint("x", i))
		m.Publish(wire.Topic(other, wire.HealthChannel), 0, false, []byte(`{"v":1}`))
	}
	m.Publish(wire.Topic("box-1", wire.RecordsChannel), 1, false, forged) // another's topic
	m.Publish("hcp/1/UPPER/records", 0, false, forged)
	m.Publish(wire.Topic("box-2", wire.CommandChannel), 1, false, forged) // the centre's
	m.Publish("hcp/1/box-1/records/more", 0, false, forged)
	if anyName {
		huge := make([]byte, 20<<20)
		m.Publish(wire.Topic("box-1", wire.PresenceChannel), 1, true, huge).WaitTimeout(5 * time.Second)
		m.Publish(wire.Topic("box-1", wire.RecordsChannel), 1, false, huge).WaitTimeout(5 * time.Second)
	}
}

// A login that may not do what the centre does, its will before all, is refused with words.
func TestABrokerThatRefusesIsNotSilence(t *testing.T) {
	c := newCentre(t)
	s := c.open()
	in, err := New(Config{Broker: "mqtt://" + c.broker.Addr().String(), ClientID: "hcp-box-1", Username: "box-1", Journal: s.Journal,
		Fleet: s.Fleet, Key: key(9), Now: time.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.session(t.Context()); err == nil || !strings.Contains(err.Error(), "not Authorized") { // its will, already
		t.Errorf("the centre logged in as a box: %v", err)
	}
}

// picky is a journal that cannot take the batches of one device, or none at all.
type picky struct {
	*station
	mu   sync.Mutex
	bad  rating.DeviceID
	down bool
}

func (p *picky) set(bad rating.DeviceID, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bad, p.down = bad, down
}

func (p *picky) Submit(ctx context.Context, e journal.Entry, done func(journal.Receipt, error)) error {
	p.mu.Lock()
	down, bad := p.down, string(p.bad) == e.Source
	p.mu.Unlock()
	switch {
	case down:
		done(journal.Receipt{}, fmt.Errorf("%w: a test", journal.ErrUnavailable))
		return nil
	case bad:
		done(journal.Receipt{}, errors.New("a test"))
		return nil
	}
	return p.Journal.Submit(ctx, e, done)
}

func (p *picky) Note(ctx context.Context, n []fleet.Note) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return errors.New("a test")
	}
	return p.Fleet.Note(ctx, n)
}

func (p *picky) Check(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return errors.New("a test")
	}
	return p.Journal.Check(ctx)
}

// A batch that the books cannot take does not stop the others.
func TestABatchThatCannotBeWrittenStopsNobodyElse(t *testing.T) {
	c := newCentre(t)
	l := c.open()
	enrol(t, l.Fleet)
	if err := l.Put(t.Context(), fleet.Device{ID: "bad", Key: public(key(4)),
		Window: rating.Window{ID: "w", Name: "n", Hall: "h", Generation: 1}}); err != nil {
		t.Fatal(err)
	}
	p := &picky{station: l, bad: "bad"}
	in, _ := c.run("one", p, p)
	b := newBox(t, c)
	b.send(1, key(1))
	b.wantThrough(1)
	m := attacker(t, c.broker.Addr().String(), "bad")
	poison := wire.Batch{Device: "bad", Epoch: 7, First: 1, Records: [][]byte{[]byte(`{}`)}}
	poison.Sign(key(4))
	payload, err := poison.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		m.Publish(wire.Topic("bad", wire.RecordsChannel), 1, false, payload)
		b.send(1, key(1))
	}
	b.wantThrough(21)
	if tr := in.Trouble(); !tr.Since.IsZero() {
		t.Errorf("trouble %+v", tr)
	}
	until(t, "the refusal is in the books", func() bool {
		s, err := l.States(t.Context(), "", 5000)
		return err == nil && len(s) == 2 && s[0].ID == "bad" && s[0].Refused > 0 && strings.Contains(s[0].RefusedWhy, "cannot take it")
	})
}

// An instance whose books fail leaves its share to the others, and what boxes said of themselves meanwhile is kept.
func TestAnInstanceWithoutBooksLeaves(t *testing.T) {
	c := newCentre(t)
	l, failing := c.open(), &picky{station: c.open()}
	enrol(t, l.Fleet)
	c.run("good", l.Journal, l.Fleet)
	in, _ := c.run("failing", failing, failing)
	b := newBox(t, c)
	b.send(3, key(1))
	b.wantThrough(3)
	failing.set("", true)
	for in.Trouble().Since.IsZero() { // one of the two gets each batch
		b.send(1, key(1))
		time.Sleep(20 * time.Millisecond)
	}
	if tr := in.Trouble(); !tr.Books {
		t.Errorf("trouble %+v", tr)
	}
	b.wantThrough(uint64(len(b.records)))
	for len(b.acks) > 0 {
		<-b.acks
	}
	for range 10 { // nothing is lost on an instance that cannot write: each is acknowledged at the first try
		b.send(1, key(1))
		select {
		case a := <-b.acks:
			if a.Through != uint64(len(b.records)) {
				t.Errorf("acknowledged through %d of %d", a.Through, len(b.records))
			}
		case <-time.After(5 * time.Second):
			t.Fatal("a batch went to the instance without books")
		}
	}
	failing.set("", false)
	until(t, "the instance is back", func() bool { return in.Trouble().Since.IsZero() })
}

// Presence comes once. It must not be lost because the books could not be written at that moment.
func TestPresenceOutlivesAFailureOfTheBooks(t *testing.T) {
	c := newCentre(t)
	l := c.open()
	enrol(t, l.Fleet)
	failing := &picky{station: l}
	in, _ := c.run("one", failing, failing)
	b := newBox(t, c)
	b.send(1, key(1))
	b.wantThrough(1)
	failing.set("", true)
	b.client.Publish(wire.Topic("box-1", wire.PresenceChannel), 1, true, []byte(`{"v":1,"online":true}`)).Wait()
	until(t, "the failure is noticed", func() bool { return in.Trouble().Books })
	failing.set("", false)
	until(t, "the presence is in the books", func() bool {
		s, err := l.States(t.Context(), "", 5000)
		return err == nil && len(s) == 1 && s[0].Presence != nil && s[0].Presence.Online
	})
}

// A broker that answers nothing, refuses or breaks off leaves nothing behind.
func TestReconnectingLeaksNothing(t *testing.T) {
	for name, answer := range map[string]func(net.Conn){
		"breaks off": func(c net.Conn) {},
		"refuses":    func(c net.Conn) { _, _ = io.ReadFull(c, make([]byte, 10)); _, _ = c.Write([]byte{0x20, 2, 0, 5}) },
		"garbage":    func(c net.Conn) { _, _ = c.Write(bytes.Repeat([]byte{0xff}, 100)) },
		"connects and breaks off": func(c net.Conn) {
			_, _ = io.ReadFull(c, make([]byte, 10))
			_, _ = c.Write([]byte{0x20, 2, 0, 0})
			time.Sleep(5 * time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = listener.Close() }()
			go func() {
				for {
					c, err := listener.Accept()
					if err != nil {
						return
					}
					answer(c)
					_ = c.Close()
				}
			}()
			s := newCentre(t).open()
			in, err := New(Config{Broker: "mqtt://" + listener.Addr().String(), ClientID: "x", Journal: s.Journal, Fleet: s.Fleet, Key: key(9),
				Now: time.Now, Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			session := func() {
				if err := in.session(t.Context()); err == nil {
					t.Error("a session with a broken broker ended well")
				}
			}
			session()
			before := runtime.NumGoroutine()
			for range 30 {
				session()
			}
			until(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+3 })
		})
	}
}

// TestARefusalIsTextForAnyDatabase cuts reasons within a character and gives some that are no text, which PostgreSQL would not store: the
// notes of all boxes would wait for that of one stranger.
func TestARefusalIsTextForAnyDatabase(t *testing.T) {
	in := &Ingest{cfg: Config{Logger: slog.New(slog.DiscardHandler)}, notes: newNotes()}
	for i := range 4 {
		d := rating.DeviceID(fmt.Sprint("box-", i))
		in.refuse(work{device: d}, strings.Repeat("x", i)+strings.Repeat("窗", 400)+"\xff\x00", time.Now())
		in.refuse(work{device: d}, strings.Repeat("x", i)+"窗\xff\x00口", time.Now())
		if why := in.notes.waiting[d].RefusedWhy; why != strings.Repeat("x", i)+"窗口" {
			t.Errorf("the reason is %q", why)
		}
	}
	for i := range 4 {
		if why := readable(strings.Repeat("x", i) + strings.Repeat("窗", 400)); !utf8.ValidString(why) || len(why) > 510 {
			t.Errorf("%d bytes: %q", len(why), why)
		}
	}
}
