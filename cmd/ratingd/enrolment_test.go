package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"haochaping/internal/boxconfig"
	keys "haochaping/internal/identity"
	"haochaping/internal/opsapi"
	"haochaping/internal/proof/inspect"
	"haochaping/internal/rating"
)

// TestABoxFromItsBirth lets a box in as an administrator does, with everything over TLS, at the built-in broker and at mosquitto: it is
// born with nothing but the file that all boxes share, shows its code, is accepted on the page, and its first evaluation counts. Then its
// certificate is revoked, its card comes to another board, and it is told to forget all: each time it asks nobody and shows a code. At last
// it takes the place of the box that it was.
func TestABoxFromItsBirth(t *testing.T) {
	lives(t, fromBirth)
}

func fromBirth(t *testing.T, l *life) {
	t.Helper()
	l.relists()
	w, admin := l.world, l.admin
	b := l.born("born", "")
	seen := b.showsCode()
	b.untilPart("window", func(p opsapi.Part) bool {
		return p.Code == "window.waits" && strings.Contains(p.What.ZH, seen.Code) && strings.Contains(p.What.ZH, seen.Digits)
	})
	if p := mustAsk(t, b).Part("certificate"); !strings.Contains(p.What.ZH, "等待中心签发") {
		t.Errorf("the status of a box without a certificate says of it %+v", p)
	}
	device := b.bound["device"]
	for _, name := range []string{boxconfig.TLSKeyFile, boxconfig.IdentityFile} {
		if info, err := os.Stat(filepath.Join(b.state, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key %s: %v, %v", name, info, err)
		}
	}

	// The centre believes its copy of the organisation for a second.
	var text string
	var window []string
	for end := time.Now().Add(time.Minute); window == nil && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		text = admin.get("/fleet/enrol?hall=SL-H2&code=" + seen.Code)
		window = regexp.MustCompile(`<option value="(SL-H2-[^"]+)" selected>`).FindStringSubmatch(text)
	}
	if window == nil || !strings.Contains(text, seen.Digits) || !strings.Contains(text, device) {
		t.Fatalf("the page does not show the box %s with %s and a window:\n%s", device, seen.Digits, text)
	}
	began := time.Now()
	accept := func(code string) {
		t.Helper()
		admin.post("/fleet/halls/SL-H2/enrol", url.Values{"code": {code}, "window": {window[1]}})
		b.wait("let in", func(s boxState) bool { return s.State == "idle" && !s.Offline && s.Code == "" })
	}
	accept(seen.Code)
	t.Logf("the box served its window %v after it was accepted", time.Since(began).Round(100*time.Millisecond))

	visit := b.openVisit()
	b.press(5)
	if !b.sawThanks(visit, 5, make(chan struct{})) {
		t.Fatal("nobody was thanked")
	}
	b.settle()

	sendsBundle(admin, b, device)
	key, err := keys.Read(filepath.Join(b.state, boxconfig.TLSKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := keys.ReadCertificate(filepath.Join(b.state, boxconfig.CertificateFile), key); err != nil ||
		c.Leaf.Subject.CommonName != device {
		t.Errorf("its certificate: %v", err)
	}

	// It starts again, and needs nobody.
	b.stop()
	b.launch()
	b.wait("there again", func(s boxState) bool { return s.State == "idle" && !s.Offline })
	admin.post("/fleet/boxes/"+device+"/revoke", url.Values{"reason": {"被盗"}})
	b.wait("put out", func(s boxState) bool { return s.Offline })
	began = time.Now()
	again := b.showsCode()
	t.Logf("the box showed its code %v after it was put out", time.Since(began).Round(100*time.Millisecond))
	b.stop()
	b.launch()
	b.wait("asking nobody after a restart", func(s boxState) bool { return s.State == "enrolling" && s.Code == again.Code })
	accept(again.Code)

	b.stop()
	writeFile(t, l.board(b), "10000000bbbbbbbb\x00")
	b.launch()
	moved := b.showsCode()
	if text := admin.get("/fleet/enrol?hall=SL-H2&code=" + moved.Code); !strings.Contains(text, "另一块主板") {
		t.Errorf("the page does not say that the card has moved:\n%s", text)
	}
	accept(moved.Code)
	b.settle()

	b.stop()
	writeFile(t, filepath.Join(w.dir, boxconfig.ResetFile), device+"\n")
	b.launch()
	for end := time.Now().Add(time.Minute); b.bound["device"] == device && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		b.bound = waitAddresses(t, b.addresses)
	}
	if b.bound["device"] == device {
		t.Fatal("the box that was to forget all has its name")
	}
	resetByCode(admin, b)
	if _, err := os.Stat(filepath.Join(b.state, boxconfig.CertificateFile)); err == nil {
		t.Error("the box that was to forget all has its certificate")
	}

	window[1] += " " + device // whose place it takes now, as the page says it
	accept(b.showsCode().Code)
	admin.until("/fleet/boxes/"+device, "已撤下") // the centre believes its copy of the organisation for a second
	b.stop()                                   // its former lives in the same process read the simulated lines, too
	b.launch()
	b.wait("there again", func(s boxState) bool { return s.State == "idle" && !s.Offline })
	visit = b.openVisit()
	b.press(4)
	if !b.sawThanks(visit, 4, make(chan struct{})) {
		t.Error("nobody was thanked by the box that took the place")
	}
	b.settle()
	b.stop()
	w.stopCentre()
	if n, of := w.counted(device), w.counted(b.bound["device"]); n != 1 || of != 1 {
		t.Errorf("%d evaluations of the first box count and %d of the second, want 1 of each", n, of)
	}
}

// resetByCode has a box that waits forget all by the code that it shows: not while records wait, unless they are given up by its name.
func resetByCode(admin page, b *box) {
	b.t.Helper()
	seen, device := b.showsCode(), waitAddresses(b.t, b.addresses)["device"]
	form := url.Values{"reset": {seen.Code}, "in": {"SL-H2"}}
	admin.post("/fleet/enrol/reset", form)
	time.Sleep(10 * time.Second) // it asks every three to four seconds
	if again := b.showsCode(); again.Code != seen.Code || waitAddresses(b.t, b.addresses)["device"] != device {
		b.t.Errorf("a box with records that were not sent forgets them: it shows %s, not %s", again.Code, seen.Code)
	}
	form.Set("give_up_"+seen.Code, device)
	admin.post("/fleet/enrol/reset", form)
	for end := time.Now().Add(time.Minute); waitAddresses(b.t, b.addresses)["device"] == device; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatal("the box that was reset by its code has its name")
		}
	}
	b.bound = waitAddresses(b.t, b.addresses)
	if b.showsCode().Code == seen.Code {
		b.t.Error("it shows its old code")
	}
}

// showsCode waits until the box asks nobody and shows a code, and returns what it shows.
func (b *box) showsCode() (seen boxState) {
	b.t.Helper()
	b.wait("enrolling", func(s boxState) bool { seen = s; return s.State == "enrolling" && s.Code != "" })
	if seen.Code == "" {
		b.t.FailNow()
	}
	return seen
}

// get returns a page's text.
func (p page) get(path string) string {
	p.t.Helper()
	resp, err := p.client.Get(p.base + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("GET %s: %s, %v\n%s", path, resp.Status, err, b)
	}
	return string(b)
}

// counted returns how many evaluations of a box count. The centre has ended.
func (w *world) counted(device string) (n int) {
	w.t.Helper()
	x, err := inspect.Open(w.t.Context(), filepath.Join(w.dir, "centre"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	all, err := x.Entries(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range all {
		if string(e.Device) == device && e.Status == rating.Counted {
			n++
		}
	}
	return n
}
