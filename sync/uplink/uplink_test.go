package uplink

import (
	"crypto/ed25519"
	"os"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

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
			head := rating.HashOf(b.Records[len(b.Records)-1])
			c.send(stranger, wire.Ack{Device: b.Device, Epoch: b.Epoch, Through: b.Last(), Head: head})
			c.send(c.key, wire.Ack{Device: b.Device, Epoch: b.Epoch + 1, Through: b.Last(), Head: head})
			c.send(c.key, wire.Ack{Device: "box-2", Epoch: b.Epoch, Through: b.Last(), Head: head})
			c.send(c.key, wire.Ack{Device: b.Device, Epoch: b.Epoch, Through: b.Last() + 1, Head: head})
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
		startReceiver(t, b.address())
		log := newMemory()
		startLink(t, b.address(), k, log, AckBroker)
		log.append(700)
		until(t, "the release", func() bool { return log.Released() == 700 })
	})
}

// startReceiver reads records, says so, and answers nothing.
func startReceiver(t *testing.T, address string) {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("receiver"))
	for _, step := range []func() mqtt.Token{c.Connect, func() mqtt.Token {
		return c.Subscribe(wire.Shared("receivers", wire.RecordsChannel), 1, func(mqtt.Client, mqtt.Message) {})
	}} {
		if tok := step(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
	}
	t.Cleanup(func() { c.Disconnect(0) })
	sayReceiver(t, address, true)
}

// sayReceiver keeps at the broker that there is a receiver, or none.
func sayReceiver(t *testing.T, address string, online bool) {
	t.Helper()
	payload, err := wire.EncodeState(wire.Presence{V: wire.Version, Online: online})
	if err != nil {
		t.Fatal(err)
	}
	publishKeptAs(t, address, "", wire.ReceiverTopic, payload)
}

// The broker's word counts only where it has somebody to hand the records to, and lets the box publish them: in MQTT 3.1.1 it
// confirms either, and the records would be nowhere.
func TestBrokersWordNeedsSomebodyWhoReads(t *testing.T) {
	b := newMosquitto(t)
	rules := b.Config + ".acl"
	write := func(text string) {
		if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const own = "topic readwrite #\nuser box-1\ntopic readwrite hcp/1/box-1/presence\ntopic read hcp/1/receiver\n"
	write(own)
	if err := appendFile(b.Config, "user root\nacl_file "+rules+"\n"); err != nil {
		t.Fatal(err)
	}
	b.start(t)
	defer func() { b.stop() }()
	log := newMemory()
	l, _ := startLink(t, b.address(), newKeys(t), log, AckBroker)
	log.append(3)
	refused := func(want Fault, why string) {
		t.Helper()
		until(t, why+" is the fault", func() bool { return l.Link().Fault == want })
		if log.Released() != 0 {
			t.Fatalf("released through %d though %s", log.Released(), why)
		}
	}
	refused(FaultNoReceiver, "no receiver says that it is there")
	sayReceiver(t, b.address(), false)
	refused(FaultNoReceiver, "the receiver says that it is not there")
	sayReceiver(t, b.address(), true)
	refused(FaultWrite, "the box may not publish")
	b.stop()
	write(own + "topic write hcp/1/box-1/records\n")
	b.start(t)
	sayReceiver(t, b.address(), true)
	refused(FaultNobody, "nobody reads")
	startReceiver(t, b.address())
	until(t, "the release", func() bool { return log.Released() == 3 })
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
			clone := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + b.address()).SetClientID("hcp-box-1").SetUsername("box-1").
				SetAutoReconnect(false))
			if tok := clone.Connect(); !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
				t.Fatal(tok.Error())
			}
			log.append(5)
		}
		until(t, "the records", func() bool { return log.Released() == 15 })
	})
}
