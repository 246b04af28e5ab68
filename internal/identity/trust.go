package identity

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/keptfile"
)

// Trust is how a box judges the centre's servers: by one pinned root, and by the best clock there is.
type Trust struct {
	Roots  *x509.CertPool
	Now    func() time.Time
	Synced func() bool      // whether something has set that clock
	Passed func() time.Time // a time that has surely passed
}

// At returns the time by which certificates are judged: the clock's if it was set, else the latest that is known to have passed, or at
// which one of the certificates begins.
func (t Trust) At(shown ...*x509.Certificate) time.Time {
	if t.Synced() {
		return t.Now()
	}
	at := t.Passed()
	for _, c := range shown {
		if c.NotBefore.After(at) {
			at = c.NotBefore
		}
	}
	return at
}

// Config returns how a server of that name is reached. Show returns the box's own certificate, and may be nil.
func (t Trust) Config(name string, show func(*tls.CertificateRequestInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: name, GetClientCertificate: show,
		InsecureSkipVerify: true, // VerifyConnection does it
		VerifyConnection: func(s tls.ConnectionState) error {
			return errors.Join(NotAWindow(s), t.verify(s.PeerCertificates, name))
		},
	}
}

func (t Trust) verify(shown []*x509.Certificate, name string) error {
	if len(shown) == 0 {
		return errors.New("the centre shows no certificate")
	}
	_, err := shown[0].Verify(x509.VerifyOptions{DNSName: name, Roots: t.Roots, Intermediates: Pool(shown[1:]...),
		CurrentTime: t.At(shown...)})
	if err != nil {
		return fmt.Errorf("what answers is not the centre of this box's root certificate: %w",
			&tls.CertificateVerificationError{UnverifiedCertificates: shown, Err: err})
	}
	return nil
}

// Own reports why a chain, leaf first, is no certificate of a box with that key, as far as the box can tell.
func (t Trust) Own(chain []*x509.Certificate, k Key) error {
	if len(chain) == 0 || !Is(chain[0], k) {
		return errors.New("the certificate is not of this box's key")
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: t.Roots, Intermediates: Pool(chain[1:]...), CurrentTime: t.At(chain...),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return fmt.Errorf("the certificate is not of the centre of this box's root certificate: %w", err)
	}
	return nil
}

// Pool returns certificates as a pool.
func Pool(all ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range all {
		p.AddCert(c)
	}
	return p
}

// IssuedUnder reports whether a file of certificates, a leaf first, ends below a root.
func IssuedUnder(text []byte, root *x509.Certificate) bool {
	var last *x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return false
		}
		last = c
	}
	return last != nil && last.CheckSignatureFrom(root) == nil
}

// ReadCertificate returns the certificate of a key in a file, with what stands between it and the root. Without a file the error is
// fs.ErrNotExist.
func ReadCertificate(path string, key Key) (tls.Certificate, error) {
	b, err := keptfile.ReadSmall(path)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the box's certificate: %w", err)
	}
	var out tls.Certificate
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		out.Certificate = append(out.Certificate, block.Bytes)
	}
	if len(out.Certificate) == 0 {
		return out, damaged(path, errors.New("PEM"))
	}
	if out.Leaf, err = x509.ParseCertificate(out.Certificate[0]); err != nil {
		return out, damaged(path, err)
	}
	if !Is(out.Leaf, key) {
		return out, fmt.Errorf("the box's certificate %s is of another key", path)
	}
	out.PrivateKey = key
	return out, nil
}
