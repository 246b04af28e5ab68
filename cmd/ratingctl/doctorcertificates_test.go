package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"haochaping/internal/proof/faultnet"
)

func TestDoctorOfCertificates(t *testing.T) {
	c := newClinic(t)
	c.enrol()
	now := time.Now()
	authority, err := faultnet.NewAuthority(now.Add(-time.Hour), now.AddDate(5, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	files := func(name string, ends time.Time) (cert, key string) {
		t.Helper()
		pair, err := authority.Issue("lz-0417", now.Add(-90*24*time.Hour), ends)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		cert, key = filepath.Join(c.dir, name+".crt"), filepath.Join(c.dir, name+".key")
		c.write(cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
		c.write(key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
		return cert, key
	}
	goodCert, goodKey := files("good", now.AddDate(1, 0, 1))
	soonCert, soonKey := files("soon", now.Add(10*24*time.Hour+time.Minute))
	endedCert, endedKey := files("ended", now.Add(-time.Hour))
	for _, f := range []struct {
		name, cert, key string
		m               mark
		words           []string
	}{
		{"good", goodCert, goodKey, well, []string{"还有 36"}}, {"soon", soonCert, soonKey, noted, []string{"还有 10 天"}},
		{"ended", endedCert, endedKey, sick, []string{"过期"}}, {"another's key", goodCert, soonKey, sick, []string{"private key does not match"}},
		{"absent", filepath.Join(c.dir, "none"), goodKey, sick, []string{"no such file"}},
	} {
		c.configure(fmt.Sprintf("uplink.cert_file = %q\nuplink.key_file = %q\n", f.cert, f.key))
		lines, _ := c.look()
		c.want(lines, "cert", f.m, f.words...)
	}
}
