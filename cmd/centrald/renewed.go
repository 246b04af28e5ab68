package main

import (
	"crypto/tls"
	"os"
	"sync"
	"time"
)

// renewed is a certificate that is read anew when its files have changed, so that renewing it needs no restart.
type renewed struct {
	certFile, keyFile string
	now               func() time.Time

	mu      sync.Mutex
	cert    *tls.Certificate // guarded by mu
	changed time.Time        // guarded by mu; when the newer of the two files was changed
	asked   time.Time        // guarded by mu
	broken  error            // guarded by mu; why the files cannot be used at present
}

// askFiles is how long the files are not looked at again.
const askFiles = 5 * time.Second

// certificate returns the certificate, for tls.Config. While the files do not fit together, as when only one of them is written, the last
// that did is shown.
func (r *renewed) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.cert != nil && now.Sub(r.asked) < askFiles {
		return r.cert, nil
	}
	r.asked = now
	changed, err := r.newest()
	if err == nil && r.cert != nil && changed.Equal(r.changed) {
		r.broken = nil
		return r.cert, nil
	}
	var cert tls.Certificate
	if err == nil {
		cert, err = tls.LoadX509KeyPair(r.certFile, r.keyFile)
	}
	if r.broken = err; err != nil {
		if r.cert != nil {
			return r.cert, nil
		}
		return nil, err
	}
	r.cert, r.changed = &cert, changed
	return r.cert, nil
}

// server returns how a server shows the certificate.
func (r *renewed) server() *tls.Config {
	return &tls.Config{GetCertificate: r.certificate, MinVersion: tls.VersionTLS12}
}

// state returns when the certificate ends that is shown, and why its files cannot be used at present. It has been read.
func (r *renewed) state() (end time.Time, broken error) {
	cert, err := r.certificate(nil)
	if err != nil {
		return end, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return cert.Leaf.NotAfter, r.broken
}

// newest returns when the newer of the two files was changed.
func (r *renewed) newest() (time.Time, error) {
	var last time.Time
	for _, path := range []string{r.certFile, r.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return last, err
		}
		if t := info.ModTime(); t.After(last) {
			last = t
		}
	}
	return last, nil
}
