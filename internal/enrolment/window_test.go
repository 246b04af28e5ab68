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
	names := []string{"10.1.2.3", "box-a12.lan"}
	w, err := NewWindow(WindowConfig{URL: c.url, Device: b.cfg.Device, Key: b.cfg.Key, Own: b.cfg.File, Window: key,
		File: filepath.Join(folder, "window.pem"), Trust: b.cfg.Trust, Names: func() []string { return names },
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
	c.ahead.Store(int64(enrol.BoxLife * 8 / 10))
	step("due", windowLook)
	if !have().NotAfter.After(second.NotAfter) {
		t.Error("it is not renewed")
	}
	names = nil
	if _, err := w.step(t.Context()); err == nil {
		t.Error("a box without an address has nothing to say")
	}
}
