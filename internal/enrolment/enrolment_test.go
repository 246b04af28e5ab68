package enrolment

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

// centre is a real centre's door. Its clock and the box's are moved together.
type centre struct {
	room  *enrol.Room
	fleet *fleet.Fleet
	db    *db.DB
	url   string
	ahead atomic.Int64 // of the real clock, in nanoseconds

	directory *directory.Directory
	key       ed25519.PrivateKey
}

func (c *centre) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func newCentre(t *testing.T, name string) *centre {
	t.Helper()
	c := new(centre)
	j, d, _ := journaltest.OpenAt(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), c.now)
	c.db = d
	var err error
	if c.fleet, err = fleet.Open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	a, err := enrol.OpenAuthority(t.TempDir(), c.now)
	if err != nil {
		t.Fatal(err)
	}
	if c.directory, err = directory.Open(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	var public ed25519.PublicKey
	if public, c.key, err = ed25519.GenerateKey(rand.Reader); err != nil || public == nil {
		t.Fatal(err)
	}
	if c.room, err = enrol.Open(t.Context(), enrol.Config{Journal: j, Authority: a, Fleet: c.fleet, Directory: c.directory, Key: c.key,
		Passwords: account.NewHasher(1, account.Cost{Memory: 8, Passes: 1}, rand.Reader), Random: rand.Reader, Now: c.now}); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(c.room.Handler(slog.New(slog.DiscardHandler)))
	s.Listener = tls.NewListener(s.Listener, a.ServerTLS([]string{name}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	t.Cleanup(s.Close)
	c.url = "https" + strings.TrimPrefix(s.URL, "http")
	return c
}

// accept accepts the box that shows a code.
func (c *centre) accept(t *testing.T, code string) {
	t.Helper()
	p, err := c.room.Find(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	d := fleet.Device{ID: p.Device, Key: p.Record, EnrolledAt: c.now(),
		Window: rating.Window{ID: "A01", Name: "1号窗口", Hall: "大厅", Generation: 1}}
	if err := c.fleet.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	err = c.db.Write(t.Context(), func(tx *db.Tx) error { return enrol.Accept(t.Context(), tx, p, "H1", "A01", "li", c.now()) })
	if err != nil {
		t.Fatal(err)
	}
}

// box is a box's side, step by step.
type box struct {
	*Enrolment
	code  Code
	tries int
	kept  int
	fails error // of the next tries

	refused bool // by the broker
	pass    Pass
	barred  bool // as it was told
}

func newBox(t *testing.T, c *centre, change func(*Config)) *box {
	t.Helper()
	folder := t.TempDir()
	key, err := identity.Keep(filepath.Join(folder, "tls.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, record, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := new(box)
	cfg := Config{URL: c.url, Device: "bcdf23456789", Key: key, Record: identity.Record(record), File: filepath.Join(folder, "tls.pem"),
		Trust: identity.Trust{Roots: identity.Pool(c.room.Authority().Root()), Now: c.now, Synced: func() bool { return true },
			Passed: func() time.Time { return time.Time{} }},
		Pass: func() Pass { return b.pass }, Refused: func() bool { return b.refused }, Bar: func(yes bool) { b.barred = yes },
		Show: func(s Code) { b.code = s }, Kept: func() { b.kept++ }, Random: func() float64 { return 0 }, Logger: slog.New(slog.DiscardHandler),
		Try: func(context.Context, tls.Certificate) error { b.tries++; return b.fails }}
	if change != nil {
		change(&cfg)
	}
	if b.Enrolment, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return b
}

// own returns the certificate in the box's file.
func (b *box) own(t *testing.T) tls.Certificate {
	t.Helper()
	c, err := identity.ReadCertificate(b.cfg.File, b.cfg.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// letIn lets a box in.
func (b *box) letIn(t *testing.T, c *centre) {
	t.Helper()
	if _, err := b.step(t.Context()); !errors.Is(err, ErrWaits) || b.code.Text == "" {
		t.Fatalf("a new box: %v, code %+v", err, b.code)
	}
	c.accept(t, b.code.Text)
	if _, err := b.step(t.Context()); err != nil || b.kept != 1 || b.code != (Code{}) {
		t.Fatalf("an accepted box: %v, %d certificates, code %+v", err, b.kept, b.code)
	}
}

// revoke revokes what the box has, as the page does.
func (c *centre) revoke(t *testing.T, d rating.DeviceID) {
	t.Helper()
	err := c.db.Write(t.Context(), func(tx *db.Tx) error {
		_, err := enrol.Revoke(t.Context(), tx, d, c.now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestABoxThatIsRevokedShowsItsCode asks the centre as soon as the broker refuses the certificate, and not because of a broker that is at
// fault.
func TestABoxThatIsRevokedShowsItsCode(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	b := newBox(t, c, nil)
	b.letIn(t, c)
	first := b.own(t).Leaf
	if b.barred {
		t.Error("a box that was let in is told to be out")
	}
	b.refused = true
	if pause, err := b.step(t.Context()); err != nil || b.barred || b.code != (Code{}) || !b.own(t).Leaf.Equal(first) || pause > glance {
		t.Errorf("a broker that refuses what the centre believes: %v, barred %v, code %+v, looks again in %v", err, b.barred, b.code, pause)
	}
	c.revoke(t, b.cfg.Device)
	steps := 0
	for ; !b.barred && steps < seldom; steps++ {
		if _, err := b.step(t.Context()); err != nil && !errors.Is(err, ErrWaits) {
			t.Fatal(err)
		}
	}
	if !b.barred || b.code.Text == "" || steps > 3 {
		t.Fatalf("a revoked box: barred %v after %d glances, code %+v", b.barred, steps, b.code)
	}
	b.refused = false // there is no connection any more that could be refused
	if _, err := b.step(t.Context()); !errors.Is(err, ErrWaits) || !b.barred {
		t.Errorf("it goes on showing its code: %v, barred %v", err, b.barred)
	}
	c.accept(t, b.code.Text)
	b.fails = errors.New("the broker refuses")
	if _, err := b.step(t.Context()); err == nil || !b.own(t).Leaf.Equal(first) || !b.barred {
		t.Errorf("a new certificate that the broker refuses took the old one's place: %v", err)
	}
	b.fails = nil
	if _, err := b.step(t.Context()); err != nil || b.barred || b.code != (Code{}) || b.own(t).Leaf.Equal(first) || b.kept != 2 {
		t.Errorf("accepted again: %v, barred %v, code %+v, kept %d", err, b.barred, b.code, b.kept)
	}
}

// TestACardInAnotherBoard shows a code though its certificate holds, and is let in there by an administrator.
func TestACardInAnotherBoard(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	b := newBox(t, c, func(cfg *Config) { cfg.Board = "one" })
	b.letIn(t, c)
	first := b.own(t).Leaf
	b.cfg.Board, b.cfg.Moved = "two", true
	again, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Enrolment = again
	if _, err := b.step(t.Context()); !errors.Is(err, ErrWaits) || !b.barred || b.code.Text == "" {
		t.Fatalf("on another board: %v, barred %v, code %+v", err, b.barred, b.code)
	}
	if p, err := c.room.Find(t.Context(), b.code.Text); err != nil || !p.Moved || p.Board != "two" {
		t.Errorf("the centre has %+v, %v", p, err)
	}
	c.accept(t, b.code.Text)
	if _, err := b.step(t.Context()); err != nil || b.barred || b.kept != 2 || b.own(t).Leaf.Equal(first) {
		t.Errorf("accepted there: %v, barred %v, kept %d", err, b.barred, b.kept)
	}
	if all, err := c.room.Certificates(t.Context(), b.cfg.Device, 5); err != nil || len(all) != 2 ||
		all[0].Revoked.IsZero() == all[1].Revoked.IsZero() {
		t.Errorf("its certificates are %+v, %v: the old board's holds", all, err)
	}
	if _, err := b.step(t.Context()); err != nil || b.kept != 2 {
		t.Errorf("it stays: %v, kept %d", err, b.kept)
	}
	// Once more within the day in which the first acceptance would still give out a certificate.
	b.cfg.Board, b.cfg.Moved = "three", true
	if b.Enrolment, err = New(b.cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := b.step(t.Context()); !errors.Is(err, ErrWaits) || b.kept != 2 {
		t.Errorf("on a third board: %v, kept %d", err, b.kept)
	}
}

// TestABoxWhoseKeyIsAnothers asks a centre that has enrolled another box under its name.
func TestABoxWhoseKeyIsAnothers(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	b := newBox(t, c, nil)
	b.letIn(t, c)
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.fleet.Device(t.Context(), b.cfg.Device)
	if err != nil {
		t.Fatal(err)
	}
	d.Key = public
	if err := c.fleet.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	b.refused = true
	if _, err := b.step(t.Context()); !errors.Is(err, errRefused) || !b.barred || b.code != (Code{}) {
		t.Errorf("its key is not the enrolled one: %v, barred %v, code %+v", err, b.barred, b.code)
	}
}

func TestACertificateIsRenewed(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	b := newBox(t, c, nil)
	b.letIn(t, c)
	first := b.own(t)
	if len(first.Certificate) != 2 || b.tries != 0 {
		t.Errorf("the chain has %d certificates, the broker was asked %d times", len(first.Certificate), b.tries)
	}
	if _, err := b.step(t.Context()); err != nil || b.kept != 1 {
		t.Errorf("a fresh certificate: %v, %d", err, b.kept)
	}
	life := first.Leaf.NotAfter.Sub(first.Leaf.NotBefore)
	if part := float64(RenewAt(first.Leaf).Sub(first.Leaf.NotBefore)) / float64(life); part < 0.56 || part > 0.77 {
		t.Errorf("it is renewed after %.2f of its life", part)
	}
	c.ahead.Store(int64(life * 8 / 10))
	b.fails = errors.New("the broker refuses")
	if _, err := b.step(t.Context()); err != nil || b.tries != 1 || b.kept != 1 || !b.own(t).Leaf.Equal(first.Leaf) {
		t.Errorf("a certificate that the broker refuses: %v, tried %d times, kept %d", err, b.tries, b.kept)
	}
	b.fails = nil
	if _, err := b.step(t.Context()); err != nil || b.tries != 2 || b.kept != 2 || !b.own(t).Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Errorf("a renewal: %v, tried %d times, kept %d", err, b.tries, b.kept)
	}
}

func TestACertificateThatHasEnded(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	b := newBox(t, c, nil)
	b.letIn(t, c)
	first := b.own(t).Leaf
	c.ahead.Store(int64(time.Until(first.NotAfter) + 100*24*time.Hour))
	b.fails = errors.New("there is no broker") // there is nothing to lose
	if _, err := b.step(t.Context()); err != nil || b.kept != 2 || b.own(t).Leaf.Equal(first) {
		t.Errorf("100 days after its end: %v, kept %d", err, b.kept)
	}
	second := b.own(t).Leaf
	c.ahead.Store(int64(time.Until(second.NotAfter) + enrol.Grace + time.Hour))
	if _, err := b.step(t.Context()); !errors.Is(err, ErrWaits) || b.code.Text == "" || !b.own(t).Leaf.Equal(second) {
		t.Errorf("too long after its end: %v, code %+v", err, b.code)
	}
	c.accept(t, b.code.Text)
	if _, err := b.step(t.Context()); err != nil || b.kept != 3 || b.code != (Code{}) {
		t.Errorf("accepted again: %v, kept %d, code %+v", err, b.kept, b.code)
	}
}

// TestAClockFarAhead renews a certificate on a box whose clock says that the next one is due, too.
func TestAClockFarAhead(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	b := newBox(t, c, nil)
	b.letIn(t, c)
	ahead := enrol.BoxLife * 8 / 10
	c.ahead.Store(int64(2 * 24 * time.Hour))
	b.cfg.Trust.Now = func() time.Time { return c.now().Add(ahead) }
	if pause, err := b.step(t.Context()); err != nil || b.kept != 2 || pause != look {
		t.Errorf("it looks again after %v, %v, kept %d", pause, err, b.kept)
	}
}

// TestAClockThatNobodyHasSet lets a box in 1970 in and out of a drawer.
func TestAClockThatNobodyHasSet(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	b := newBox(t, c, func(cfg *Config) {
		cfg.Trust.Now = func() time.Time { return time.Unix(0, 0) }
		cfg.Trust.Synced = func() bool { return false }
	})
	b.letIn(t, c)
	if _, err := b.step(t.Context()); err != nil || b.kept != 1 {
		t.Errorf("a fresh certificate in 1970: %v, %d", err, b.kept)
	}
	b.cfg.Trust.Passed = func() time.Time { return b.own(t).Leaf.NotAfter.Add(time.Hour) }
	b.door.cfg = b.cfg
	c.ahead.Store(int64(time.Until(b.own(t).Leaf.NotAfter) + time.Hour))
	if _, err := b.step(t.Context()); err != nil || b.kept != 2 {
		t.Errorf("a certificate that is known to have ended: %v, %d", err, b.kept)
	}
}

// TestWhoIsNotTheCentre asks servers that are not the centre of the box's root, or not under its name.
func TestWhoIsNotTheCentre(t *testing.T) {
	right, other := newCentre(t, "127.0.0.1"), newCentre(t, "127.0.0.1")
	for name, b := range map[string]*box{
		"another root": newBox(t, right, func(cfg *Config) { cfg.URL = other.url }),
		"another name": newBox(t, newCentre(t, "enrol.example.com"), nil),
	} {
		if _, err := b.step(t.Context()); err == nil || errors.Is(err, ErrWaits) || b.code != (Code{}) {
			t.Errorf("%s: %v, code %+v", name, err, b.code)
		}
		if _, err := identity.ReadCertificate(b.cfg.File, b.cfg.Key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it has given a certificate: %v", name, err)
		}
	}
	for _, address := range []string{"http://enrol.example.com", "enrol.example.com:8443", "https://enrol.example.com/est"} {
		if _, err := New(Config{URL: address}); err == nil {
			t.Errorf("%s is taken for a door", address)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte("MIIB"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if all, err := parseBag(b); err == nil && len(all) == 0 {
			t.Error("an empty answer is taken")
		}
	})
}
