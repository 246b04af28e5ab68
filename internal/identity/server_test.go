package identity

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
)

func windowKey(t testing.TB) Key {
	t.Helper()
	k, err := Keep(filepath.Join(t.TempDir(), "window.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAServerRequest(t *testing.T) {
	key := windowKey(t)
	names := []string{"box-a12.lan", "10.1.2.3", "fd00::1"}
	der, err := NewServerRequest("bcdf23456789", key, names)
	if err != nil {
		t.Fatal(err)
	}
	q, err := ParseServerRequest(der)
	if err != nil || q.Device != "bcdf23456789" || !q.Key.Equal(key.Public()) ||
		!slices.Equal(q.Names, []string{"10.1.2.3", "box-a12.lan", "fd00::1"}) {
		t.Errorf("it reads as %+v, %v", q, err)
	}
	many := make([]string, MaxServerNames+1)
	for i := range many {
		many[i] = net.IPv4(10, 0, 0, byte(i)).String()
	}
	for what, x := range map[string]*x509.CertificateRequest{
		"no name":    {Subject: pkix.Name{CommonName: "bcdf23456789"}},
		"no box":     {Subject: pkix.Name{CommonName: "Not A Box"}, DNSNames: []string{"a.lan"}},
		"an address": {Subject: pkix.Name{CommonName: "bcdf23456789"}, DNSNames: []string{"a.lan"}, EmailAddresses: []string{"a@example.com"}},
		"a URI": {Subject: pkix.Name{CommonName: "bcdf23456789"}, DNSNames: []string{"a.lan"},
			URIs: []*url.URL{{Scheme: "https", Host: "a"}}},
		"a unit":        {Subject: pkix.Name{CommonName: "bcdf23456789", OrganizationalUnit: []string{"x"}}, DNSNames: []string{"a.lan"}},
		"too many":      {Subject: pkix.Name{CommonName: "bcdf23456789"}, IPAddresses: func() []net.IP { _, a := splitNames(many); return a }()},
		"somebody else": nil,
	} {
		text := slices.Clone(der)
		if x != nil {
			if text, err = x509.CreateCertificateRequest(rand.Reader, x, key); err != nil {
				t.Fatal(err)
			}
		} else {
			text[len(text)-1] ^= 1
		}
		if q, err := ParseServerRequest(text); err == nil {
			t.Errorf("%s: %+v", what, q)
		}
	}
}

// TestAWindowIsNotTheCentre whatever names its certificate has.
func TestAWindowIsNotTheCentre(t *testing.T) {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "bcdf23456789", OrganizationalUnit: []string{WindowUnit}}}
	if err := NotAWindow(tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}); err == nil {
		t.Error("a box passes for the centre")
	}
	if err := NotAWindow(tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "a"}}}}); err != nil {
		t.Errorf("the centre: %v", err)
	}
}

func FuzzParseServerRequest(f *testing.F) {
	der, err := NewServerRequest("bcdf23456789", windowKey(f), []string{"a.lan", "10.0.0.1"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, b []byte) {
		if q, err := ParseServerRequest(b); err == nil && (len(q.Names) == 0 || len(q.Names) > MaxServerNames || q.Key == nil) {
			t.Errorf("%x is %+v", b, q)
		}
	})
}
