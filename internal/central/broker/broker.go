// Package broker is the MQTT broker inside the centre, for halls and demonstrations that have none. It keeps nothing on
// disk: what it loses, the boxes send again.
//
// A client that logs in with a device's name may use that device's topics only, under client ids of that device only. A will
// is refused at the login where the same message would be. The centre logs in with a password that it draws at its start. A box that shows
// a certificate needs no password, and may be that box only; when its certificate is revoked, its connections are closed.
//
// Whatever clients do, the broker's memory is bounded: connections that have not logged in by time and number, logins by
// number, sessions by ending with their connection, retained messages and queues by size.
package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// CentreName is the user name of the centre's own clients.
const CentreName = "centre"

// maxInflight bounds the messages that wait for an answer of one client: 64 MB of batches while the books are slow. What is
// beyond, the boxes send again.
const maxInflight = 256

// maxQueued bounds the messages that wait to be written to one client. The library reserves 8 bytes for each at every
// connection.
const maxQueued = 1024

// maxKeepalive is after how many seconds at most a client must say something; one that asks for longer, or for ever, is
// treated as if it had asked for this.
const maxKeepalive = 120

// goodbye is how long clients have to go at the end before their connections are closed.
const goodbye = time.Second

// limits bound what clients may take of the broker.
type limits struct {
	firstByte         time.Duration // until a connection says anything
	login             time.Duration // until it has logged in; TLS on a line of 1 KB/s takes half of it
	strangers         int           // connections that have not logged in; a new one displaces the oldest
	strangersPerHost  int           // the same, of one address
	logins            int           // connections of boxes that have logged in
	loginsPerDevice   int           // the same, of one device: an old one that is not known to be dead, the new one, and probes
	retained          int           // bytes that boxes keep in retained messages, with what the broker needs for each
	retainedOverhead  int           // bytes that the broker needs for each
	complaintInterval time.Duration // between two refusals that are logged
}

// usualLimits hold for a hall or a county. Whoever has more boxes has a broker of his own.
func usualLimits() limits {
	return limits{
		firstByte: 10 * time.Second, login: time.Minute, strangers: 256, strangersPerHost: 64, logins: 4096, loginsPerDevice: 4,
		retained: 16 << 20, retainedOverhead: 1 << 10, complaintInterval: 10 * time.Second,
	}
}

// Config names the parts of a Broker.
type Config struct {
	Listen string      // host:port
	TLS    *tls.Config // nil for none
	// Password reports whether a device may log in with a password. Nil lets every device in, for a broker that only
	// loopback reaches: a device is believed by its signatures, not by its login.
	Password func(d rating.DeviceID, password string) bool
	// Certificates judges the certificates that boxes show by TLS. Nil: none is asked for. Else a box that shows none needs a Password.
	Certificates Certificates
	Logger       *slog.Logger
}

// Certificates judges certificates of boxes.
type Certificates interface {
	// Admit returns the box of a certificate that may log in by it.
	Admit(*x509.Certificate) (rating.DeviceID, error)
	// Revoked reports whether one that was admitted is to be put out.
	Revoked(*x509.Certificate) bool
}

// Broker is a broker that listens.
type Broker struct {
	server      *mqtt.Server
	listener    net.Listener
	connections *connections
	judge       Certificates // nil: no certificates
	secret      string
}

// Listen opens the listener. The Broker answers from Run on.
func Listen(c Config) (*Broker, error) { return listen(c, usualLimits()) }

func listen(c Config, most limits) (*Broker, error) {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	open := newConnections(l, most)
	l = open
	if c.TLS != nil {
		l = tls.NewListener(l, c.TLS)
	}
	l = gates{l}
	b := &Broker{
		server: mqtt.New(&mqtt.Options{Capabilities: capabilities(), Logger: slog.New(errorsOnly{c.Logger.Handler()}),
			SysTopicResendInterval: 3600}),
		listener: l, connections: open, judge: c.Certificates,
		secret: rand.Text(),
	}
	hook := &access{
		secret: b.secret, password: c.Password, certificates: c.Certificates, connections: open, retained: newRetained(most),
		complaints: complaints{logger: c.Logger, interval: most.complaintInterval},
	}
	if err := b.server.AddHook(hook, nil); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := b.server.AddListener(listeners.NewNet("mqtt", l)); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	return b, nil
}

// capabilities bound what the library keeps for a client.
func capabilities() *mqtt.Capabilities {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.MaximumPacketSize = wire.MaxBatch + 1024
	caps.MaximumInflight = maxInflight
	caps.MaximumClientWritesPending = maxQueued
	caps.MaximumSessionExpiryInterval = 0 // a box's log is its session
	caps.MaximumMessageExpiryInterval = 0 // the library would forget a window's configuration after a day
	caps.TopicAliasMaximum = 0            // 65,535 topics for each client else
	return caps
}

// Addr returns the address that was bound.
func (b *Broker) Addr() net.Addr { return b.listener.Addr() }

// Secret returns the password of CentreName.
func (b *Broker) Secret() string { return b.secret }

// sweepPause is how often connections are looked through for certificates that were revoked or have ended.
const sweepPause = 5 * time.Second

// watch waits until ctx ends, and closes the connections of boxes whose certificates are revoked or end meanwhile.
func (b *Broker) watch(ctx context.Context) {
	tick := time.NewTicker(sweepPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if b.judge != nil {
				b.connections.sweep(b.judge.Revoked, time.Now())
			}
		}
	}
}

// Run answers until ctx ends.
func (b *Broker) Run(ctx context.Context) error {
	// The library counts a connection only when it reads from it, beside its own waiting for none; with one more it waits for all.
	clients := &b.server.Listeners.ClientsWg
	clients.Add(1)
	if err := b.server.Serve(); err != nil {
		clients.Done()
		return fmt.Errorf("broker: %w", err)
	}
	b.watch(ctx)
	b.connections.refuse()
	done := make(chan error, 1)
	go func() { done <- b.server.Close() }()
	for end := time.Now().Add(goodbye); b.connections.count() > 0 && time.Now().Before(end); {
		time.Sleep(goodbye / 100)
	}
	b.connections.closeAll()
	clients.Done()
	if err := <-done; err != nil {
		return fmt.Errorf("close the broker: %w", err)
	}
	return nil
}
