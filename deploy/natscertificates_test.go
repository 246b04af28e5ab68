package deploy

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/central/enrol"
	"haochaping/internal/proof/nats"
	"haochaping/sync/wire"
)

// TestNATSKnowsBoxesByTheirCertificates tries nats-server as the shipped file for certificates has it: each box its own topics, wills
// included, and one that is revoked is put out while it is connected.
func TestNATSKnowsBoxesByTheirCertificates(t *testing.T) {
	c := newAuthority(t)
	if err := os.MkdirAll(filepath.Join(c.dir, "nats", "n1"), 0o700); err != nil {
		t.Fatal(err)
	}
	box, boxLeaf := c.shows("bcdf23456789")
	other, otherLeaf := c.shows("ghjk23456789")
	own, ownLeaf := c.shows("centre")
	live := []*x509.Certificate{boxLeaf, otherLeaf}
	shipped, err := os.ReadFile("broker/nats/certificates.conf")
	if err != nil {
		t.Fatal(err)
	}
	c.write("nats/n1/certificates.conf", strings.ReplaceAll(string(shipped), "/etc/nats/", c.dir+"/"))
	cluster, err := nats.Start(filepath.Join(c.dir, "nats"), nats.Options{Nodes: 1, Partitions: 12, Users: enrol.NATSUsers(live, ownLeaf),
		MQTT: "  include certificates.conf"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(cluster.Log(0))
		}
		cluster.Close()
	})
	c.address = cluster.Address(0)

	centre := c.connect(own, nil)
	if centre.err != nil {
		t.Fatal(centre.err)
	}
	records := centre.listen(t, "hcp/1/+/records/+")
	presences := centre.listen(t, "hcp/1/+/presence")
	if err := c.connect(nil, nil).err; err == nil {
		t.Error("a box without a certificate is let in")
	}
	stranger, _ := c.shows("kmnp23456789") // of the authority, and nobody has accepted it
	if err := c.connect(stranger, nil).err; err == nil {
		t.Error("a box that has no line is let in")
	}
	again, _ := c.shows("bcdf23456789") // of another key, as one that was revoked
	if err := c.connect(again, nil).err; err == nil {
		t.Error("a key that is not listed is let in")
	}
	if err := c.connect(other, func(o *mqtt.ClientOptions) {
		o.SetUsername("bcdf23456789").SetPassword("x").SetWill(wire.Topic("bcdf23456789", wire.PresenceChannel), "forged will", 1, false)
	}).err; err == nil {
		t.Error("a will at another's topic is taken")
	}
	lost := make(chan error, 1)
	honest := c.connect(other, nil)
	first := c.connect(box, func(o *mqtt.ClientOptions) {
		o.SetConnectionLostHandler(func(_ mqtt.Client, err error) { lost <- err })
	})
	if honest.err != nil || first.err != nil {
		t.Fatal(honest.err, first.err)
	}
	spied := make(chan string, 1)
	token := honest.mqtt.Subscribe(wire.Topic("bcdf23456789", wire.AckChannel), 1, func(_ mqtt.Client, m mqtt.Message) {
		spied <- string(m.Payload())
	})
	token.WaitTimeout(10 * time.Second)
	acks := first.listen(t, wire.Topic("bcdf23456789", wire.AckChannel))
	centre.publish(t, wire.Topic("bcdf23456789", wire.AckChannel), "through 7")
	want(t, acks, "through 7")
	select {
	case got := <-spied:
		t.Errorf("a box hears another's %q", got)
	default:
	}
	first.publish(t, wire.Topic("bcdf23456789", wire.RecordsChannel), "of bcdf")
	want(t, records, "of bcdf")
	first.publish(t, wire.Topic("bcdf23456789", wire.PresenceChannel), "here")
	want(t, presences, "here")

	began := time.Now()
	if err := cluster.Reload(0, enrol.NATSUsers(live[1:], ownLeaf)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-lost:
		t.Logf("the revoked box was put out %v after the reload: %v", time.Since(began).Round(time.Millisecond), err)
	case <-time.After(time.Minute):
		t.Error("the revoked box is connected a minute later")
	}
	if err := c.connect(box, nil).err; err == nil {
		t.Error("a revoked box is let in")
	}
	honest.publish(t, wire.Topic("ghjk23456789", wire.RecordsChannel), "of ghjk")
	want(t, records, "of ghjk")
	honest.mqtt.Publish(wire.Topic("bcdf23456789", wire.RecordsChannel), 1, false, "forged").WaitTimeout(5 * time.Second)
	c.connect(other, nil).publish(t, wire.Topic("ghjk23456789", wire.RecordsChannel), "of ghjk, later")
	want(t, records, "of ghjk, later")
}
