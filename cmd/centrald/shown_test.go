package main

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keptPair is a certificate in files, kept for a listener, and a clock for it.
type keptPair struct {
	*renewed
	at time.Time
}

func newKeptPair(t *testing.T) *keptPair {
	t.Helper()
	dir := t.TempDir()
	p := &keptPair{at: time.Now()}
	p.renewed = &renewed{certFile: filepath.Join(dir, "c.pem"), keyFile: filepath.Join(dir, "k.pem"), now: func() time.Time { return p.at }}
	p.renew(t)
	return p
}

// renew writes another certificate, which ends in an hour of the real time.
func (p *keptPair) renew(t *testing.T) {
	t.Helper()
	p.at = p.at.Add(askFiles)
	for to, text := range pairOf(t, authority(t), p.certFile, p.keyFile) {
		if err := errors.Join(os.WriteFile(to, text, 0o600), os.Chtimes(to, p.at, p.at)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheBrokersCertificateIsRenewed: the built-in broker shows what is in its files, and the centre knows itself by it, without a restart.
func TestTheBrokersCertificateIsRenewed(t *testing.T) {
	p := newKeptPair(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", p.server())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // at the end of the test
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*tls.Conn).Handshake() // the client says what became of it
			_ = c.Close()
		}
	}()
	itself, seen := selfTLS(p.renewed), make(map[string]bool)
	for range 2 {
		c, err := tls.Dial("tcp", l.Addr().String(), itself)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(c.ConnectionState().PeerCertificates[0].Raw)] = true
		_ = c.Close() // it has shown what it has
		p.renew(t)
	}
	if len(seen) != 2 {
		t.Errorf("%d certificates were shown, want that of before and the renewed one", len(seen))
	}
	if c, err := tls.Dial("tcp", l.Addr().String(), selfTLS(newKeptPair(t).renewed)); err == nil {
		_ = c.Close() // which must not be
		t.Error("the centre takes another broker for its own")
	}
}

// TestACertificateThatEndsIsNamed: before it does, once it has, and when a new one cannot be used.
func TestACertificateThatEndsIsNamed(t *testing.T) {
	p := newKeptPair(t)
	s := &shown{all: map[string]*renewed{"rate.cert_file": p.renewed}}
	look := func(until time.Duration) (ended, soon string) {
		words := func(err error) string {
			if err == nil {
				return ""
			}
			return err.Error()
		}
		p.at = p.at.Add(askFiles)
		e, o := s.trouble(p.at.Add(until))
		return words(e), words(o)
	}
	if ended, soon := look(time.Minute); ended != "" || soon != "" {
		t.Errorf("a new one: %q, %q", ended, soon)
	}
	if ended, soon := look(endsSoon); ended != "" || !strings.Contains(soon, "rate.cert_file: the certificate ends on") {
		t.Errorf("one that ends soon: %q, %q", ended, soon)
	}
	if err := os.WriteFile(p.certFile, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(p.certFile, p.at.Add(time.Hour), p.at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if ended, soon := look(0); !strings.Contains(ended, "cannot be used") || soon != ended {
		t.Errorf("half a renewal: %q, %q", ended, soon)
	}
	p.at = p.at.Add(2 * time.Hour)
	if ended, _ := look(0); !strings.Contains(ended, "has ended") {
		t.Errorf("one that has ended: %q", ended)
	}
}
