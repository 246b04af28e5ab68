package uplink

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	server "github.com/mochi-mqtt/server/v2"

	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

func probeOf(address string, centre ed25519.PublicKey) ProbeConfig {
	return ProbeConfig{Broker: "mqtt://" + address, Username: "box-1", Device: "box-1", Centre: centre, Suffix: "abc123",
		Now: time.Now, Synced: func() bool { return true }, Limit: 2 * time.Second}
}

// TestProbeBesideARunningBox: the box that is connected stays connected, and each word of the centre is judged.
func TestProbeBesideARunningBox(t *testing.T) {
	eachBroker(t, func(t *testing.T, b broker) {
		k := newKeys(t)
		startCentre(t, b.address(), k.centre, public(k.box))
		log := newMemory()
		l, _ := startLink(t, b.address(), k, log, AckCentre)
		until(t, "the connection", l.Connected)
		c := probeOf(b.address(), public(k.centre))
		c.Limit = 500 * time.Millisecond
		if got, err := Probe(t.Context(), c); !errors.Is(err, ErrNoConfig) || got.At != StageConfig {
			t.Errorf("a box that is not enrolled: stage %d, %v", got.At, err)
		}
		window := rating.Window{ID: "w1", Name: "综合受理1号窗口", Hall: "市民中心", Generation: 1}
		payload, err := wire.Seal(k.centre, wire.ConfigPurpose, &wire.Config{Device: "box-1", Window: window})
		if err != nil {
			t.Fatal(err)
		}
		publishKept(t, b.address(), wire.Topic("box-1", wire.ConfigChannel), payload)
		c.Limit = 5 * time.Second
		if got, err := Probe(t.Context(), c); err != nil || got.At != StageDone || got.Window != window || got.Address != b.address() {
			t.Errorf("a box that is enrolled: %+v, %v", got, err)
		}
		c.Centre = public(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
		if got, err := Probe(t.Context(), c); !errors.Is(err, ErrOtherCentre) || got.At != StageConfig {
			t.Errorf("another centre's key: stage %d, %v", got.At, err)
		}
		if n := l.Stats().Connections; n != 1 || !l.Connected() {
			t.Errorf("the box has connected %d times, and is connected: %v", n, l.Connected())
		}
	})
}

func publishKept(t *testing.T, address, topic string, payload []byte) {
	t.Helper()
	publishKeptAs(t, address, "box-1", topic, payload)
}

func publishKeptAs(t *testing.T, address, user, topic string, payload []byte) {
	t.Helper()
	c := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + address).SetClientID("keeper").SetUsername(user))
	for _, step := range []func() mqtt.Token{c.Connect, func() mqtt.Token { return c.Publish(topic, 1, true, payload) }} {
		if tok := step(); !tok.WaitTimeout(10*time.Second) || tok.Error() != nil {
			t.Fatal(tok.Error())
		}
	}
	c.Disconnect(50)
}

func TestProbeOfNobody(t *testing.T) {
	if got, err := Probe(t.Context(), probeOf(testkit.Address(t), nil)); err == nil || got.At != StageReach {
		t.Errorf("a port that is closed: stage %d, %v", got.At, err)
	}
	// Something that takes connections and says nothing.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
		}
	}()
	c := probeOf(l.Addr().String(), nil)
	c.Limit = 200 * time.Millisecond
	if got, err := Probe(t.Context(), c); err == nil || got.At != StageLogin {
		t.Errorf("no broker: stage %d, %v", got.At, err)
	}
	c.Broker = "mqtts://" + l.Addr().String()
	if got, err := Probe(t.Context(), c); err == nil || got.At != StageTLS {
		t.Errorf("no TLS: stage %d, %v", got.At, err)
	}
}

// refusing is a broker's hook that lets nobody in.
type refusing struct{ server.HookBase }

func (refusing) ID() string { return "refusing" }

func (refusing) Provides(b byte) bool { return b == server.OnConnectAuthenticate }

func TestProbeIsRefused(t *testing.T) {
	b := &embedded{at: testkit.Address(t), hook: new(refusing)}
	b.start(t)
	defer b.stop()
	if got, err := Probe(t.Context(), probeOf(b.at, nil)); !IsRefused(err) || got.At != StageLogin {
		t.Errorf("a wrong password: stage %d, %v", got.At, err)
	}
	if IsRefused(io.EOF) || IsRefused(nil) {
		t.Error("each error is a refusal")
	}
}

// A broker that refuses the box's certificate is a matter of certificates, in both versions of TLS.
func TestProbeOfARefusedCertificate(t *testing.T) {
	now := time.Now()
	authority := newAuthority(t, now.Add(-time.Hour), now.Add(time.Hour))
	certificate, err := authority.Issue("127.0.0.1", now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM())
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MaxVersion: version,
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err == nil {
				_ = conn.(*tls.Conn).Handshake()
				_, _ = io.Copy(io.Discard, conn.(*tls.Conn).NetConn()) // unread bytes would end the connection before the alert is seen
				_ = conn.Close()
			}
		}()
		p := probeOf(l.Addr().String(), nil)
		p.Broker, p.TLS = "mqtts://"+l.Addr().String(), &tls.Config{RootCAs: roots}
		_, err = Probe(t.Context(), p)
		_ = l.Close()
		if got := FaultOf(err); got != FaultCertificate {
			t.Errorf("%s: %s, %v", tls.VersionName(version), got, err)
		}
	}
}

func TestProbeJudgesTheCertificate(t *testing.T) {
	now := time.Now()
	authority := newAuthority(t, now.Add(-time.Hour), now.Add(time.Hour))
	stranger := newAuthority(t, now.Add(-time.Hour), now.Add(time.Hour))
	for name, c := range map[string]struct {
		signer *faultnet.Authority
		name   string
		ends   time.Time
		want   string
	}{
		"in order":          {authority, "127.0.0.1", now.Add(time.Hour), ""},
		"ended":             {authority, "127.0.0.1", now.Add(-time.Minute), "renew it"},
		"another name":      {authority, "mqtt.example.com", now.Add(time.Hour), "not trusted"},
		"another authority": {stranger, "127.0.0.1", now.Add(time.Hour), "not trusted"},
	} {
		certificate, err := c.signer.Issue(c.name, now.Add(-time.Hour), c.ends)
		if err != nil {
			t.Fatal(err)
		}
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := l.Accept()
			if err == nil {
				_ = conn.(*tls.Conn).Handshake()
				_ = conn.Close()
			}
		}()
		p := probeOf(l.Addr().String(), nil)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(authority.PEM())
		p.Broker, p.TLS = "mqtts://"+l.Addr().String(), &tls.Config{RootCAs: roots}
		got, err := Probe(t.Context(), p)
		_ = l.Close()
		if got.Certificate == nil || !got.Certificate.NotAfter.Equal(c.ends.UTC().Truncate(time.Second)) {
			t.Errorf("%s: the certificate is %v", name, got.Certificate)
		}
		if c.want == "" && got.At != StageLogin || c.want != "" && (got.At != StageTLS || err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: stage %d, %v", name, got.At, err)
		}
	}
}
