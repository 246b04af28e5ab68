package enrol

import (
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/globalsign/est"

	"haochaping/internal/identity"
)

// TestAnotherClientOfEST asks by a client of RFC 7030 that others have written.
func TestAnotherClientOfEST(t *testing.T) {
	w := worldAt(t, "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), time.Now()) // whose clock cannot be set
	client := est.Client{Host: strings.TrimPrefix(w.url, "https://"), ExplicitAnchor: identity.Pool(w.room.authority.Root()),
		DisableKeepAlives: true}
	all, err := client.CACerts(t.Context())
	if err != nil || len(all) != 2 || !all[0].Equal(w.room.authority.Root()) {
		t.Fatalf("cacerts: %d certificates, %v", len(all), err)
	}
	b := newBox(t, "bcdf23456789")
	r, err := x509.ParseCertificateRequest(b.request(t))
	if err != nil {
		t.Fatal(err)
	}
	var waits est.Error
	if _, err := client.Enroll(t.Context(), r); !errors.As(err, &waits) || waits.StatusCode() != 202 ||
		waits.RetryAfter() != int(Again/time.Second) {
		t.Fatalf("simpleenroll of a new box: %v", err)
	}
	q, err := identity.ParseRequest(r.Raw)
	if err != nil {
		t.Fatal(err)
	}
	_, p, err := w.room.Ask(t.Context(), q, Origin{})
	if !errors.Is(err, ErrWaiting) {
		t.Fatal(err)
	}
	w.accept(p.Code)
	first, err := client.Enroll(t.Context(), r)
	if err != nil || !identity.Is(first, b.tls) {
		t.Fatalf("simpleenroll of an accepted box: %v", err)
	}
	client.Certificates, client.PrivateKey = []*x509.Certificate{first, w.room.authority.Issuing()}, b.tls
	second, err := client.Reenroll(t.Context(), r)
	if err != nil || !identity.Is(second, b.tls) || second.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Fatalf("simplereenroll: %v", err)
	}
	other := newBox(t, "ghjk23456789")
	r, err = x509.ParseCertificateRequest(other.request(t))
	if err != nil {
		t.Fatal(err)
	}
	var refused est.Error
	if _, err := client.Reenroll(t.Context(), r); !errors.As(err, &refused) || refused.StatusCode() != 403 {
		t.Errorf("simplereenroll of another box: %v", err)
	}
}
