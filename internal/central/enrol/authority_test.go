package enrol

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/identity"
)

// TestTheAuthorityIsKept opens it again, without the root's key too, and with files that do not belong together.
func TestTheAuthorityIsKept(t *testing.T) {
	folder, c := t.TempDir(), &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	a, err := OpenAuthority(folder, c.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Trouble(); err != nil {
		t.Errorf("a new one has the trouble %v", err)
	}
	key, err := os.ReadFile(filepath.Join(folder, RootKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, RootKeyFile)); err != nil {
		t.Fatal(err)
	}
	again, err := OpenAuthority(folder, c.now)
	if err != nil || !again.Root().Equal(a.Root()) || !again.Issuing().Equal(a.Issuing()) {
		t.Fatalf("the authority is another one, %v", err)
	}
	c.pass(issuingLife - issuingLeft/2)
	if a.Trouble() == nil || !strings.Contains(a.Trouble().Error(), RootKeyFile) {
		t.Errorf("in its last year it says %v", a.Trouble())
	}
	if _, err := OpenAuthority(folder, c.now); err != nil {
		t.Errorf("without the root's key it does not wait for a renewal: %v", err)
	}
	c.pass(issuingLeft)
	// The one that has run on, and one that is opened now.
	ended, err := OpenAuthority(folder, c.now)
	if err != nil {
		t.Fatalf("an issuing certificate that has ended: %v", err)
	}
	q, err := identity.ParseRequest(newBox(t, "bcdf23456789").request(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []*Authority{a, ended} {
		if c, err := a.Box(q); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), RootKeyFile) {
			t.Errorf("it issues %v, %v", c, err)
		}
		if _, err := a.ServerTLS([]string{"127.0.0.1"}).GetCertificate(nil); !errors.Is(err, ErrEnded) {
			t.Errorf("it shows itself: %v", err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, RootKeyFile), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if back, err := OpenAuthority(folder, c.now); err != nil || back.Trouble() != nil {
		t.Errorf("with the root's key again: %v", err)
	}
}

func TestTheIssuingCertificateIsRenewed(t *testing.T) {
	folder, c := t.TempDir(), &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	a, err := OpenAuthority(folder, c.now)
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(t, "bcdf23456789")
	q, err := identity.ParseRequest(b.request(t))
	if err != nil {
		t.Fatal(err)
	}
	c.pass(issuingLife - issuingLeft/2)
	old, err := a.Box(q)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenAuthority(folder, c.now)
	if err != nil || !again.Root().Equal(a.Root()) || !again.Issuing().NotAfter.After(a.Issuing().NotAfter) {
		t.Fatalf("the issuing certificate ends on %v, %v", again.Issuing().NotAfter, err)
	}
	if err := again.Verify(old, c.now()); err != nil {
		t.Errorf("a certificate from before the renewal: %v", err)
	}
}

// TestAnotherIssuingKey draws one, with the certificate of the lost one kept and without.
func TestAnotherIssuingKey(t *testing.T) {
	folder, w := t.TempDir(), newWorld(t)
	open := func() {
		t.Helper()
		a, err := OpenAuthority(folder, w.now)
		if err != nil {
			t.Fatal(err)
		}
		w.room.authority = a
	}
	open()
	b := newBox(t, "bcdf23456789")
	q, err := identity.ParseRequest(b.request(t))
	if err != nil {
		t.Fatal(err)
	}
	_, p, _ := w.room.Ask(t.Context(), q, Origin{Address: "192.0.2.1"})
	w.accept(p.Code)
	old, _, err := w.room.Ask(t.Context(), q, Origin{Address: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	former := filepath.Join(folder, "issuing-2026.pem")
	if err := errors.Join(os.Rename(filepath.Join(folder, IssuingFile), former),
		os.Remove(filepath.Join(folder, IssuingKeyFile))); err != nil {
		t.Fatal(err)
	}
	open()
	if err := w.room.authority.Verify(old, w.now()); err != nil {
		t.Errorf("a certificate of the lost key: %v", err)
	}
	w.pass(2 * day)
	if c, err := w.room.Renew(t.Context(), q, old); err != nil || c.CheckSignatureFrom(w.room.authority.Issuing()) != nil {
		t.Errorf("its renewal: %v", err)
	}
	if err := os.WriteFile(former, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenAuthority(folder, w.now); err == nil || !strings.Contains(err.Error(), former) {
		t.Errorf("a former certificate that is none: %v", err)
	}
	// A stolen key: nothing of it is believed, and its box waits for an administrator, who lets it in again.
	if err := errors.Join(os.Remove(former), os.Remove(filepath.Join(folder, IssuingFile)),
		os.Remove(filepath.Join(folder, IssuingKeyFile))); err != nil {
		t.Fatal(err)
	}
	open()
	if _, err := w.room.Renew(t.Context(), q, old); !errors.Is(err, ErrRefused) {
		t.Errorf("the renewal of a certificate of a stolen key: %v", err)
	}
	_, p, err = w.room.Ask(t.Context(), q, Origin{Address: "192.0.2.1"})
	if !errors.Is(err, ErrWaiting) {
		t.Fatalf("its box asks anew: %v", err)
	}
	w.accept(p.Code)
	if c, _, err := w.room.Ask(t.Context(), q, Origin{Address: "192.0.2.1"}); err != nil || w.room.authority.Verify(c, w.now()) != nil {
		t.Errorf("accepted again it gets %v", err)
	}
}
