package broker

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/central/enrol"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// judge judges certificates of an authority.
type judge struct {
	*enrol.Authority
	revoked atomic.Bool // those of box-revoked
}

// Admit implements Certificates.
func (j *judge) Admit(c *x509.Certificate) (rating.DeviceID, error) {
	if err := j.Verify(c, time.Now()); err != nil {
		return "", err
	}
	if j.Revoked(c) {
		return "", errors.New("revoked")
	}
	return rating.ParseDeviceID(c.Subject.CommonName)
}

// Revoked implements Certificates.
func (j *judge) Revoked(c *x509.Certificate) bool {
	return j.revoked.Load() && c.Subject.CommonName == "revoked"
}

func startSecure(t *testing.T) (*Broker, *judge) {
	t.Helper()
	a, err := enrol.OpenAuthority(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{Authority: a}
	b, err := Listen(Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler), TLS: a.ServerTLS([]string{"127.0.0.1"}),
		Certificates: j,
		Password:     func(d rating.DeviceID, password string) bool { return d == "old" && password == "p-old" }})
	if err != nil {
		t.Fatal(err)
	}
	untilEnd(t, b)
	return b, j
}

// certificateOf makes a box of a name with its certificate from an authority.
func certificateOf(t *testing.T, a *enrol.Authority, name rating.DeviceID) *tls.Certificate {
	t.Helper()
	key, err := identity.Keep(filepath.Join(t.TempDir(), "tls.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, record, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := identity.NewRequest(name, key, identity.Record(record))
	if err != nil {
		t.Fatal(err)
	}
	q, err := identity.ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := a.Box(q)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.Issuing().Raw}, PrivateKey: key}
}

// secure logs in over TLS with a certificate, nil for none.
func secure(t *testing.T, b *Broker, a *enrol.Authority, name, password string, cert *tls.Certificate,
	more func(*mqtt.ClientOptions)) (mqtt.Client, error) {
	t.Helper()
	return login(t, b, name, password, func(o *mqtt.ClientOptions) {
		c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: identity.Pool(a.Root())}
		if cert != nil {
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
		}
		o.Servers = nil
		o.AddBroker("ssl://" + b.Addr().String()).SetTLSConfig(c)
		if more != nil {
			more(o)
		}
	})
}

// TestCertificatesOpenTheirOwnTopicsOnly tries what a box with a certificate may not.
func TestCertificatesOpenTheirOwnTopicsOnly(t *testing.T) {
	b, j := startSecure(t)
	box := certificateOf(t, j.Authority, "box-1")
	stranger, err := enrol.OpenAuthority(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	foreign := certificateOf(t, stranger, "box-1")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := j.Server([]string{"box-1"}, key.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Certificate{Certificate: [][]byte{leaf.Raw, j.Issuing().Raw}, PrivateKey: key}
	for _, c := range []struct {
		what           string
		name, password string
		cert           *tls.Certificate
		more           func(*mqtt.ClientOptions)
		want           bool
	}{
		{"its own name", "box-1", "", box, nil, true},
		{"another box's name", "box-2", "", box, nil, false},
		{"another box's name with its password", "old", "p-old", box, nil, false},
		{"the centre's name", CentreName, "", box, nil, false},
		{"no name", "", "", box, nil, false},
		{"another authority's certificate", "box-1", "", foreign, nil, false},
		{"a server's certificate", "box-1", "", server, nil, false},
		{"no certificate", "box-1", "", nil, nil, false},
		{"a password without a certificate", "old", "p-old", nil, nil, true},
		{"another's client id", "box-1", "", box, func(o *mqtt.ClientOptions) { o.SetClientID("hcp-box-2") }, false},
		{"another's will", "box-1", "", box, func(o *mqtt.ClientOptions) { o.SetWill(wire.Topic("box-2", wire.PresenceChannel), "x", 1, true) },
			false},
		{"a will of records", "box-1", "", box, func(o *mqtt.ClientOptions) { o.SetWill(wire.Topic("box-1", wire.AckChannel), "x", 1, false) },
			false},
		{"its own will", "box-1", "", box, func(o *mqtt.ClientOptions) { o.SetWill(wire.Topic("box-1", wire.PresenceChannel), "x", 1, true) },
			true},
	} {
		client, err := secure(t, b, j.Authority, c.name, c.password, c.cert, c.more)
		if (err == nil) != c.want {
			t.Errorf("%s: %v", c.what, err)
		}
		client.Disconnect(0)
	}
	client, err := secure(t, b, j.Authority, "box-1", "", box, nil)
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]bool{wire.Topic("box-1", wire.AckChannel): true, wire.Topic("box-2", wire.AckChannel): false,
		"hcp/1/+/ack": false, "#": false,
		wire.Topic("box-1", wire.RecordsChannel): false, wire.ReceiverTopic: true} {
		token := client.Subscribe(topic, 1, nil)
		if !token.WaitTimeout(time.Minute) {
			t.Fatalf("no answer to a subscription of %s", topic)
		}
		granted := token.(*mqtt.SubscribeToken).Result()[topic] < 0x80
		if granted != want {
			t.Errorf("the box reads %s: %v", topic, granted)
		}
	}
}

// TestARevokedBoxIsPutOut revokes the certificate of a box that is connected.
func TestARevokedBoxIsPutOut(t *testing.T) {
	b, j := startSecure(t)
	cert, other := certificateOf(t, j.Authority, "revoked"), certificateOf(t, j.Authority, "box-1")
	lost, stays := make(chan struct{}), make(chan struct{})
	if _, err := secure(t, b, j.Authority, "revoked", "", cert, func(o *mqtt.ClientOptions) {
		o.SetConnectionLostHandler(func(mqtt.Client, error) { close(lost) })
	}); err != nil {
		t.Fatal(err)
	}
	client, err := secure(t, b, j.Authority, "box-1", "", other, func(o *mqtt.ClientOptions) {
		o.SetConnectionLostHandler(func(mqtt.Client, error) { close(stays) })
	})
	if err != nil {
		t.Fatal(err)
	}
	j.revoked.Store(true)
	select {
	case <-lost:
	case <-time.After(time.Minute):
		t.Fatal("a revoked box is still connected after a minute")
	}
	if _, err := secure(t, b, j.Authority, "revoked", "", cert, nil); err == nil {
		t.Error("a revoked box is let in again")
	}
	select {
	case <-stays:
		t.Error("another box was put out, too")
	default:
	}
	client.Disconnect(0)
}

// TestAnEndedCertificateIsPutOut lets the certificate of a box that is connected end.
func TestAnEndedCertificateIsPutOut(t *testing.T) {
	b, j := startSecure(t)
	lost := make(chan struct{})
	cert := certificateOf(t, j.Authority, "box-1")
	if _, err := secure(t, b, j.Authority, "box-1", "", cert, func(o *mqtt.ClientOptions) {
		o.SetConnectionLostHandler(func(mqtt.Client, error) { close(lost) })
	}); err != nil {
		t.Fatal(err)
	}
	b.connections.sweep(j.Revoked, time.Now().Add(enrol.BoxLife-time.Hour))
	select {
	case <-lost:
		t.Fatal("a box is put out before its certificate ends")
	case <-time.After(time.Second / 2):
	}
	b.connections.sweep(j.Revoked, time.Now().Add(enrol.BoxLife+time.Hour))
	select {
	case <-lost:
	case <-time.After(time.Minute):
		t.Fatal("a box is still connected after its certificate has ended")
	}
}
