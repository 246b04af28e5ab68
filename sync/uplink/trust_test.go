package uplink

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"haochaping/internal/proof/faultnet"
)

// TestTrust plays clocks against certificates.
func TestTrust(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	authority := newAuthority(t, day("2020-01-01"), day("2040-01-01"))
	stranger := newAuthority(t, day("2020-01-01"), day("2040-01-01"))
	for _, c := range []struct {
		name         string
		signer       *faultnet.Authority
		begins, ends string
		host         string
		clock        string
		synced       bool
		passed       string
		refused      string // part of the reason; empty: taken
	}{
		{"all in order", authority, "2026-01-01", "2027-01-01", "mqtt.example.com", "2026-06-01", true, "2025-01-01", ""},
		{"ended", authority, "2025-01-01", "2026-01-01", "mqtt.example.com", "2026-06-01", true, "", "ended on 2026-01-01; renew it"},
		{"not begun", authority, "2027-01-01", "2028-01-01", "mqtt.example.com", "2026-06-01", true, "", "begins on 2027-01-01"},
		{"a clock in 1970", authority, "2026-01-01", "2027-01-01", "mqtt.example.com", "1970-01-01", false, "", ""},
		{"a clock in 1970 and a time that passed", authority, "2026-01-01", "2027-01-01", "mqtt.example.com", "1970-01-01", false, "2026-03-01",
			""},
		{"a clock in 1970, ended before a time that passed", authority, "2025-01-01", "2026-01-01", "mqtt.example.com", "1970-01-01", false,
			"2026-03-01", "knows that 2026-03-01 has passed"},
		{"a clock ahead that nothing has set", authority, "2026-01-01", "2027-01-01", "mqtt.example.com", "2099-01-01", false, "2026-03-01", ""},
		{"a clock in 1970 believed", authority, "2026-01-01", "2027-01-01", "mqtt.example.com", "1970-01-01", true, "",
			"this box's clock, which the network has set, shows 1970-01-01"},
		{"another authority", stranger, "2026-01-01", "2027-01-01", "mqtt.example.com", "1970-01-01", false, "", "not trusted"},
		{"another name", authority, "2026-01-01", "2027-01-01", "other.example.com", "1970-01-01", false, "", "not trusted"},
		{"an address", authority, "2026-01-01", "2027-01-01", "127.0.0.1", "2026-06-01", true, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := c.host
			if c.host == "other.example.com" {
				name = "mqtt.example.com"
			}
			certificate, err := c.signer.Issue(name, day(c.begins), day(c.ends))
			if err != nil {
				t.Fatal(err)
			}
			judge := &trust{now: func() time.Time { return day(c.clock) }, synced: func() bool { return c.synced }}
			if c.passed != "" {
				judge.passed.Store(day(c.passed).UnixMilli())
			}
			err = shakeHands(t, judge, authority, certificate, c.host)
			switch {
			case c.refused == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
				t.Errorf("got %v, want a refusal with %q", err, c.refused)
			}
		})
	}
}

// A centre whose clock is wrong by decades must not lock its boxes out for good.
func TestTrustBearsAWrongCentre(t *testing.T) {
	now := time.Now()
	authority := newAuthority(t, now.Add(-time.Hour), now.Add(20*365*24*time.Hour))
	certificate, err := authority.Issue("mqtt.example.com", now.Add(-time.Hour), now.Add(90*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	judge := &trust{now: func() time.Time { return time.Unix(0, 0) }, synced: func() bool { return false }}
	for range 2 {
		if err := shakeHands(t, judge, authority, certificate, "mqtt.example.com"); err != nil {
			t.Fatal(err)
		}
		judge.learn(now.Add(50 * 365 * 24 * time.Hour))
	}
}

func newAuthority(t *testing.T, begins, ends time.Time) *faultnet.Authority {
	t.Helper()
	a, err := faultnet.NewAuthority(begins, ends)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// shakeHands returns what the box says to a broker with a certificate.
func shakeHands(t *testing.T, judge *trust, authority *faultnet.Authority, c tls.Certificate, host string) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM())
	box, broker := pipe(t)
	go func() {
		_ = tls.Server(broker, &tls.Config{Certificates: []tls.Certificate{c}}).Handshake()
		_ = broker.Close()
	}()
	_, err := handshake(t.Context(), box, judge.config(&tls.Config{RootCAs: roots}, host), 5*time.Second)
	return err
}

// A certificate that comes slowly, as over a line of 1 KB/s, is waited for, and one that does not come is not.
func TestHandshakeOnAThinLine(t *testing.T) {
	now := time.Now()
	authority := newAuthority(t, now.Add(-time.Hour), now.Add(time.Hour))
	certificate, err := authority.Issue("mqtt.example.com", now.Add(-time.Hour), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM())
	const silence = time.Second
	judge := &trust{now: time.Now, synced: func() bool { return true }}
	c := judge.config(&tls.Config{RootCAs: roots}, "mqtt.example.com")

	box, broker := pipe(t)
	go func() {
		_ = tls.Server(thin{broker}, &tls.Config{Certificates: []tls.Certificate{certificate}}).Handshake()
	}()
	start := time.Now()
	if _, err := handshake(t.Context(), box, c, silence); err != nil || time.Since(start) < 2*silence {
		t.Errorf("a slow handshake took %s and ended with %v; want one longer than %s", time.Since(start), err, 2*silence)
	}

	box, broker = pipe(t)
	go func() { _, _ = broker.Read(make([]byte, 4096)) }()
	if _, err := handshake(t.Context(), box, c, silence); err == nil {
		t.Error("a handshake without an answer succeeded")
	}
}

// pipe returns the two ends of a connection.
func pipe(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// thin writes a little at a time.
type thin struct{ net.Conn }

// Write implements io.Writer.
func (c thin) Write(b []byte) (int, error) {
	for i := 0; i < len(b); i += 100 {
		time.Sleep(250 * time.Millisecond)
		if n, err := c.Conn.Write(b[i:min(i+100, len(b))]); err != nil {
			return i + n, err
		}
	}
	return len(b), nil
}
