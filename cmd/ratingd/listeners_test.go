package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/strangers"
	"haochaping/internal/windowapi"
)

// besieged is a box that runs with all of its listeners, and a centre that is away.
type besieged struct {
	*strangers.Program
	token string
}

func startBesieged(t testing.TB) *besieged {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	authority, err := faultnet.NewAuthority(now.Add(-time.Hour), now.Add(48*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	c, err := authority.Issue("127.0.0.1", now.Add(-time.Hour), now.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write("box.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	write("box.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})))
	centre, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	b := new(besieged)
	if b.token, _, err = windowapi.AddToken(filepath.Join(path("state"), windowapi.TokensFile), "PC", rand.Reader, now); err != nil {
		t.Fatal(err)
	}
	write("ratingd.toml", fmt.Sprintf("device = 'jia-b01'\nstate = %q\naddresses_file = %q\nuplink.cert_file = %q\nuplink.key_file = %q\n"+
		"uplink.centre_key = %q\noperations.socket = %q\n", path("state"), path("addresses.json"), path("box.crt"), path("box.key"),
		base64.RawURLEncoding.EncodeToString(centre), path("ops.sock"))+
		"keys.source = 'simulated'\n"+
		"keys.map = [{key='k1',level=1},{key='k2',level=2},{key='k3',level=3},{key='k4',level=4},{key='k5',level=5}]\n"+
		"screen.panel = 'none'\nscreen.browser = '127.0.0.1:0'\nscreen.width = 480\nscreen.height = 320\nscreen.fonts = []\n"+
		"uplink.broker = 'mqtts://127.0.0.1:1'\nwindow_api.listen = '127.0.0.1:0'\nwindow_api.lan_listen = '127.0.0.1:0'\n"+
		"operations.listen = '127.0.0.1:0'\n")
	b.Program = strangers.Start(t, programs.Path(t, "ratingd"), path("ratingd.toml"), path("addresses.json"), "window_api_lan")
	b.At["socket"] = path("ops.sock")
	return b
}

// dial connects to a listener, by TLS where it speaks that.
func (b *besieged) dial(name string, raw bool) (net.Conn, error) {
	network := "tcp"
	if name == "socket" {
		network = "unix"
	}
	return strangers.Dial(network, b.At[name], !raw && name == "window_api_lan")
}

// lives fails the test unless the screen goes on and nothing has panicked.
func (b *besieged) lives(t *testing.T) {
	t.Helper()
	resp, err := (&http.Client{Timeout: 30 * time.Second}).Get("http://" + b.At["browser"] + "/state.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the screen: %s, %v, %s", resp.Status, err, text)
	}
	b.Panicked(t)
}

// requests returns what each listener usually hears.
func (b *besieged) requests() map[string]string {
	ask := func(method, path, body string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nIdempotency-Key: k\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, path, b.token, len(body), body)
	}
	pc := ask("GET", "/v1/status", "") + ask("POST", "/v1/visits", `{"subjects":["staff"],"wait_sec":60}`) + ask("GET", "/v1/visits/x", "") +
		ask("DELETE", "/v1/visits/x", "") + ask("POST", "/v1/pause", "{}") + ask("POST", "/v1/resume", "{}")
	how := ask("GET", "/healthz", "") + ask("GET", "/metrics", "") + ask("GET", "/status", "")
	return map[string]string{"window_api": pc, "window_api_lan": pc, "operations": how, "socket": how,
		"browser": ask("GET", "/state.json", "") + ask("POST", "/keys/nine", "") + ask("GET", "/frame.png", "")}
}

// FuzzListeners sends to each listener of a box what it usually hears, mixed up, cut short, again and changed, and bytes at random: the
// screen goes on, and nothing panics.
func FuzzListeners(f *testing.F) {
	if testing.Short() {
		f.Skip("starts a box")
	}
	b := startBesieged(f)
	all := b.requests()
	names := slices.Sorted(maps.Keys(all))
	for i, name := range names {
		if b.At[name] == "" {
			f.Fatalf("nothing listens as %s: %v", name, b.At)
		}
		for seed := range uint64(9) {
			f.Add(uint8(i), []byte(all[name]), seed)
		}
		f.Add(uint8(i), strangers.Noise(uint64(i)), uint64(0))
	}
	f.Fuzz(func(t *testing.T, which uint8, conversation []byte, seed uint64) {
		name := names[int(which)%len(names)]
		conn, err := b.dial(name, seed&8 != 0)
		if err != nil {
			t.Fatalf("%s is not there: %v", name, err)
		}
		strangers.Send(conn, strangers.Mix(strangers.Lines(conversation), seed))
		b.lives(t)
	})
}
