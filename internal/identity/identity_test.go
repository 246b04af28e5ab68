package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"haochaping/internal/rating"
	"haochaping/internal/recordkey"
)

func keys(t testing.TB) (tlsKey, record Key) {
	t.Helper()
	tlsKey, err := Keep(filepath.Join(t.TempDir(), "tls.key"), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return tlsKey, Record(private)
}

func TestAKeyIsDrawnOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tls.key")
	first, err := Keep(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Keep(path, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if !Is(selfSignedBy(t, 1, first), second) || first.Algorithm() != P256 {
		t.Error("the second key is another one")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Keep(path, rand.Reader); err == nil {
		t.Error("a key that others can read is used")
	}
	if err := os.WriteFile(path, []byte("rust"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Keep(path, rand.Reader); err == nil {
		t.Error("a damaged key is replaced")
	}
}

func TestNames(t *testing.T) {
	seen := make(map[rating.DeviceID]bool)
	for range 200 {
		d, err := NewName(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rating.ParseDeviceID(string(d)); err != nil || len(d) != 12 || seen[d] {
			t.Errorf("the name %q: %v, twice: %v", d, err, seen[d])
		}
		seen[d] = true
	}
}

func TestARequestProvesBothKeys(t *testing.T) {
	for _, a := range []recordkey.Algorithm{recordkey.Ed25519, recordkey.SM2} {
		drawn, err := recordkey.Draw(a)
		if err != nil {
			t.Fatal(err)
		}
		tlsKey, _ := keys(t)
		t.Run(string(a), func(t *testing.T) { provesBoth(t, tlsKey, Record(drawn)) })
	}
}

func provesBoth(t *testing.T, tlsKey, record Key) {
	der, err := NewRequest("bcdf23456789", tlsKey, record)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if r.Device != "bcdf23456789" || !bytes.Equal(r.Record, recordkey.Public(record)) || !r.Key.Equal(tlsKey.Public()) || len(r.Digits) != 4 {
		t.Errorf("read back %+v", r)
	}
	if len(der) > MaxRequest/4 {
		t.Errorf("a request has %d bytes", len(der))
	}
}

// TestARequestOfAnotherKeyIsRefused takes the proof of one box's record key into another one's request.
func TestARequestOfAnotherKeyIsRefused(t *testing.T) {
	tlsKey, record := keys(t)
	other, _ := keys(t)
	der, err := NewRequest("bcdf23456789", tlsKey, record)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	var stolen []pkix.Extension
	for _, x := range c.Extensions {
		if x.Id.Equal(proofID()) {
			stolen = append(stolen, x)
		}
	}
	request := func(name string, k Key, more ...pkix.Extension) []byte {
		t.Helper()
		der, err := x509.CreateCertificateRequest(rand.Reader,
			&x509.CertificateRequest{Subject: pkix.Name{CommonName: name}, ExtraExtensions: more}, k)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	value := func(p proof) pkix.Extension {
		b, err := asn1.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		return pkix.Extension{Id: proofID(), Value: b}
	}
	for name, c := range map[string]struct {
		der  []byte
		want string
	}{
		"another TLS key":      {request("bcdf23456789", other, stolen...), "does not hold"},
		"another name":         {request("bcdf23456788", tlsKey, stolen...), "does not hold"},
		"without a proof":      {request("bcdf23456789", tlsKey), "does not name"},
		"no name of a box":     {request("Box", tlsKey, stolen...), "device"},
		"an unknown algorithm": {request("bcdf23456789", tlsKey, value(proof{"sm2", make([]byte, 32), make([]byte, 32)})), "want ed25519"},
		"too long":             {bytes.Repeat([]byte{0x30}, MaxRequest+1), "are allowed"},
	} {
		if _, err := ParseRequest(c.der); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	der, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "bcdf23456789", Organization: []string{"somebody"}}, ExtraExtensions: stolen}, tlsKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRequest(der); err == nil {
		t.Error("a subject with more than the name is taken")
	}
}

func selfSigned(t testing.TB, n int64) *x509.Certificate {
	t.Helper()
	k, _ := keys(t)
	return selfSignedBy(t, n, k)
}

func selfSignedBy(t testing.TB, n int64, k Key) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(n), Subject: pkix.Name{CommonName: "x"}, NotBefore: time.Unix(0, 0),
		NotAfter: time.Unix(1<<31, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestABagHoldsItsCertificates(t *testing.T) {
	one, two := selfSigned(t, 1), selfSigned(t, 2)
	der, err := Bag(one, two)
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParseBag(der)
	if err != nil || len(all) != 2 || !all[0].Equal(one) || !all[1].Equal(two) {
		t.Fatalf("read back %d certificates, %v", len(all), err)
	}
	for i := range der {
		if _, err := ParseBag(der[:i]); err == nil {
			t.Fatalf("the first %d of %d bytes are taken", i, len(der))
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	tlsKey, record := keys(f)
	der, err := NewRequest("bcdf23456789", tlsKey, record)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRequest(b)
		if err != nil {
			return
		}
		if _, err := rating.ParseDeviceID(string(r.Device)); err != nil || len(r.Record) != ed25519.PublicKeySize || len(r.Digits) != 4 {
			t.Errorf("taken: %+v", r)
		}
	})
}

func FuzzParseBag(f *testing.F) {
	der, err := Bag(selfSigned(f, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := ParseBag(b)
		if err == nil && len(all) == 0 {
			t.Error("an empty bag is taken")
		}
	})
}
