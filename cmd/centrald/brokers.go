package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"haochaping/internal/central/broker"
	"haochaping/internal/central/ingest"
	"haochaping/internal/identity"
	"haochaping/internal/loginfiles"
	"haochaping/internal/stages"
)

// broker returns how to reach the broker, and the stages of the built-in one if that is used.
func (c *command) broker(x *rooms, log *slog.Logger) (ingest.Config, []stages.Stage, error) {
	cfg := x.cfg.Broker
	if cfg.URL != "" {
		out, err := elsewhere(cfg)
		return out, nil, err
	}
	var own *renewed
	access := broker.Config{Listen: string(cfg.Listen), Logger: log}
	scheme := "mqtt"
	if cfg.CertFile != "" {
		var err error
		if own, err = x.shown.keep("broker.cert_file", cfg.CertFile, cfg.KeyFile); err != nil {
			return ingest.Config{}, nil, fmt.Errorf("broker.cert_file: %w", err)
		}
		access.TLS, scheme = own.server(), "mqtts"
	}
	var guards []stages.Stage
	if cfg.Certificates {
		guard := x.enrol.Guard(log)
		access.TLS, access.Certificates, scheme = x.enrol.Authority().ServerTLS(x.cfg.Enrol.Names), guard, "mqtts"
		guards = append(guards, stages.Stage{Name: "revoked certificates", Run: guard.Run})
	}
	if cfg.PasswordsFile != "" {
		known := passwords{cfg.PasswordsFile, log}
		if _, err := known.read(); err != nil {
			return ingest.Config{}, nil, err
		}
		access.Password = known.allow
	}
	b, err := broker.Listen(access)
	if err != nil {
		return ingest.Config{}, nil, fmt.Errorf("broker.listen: %w", hintBroker(string(cfg.Listen), err))
	}
	out := ingest.Config{Broker: scheme + "://" + reachable(b.Addr()), Username: broker.CentreName, Password: b.Secret()}
	switch {
	case cfg.Certificates:
		out.TLS = &tls.Config{MinVersion: tls.VersionTLS13, ServerName: x.cfg.Enrol.Names[0], RootCAs: identity.Pool(x.enrol.Authority().Root())}
	case own != nil:
		// The centre speaks to itself, by an address that the certificate need not name, and knows the certificate.
		out.TLS = selfTLS(own)
	}
	return out, append(guards, stages.Stage{Name: "broker", Run: b.Run}), nil
}

// selfTLS accepts exactly the certificate that the server itself shows.
func selfTLS(own *renewed) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // replaced by the comparison below
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			cert, err := own.certificate(nil)
			if err != nil || len(raw) == 0 || string(raw[0]) != string(cert.Certificate[0]) {
				return errors.New("the broker is not the one of this program")
			}
			return nil
		},
	}
}

// reachable returns an address that a client can use for a listener, which may listen on all addresses.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return a.String()
}

// elsewhere returns how to reach a broker that is not the built-in one.
func elsewhere(cfg brokerConfig) (ingest.Config, error) {
	out := ingest.Config{Broker: string(cfg.URL), Username: cfg.Username, Partitions: cfg.Partitions}
	var err error
	if out.Password, err = loginfiles.Password(loginfiles.File{Field: "broker.password_file", Path: cfg.PasswordFile}); err != nil {
		return out, err
	}
	out.TLS, err = loginfiles.TLS(loginfiles.File{Field: "broker.ca_file", Path: cfg.CAFile},
		loginfiles.File{Field: "broker.client_cert_file", Path: cfg.ClientCertFile}, cfg.ClientKeyFile)
	return out, err
}
