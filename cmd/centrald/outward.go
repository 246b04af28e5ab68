package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"time"

	"haochaping/internal/cli"
	"haochaping/internal/tomlfile"
)

// checkOutward reports what is wrong with the address of another server, which the field names. It is reached by TLS, or through a gateway
// on this machine.
func checkOutward(bad tomlfile.Report, field, address, example, gateway string) {
	a, err := url.Parse(address)
	switch {
	case err != nil || a.Hostname() == "" || a.User != nil || a.Fragment != "" || a.RawQuery != "":
		bad(field, "不是地址；请写成 %s，不带用户名和密码", "it is no address; write it as %s, without user and password", example)
	case a.Scheme != "https" && (a.Scheme != "http" || new(loopback).UnmarshalText([]byte(a.Hostname()+":1")) != nil):
		bad(field, "%q 会以明文经过网络；请写 https，或本机上网关（%s）的地址",
			"%q goes over the network in plain text; write https, or the loopback address of a %s", address, gateway)
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
		return nil, cli.Errorf("%s 中没有证书；请写 PEM 格式的证书文件", "%s has no certificate; name a file of certificates in PEM", authorities)
	}
	return t, nil
}
