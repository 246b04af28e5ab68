package deploy

import (
	"crypto/tls"
	"net"
	"net/url"
	"os"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/proof/nats"
)

// tear logs a box in with a will and tears its connection, so that the broker publishes the will if it lets the box.
func tear(t *testing.T, o *mqtt.ClientOptions, dial func() (net.Conn, error), topic, text string) {
	t.Helper()
	var under net.Conn
	o.SetBinaryWill(topic, []byte(text), 1, false).SetAutoReconnect(false).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			c, err := dial()
			under = c
			return c, err
		})
	c := mqtt.NewClient(o)
	if token := c.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		return // refused at the login, which is well
	}
	_ = under.Close()
	c.Disconnect(0)
}

// wantOnly waits for the last text and reports what came before it and is not wanted.
func wantOnly(t *testing.T, got <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case g := <-got:
			if g != w {
				t.Errorf("the centre hears %q, want %q", g, w)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the centre does not hear %q", w)
		}
	}
}

// A will obeys the rules of a message at the brokers that we configure.
func TestWillsObeyTheRules(t *testing.T) {
	t.Run("mosquitto", func(t *testing.T) {
		b := startBroker(t)
		centre := b.client(t, "centre", "for-centre")
		heard := centre.listen(t, "hcp/1/+/presence")
		config := &tls.Config{RootCAs: b.trust, ServerName: "mqtt.example.com", MinVersion: tls.VersionTLS12}
		dial := func() (net.Conn, error) { return tls.Dial("tcp", b.address, config) }
		options := func() *mqtt.ClientOptions {
			return mqtt.NewClientOptions().AddBroker("tcp://" + b.address).SetClientID("hcp-lz-0417").SetUsername("lz-0417").
				SetPassword("for-lz-0417")
		}
		tear(t, options(), dial, "hcp/1/lz-0418/presence", "another's")
		tear(t, options(), dial, "hcp/1/lz-0417/presence", "own")
		wantOnly(t, heard, "own")
	})
	t.Run("nats", func(t *testing.T) {
		users, err := os.ReadFile("broker/nats/users.conf")
		if err != nil {
			t.Fatal(err)
		}
		c, err := nats.Start(t.TempDir(), nats.Options{Nodes: 1, Partitions: 12, Users: string(users)})
		if err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
		defer c.Close()
		at := c.Address(0)
		options := func(user, password string) *mqtt.ClientOptions {
			return mqtt.NewClientOptions().AddBroker("tcp://" + at).SetClientID("hcp-" + user).SetUsername(user).SetPassword(password).
				SetAutoReconnect(false)
		}
		login := func(user, password string) client {
			m := mqtt.NewClient(options(user, password))
			if token := m.Connect(); !token.WaitTimeout(20*time.Second) || token.Error() != nil {
				t.Fatal(token.Error())
			}
			t.Cleanup(func() { m.Disconnect(0) })
			return client{mqtt: m}
		}
		centre := login("centre", "FOR-CENTRE")
		presence, records := centre.listen(t, "hcp/1/+/presence"), centre.listen(t, "hcp/1/+/records/+")
		dial := func() (net.Conn, error) { return net.Dial("tcp", at) }
		tear(t, options("lz-0417", "FOR-LZ-0417"), dial, "hcp/1/lz-0418/presence", "another's")
		tear(t, options("lz-0417", "FOR-LZ-0417"), dial, "hcp/1/lz-0417/presence", "own")
		wantOnly(t, presence, "own")

		// Messages: a box's own records arrive, in a partition, and another's do not.
		other := login("lz-0417", "FOR-LZ-0417")
		other.mqtt.Publish("hcp/1/lz-0418/records", 1, false, "forged").WaitTimeout(time.Second) // NATS may end the connection for it
		box := login("lz-0417", "FOR-LZ-0417")
		box.publish(t, "hcp/1/lz-0417/records", "of 0417")
		wantOnly(t, records, "of 0417")
	})
}
