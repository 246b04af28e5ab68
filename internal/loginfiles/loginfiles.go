// Package loginfiles reads the files by which a program logs in at a broker: the password, the authority, and a certificate of its own.
package loginfiles

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"

	"haochaping/internal/keptfile"
)

// File is a file that a field of the configuration names.
type File struct{ Field, Path string }

// Password returns the line in a file, without the mark that some editors put before it; empty if no file is named.
func Password(f File) (string, error) {
	if f.Path == "" {
		return "", nil
	}
	b, err := keptfile.ReadSmall(f.Path)
	if err != nil {
		return "", fmt.Errorf("%s: %w; write the password into it, for the daemon's user to read", f.Field, err)
	}
	return strings.TrimRight(strings.TrimPrefix(string(b), "\ufeff"), "\r\n"), nil
}

// Authorities returns the certificates in a file, by which servers are judged.
func Authorities(f File) (*x509.CertPool, error) {
	pem, err := keptfile.ReadSmall(f.Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Field, err)
	}
	all := x509.NewCertPool()
	if !all.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s holds no certificate", f.Field, f.Path)
	}
	return all, nil
}

// TLS returns how a client judges the broker, by the system's authorities if no other is named, and shows itself, if it has a certificate.
func TLS(authority, certificate File, key string) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if authority.Path != "" {
		var err error
		if out.RootCAs, err = Authorities(authority); err != nil {
			return nil, err
		}
	}
	if certificate.Path == "" {
		return out, nil
	}
	own, err := keptfile.ReadSmall(certificate.Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certificate.Field, err)
	}
	private, err := keptfile.ReadSmall(key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certificate.Field, err)
	}
	pair, err := tls.X509KeyPair(own, private)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certificate.Field, err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}
