package deploy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/proof/mosquitto"
	"haochaping/internal/proof/testkit"
)

// The shipped configuration, inside Debian's own in a real mosquitto, but for folders, port and account: a box reaches its own topics and
// no other's, the centre its side of all, nobody else anything.
func TestBrokerLetsEachToItsTopics(t *testing.T) {
	broker := startBroker(t)
	centre := broker.client(t, "centre", "for-centre")
	box := broker.client(t, "lz-0417", "for-lz-0417")
	other := broker.client(t, "lz-0418", "for-lz-0418")
	for _, bad := range [][2]string{{"", ""}, {"lz-0417", "for-lz-0418"}, {"nobody", "for-centre"}} {
		if err := broker.connect(bad[0], bad[1]).err; err == nil {
			t.Errorf("%q is let in with the password %q", bad[0], bad[1])
		}
	}

	records := centre.listen(t, "$share/central/hcp/1/+/records")
	acks := box.listen(t, "hcp/1/lz-0417/ack")
	spied := other.listen(t, "hcp/1/lz-0417/#")
	forged := centre.listen(t, "hcp/1/+/presence")

	other.publish(t, "hcp/1/lz-0417/records", "forged")
	other.publish(t, "hcp/1/lz-0418/ack", "forged")
	other.publish(t, "hcp/1/lz-0418/records", "of 0418")
	box.publish(t, "hcp/1/lz-0417/records", "of 0417")
	box.publish(t, "hcp/1/lz-0417/presence", "here")
	centre.publish(t, "hcp/1/lz-0417/ack", "through 7")

	for _, c := range []struct {
		who  string
		got  <-chan string
		want []string
	}{
		{"the centre", records, []string{"of 0418", "of 0417"}},
		{"the centre", forged, []string{"here"}},
		{"the box", acks, []string{"through 7"}},
	} {
		for _, want := range c.want {
			select {
			case got := <-c.got:
				if got != want {
					t.Errorf("%s hears %q, want %q", c.who, got, want)
				}
			case <-time.After(10 * time.Second):
				t.Errorf("%s does not hear %q", c.who, want)
			}
		}
	}
	select {
	case got := <-spied:
		t.Errorf("a box hears another's %q", got)
	case got := <-records:
		t.Errorf("the centre hears %q", got)
	default: // the broker handed on what came later, so what came before will not follow
	}
}

type broker struct {
	address string
	trust   *x509.CertPool
}

func startBroker(t *testing.T) broker {
	t.Helper()
	for _, program := range []string{"mosquitto", "mosquitto_passwd"} {
		need(t, program, "mosquitto")
	}
	dir := t.TempDir()
	b := broker{trust: writeCertificate(t, dir)}
	b.address = testkit.Address(t)
	_, port, _ := net.SplitHostPort(b.address)

	passwords := filepath.Join(dir, "haochaping.passwd")
	if err := os.WriteFile(passwords, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"centre", "lz-0417", "lz-0418"} {
		output(t, nil, "mosquitto_passwd", "-b", passwords, user, "for-"+user)
	}
	text, err := os.ReadFile("broker/mosquitto.conf")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("broker/mosquitto.acl")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("listener 8883", "listener "+port+" 127.0.0.1", "/etc/mosquitto/certs/", dir+"/",
		"/etc/mosquitto/", dir+"/").Replace(string(text)) + "user root\n"
	main := debianBroker(t, dir)
	for name, content := range map[string]string{"conf.d/haochaping.conf": config, "haochaping.acl": string(rules)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("mosquitto", "-c", main)
	var log strings.Builder
	cmd.Stderr = &log
	t.Cleanup(func() { // after it has ended
		if t.Failed() {
			said, _ := os.ReadFile(filepath.Join(dir, "mosquitto.log")) // it may have got as far
			t.Logf("%s\n%s", log.String(), said)
		}
	})
	mosquitto.Run(t, cmd, b.address)
	return b
}

// The broker for certificates runs beside the one for passwords, as its header says, inside Debian's own configuration.
func TestBothBrokersBesideEachOther(t *testing.T) {
	for _, program := range []string{"mosquitto", "mosquitto_passwd"} {
		need(t, program, "mosquitto")
	}
	dir := t.TempDir()
	main := debianBroker(t, dir)
	writeCertificate(t, dir)
	output(t, nil, "mosquitto_passwd", "-b", "-c", filepath.Join(dir, "haochaping.passwd"), "centre", "for-centre")
	var at []string
	for _, c := range []struct{ to, from, line, instead string }{
		{"haochaping-certificates.conf", "mosquitto-certificates.conf", "per_listener_settings false", "per_listener_settings true"},
		{"haochaping.conf", "mosquitto.conf", "per_listener_settings false\n", ""},
	} {
		text, err := os.ReadFile("broker/" + c.from)
		if err != nil {
			t.Fatal(err)
		}
		address := testkit.Address(t)
		at = append(at, address)
		_, port, _ := net.SplitHostPort(address)
		config := strings.NewReplacer(c.line, c.instead, "listener 8883", "listener "+port+" 127.0.0.1", "crlfile", "#",
			"mqtt.pem", "mqtt.example.com.pem", "mqtt.key", "mqtt.example.com.key", "root.pem", "mqtt.example.com.pem",
			"/etc/mosquitto/certs/", dir+"/", "/etc/mosquitto/", dir+"/").Replace(string(text))
		if err := os.WriteFile(filepath.Join(dir, "conf.d", c.to), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules, err := os.ReadFile("broker/mosquitto.acl")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"haochaping.acl": string(rules), "conf.d/user.conf": "user root\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("mosquitto", "-c", main)
	cmd.Stderr = testkit.Shown(t, "mosquitto")
	mosquitto.Run(t, cmd, at[1]) // it opens them in turn
	conn, err := net.Dial("tcp", at[0])
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// debianBroker lays out a folder as Debian's package mosquitto does its own, and returns the path of the main configuration.
func debianBroker(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/debian-mosquitto.conf")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	main := filepath.Join(dir, "mosquitto.conf")
	config := strings.NewReplacer("/run/mosquitto/", dir+"/", "/var/lib/mosquitto/", dir+"/", "/var/log/mosquitto/", dir+"/",
		"/etc/mosquitto/", dir+"/").Replace(string(text))
	if err := os.WriteFile(main, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return main
}

// What Debian's configuration says already, mosquitto does not bear twice: the test above would not pass with it.
func TestBrokerRefusesWhatDebianSaysAlready(t *testing.T) {
	need(t, "mosquitto", "mosquitto")
	dir := t.TempDir()
	main := debianBroker(t, dir)
	again := "listener 0 127.0.0.1\nallow_anonymous false\npersistence_location " + dir + "/\n"
	if err := os.WriteFile(filepath.Join(dir, "conf.d", "again.conf"), []byte(again), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mosquitto", "-c", main).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "Duplicate persistence_location") {
		t.Errorf("%v\n%s", err, out)
	}
}

// writeCertificate makes what an authority would have given, and returns the trust in it.
func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mqtt.example.com"},
		DNSNames:  []string{"mqtt.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	for name, content := range map[string][]byte{
		"mqtt.example.com.pem": certPEM, "mqtt.example.com.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool
}

// client is a connection, or why there is none.
type client struct {
	mqtt mqtt.Client
	err  error
}

func (b broker) connect(user, password string) client {
	o := mqtt.NewClientOptions().AddBroker("ssl://" + b.address).SetClientID("hcp-" + user).SetCleanSession(true).SetAutoReconnect(false).
		SetTLSConfig(&tls.Config{RootCAs: b.trust, ServerName: "mqtt.example.com", MinVersion: tls.VersionTLS12})
	if user != "" {
		o.SetUsername(user).SetPassword(password)
	}
	c := mqtt.NewClient(o)
	token := c.Connect()
	token.Wait()
	return client{c, token.Error()}
}

func (b broker) client(t *testing.T, user, password string) client {
	t.Helper()
	c := b.connect(user, password)
	if c.err != nil {
		t.Fatalf("%s is not let in: %v", user, c.err)
	}
	t.Cleanup(func() { c.mqtt.Disconnect(0) })
	return c
}

func (c client) listen(t *testing.T, filter string) <-chan string {
	t.Helper()
	got := make(chan string, 16)
	token := c.mqtt.Subscribe(filter, 1, func(_ mqtt.Client, m mqtt.Message) { got <- string(m.Payload()) })
	if token.Wait(); token.Error() != nil {
		t.Fatalf("subscribe to %s: %v", filter, token.Error())
	}
	return got
}

func (c client) publish(t *testing.T, topic, text string) {
	t.Helper()
	token := c.mqtt.Publish(topic, 1, false, text)
	if token.Wait(); token.Error() != nil {
		t.Fatalf("publish on %s: %v", topic, token.Error())
	}
}
