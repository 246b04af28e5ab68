package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestCertificatesForABrokerElsewhere writes what deploy/broker/mosquitto-certificates.conf names, and what the centre logs in by.
func TestCertificatesForABrokerElsewhere(t *testing.T) {
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	do := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), args, environment{&out, &out, time.Now, rand.Reader, manager})
		return out.String(), err
	}
	config := func(lines string) {
		t.Helper()
		if err := os.WriteFile(at("centrald.toml"), fmt.Appendf(nil, "state = %q\n%s", at("state"), lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config("")
	for _, args := range [][]string{{"certificate", "-config", at("centrald.toml"), "-root", at("root.pem")},
		{"image-config", "-config", at("centrald.toml"), "-broker", "mqtts://a:8883"}} {
		if _, err := do(args...); !errors.Is(err, errNoDoor) {
			t.Errorf("%v without a door: %v", args, err)
		}
	}
	config("enrol.listen = ':8443'\nenrol.names = ['enrol.example.com']\n")
	if _, err := do("certificate", "-config", at("centrald.toml"), "-server", "mqtt.example.com,192.0.2.1", "-key", at("mqtt.key"), "-out",
		at("mqtt.pem"),
		"-root", at("root.pem"), "-revoked", at("revoked.pem")); err != nil {
		t.Fatal(err)
	}
	if _, err := do("certificate", "-config", at("centrald.toml"), "-centre", "-key", at("centre-mqtt.key"), "-out",
		at("centre-mqtt.pem")); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	text, err := os.ReadFile(at("root.pem"))
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatalf("the root: %v", err)
	}
	for name, want := range map[string]struct {
		host  string
		usage x509.ExtKeyUsage
	}{"mqtt": {"mqtt.example.com", x509.ExtKeyUsageServerAuth}, "centre-mqtt": {"", x509.ExtKeyUsageClientAuth}} {
		pair, err := tls.LoadX509KeyPair(at(name+".pem"), at(name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: want.host, Roots: roots,
			KeyUsages: []x509.ExtKeyUsage{want.usage}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := os.ReadFile(at("revoked.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(list)
	if block == nil {
		t.Fatalf("the list of revoked certificates is %q", list)
	}
	if _, err := x509.ParseRevocationList(block.Bytes); err != nil {
		t.Error(err)
	}
	if _, err := do("certificate", "-config", at("centrald.toml"), "-nats", at("users.conf")); err == nil {
		t.Error("nats-server is told of no centre")
	}
	config(fmt.Sprintf("enrol.listen = ':8443'\nenrol.names = ['enrol.example.com']\n"+
		"broker.client_cert_file = %q\nbroker.client_key_file = %q\n",
		at("centre-mqtt.pem"), at("centre-mqtt.key")))
	if _, err := do("certificate", "-config", at("centrald.toml"), "-nats", at("users.conf")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(at("users.conf")); err != nil || !strings.Contains(string(text), `user: "CN=centre"`) {
		t.Errorf("nats-server's users: %v\n%s", err, text)
	}
	if _, err := do("certificate", "-config", at("centrald.toml"), "-server", "a"); err == nil {
		t.Error("a certificate without files is written")
	}

	// What all boxes share must not open a table twice.
	if err := os.WriteFile(at("more.toml"), []byte("[uplink]\nack = \"centre\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := do("image-config", "-config", at("centrald.toml"), "-broker", "mqtts://a:8883", "-defaults", at("more.toml")); err == nil ||
		!strings.Contains(err.Error(), "-defaults") {
		t.Errorf("defaults that open the table uplink: %v", err)
	}
	if err := os.WriteFile(at("more.toml"), []byte("visit.wait = \"60s\"\nvisit.wiat = \"60s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := do("image-config", "-config", at("centrald.toml"), "-broker", "mqtts://a:8883", "-defaults", at("more.toml"), "-out",
		at("image.toml")); err == nil ||
		!strings.Contains(err.Error(), "line 2: visit.wiat: unknown") {
		t.Errorf("defaults with a typo: %v", err)
	}
	if _, err := os.Stat(at("image.toml")); err == nil {
		t.Error("a file with a typo is written")
	}
	if out, err := do("image-config", "-config", at("centrald.toml"), "-broker", "mqtts://a:8883,mqtts://b:8883", "-page",
		"https://admin.example.com"); err != nil ||
		!strings.Contains(out, `enrol.url = "https://enrol.example.com:8443"`) || !strings.Contains(out, `"mqtts://b:8883"]`) {
		t.Errorf("the boxes' file: %v\n%s", err, out)
	}
}

func TestWhoIsLetInIsChecked(t *testing.T) {
	for lines, want := range map[string]string{
		"enrol.listen = ':8443'":                                                                         "enrol.names: missing",
		"enrol.listen = ':8443'\nenrol.names = ['Enrol:8443']":                                           "enrol.names",
		"broker.certificates = true":                                                                     "enrol.names: missing",
		"broker.certificates = true\nenrol.names = ['a']\nbroker.url = 'mqtt://a'":                       "broker.certificates",
		"broker.certificates = true\nenrol.names = ['a']\nbroker.cert_file = 'a'\nbroker.key_file = 'b'": "broker.certificates",
		"enrol.window_days = 0":                                                                          "write 1 to 30",
		"enrol.window_days = 31":                                                                         "write 1 to 30",
		"enrol.window_days = 30":                                                                         "",
		"broker.listen = ':8883'":                                                                        "let boxes in by certificates",
		"broker.listen = ':8883'\nbroker.certificates = true\nenrol.names = ['10.1.2.3', 'a.example.com']\nenrol.listen = ':8443'": "",
	} {
		_, err := parseConfig(lines)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", lines, err, want)
		}
	}
}
