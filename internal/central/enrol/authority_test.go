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
