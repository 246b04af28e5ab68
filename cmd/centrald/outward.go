package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"
)

// checkOutward reports what is wrong with the address of another server, which the field names. It is reached by TLS, or through a gateway
// on this machine.
func checkOutward(bad func(key, format string, args ...any), field, address, example, gateway string) {
	a, err := url.Parse(address)
	switch {
	case err != nil || a.Hostname() == "" || a.User != nil || a.Fragment != "" || a.RawQuery != "":
		bad(field, "want an address as %s, without user and password", example)
	case a.Scheme != "https" && (a.Scheme != "http" || new(loopback).UnmarshalText([]byte(a.Hostname()+":1")) != nil):
		bad(field, "%q goes over the network in plain text; write https, or the loopback address of a %s", address, gateway)
	}
}

// outward returns how another server is reached, judged by the authorities in a file; empty: by the system's.
func outward(authorities string) (*http.Transport, error) {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, MaxIdleConns: 2,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if authorities == "" {
		return t, nil
	}
	text, err := os.ReadFile(authorities)
	if err != nil {
		return nil, err
	}
	t.TLSClientConfig.RootCAs = x509.NewCertPool()
	if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate", authorities)
	}
	return t, nil
}
