package main

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"haochaping/internal/proof/rawmqtt"
	"haochaping/internal/proof/strangers"
	"haochaping/internal/proof/testkit"
)

// listening is a centre that runs with all of its listeners.
type listening struct {
	*strangers.Program
	witness *rawmqtt.Client // a box that is connected all the time
}

// startListening starts one. Whoever comes to the built-in broker needs a password there, and the door is behind TLS.
func startListening(t testing.TB) *listening {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tokens", fmt.Sprintf("system %x\n", sha256.Sum256([]byte("token"))))
	cases, seal := testkit.Address(t), testkit.Address(t) // no file says where these listen
	write("centrald.toml", fmt.Sprintf("state = %q\naddresses_file = %q\nenrol.names = ['127.0.0.1']\ncases.tokens_file = %q\n", path("state"),
		path("addresses.json"), path("tokens"))+"broker.listen = '127.0.0.1:0'\nrate.listen = '127.0.0.1:0'\nadmin.listen = '127.0.0.1:0'\n"+
		fmt.Sprintf("cases.listen = %q\nseal.listen = %q\nops.listen = '127.0.0.1:0'\nenrol.listen = '127.0.0.1:0'\n", cases, seal))
	l := &listening{Program: strangers.Start(t, programs.Path(t, "centrald"), path("centrald.toml"), path("addresses.json"))}
	l.At["cases"], l.At["seal"] = cases, seal
	var err error
	if l.witness, err = rawmqtt.Dial(l.At["mqtt"], rawmqtt.Login{ID: "hcp-jia-b01", User: "jia-b01", Clean: true, KeepAlive: 60},
		time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.witness.Close() })
	return l
}

// dial connects to a listener, by TLS where it speaks that.
func (l *listening) dial(name string, raw bool) (net.Conn, error) {
	return strangers.Dial("tcp", l.At[name], !raw && name == "enrol")
}

// lives fails the test unless the broker and the pages answer, and nothing has panicked.
func (l *listening) lives(t *testing.T) {
	t.Helper()
	if err := l.witness.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := l.witness.Write(rawmqtt.AppendPing(nil)); err != nil {
		t.Fatalf("a box that was connected is put out: %v", err)
	}
	if p, err := rawmqtt.Read(l.witness.In); err != nil || p.Type != rawmqtt.PingrespType {
		t.Fatalf("a box that was connected gets no answer: %v, %v", p, err)
	}
	resp, err := http.Get("http://" + l.At["ops"] + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	l.Panicked(t)
}

// conversations returns what each listener usually hears.
func conversations() map[string]string {
	login := rawmqtt.Login{ID: "hcp-jia-b02", User: "jia-b02", Clean: true, KeepAlive: 15,
		Will: &rawmqtt.Message{Topic: "hcp/1/jia-b02/presence", QoS: 1, Retain: true, Payload: []byte(`{"v":1,"online":false}`)}}
	box := login.Append(nil)
	box = rawmqtt.AppendSubscribe(box, 1, "hcp/1/jia-b02/ack", "hcp/1/jia-b02/command", "hcp/1/jia-b02/config")
	for i, m := range []rawmqtt.Message{{Topic: "hcp/1/jia-b02/presence", Retain: true, Payload: []byte(`{"v":1,"online":true}`)},
		{Topic: "hcp/1/jia-b02/records", Payload: []byte(`{"v":1,"device":"jia-b02"}`)}, {Topic: "hcp/1/jia-b02/health", Payload: []byte("{}")},
		{Topic: "hcp/1/jia-b01/records", Payload: []byte("forged")}} {
		m.QoS = 1
		box = rawmqtt.AppendPublish(box, m, uint16(i+2))
	}
	ask := func(method, path, kind, body string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: centre\r\nAuthorization: Bearer token\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
			method, path, kind, len(body), body)
	}
	const form, object = "application/x-www-form-urlencoded", "application/json"
	return map[string]string{
		"mqtt": string(rawmqtt.AppendDisconnect(rawmqtt.AppendPing(box))),
		"rate": ask("GET", "/r/AAAAAAAAAAAAAAAA", "", "") + ask("POST", "/r/AAAAAAAAAAAAAAAA", form, "level=5&subject=staff"),
		"admin": ask("GET", "/signin", "", "") + ask("POST", "/signin", form, "login=a&password=b") + ask("GET", "/api/v1/boxes", "", "") +
			ask("GET", "/seal/checkpoint", "", ""),
		"cases": ask("POST", "/v1/cases", object, `{"cases":[{"area":"620100000000","project":"p"}]}`) + ask("GET", "/v1/figures?a=b", "", ""),
		"ops":   ask("GET", "/healthz", "", "") + ask("GET", "/metrics", "", ""),
		"seal":  ask("GET", "/checkpoint", "", "") + ask("GET", "/tile/0/000", "", ""),
		"enrol": ask("GET", "/.well-known/est/cacerts", "", "") + ask("POST", "/.well-known/est/simpleenroll", "application/pkcs10", "MIIB") +
			ask("POST", "/.well-known/est/simplereenroll", "application/pkcs10", "MIIB") + ask("GET", "/revoked.crl", "", ""),
	}
}

// FuzzListeners sends to each listener of a centre what it usually hears, mixed up, cut short, again and changed, and bytes at random: it
// goes on to answer a box that is connected and who looks after it, and nothing panics.
func FuzzListeners(f *testing.F) {
	if testing.Short() {
		f.Skip("starts the centre")
	}
	all := conversations()
	names := slices.Sorted(maps.Keys(all))
	for i, name := range names {
		for seed := range uint64(9) {
			f.Add(uint8(i), []byte(all[name]), seed)
		}
		f.Add(uint8(i), strangers.Noise(uint64(i)), uint64(0))
	}
	l := startListening(f)
	for _, name := range names {
		if l.At[name] == "" {
			f.Fatalf("nothing listens as %s: %v", name, l.At)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, conversation []byte, seed uint64) {
		name := names[int(which)%len(names)]
		packets := strangers.Lines(conversation)
		if name == "mqtt" {
			packets = strangers.MQTT(conversation)
		}
		conn, err := l.dial(name, seed&8 != 0)
		if err != nil {
			t.Fatalf("%s is not there: %v", name, err)
		}
		strangers.Send(conn, strangers.Mix(packets, seed))
		l.lives(t)
	})
}
