package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"haochaping/internal/boxconfig"
	"haochaping/internal/central/books"
	keys "haochaping/internal/identity"
	"haochaping/internal/proof/faultnet"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/rating"
	"haochaping/store"
	"haochaping/sync/wire"
)

// TestABoxIsSwapped puts another box at the window of a broken one. What the broken one held counts as far as its last signed report goes;
// what it has recorded after that comes in, is kept and does not count. Its own certificate opens nothing any more.
func TestABoxIsSwapped(t *testing.T) {
	lives(t, func(t *testing.T, l *life) {
		old := l.born("broken", "")
		l.accept(old, "SL-H2-B01")
		device := old.bound["device"]
		old.rated()
		old.settle()
		l.proxy.Set(faultnet.Hangup)
		old.rated() // which it reports, and cannot hand over before it breaks
		old.stop()
		l.proxy.Later(faultnet.Pass)
		reported := l.reports(old)
		l.proxy.Set(faultnet.Hangup)
		old.launch()
		old.rated() // of which no report says anything
		old.cut()
		l.proxy.Later(faultnet.Pass)

		other := l.born("fresh", "")
		l.admit(other, other.showsCode().Code, "SL-H2-B01 "+device)
		other.serves()
		l.admin.until("/fleet/boxes/"+device, "已被替换或撤下")
		other.rated()
		other.settle()

		l.revives(old, device)
		old.settle()
		old.stop()
		if l.elsewhere != nil {
			l.relist()
			l.write(old, "")
		}
		if why := l.logsIn(old, nil); why == nil {
			t.Error("the broken box's certificate opens the broker")
		}
		other.serves()
		other.stop()
		l.counts(other, 1)
		l.counts(old, 2)
		if first := l.quarantined(device); first != reported+1 {
			t.Errorf("of the broken box what begins with %d lies in quarantine, want all after %d", first, reported)
		}
	})
}

// revives brings a replaced box's card to life where it hands over what it holds: at a broker elsewhere that has not read the list yet, or
// by a password.
func (l *life) revives(b *box, device string) {
	l.t.Helper()
	if l.elsewhere != nil {
		b.launch()
		return
	}
	for end := time.Now().Add(time.Minute); l.logsIn(b, nil) == nil; time.Sleep(time.Second) {
		if time.Now().After(end) {
			l.t.Fatal("the broken box's certificate opens the broker a minute after another one took its place")
		}
	}
	sum := sha256.Sum256([]byte("a drawn password"))
	writeFile(l.t, filepath.Join(l.dir, "passwords"), device+" "+hex.EncodeToString(sum[:])+"\n")
	password, root := filepath.Join(l.dir, "password"), filepath.Join(l.dir, "root.pem")
	writeFile(l.t, password, "a drawn password\n")
	l.centre("certificate", "-root", root)
	l.write(b, fmt.Sprintf("device = %q\nuplink.broker = %q\nuplink.ca_file = %q\nuplink.password_file = %q\nuplink.centre_key = %q\n", device,
		"mqtts://"+l.mqtt, root, password, l.centreKey))
	text, err := os.ReadFile(b.config)
	if err != nil {
		l.t.Fatal(err)
	}
	writeFile(l.t, b.config, strings.Replace(string(text), fmt.Sprintf("enrol.file = %q", l.shared), `enrol.file = ""`, 1))
	b.launch()
}

// reports hands over the report of a box that is off, as if its network had let that through and no record, waits until the centre has it,
// and returns as far as which record it goes.
func (l *life) reports(b *box) uint64 {
	l.t.Helper()
	log, err := store.Inspect(filepath.Join(b.state, "log.db"))
	if err != nil {
		l.t.Fatal(err)
	}
	var last []byte
	if err := log.Records(0, func(_ rating.Record, raw []byte) error { last = bytes.Clone(raw); return nil }); err != nil {
		l.t.Fatal(err)
	}
	key, err := (boxconfig.Config{State: b.state}).Identity()
	if err != nil {
		l.t.Fatal(err)
	}
	head := wire.LogHead{Epoch: log.Epoch, Last: log.Last, Head: rating.HashOf(last)}
	head.Sign(log.Device, key)
	text, err := wire.EncodeState(wire.Health{V: wire.Version, KeysOK: true, StoreOK: true, Pending: log.Last - log.Released, State: "paused",
		Wall: time.Now().UnixMilli(), Log: &head})
	if err != nil {
		l.t.Fatal(err)
	}
	err = l.logsIn(b, func(c mqtt.Client) error {
		token := c.Publish(wire.Topic(log.Device, wire.HealthChannel), 1, false, text)
		if !token.WaitTimeout(time.Minute) {
			return errors.New("the report is not taken")
		}
		return token.Error()
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.admin.until("/fleet/boxes/"+string(log.Device), "已暂停")
	return log.Last
}

// shows returns what a box shows the centre: its certificate and key, as anybody may who has its card.
func (b *box) shows() *tls.Certificate {
	b.t.Helper()
	key, err := keys.Read(filepath.Join(b.state, boxconfig.TLSKeyFile))
	if err != nil {
		b.t.Fatal(err)
	}
	c, err := keys.ReadCertificate(filepath.Join(b.state, boxconfig.CertificateFile), key)
	if err != nil {
		b.t.Fatal(err)
	}
	return &c
}

// trusting returns how somebody reaches the centre who has a box's card.
func (l *life) trusting(b *box) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: keys.Pool(l.authority(0).Root()),
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return b.shows(), nil }}
}

// logsIn logs in at the broker with a box's certificate, and does something there. The error says why it could not.
func (l *life) logsIn(b *box, do func(mqtt.Client) error) error {
	l.t.Helper()
	name := b.shows().Leaf.Subject.CommonName
	o := mqtt.NewClientOptions().AddBroker("ssl://" + l.mqtt).SetTLSConfig(l.trusting(b)).SetClientID("hcp-" + name).SetUsername(name).
		SetAutoReconnect(false).SetConnectTimeout(20 * time.Second)
	c := mqtt.NewClient(o)
	token := c.Connect()
	if !token.WaitTimeout(time.Minute) {
		l.t.Fatal("no answer to a login")
	}
	if token.Error() != nil {
		return token.Error()
	}
	defer c.Disconnect(100)
	if do == nil {
		return nil
	}
	return do(c)
}

// quarantined returns the first record of a box that was kept and is not accepted, 0 if there is none. The centre has ended.
func (l *life) quarantined(device string) (first uint64) {
	l.t.Helper()
	x, err := inspect.Open(l.t.Context(), filepath.Join(l.dir, "centre"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	all, err := x.Findings(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range all {
		if string(f.Device) == device && f.Kind == books.Quarantine && (first == 0 || f.From < first) {
			first = f.From
		}
	}
	return first
}

// TestAStolenCardOpensNothing puts the card of a box into another board, as a thief does. It asks nobody and waits for somebody who accepts
// it; once it is revoked, neither it nor what is copied from it opens the broker or gets another certificate, and the window gets another
// box.
func TestAStolenCardOpensNothing(t *testing.T) {
	lives(t, func(t *testing.T, l *life) {
		b := l.born("robbed", "")
		l.accept(b, "SL-H2-B01")
		device := b.bound["device"]
		b.rated()
		b.settle()
		b.stop()

		thief := newGPIOBox(t, l.world, "thief", 2)
		if err := os.MkdirAll(filepath.Dir(thief.state), 0o700); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-a", b.state, thief.state).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		l.write(thief, "")
		thief.launch()
		code := thief.showsCode().Code
		if text := l.admin.get("/fleet/enrol?hall=SL-H2&code=" + code); !strings.Contains(text, "另一块主板") {
			t.Errorf("the page does not say that the card has moved:\n%s", text)
		}
		thief.wait("connected, to hand over what it holds", func(s boxState) bool { return !s.Offline })
		if err := l.logsIn(thief, nil); err != nil {
			t.Errorf("before it is revoked, what is copied does not open the broker: %v", err)
		}
		began := time.Now()
		l.admin.post("/fleet/boxes/"+device+"/revoke", url.Values{"reason": {"被盗"}})
		l.admin.post("/fleet/boxes/"+device+"/remove", url.Values{})
		for end := began.Add(time.Minute); ; time.Sleep(time.Second) {
			l.relist()
			if s, err := thief.look(); err == nil && s.Offline && l.logsIn(thief, nil) != nil {
				break
			}
			if time.Now().After(end) {
				t.Fatal("the stolen card is connected a minute after it was revoked")
			}
		}
		t.Logf("the stolen card was out %v after it was revoked", since(began))
		if status := l.asksAgain(thief); status != http.StatusForbidden {
			t.Errorf("the stolen certificate's renewal is answered %d", status)
		}
		thief.cut()
		thief.launch()
		thief.showsCode()

		other := l.born("next", "")
		l.accept(other, "SL-H2-B01")
		other.rated()
		other.settle()
		if s, err := thief.look(); err != nil || s.State != "enrolling" || !s.Offline {
			t.Errorf("the stolen card is %+v, %v", s, err)
		}
		thief.stop()
		other.stop()
		l.counts(b, 1)
		l.counts(other, 1)
	})
}

// asksAgain asks the door for the next certificate with what a card has, and returns the status of its answer.
func (l *life) asksAgain(b *box) int {
	l.t.Helper()
	shown := b.shows()
	record, err := (boxconfig.Config{State: b.state}).Identity()
	if err != nil {
		l.t.Fatal(err)
	}
	der, err := keys.NewRequest(rating.DeviceID(shown.Leaf.Subject.CommonName), shown.PrivateKey.(keys.Key),
		keys.Record(record.(ed25519.PrivateKey)))
	if err != nil {
		l.t.Fatal(err)
	}
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: l.trusting(b), DisableKeepAlives: true}}
	resp, err := client.Post(l.door+"/.well-known/est/simplereenroll", "application/pkcs10",
		strings.NewReader(base64.StdEncoding.EncodeToString(der)))
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode
}
