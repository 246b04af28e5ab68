package enrol

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

// clock is a clock that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a centre's door over TLS.
type world struct {
	*clock
	room   *Room
	fleet  *fleet.Fleet
	server *httptest.Server
	url    string
	t      *testing.T

	directory *directory.Directory
	key       ed25519.PrivateKey // the centre's
	public    ed25519.PublicKey
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return worldAt(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai()))
}

func worldAt(t *testing.T, database string, at time.Time) *world {
	t.Helper()
	w := &world{clock: &clock{at: at}, t: t}
	j, _, _ := journaltest.OpenAt(t, database, w.now)
	var err error
	if w.fleet, err = fleet.Open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	a, err := OpenAuthority(t.TempDir(), w.now)
	if err != nil {
		t.Fatal(err)
	}
	if w.directory, err = directory.Open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if w.public, w.key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if w.room, err = Open(t.Context(), Config{Journal: j, Authority: a, Fleet: w.fleet, Directory: w.directory, Key: w.key,
		Passwords: account.NewHasher(2, account.Cost{Memory: 8, Passes: 1}, rand.Reader), Random: rand.Reader, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewUnstartedServer(w.room.Handler(slog.New(slog.DiscardHandler)))
	w.server.Listener = tls.NewListener(w.server.Listener, a.ServerTLS([]string{"127.0.0.1", "enrol.example.com"}))
	w.server.Start()
	w.url = "https" + strings.TrimPrefix(w.server.URL, "http")
	t.Cleanup(w.server.Close)
	return w
}

// box is a box's keys.
type box struct {
	device      rating.DeviceID
	tls, record identity.Key
	public      []byte // for records
}

func newBox(t *testing.T, device rating.DeviceID) box {
	t.Helper()
	return newBoxOf(t, device, recordkey.Ed25519)
}

func newBoxOf(t *testing.T, device rating.DeviceID, a recordkey.Algorithm) box {
	t.Helper()
	key, err := identity.Keep(filepath.Join(t.TempDir(), "tls.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	record, err := recordkey.Draw(a)
	if err != nil {
		t.Fatal(err)
	}
	return box{device, key, identity.Record(record), recordkey.Public(record)}
}

func (b box) request(t *testing.T) []byte {
	t.Helper()
	der, err := identity.NewRequest(b.device, b.tls, b.record)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// client reaches the door, and shows a certificate if there is one.
func (w *world) client(cert *x509.Certificate, key identity.Key) *http.Client {
	w.t.Helper()
	c := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: identity.Pool(w.room.authority.Root()), Time: w.now}
	if cert != nil {
		// Shown whatever the server asks for: a client of Go would keep an ended one back.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: [][]byte{cert.Raw, w.room.authority.Issuing().Raw}, PrivateKey: key}, nil
		}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}, Timeout: time.Minute}
}

// post asks for a certificate.
func (w *world) post(c *http.Client, path string, der []byte) (status int, h http.Header, body string) {
	w.t.Helper()
	resp, err := c.Post(w.url+"/.well-known/est/"+path, "application/pkcs10", strings.NewReader(base64.StdEncoding.EncodeToString(der)))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(resp)
}

func (w *world) read(resp *http.Response) (status int, h http.Header, body string) {
	w.t.Helper()
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

// bag reads the certificates of an answer.
func (w *world) bag(body string) []*x509.Certificate {
	w.t.Helper()
	der, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(body, "\r\n", ""))
	if err != nil {
		w.t.Fatal(err)
	}
	all, err := identity.ParseBag(der)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// accept does what the page does.
func (w *world) accept(code string) {
	w.t.Helper()
	p, err := w.room.Find(w.t.Context(), code)
	if err != nil {
		w.t.Fatal(err)
	}
	d := fleet.Device{ID: p.Device, Key: p.Record, EnrolledAt: w.now(),
		Window: rating.Window{ID: "A01", Name: "1号窗口", Hall: "大厅", Generation: 1}}
	if err := w.fleet.Put(w.t.Context(), d); err != nil {
		w.t.Fatal(err)
	}
	err = w.room.db.Write(w.t.Context(), func(tx *db.Tx) error { return Accept(w.t.Context(), tx, p, "H1", "A01", "li", w.now()) })
	if err != nil {
		w.t.Fatal(err)
	}
}

// enrolled lets a box in and returns its certificate.
func (w *world) enrolled(b box) *x509.Certificate {
	w.t.Helper()
	_, h, _ := w.post(w.client(nil, nil), "simpleenroll", b.request(w.t))
	w.accept(h.Get(CodeHeader))
	status, _, body := w.post(w.client(nil, nil), "simpleenroll", b.request(w.t))
	if status != http.StatusOK {
		w.t.Fatalf("an accepted box gets %d %s", status, body)
	}
	return w.bag(body)[0]
}

func TestABoxIsLetInByItsCode(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { letIn(t, newWorld(t), recordkey.Ed25519) })
	t.Run("sqlite, in SM2", func(t *testing.T) { letIn(t, newWorld(t), recordkey.SM2) })
	t.Run("postgres", func(t *testing.T) {
		letIn(t, worldAt(t, postgres.Database(t), time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai())), recordkey.SM2)
	})
}

func letIn(t *testing.T, w *world, a recordkey.Algorithm) {
	b := newBoxOf(t, "bcdf23456789", a)
	plain := w.client(nil, nil)
	status, h, _ := w.post(plain, "simpleenroll", b.request(t))
	code := h.Get(CodeHeader)
	if status != http.StatusAccepted || h.Get("Retry-After") != "3" || len(code) != 8 || strings.ContainsAny(code, "AEIOUY") {
		t.Fatalf("a new box gets %d %v", status, h)
	}
	p, err := w.room.Find(t.Context(), strings.ToLower(code[:4])+" - "+code[4:])
	if err != nil || p.Device != b.device || !bytes.Equal(p.Record, b.public) || p.Digits != h.Get(DigitsHeader) || len(p.Digits) != 4 {
		t.Fatalf("the code leads to %+v, %v", p, err)
	}
	if _, h, _ := w.post(plain, "simpleenroll", b.request(t)); h.Get(CodeHeader) != code {
		t.Error("a box that asks again gets another code")
	}
	w.pass(CodeLife + time.Second)
	if _, err := w.room.Find(t.Context(), code); !errors.Is(err, ErrNoCode) {
		t.Errorf("a code that has ended leads to %v", err)
	}
	_, h, _ = w.post(plain, "simpleenroll", b.request(t))
	if h.Get(CodeHeader) == code {
		t.Error("a code that has ended is given out again")
	}
	code = h.Get(CodeHeader)
	w.accept(code)
	if _, err := w.room.Find(t.Context(), code); !errors.Is(err, ErrNoCode) {
		t.Errorf("the code of an accepted box leads to %v", err)
	}
	status, _, body := w.post(plain, "simpleenroll", b.request(t))
	if status != http.StatusOK {
		t.Fatalf("an accepted box gets %d %s", status, body)
	}
	all := w.bag(body)
	if len(all) != 1 || !identity.Is(all[0], b.tls) || all[0].Subject.CommonName != string(b.device) ||
		w.room.authority.Verify(all[0], w.now()) != nil {
		t.Errorf("it gets %d certificates, the first of %v", len(all), all[0].Subject)
	}
	if _, _, again := w.post(plain, "simpleenroll", b.request(t)); !w.bag(again)[0].Equal(all[0]) {
		t.Error("a box that has lost the answer gets another certificate")
	}
	if all, err := w.room.Certificates(t.Context(), b.device, 5); err != nil || len(all) != 1 || !all[0].Revoked.IsZero() {
		t.Errorf("its certificates are %+v, %v", all, err)
	}
	if hall, window, err := w.room.Last(t.Context(), "li"); hall != "H1" || window != "A01" || err != nil {
		t.Errorf("the last was accepted for %s %s, %v", hall, window, err)
	}
	acts := 0
	entries, err := w.room.journal.Read(t.Context(), 0, 100)
	for _, e := range entries {
		if e.Kind == journal.Acted {
			a, err := e.Act()
			if err != nil || a.Do != "enrol.issue" || a.Object != string(b.device) {
				t.Errorf("the journal has %+v, %v", a, err)
			}
			acts++
		}
	}
	if err != nil || acts != 1 {
		t.Errorf("the journal has %d acts, %v", acts, err)
	}
}

// TestWhoIsNotLetIn asks for what nobody may have.
func TestWhoIsNotLetIn(t *testing.T) {
	w := newWorld(t)
	known := newBox(t, "bcdf23456789")
	w.enrolled(known)
	plain := w.client(nil, nil)
	if status, _, body := w.post(plain, "simpleenroll", newBox(t, known.device).request(t)); status != http.StatusForbidden {
		t.Errorf("another box of the same name gets %d %s", status, body)
	}
	for _, name := range []rating.DeviceID{"centre", "receiver", "a"} {
		if status, _, body := w.post(plain, "simpleenroll", newBox(t, name).request(t)); status != http.StatusForbidden {
			t.Errorf("%s gets %d %s", name, status, body)
		}
	}
	if status, _, _ := w.post(plain, "simpleenroll", bytes.Repeat([]byte{0x30}, 4000)); status != http.StatusBadRequest {
		t.Errorf("what is no request gets %d", status)
	}
	if status, _, _ := w.post(plain, "simplereenroll", known.request(t)); status != http.StatusUnauthorized {
		t.Errorf("a renewal without a certificate gets %d", status)
	}
	// The same TLS key under another name: what was accepted is not what asks.
	waits := newBox(t, "ghjk23456789")
	_, h, _ := w.post(plain, "simpleenroll", waits.request(t))
	w.accept(h.Get(CodeHeader))
	waits.device = "mnpq23456789"
	if status, _, _ := w.post(plain, "simpleenroll", waits.request(t)); status != http.StatusAccepted {
		t.Errorf("a key that was accepted under another name gets %d", status)
	}
}

func TestRenewal(t *testing.T) {
	w := newWorld(t)
	b, thief := newBox(t, "bcdf23456789"), newBox(t, "ghjk23456789")
	first, stolen := w.enrolled(b), w.enrolled(thief)
	renew := func(c *x509.Certificate, key identity.Key, of box) (int, string) {
		t.Helper()
		status, _, body := w.post(w.client(c, key), "simplereenroll", of.request(t))
		return status, body
	}
	w.pass(120 * day)
	status, body := renew(first, b.tls, b)
	if status != http.StatusOK {
		t.Fatalf("a renewal gets %d %s", status, body)
	}
	second := w.bag(body)[0]
	if second.SerialNumber.Cmp(first.SerialNumber) == 0 || !second.NotAfter.After(first.NotAfter) {
		t.Error("it gets the old certificate")
	}
	if _, body := renew(first, b.tls, b); !w.bag(body)[0].Equal(second) {
		t.Error("a renewal that is repeated gets another certificate")
	}
	if status, _ := renew(stolen, thief.tls, b); status != http.StatusForbidden {
		t.Errorf("another box's certificate gets %d", status)
	}
	w.pass(BoxLife - 110*day) // the first ones ended; the second holds
	if status, body := renew(stolen, thief.tls, thief); status != http.StatusOK {
		t.Errorf("a certificate that ended %v ago gets %d %s", w.now().Sub(stolen.NotAfter), status, body)
	}
	w.pass(Grace)
	if status, body := renew(first, b.tls, b); status != http.StatusForbidden || !strings.Contains(body, "accept the box again") {
		t.Errorf("a certificate that ended %v ago gets %d %s", w.now().Sub(first.NotAfter), status, body)
	}
}

func TestRevocation(t *testing.T) {
	w := newWorld(t)
	b, other := newBox(t, "bcdf23456789"), newBox(t, "ghjk23456789")
	c, good := w.enrolled(b), w.enrolled(other)
	g := w.room.Guard(slog.New(slog.DiscardHandler))
	if _, err := g.Admit(c); err == nil {
		t.Error("a guard that knows nothing lets a box in")
	}
	look := func() {
		t.Helper()
		all, err := w.room.Revoked(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g.learn(all)
	}
	look()
	if d, err := g.Admit(c); d != b.device || err != nil {
		t.Errorf("a box is let in as %q, %v", d, err)
	}
	err := w.room.db.Write(t.Context(), func(tx *db.Tx) error { _, err := Revoke(t.Context(), tx, b.device, w.now()); return err })
	if err != nil {
		t.Fatal(err)
	}
	look()
	if _, err := g.Admit(c); err == nil || !g.Revoked(c) {
		t.Errorf("a revoked certificate lets in: %v", err)
	}
	if _, err := g.Admit(good); err != nil || g.Revoked(good) {
		t.Errorf("another box's does not: %v", err)
	}
	if status, _, _ := w.post(w.client(c, b.tls), "simplereenroll", b.request(t)); status != http.StatusForbidden {
		t.Errorf("a revoked certificate is renewed: %d", status)
	}
	if status, _, _ := w.post(w.client(nil, nil), "simpleenroll", b.request(t)); status != http.StatusAccepted {
		t.Errorf("a box whose certificate was revoked gets %d, and should wait for an administrator", status)
	}
	resp, err := w.client(nil, nil).Get(w.url + "/revoked.crl")
	if err != nil {
		t.Fatal(err)
	}
	der, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil || list.CheckSignatureFrom(w.room.authority.Issuing()) != nil {
		t.Fatalf("the list of revoked certificates: %v\n%q", err, der)
	}
	if len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(c.SerialNumber) != 0 {
		t.Errorf("the list has %+v", list.RevokedCertificateEntries)
	}
	w.pass(BoxLife + time.Hour)
	if _, err := g.Admit(good); err == nil {
		t.Error("a certificate that has ended lets in")
	}
}
