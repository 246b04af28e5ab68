package subscribe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/webhook"
)

// mailbox is a mail server that wants TLS and a password, and does not know some.
type mailbox struct {
	address string
	roots   *x509.CertPool

	mu    sync.Mutex
	mails []string // guarded by mu
	down  bool     // guarded by mu
}

const password = "only for the test"

func startMail(t *testing.T) *mailbox {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	shape := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, shape, shape, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{roots: x509.NewCertPool()}
	m.roots.AddCert(must(x509.ParseCertificate(der)))
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: m}, nil }))
	s.Domain, s.ErrorLog = "mail.example.gov.cn", slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return m
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// session is a mail as it is handed over. Without TLS there is no AUTH, and without AUTH no mail.
type session struct {
	box  *mailbox
	user string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, word string) error {
		if word != password {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	if s.user == "" {
		return smtp.ErrAuthRequired
	}
	if s.box.down {
		return &smtp.SMTPError{Code: 451, Message: "try again later"}
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, Message: "no such user"}
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, string(b))
	return err
}

func (s *session) Reset() {}

func (s *session) Logout() error { return nil }

// fall makes the server refuse all for now, or take them again, and returns what it has taken.
func (m *mailbox) fall(down bool) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
	return m.mails
}

// free is a lease that nobody else wants.
type free struct{}

func (free) Acquire(context.Context, string, time.Duration) (bool, error) { return true, nil }

func (free) ReleaseAtEnd(context.Context, string) error { return nil }

// tellerWorld is a teller with a clock that the test moves.
type tellerWorld struct {
	Teller
	now    time.Time
	counts bool // the figures are not whole
	closed map[string]bool
}

func newTeller(t *testing.T, m *mailbox) *tellerWorld {
	t.Helper()
	d, err := db.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "centre.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	w := &tellerWorld{now: time.Date(2026, 2, 3, 9, 0, 0, 0, time.UTC), closed: make(map[string]bool)}
	room, err := Open(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	post, err := NewPost(PostConfig{Server: "smtp://" + m.address, User: "hcp", Password: password, From: "政务服务好差评 <hcp@example.gov.cn>",
		Domains: []string{"example.gov.cn"}, Roots: m.roots})
	if err != nil {
		t.Fatal(err)
	}
	w.Teller = Teller{Room: room, Leases: free{}, Post: post, Pages: "https://hcp.example.gov.cn", Now: func() time.Time { return w.now },
		Logger: slog.New(slog.DiscardHandler),
		Last: func(_ Every, at time.Time) directory.Period { // the month before, whatever is asked
			y, m, _ := at.Date()
			return directory.Period{From: directory.Date(y, m-1, 1), To: directory.Date(y, m, 1)}
		},
		Whole: func(context.Context) (bool, error) { return !w.counts, nil },
		May:   func(_ context.Context, id string) (string, bool, error) { return "login." + id, !w.closed[id], nil },
	}
	return w
}

// subscribe adds a subscription that is told from the next period on.
func (w *tellerWorld) subscribe(t *testing.T, account string, way Way, address string) {
	t.Helper()
	err := w.Room.Add(t.Context(), Subscription{Account: account, Every: Month, Words: "示例市，按大厅", Query: "by=hall"})
	if err == nil {
		err = w.Room.Choose(t.Context(), account, w.of(t, account).N, way, address, w.Last(Month, w.now).To)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *tellerWorld) of(t *testing.T, account string) Subscription {
	t.Helper()
	all, err := w.Room.Of(t.Context(), account)
	if err != nil || len(all) != 1 {
		t.Fatalf("%s has %v, %v", account, all, err)
	}
	return all[0]
}

// TestMailSaysThatFiguresAreThere: once for each period, when they are whole, over TLS, without a figure, again while the server takes
// none, and never to whom may not look any more.
func TestMailSaysThatFiguresAreThere(t *testing.T) {
	m := startMail(t)
	w := newTeller(t, m)
	w.subscribe(t, "a", Mail, "wang@example.gov.cn")
	w.subscribe(t, "b", Mail, "nobody@example.gov.cn")
	w.subscribe(t, "c", Mail, "li@example.gov.cn")
	w.closed["c"] = true
	if err := w.Once(t.Context()); err != nil || len(m.fall(true)) != 0 {
		t.Fatalf("a period that ended before was told: %v", err)
	}
	w.now, w.counts = w.now.AddDate(0, 1, 0), true
	if err := w.Once(t.Context()); err != nil || len(m.fall(true)) != 0 {
		t.Fatalf("figures that are not whole were told: %v", err)
	}
	w.counts = false
	if err := w.Once(t.Context()); err == nil || w.of(t, "a").Told != directory.Date(2026, 2, 1) {
		t.Fatalf("the server takes nothing, and %+v, %v", w.of(t, "a"), err)
	}
	m.fall(false)
	for range 2 {
		if err := w.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	all := m.fall(false)
	if len(all) != 1 {
		t.Fatalf("%d mails: %q", len(all), all)
	}
	got, err := mail.ReadMessage(strings.NewReader(all[0]))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || !strings.Contains(subject, "2026-02-01 至 2026-02-28") || got.Header.Get("To") != "<wang@example.gov.cn>" ||
		got.Header.Get("Message-ID") != "<"+id(w.of(t, "a"), directory.Period{To: directory.Date(2026, 3, 1)})+"@example.gov.cn>" ||
		got.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("the mail: %q %v, %v", subject, got.Header, err)
	}
	body := must(io.ReadAll(quoted(got)))
	for _, want := range []string{"https://hcp.example.gov.cn/figures/subscriptions/look?n=1", "示例市，按大厅", "没有数字"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the mail lacks %q:\n%s", want, body)
		}
	}
	for account, want := range map[string]string{"a": "", "b": "no such user", "c": "停用"} {
		if s := w.of(t, account); s.Told != directory.Date(2026, 3, 1) || want == "" && s.Trouble != "" || !strings.Contains(s.Trouble, want) {
			t.Errorf("%s: %+v", account, s)
		}
	}
}

// TestWhatNobodyTakesIsGivenUp after fourteen days, and the next period is told.
func TestWhatNobodyTakesIsGivenUp(t *testing.T) {
	m := startMail(t)
	w := newTeller(t, m)
	w.subscribe(t, "a", Mail, "wang@example.gov.cn")
	m.fall(true)
	w.now = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	if err := w.Once(t.Context()); err == nil {
		t.Fatal("it was given up early")
	}
	w.now = w.now.AddDate(0, 0, 2)
	if err := w.Once(t.Context()); err != nil || w.of(t, "a").Trouble == "" {
		t.Fatalf("%+v, %v", w.of(t, "a"), err)
	}
	m.fall(false)
	w.now = w.now.AddDate(0, 1, 0)
	if err := w.Once(t.Context()); err != nil || w.of(t, "a").Trouble != "" || len(m.fall(false)) != 1 {
		t.Fatalf("%+v, %v", w.of(t, "a"), err)
	}
}

// TestTheWebhookHearsOfFigures signed, under one id however often it is posted.
func TestTheWebhookHearsOfFigures(t *testing.T) {
	w := newTeller(t, startMail(t))
	type post struct{ id, body string }
	var posts []post
	status := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		posts = append(posts, post{r.Header.Get("webhook-id"), string(b)})
		rw.WriteHeader(status)
	}))
	defer server.Close()
	w.Hook = Hook{server.URL, webhook.Secret("0123456789abcdef0123456789abcdef")}
	w.subscribe(t, "a", Webhook, "")
	w.now = w.now.AddDate(0, 1, 0)
	var refused webhook.StatusError
	if err := w.Once(t.Context()); !errors.As(err, &refused) {
		t.Fatalf("a server that is away: %v", err)
	}
	status = http.StatusNoContent
	for range 2 {
		if err := w.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(posts) != 2 || posts[0] != posts[1] || !strings.HasSuffix(posts[0].id, "-2026-02-28") {
		t.Fatalf("posted: %q", posts)
	}
	var got message
	want := data{"login.a", Month, "2026-02-01", "2026-02-28", "示例市，按大厅", "by=hall&from=2026-02-01&to=2026-02-28",
		"https://hcp.example.gov.cn/figures/subscriptions/look?n=1"}
	if err := json.Unmarshal([]byte(posts[1].body), &got); err != nil || got.Type != "figures.ready" || got.Data != want {
		t.Errorf("it says %+v, %v", got, err)
	}
	w.Hook = Hook{}
	w.now = w.now.AddDate(0, 1, 0)
	if err := w.Once(t.Context()); err != nil || !strings.Contains(w.of(t, "a").Trouble, "没有配置") {
		t.Errorf("a webhook that is gone: %+v, %v", w.of(t, "a"), err)
	}
}

// TestAddressesLieInTheDomains: mail goes to no stranger, whatever an address looks like.
func TestAddressesLieInTheDomains(t *testing.T) {
	p, err := NewPost(PostConfig{Server: "smtps://mail.example.gov.cn", From: "hcp@example.gov.cn", Domains: []string{"@Example.gov.cn"}})
	if err != nil || p.port != 465 {
		t.Fatal(p, err)
	}
	for text, want := range map[string]string{" wang@example.gov.cn ": "wang@example.gov.cn", "王 <wang@EXAMPLE.gov.cn>": "wang@EXAMPLE.gov.cn",
		"wang@example.com": "", "wang@sub.example.gov.cn": "", "wang": "", "": "", `"a@example.gov.cn"@example.com`: "",
		"a@example.gov.cn, b@example.com": "", "a@example.gov.cn\r\nBcc: b@example.com": "", "a@example.com\n@example.gov.cn": ""} {
		if got, err := p.Address(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, c := range []PostConfig{{Server: "mail.example.gov.cn:25"}, {Server: "smtp://u:p@mail.example.gov.cn"},
		{Server: "smtp://m", From: "x"},
		{Server: "smtp://m", From: "a@b"}, {Server: "smtp://m", From: "a@b", Domains: []string{"a@b"}}} {
		if _, err := NewPost(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// TestNoMailToWhomNobodyVouchesFor: a server whose certificate no authority has signed gets nothing.
func TestNoMailToWhomNobodyVouchesFor(t *testing.T) {
	m := startMail(t)
	_, port, _ := net.SplitHostPort(m.address)
	p, err := NewPost(PostConfig{Server: "smtp://127.0.0.1:" + port, From: "a@example.gov.cn", Domains: []string{"example.gov.cn"}})
	if err != nil {
		t.Fatal(err)
	}
	err = p.send(t.Context(), Subscription{Address: "b@example.gov.cn"}, directory.Period{}, "", time.Now())
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) || len(m.fall(false)) != 0 {
		t.Errorf("a server whose certificate nobody has vouched for: %v", err)
	}
}

// quoted reads a body as its encoding has it.
func quoted(m *mail.Message) io.Reader {
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		return quotedprintable.NewReader(m.Body)
	}
	return m.Body
}
