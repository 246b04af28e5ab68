package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"haochaping/internal/boxconfig"
)

// readPassword returns the password at the broker, empty if no file is named.
func readPassword(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("uplink.password_file: %w; write the box's password into it, for the daemon's user to read", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// tlsFiles returns the TLS configuration of the uplink.
func tlsFiles(c boxconfig.Uplink) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("uplink.ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("uplink.ca_file: %s holds no certificate", c.CAFile)
		}
	}
	if c.CertFile == "" {
		return out, nil
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("uplink.cert_file: %w", err)
	}
	out.Certificates = []tls.Certificate{pair}
	return out, nil
}
