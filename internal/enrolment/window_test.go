package enrolment

import (
	"crypto/rand"
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/central/enrol"
	"haochaping/internal/identity"
)

// TestTheCertificateForThePC is got with the box's, again when its address changes, and when it is due.
func TestTheCertificateForThePC(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	b := newBox(t, c, nil)
	folder := t.TempDir()
	key, err := identity.Keep(filepath.Join(folder, "window.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	names, place := []string{"10.1.2.3", "box-a12.lan"}, uint32(1)
	w, err := NewWindow(WindowConfig{URL: c.url, Device: b.cfg.Device, Key: b.cfg.Key, Own: b.cfg.File, Window: key,
		File: filepath.Join(folder, "window.pem"), Trust: b.cfg.Trust,
		Names: func() []string { return names }, Place: func() uint32 { return place },
		Random: func() float64 { return 0 }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if pause, err := w.step(t.Context()); err == nil || pause != windowHurry {
		t.Errorf("a box that was not let in: %v, looks again in %v", err, pause)
	}
	b.letIn(t, c)
	have := func() *x509.Certificate {
		t.Helper()
		got, err := identity.ReadCertificate(w.cfg.File, key)
		if err != nil || len(got.Certificate) != 2 {
			t.Fatalf("it has %d certificates, %v", len(got.Certificate), err)
		}
		return got.Leaf
	}
	step := func(what string, want time.Duration) {
		t.Helper()
		if pause, err := w.step(t.Context()); err != nil || pause != want {
			t.Errorf("%s: %v, looks again in %v, want %v", what, err, pause, want)
		}
	}
	step("let in", windowLook)
	first := have()
	if err := first.VerifyHostname("10.1.2.3"); err != nil {
		t.Error(err)
	}
	step("nothing has changed", windowLook)
	if !have().Equal(first) {
		t.Error("it has got another one for nothing")
	}
	c.ahead.Store(int64(2 * time.Minute))
	names = []string{"10.1.2.4", "box-a12.lan"}
	step("another address", windowLook)
	second := have()
	if err := second.VerifyHostname("10.1.2.4"); err != nil || second.VerifyHostname("10.1.2.3") == nil {
		t.Errorf("another address: %v for %v", err, second.IPAddresses)
	}
	names = []string{"www.example.com"}
	if pause, err := w.step(t.Context()); err == nil || pause != windowHurry || !have().Equal(second) {
		t.Errorf("a name that it may not have: %v, looks again in %v", err, pause)
	}
	names = []string{"10.1.2.4", "box-a12.lan"}
	c.ahead.Store(int64(enrol.WindowLife / 4))
	step("due", windowLook)
	third := have()
	if !third.NotAfter.After(second.NotAfter) || third.NotAfter.After(c.now().Add(enrol.WindowLife)) {
		t.Errorf("at a quarter of its life it is followed by one until %v", third.NotAfter)
	}
	c.ahead.Add(int64(2 * time.Minute))
	place = 2
	step("another window", windowLook)
	if have().Equal(third) {
		t.Error("a box that was moved keeps the certificate of before")
	}
	names = nil
	if _, err := w.step(t.Context()); err == nil {
		t.Error("a box without an address has nothing to say")
	}
}

// TestARevokedBoxIsNoLongerKnown lets a box go on with what it has until that ends, and no longer.
func TestARevokedBoxIsNoLongerKnown(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	w := newWindow(t, c)
	if pause, err := w.step(t.Context()); err != nil || pause != windowLook {
		t.Fatalf("a box that was let in: %v, looks again in %v", err, pause)
	}
	c.revoke(t, w.cfg.Device)
	first, err := identity.ReadCertificate(w.cfg.File, w.cfg.Window)
	if err != nil {
		t.Fatal(err)
	}
	for spent := enrol.WindowLife / 4; spent < enrol.WindowLife; spent += enrol.WindowLife / 4 {
		c.ahead.Store(int64(spent))
		if pause, err := w.step(t.Context()); err != nil || pause != look {
			t.Errorf("after %v: %v, looks again in %v", spent, err, pause)
		}
	}
	c.ahead.Store(int64(enrol.WindowLife + time.Minute))
	if pause, err := w.step(t.Context()); err == nil || pause != windowHurry {
		t.Errorf("after its end: %v, looks again in %v", err, pause)
	}
	if last, err := identity.ReadCertificate(w.cfg.File, w.cfg.Window); err != nil || !last.Leaf.Equal(first.Leaf) {
		t.Errorf("it has got another one: %v", err)
	}
}

// TestAnUnsetClockRenews goes by how long the daemon has run, where nothing has set the clock.
func TestAnUnsetClockRenews(t *testing.T) {
	c := newCentre(t, "127.0.0.1")
	w := newWindow(t, c)
	if _, err := w.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, err := identity.ReadCertificate(w.cfg.File, w.cfg.Window)
	if err != nil {
		t.Fatal(err)
	}
	w.cfg.Trust.Synced = func() bool { return false }
	c.ahead.Store(int64(2 * time.Minute))
	if _, err := w.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last, err := identity.ReadCertificate(w.cfg.File, w.cfg.Window); err != nil || !last.Leaf.Equal(first.Leaf) {
		t.Errorf("it is renewed for nothing: %v", err)
	}
	w.since = w.since.Add(-enrol.WindowLife / 4)
	if _, err := w.step(t.Context()); err != nil {
		t.Fatal(err)
	}
	if last, err := identity.ReadCertificate(w.cfg.File, w.cfg.Window); err != nil || last.Leaf.Equal(first.Leaf) {
		t.Errorf("it is not renewed: %v", err)
	}
}

// newWindow returns what gets the certificate for the PC of a box that was let in.
func newWindow(t *testing.T, c *centre) *Window {
	t.Helper()
	b := newBox(t, c, nil)
	b.letIn(t, c)
	folder := t.TempDir()
	key, err := identity.Keep(filepath.Join(folder, "window.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWindow(WindowConfig{URL: c.url, Device: b.cfg.Device, Key: b.cfg.Key, Own: b.cfg.File, Window: key,
		File: filepath.Join(folder, "window.pem"), Trust: b.cfg.Trust, Names: func() []string { return []string{"10.1.2.3"} },
		Place: func() uint32 { return 1 }, Random: func() float64 { return 0 }, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return w
}
