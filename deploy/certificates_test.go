package deploy

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/central/enrol"
	"haochaping/internal/identity"
	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/testkit"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// certified is a mosquitto with the shipped configuration for certificates, and the authority that it knows.
type certified struct {
	*enrol.Authority
	t       *testing.T
	dir     string
	address string
	command *exec.Cmd
}

// newAuthority returns an authority with a folder that has what a broker shows, and nothing runs.
func newAuthority(t *testing.T) *certified {
	t.Helper()
	a, err := enrol.OpenAuthority(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c := &certified{Authority: a, t: t, dir: t.TempDir()}
	key, err := identity.Keep(filepath.Join(c.dir, "mqtt.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := a.Server([]string{"127.0.0.1"}, key.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c.write("mqtt.pem", string(enrol.PEM(leaf))+string(enrol.PEM(a.Issuing())))
	c.write("root.pem", string(a.RootPEM())+string(enrol.PEM(a.Issuing())))
	return c
}

// startCertified starts one that has a list of revoked certificates.
func startCertified(t *testing.T) *certified {
	t.Helper()
	need(t, "mosquitto", "mosquitto")
	c := newAuthority(t)
	c.revoke()
	rules, err := os.ReadFile("broker/mosquitto.acl")
	if err != nil {
		t.Fatal(err)
	}
	c.write("haochaping.acl", string(rules))
	text, err := os.ReadFile("broker/mosquitto-certificates.conf")
	if err != nil {
		t.Fatal(err)
	}
	c.address = testkit.Address(t)
	_, port, _ := net.SplitHostPort(c.address)
	c.write("mosquitto.conf", strings.NewReplacer("listener 8883", "listener "+port+" 127.0.0.1", "/etc/mosquitto/certs/", c.dir+"/",
		"/etc/mosquitto/", c.dir+"/").Replace(string(text))+"user root\n")
	c.start()
	return c
}

func (c *certified) write(name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// revoke writes the list of revoked certificates.
func (c *certified) revoke(all ...enrol.Revocation) {
	c.t.Helper()
	list, err := c.List(all, time.Now().Unix())
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("revoked.pem", string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})))
}

func (c *certified) start() {
	c.t.Helper()
	program, err := mosquitto.Program()
	if err != nil {
		c.t.Fatal(err)
	}
	c.command = exec.Command(program, "-c", filepath.Join(c.dir, "mosquitto.conf"))
	mosquitto.Run(c.t, c.command, c.address)
}

// shows returns what a client shows: a certificate of a box, or of the centre.
func (c *certified) shows(name rating.DeviceID) (*tls.Certificate, *x509.Certificate) {
	c.t.Helper()
	key, err := identity.Keep(filepath.Join(c.t.TempDir(), "tls.key"), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	var leaf *x509.Certificate
	if name == "centre" {
		leaf, err = c.Client("centre", key.Public(), time.Hour)
	} else {
		leaf, err = c.box(name, key)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw, c.Issuing().Raw}, PrivateKey: key}, leaf
}

func (c *certified) box(name rating.DeviceID, key identity.Key) (*x509.Certificate, error) {
	_, record, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := identity.NewRequest(name, key, identity.Record(record))
	if err != nil {
		return nil, err
	}
	q, err := identity.ParseRequest(der)
	if err != nil {
		return nil, err
	}
	return c.Box(q)
}

// connect logs in by a certificate, nil for none, with any name and password.
func (c *certified) connect(cert *tls.Certificate, change func(*mqtt.ClientOptions)) client {
	c.t.Helper()
	secure := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: identity.Pool(c.Root())}
	if cert != nil {
		secure.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	o := mqtt.NewClientOptions().AddBroker("ssl://" + c.address).SetTLSConfig(secure).SetAutoReconnect(false).
		SetConnectTimeout(20 * time.Second).SetOrderMatters(false)
	if change != nil {
		change(o)
	}
	m := mqtt.NewClient(o)
	token := m.Connect()
	if !token.WaitTimeout(time.Minute) {
		c.t.Fatal("no answer to a login")
	}
	c.t.Cleanup(func() { m.Disconnect(0) })
	return client{m, token.Error()}
}

// TestMosquittoKnowsBoxesByTheirCertificates tries the shipped configuration for boxes that have certificates: each its own topics, wills
// included.
func TestMosquittoKnowsBoxesByTheirCertificates(t *testing.T) {
	c := startCertified(t)
	cert, leaf := c.shows("bcdf23456789")
	other, _ := c.shows("ghjk23456789")
	own, _ := c.shows("centre")
	centre := c.connect(own, nil)
	if centre.err != nil {
		t.Fatal(centre.err)
	}
	presences := centre.listen(t, "hcp/1/+/presence")
	records := centre.listen(t, "$share/central/hcp/1/+/records")
	if err := c.connect(nil, func(o *mqtt.ClientOptions) { o.SetUsername("bcdf23456789") }).err; err == nil {
		t.Error("a box without a certificate is let in")
	}
	stranger := certified{Authority: strangers(t), t: t}
	foreign, _ := stranger.shows("bcdf23456789")
	if err := c.connect(foreign, nil).err; err == nil {
		t.Error("a certificate of another authority is let in")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	server, err := c.Server([]string{"centre"}, key.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.connect(&tls.Certificate{Certificate: [][]byte{server.Raw, c.Issuing().Raw}, PrivateKey: key}, nil).err; err == nil {
		t.Error("a server's certificate is let in as the centre")
	}
	// The name that the client says counts for nothing, the certificate's does.
	var line net.Conn
	liar := c.connect(other, func(o *mqtt.ClientOptions) {
		o.SetUsername("bcdf23456789").SetPassword("x").SetWill(wire.Topic("bcdf23456789", wire.PresenceChannel), "forged will", 1, false)
		o.SetCustomOpenConnectionFn(func(_ *url.URL, o mqtt.ClientOptions) (conn net.Conn, err error) {
			line, err = tls.Dial("tcp", c.address, o.TLSConfig)
			return line, err
		})
	})
	if liar.err == nil {
		liar.publish(t, wire.Topic("bcdf23456789", wire.RecordsChannel), "forged")
		liar.publish(t, wire.Topic("ghjk23456789", wire.RecordsChannel), "of ghjk")
		want(t, records, "of ghjk")
		_ = line.Close() // so that the broker would publish the will
	}
	box := c.connect(cert, nil)
	if box.err != nil {
		t.Fatal(box.err)
	}
	acks := box.listen(t, "hcp/1/bcdf23456789/ack")
	box.publish(t, wire.Topic("bcdf23456789", wire.RecordsChannel), "of bcdf")
	want(t, records, "of bcdf")
	centre.publish(t, wire.Topic("bcdf23456789", wire.AckChannel), "through 7")
	want(t, acks, "through 7")
	box.publish(t, wire.Topic("bcdf23456789", wire.PresenceChannel), "here")
	want(t, presences, "here")
	c.revoke(enrol.Revocation{Serial: leaf.SerialNumber.Text(16), At: time.Now()})
	_ = c.command.Process.Kill()
	_ = c.command.Wait() // killed, which it is told
	c.start()
	if err := c.connect(cert, nil).err; err == nil {
		t.Error("a revoked certificate is let in")
	}
	if err := c.connect(other, nil).err; err != nil {
		t.Errorf("another box is not: %v", err)
	}
}

func strangers(t *testing.T) *enrol.Authority {
	t.Helper()
	a, err := enrol.OpenAuthority(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// want checks what is heard next.
func want(t *testing.T, got <-chan string, want string) {
	t.Helper()
	select {
	case s := <-got:
		if s != want {
			t.Errorf("heard %q, want %q", s, want)
		}
	case <-time.After(time.Minute):
		t.Errorf("did not hear %q within a minute", want)
	}
}
