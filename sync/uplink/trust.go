package uplink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// trust judges the broker's certificate by the best clock there is.
//
// A box without a clock chip starts in 1970, or where its clock stood when the power failed, and the network that would set
// the clock is often the one behind this very connection. So while nothing has set the clock it is not asked at all. What
// the box does know is a time that has surely passed: the centre's at its last signed acknowledgement, or that at which the
// program was built. A certificate that ended before that time is refused; one that begins after it is taken, since later
// it may well be. Everything else, the chain, the name and the key, is checked as always; and once the clock is set, so are
// the times.
type trust struct {
	now    func() time.Time
	synced func() bool
	passed atomic.Int64 // a time that has surely passed, milliseconds since 1970-01-01 UTC
	ends   atomic.Int64 // when the chain ends that was taken last, likewise; 0 if none was
}

// learn notes that the centre's clock has shown a time. A centre whose clock is years ahead must not lock its boxes out, so
// no time is believed that lies behind the end of the certificate that the broker has just shown, and none without one.
func (t *trust) learn(centre time.Time) {
	t.passed.Store(max(t.passed.Load(), min(centre.UnixMilli(), t.ends.Load())))
}

// Passed returns a time that has surely passed, for Config.Passed at the next start. It is safe for concurrent use.
func (u *Uplink) Passed() time.Time { return time.UnixMilli(u.trust.passed.Load()) }

// config returns base with its judgement of certificates replaced, for a broker at host.
func (t *trust) config(base *tls.Config, host string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		c = base.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = host
	}
	if c.InsecureSkipVerify {
		return c
	}
	name, roots := c.ServerName, c.RootCAs
	c.InsecureSkipVerify = true // VerifyConnection does it
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if err := t.verify(s.PeerCertificates, name, roots); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
		}
		return nil
	}
	return c
}

// verify checks the chain that a broker shows.
func (t *trust) verify(shown []*x509.Certificate, name string, roots *x509.CertPool) error {
	if len(shown) == 0 {
		return errors.New("the broker shows no certificate")
	}
	o := x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range shown[1:] {
		o.Intermediates.AddCert(c)
	}
	synced := t.synced()
	if o.CurrentTime = t.now(); !synced {
		o.CurrentTime = t.earliest(shown)
	}
	chains, err := shown[0].Verify(o)
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
	case !errors.As(err, &invalid) || invalid.Reason != x509.Expired:
		return fmt.Errorf("the broker's certificate is not trusted: %w", err)
	case !synced:
		return fmt.Errorf("the broker's certificate ended on %s, which is past (this box's clock is not set, but it knows that %s has passed); "+
			"renew it at the broker: %w",
			invalid.Cert.NotAfter.UTC().Format(time.DateOnly), o.CurrentTime.UTC().Format(time.DateOnly), err)
	case o.CurrentTime.Before(invalid.Cert.NotBefore):
		return fmt.Errorf("the broker's certificate begins on %s, and this box's clock, which the network has set, shows %s: %w",
			invalid.Cert.NotBefore.UTC().Format(time.DateOnly), o.CurrentTime.UTC().Format(time.DateOnly), err)
	default:
		return fmt.Errorf("the broker's certificate ended on %s; renew it at the broker: %w", invalid.Cert.NotAfter.UTC().Format(time.DateOnly),
			err)
	}
	var ends time.Time
	for _, c := range chains[0] {
		if ends.IsZero() || c.NotAfter.Before(ends) {
			ends = c.NotAfter
		}
	}
	t.ends.Store(ends.UnixMilli())
	return nil
}

// earliest returns the earliest time that it can be now: one that has surely passed, and at which all that is shown has begun.
func (t *trust) earliest(shown []*x509.Certificate) time.Time {
	at := time.UnixMilli(t.passed.Load())
	for _, c := range shown {
		if c.NotBefore.After(at) {
			at = c.NotBefore
		}
	}
	return at
}

// handshake makes a TLS connection of conn. What bounds it is rather the silence of the other end than the whole, since on
// a line of 1 KB/s the certificates alone take many seconds.
func handshake(ctx context.Context, conn net.Conn, c *tls.Config, silence time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 6*silence)
	defer cancel()
	patient := &patientConn{Conn: conn, silence: silence}
	secure := tls.Client(patient, c)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	patient.silence = 0
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	return secure, nil
}

// patientConn ends a Read that gets nothing for as long as silence, which is for the goroutine that reads.
type patientConn struct {
	net.Conn
	silence time.Duration
}

// Read implements net.Conn.
func (c *patientConn) Read(b []byte) (int, error) {
	if c.silence > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(b)
}
