// Package broker is the MQTT broker inside the centre, for halls and demonstrations that have none. It keeps nothing on
// disk: what it loses, the boxes send again.
//
// A client that logs in with a device's name may use that device's topics only. The centre logs in with a password that it
// draws at its start.
package broker

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// CentreName is the user name of the centre's own clients.
const CentreName = "centre"

// maxInflight bounds the messages that wait for an answer of one client: 64 MB of batches while the books are slow. What is
// beyond, the boxes send again.
const maxInflight = 256

// goodbye is how long clients have to go at the end before their connections are closed.
const goodbye = time.Second

// Config names the parts of a Broker.
type Config struct {
	Listen string      // host:port
	TLS    *tls.Config // nil for none
	// Password reports whether a device may log in with a password. Nil lets every device in, for a broker that only
	// loopback reaches: a device is believed by its signatures, not by its login.
	Password func(d rating.DeviceID, password string) bool
	Logger   *slog.Logger
}

// Broker is a broker that listens.
type Broker struct {
	server      *mqtt.Server
	listener    net.Listener
	connections *connections
	secret      string
}

// Listen opens the listener. The Broker answers from Run on.
func Listen(c Config) (*Broker, error) {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	open := newConnections(l)
	l = open
	if c.TLS != nil {
		l = tls.NewListener(l, c.TLS)
	}
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumPacketSize = wire.MaxBatch + 1024
	caps.MaximumInflight = maxInflight
	b := &Broker{
		server:   mqtt.New(&mqtt.Options{Capabilities: caps, Logger: c.Logger}),
		listener: l, connections: open,
		secret: rand.Text(),
	}
	if err := b.server.AddHook(&access{secret: b.secret, password: c.Password}, nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := b.server.AddListener(listeners.NewNet("mqtt", l)); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	return b, nil
}

// Addr returns the address that was bound.
func (b *Broker) Addr() net.Addr { return b.listener.Addr() }

// Secret returns the password of CentreName.
func (b *Broker) Secret() string { return b.secret }

// Run answers until ctx ends.
func (b *Broker) Run(ctx context.Context) error {
	if err := b.server.Serve(); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	<-ctx.Done()
	done := make(chan error, 1)
	go func() { done <- b.server.Close() }()
	grace := time.NewTimer(goodbye)
	defer grace.Stop()
	var err error
	select {
	case err = <-done:
	case <-grace.C:
		b.connections.closeAll()
		err = <-done
	}
	if err != nil {
		return fmt.Errorf("close the broker: %w", err)
	}
	return nil
}

// access decides who may log in and what they may read and write.
type access struct {
	mqtt.HookBase
	secret   string
	password func(rating.DeviceID, string) bool
}

// ID names the hook.
func (a *access) ID() string { return "access" }

// Provides says which decisions are made here.
func (a *access) Provides(b byte) bool {
	return bytes.Contains([]byte{mqtt.OnConnectAuthenticate, mqtt.OnACLCheck, mqtt.OnPublish}, []byte{b})
}

// OnConnectAuthenticate decides who may log in.
func (a *access) OnConnectAuthenticate(_ *mqtt.Client, p packets.Packet) bool {
	name, password := string(p.Connect.Username), p.Connect.Password
	if name == CentreName {
		return subtle.ConstantTimeCompare(password, []byte(a.secret)) == 1
	}
	d, err := rating.ParseDeviceID(name)
	return err == nil && (a.password == nil || a.password(d, string(password)))
}

// OnPublish lets through what a box has reason to send. Large messages need an answer each, so that they cannot pile up for
// a centre that is slow; and only a presence outlives its box.
func (a *access) OnPublish(c *mqtt.Client, p packets.Packet) (packets.Packet, error) {
	if string(c.Properties.Username) == CentreName {
		return p, nil
	}
	_, ch, err := wire.ParseTopic(p.TopicName)
	if err != nil || ch != wire.PresenceChannel && p.FixedHeader.Retain {
		return p, packets.ErrRejectPacket
	}
	if ch == wire.RecordsChannel && p.FixedHeader.Qos == 0 || ch != wire.RecordsChannel && len(p.Payload) > wire.MaxState {
		return p, packets.ErrRejectPacket
	}
	return p, nil
}

// OnACLCheck decides who may read or write a topic.
func (a *access) OnACLCheck(c *mqtt.Client, topic string, write bool) bool {
	name := string(c.Properties.Username)
	if name == CentreName {
		return true
	}
	// A filter with wildcards is no topic and is refused here.
	if strings.ContainsAny(topic, "+#$") {
		return false
	}
	d, ch, err := wire.ParseTopic(topic)
	if err != nil || string(d) != name {
		return false
	}
	switch ch {
	case wire.RecordsChannel, wire.PresenceChannel, wire.HealthChannel, wire.ReplyChannel:
		return write
	case wire.AckChannel, wire.CommandChannel, wire.ConfigChannel:
		return !write
	}
	return false
}
