package uplink

import (
	"crypto/ed25519"
	"os"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/proof/nats"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// A cluster of three nodes, as deploy/broker/nats has it: one node after the other dies, under the box and under the centre,
// and comes back; records arrive once they can, retained messages are there at every node.
func TestAClusterWhoseNodesDie(t *testing.T) {
	c, err := nats.Start(t.TempDir(), nats.Options{Nodes: 3, Partitions: 4})
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	defer c.Close()
	defer func() {
		if t.Failed() {
			t.Log(c.Log(0), c.Log(1), c.Log(2))
		}
	}()
	var brokers []string
	for i := range 3 {
		brokers = append(brokers, "mqtt://"+c.Address(i))
		untilLogin(t, c.Address(i))
	}
	k := newKeys(t)
	centre := centreOf(t, c, k.centre, public(k.box))
	config, err := wire.Seal(k.centre, wire.ConfigPurpose,
		&wire.Config{Device: "box-1", Window: rating.Window{ID: "A1", Name: "综合", Hall: "市民中心", Generation: 3}})
	if err != nil {
		t.Fatal(err)
	}
	centre.client.Publish(wire.Topic("box-1", wire.ConfigChannel), 1, true, config)
	// A node learns of a retained message a moment after it was published at another, and who subscribes meanwhile misses it.
	patiently(t, "the retained message at each node", func() bool {
		return keptAt(t, c.Address(0)) && keptAt(t, c.Address(1)) &&
			keptAt(t, c.Address(2))
	})
	log := newMemory()
	l, _ := startLinkTo(t, brokers, k, log, AckCentre)
	records := func(n uint64, why string) {
		t.Helper()
		began := time.Now()
		log.append(50)
		patiently(t, why, func() bool { return log.Released() == n })
		t.Logf("%s: after %s by way of %s", why, time.Since(began).Round(10*time.Millisecond), l.Broker())
	}
	records(50, "records with all nodes")
	patiently(t, "the configuration", func() bool { l.mu.Lock(); defer l.mu.Unlock(); return len(l.configs) == 1 })

	c.Kill(0) // under the box
	records(100, "records after the box's node died")
	if err := c.StartNode(0); err != nil {
		t.Fatal(err)
	}
	untilLogin(t, c.Address(0))
	c.Kill(1) // under the centre, maybe under the box
	records(150, "records after the centre's node died")
	if err := c.StartNode(1); err != nil {
		t.Fatal(err)
	}
	untilLogin(t, c.Address(1))
	for i := range 3 {
		if !keptAt(t, c.Address(i)) {
			t.Errorf("node %d does not have the configuration", i+1)
		}
	}
}

// patiently waits longer than until: a cluster elects leaders for some seconds after a node has died.
func patiently(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within three minutes: %s", what)
}

// untilLogin waits until a node takes logins, which a new cluster does after some seconds.
func untilLogin(t *testing.T, address string) {
	t.Helper()
	patiently(t, "a login at "+address, func() bool {
		client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("first").SetAutoReconnect(false).
			SetConnectTimeout(5 * time.Second))
		tok := client.Connect()
		defer client.Disconnect(0)
		return tok.WaitTimeout(5*time.Second) && tok.Error() == nil
	})
}

// centreOf returns a centre that reads all partitions, at the second node and after its death elsewhere.
func centreOf(t *testing.T, cluster *nats.Cluster, key ed25519.PrivateKey, box []byte) *centre {
	t.Helper()
	c := &centre{t: t, key: key, box: box, got: make(map[uint64][]byte), answer: (*centre).ack}
	c.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + cluster.Address(1)).AddBroker("tcp://" + cluster.Address(2)).
		AddBroker("tcp://" + cluster.Address(0)).
		SetClientID("centre-1").SetConnectTimeout(5 * time.Second).SetKeepAlive(2 * time.Second).SetPingTimeout(2 * time.Second).
		SetMaxReconnectInterval(time.Second).SetOrderMatters(false).
		SetOnConnectHandler(func(cl mqtt.Client) { cl.Subscribe(wire.AllDevices(wire.RecordsChannel)+"/+", 1, c.receive) }))
	if tok := c.client.Connect(); !tok.WaitTimeout(30*time.Second) || tok.Error() != nil {
		t.Fatalf("centre: %v", tok.Error())
	}
	t.Cleanup(func() { c.client.Disconnect(50) })
	return c
}

// keptAt reports whether a node hands out the retained configuration.
func keptAt(t *testing.T, address string) bool {
	t.Helper()
	got := make(chan bool, 1)
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("reader").SetAutoReconnect(false))
	if tok := client.Connect(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
		t.Fatal(tok.Error())
	}
	defer client.Disconnect(0)
	client.Subscribe(wire.Topic("box-1", wire.ConfigChannel), 1, func(_ mqtt.Client, m mqtt.Message) {
		select {
		case got <- m.Retained():
		default:
		}
	})
	select {
	case retained := <-got:
		return retained
	case <-time.After(2 * time.Second):
		return false
	}
}
