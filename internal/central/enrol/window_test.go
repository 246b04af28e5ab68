package enrol

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/identity"
)

// asksForPC asks, as a box with a certificate, for what its PC knows it by.
func (w *world) asksForPC(b box, shown *x509.Certificate, names ...string) (int, string) {
	w.t.Helper()
	der, err := identity.NewServerRequest(b.device, b.tls, names)
	if err != nil {
		w.t.Fatal(err)
	}
	status, _, body := w.post(w.client(shown, b.tls), "window/simpleenroll", der)
	return status, body
}

// TestAPCKnowsItsBox and no box, and no other server, takes that for the centre.
func TestAPCKnowsItsBox(t *testing.T) {
	w := newWorld(t)
	w.room.cfg.Names, w.room.cfg.Windows = []string{"enrol.example.com", "10.0.0.1"}, []string{"hall.example.com", "127.0.0.0/8"}
	b := newBox(t, "bcdf23456789")
	own := w.enrolled(b)
	status, body := w.asksForPC(b, own, "box-a12.hall.example.com", "127.0.0.1", "192.168.1.9")
	if status != http.StatusOK {
		t.Fatalf("it gets %d %s", status, body)
	}
	c := w.bag(body)[0]
	names := identity.ServerNames(c.DNSNames, c.IPAddresses)
	want := []string{"127.0.0.1", "192.168.1.9", "box-a12.hall.example.com"}
	if !slices.Equal(names, want) || c.NotAfter.Sub(w.now()) != WindowLife || w.room.authority.Verify(c, w.now()) == nil {
		t.Errorf("it gets %v until %v, which opens the broker: %v", c.DNSNames, c.NotAfter, w.room.authority.Verify(c, w.now()))
	}
	at := w.serve(tls.Certificate{Certificate: [][]byte{c.Raw, w.room.authority.Issuing().Raw}, PrivateKey: b.tls})
	if err := w.dials(at, &tls.Config{RootCAs: identity.Pool(w.room.authority.Root()), ServerName: "127.0.0.1", Time: w.now}); err != nil {
		t.Errorf("the PC does not know it: %v", err)
	}
	trust := identity.Trust{Roots: identity.Pool(w.room.authority.Root()), Now: w.now, Synced: func() bool { return true }, Passed: w.now}
	if err := w.dials(at, trust.Config("127.0.0.1", nil)); err == nil {
		t.Error("a box takes it for the centre")
	}
	if status, _ := w.asksForPC(b, own, "127.0.0.1"); status != http.StatusServiceUnavailable {
		t.Errorf("the next one at once: %d", status)
	}
	w.pass(windowPause)
	for _, name := range []string{"enrol.example.com", "10.0.0.1", "www.example.com", "hall.example.com", "8.8.8.8", "*.hall.example.com",
		"evil hall.lan"} {
		if status, body := w.asksForPC(b, own, name); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	other := newBox(t, "ghjk23456789")
	if status, _ := w.asksForPC(box{other.device, b.tls, other.record, other.public}, own, "10.1.2.3"); status != http.StatusForbidden {
		t.Errorf("in another's name: %d", status)
	}
	if status, _, _ := w.post(w.client(nil, nil), "window/simpleenroll", nil); status != http.StatusUnauthorized {
		t.Errorf("without a certificate: %d", status)
	}
	err := w.room.db.Write(t.Context(), func(tx *db.Tx) error { _, err := Revoke(t.Context(), tx, b.device, w.now()); return err })
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := w.asksForPC(b, own, "10.1.2.3"); status != http.StatusForbidden {
		t.Errorf("revoked: %d", status)
	}
}

// serve serves TLS with a certificate until the test ends, and returns its address.
func (w *world) serve(c tls.Certificate) string {
	w.t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{c}})
	if err != nil {
		w.t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	w.t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
			w.t.Error(err)
		}
	})
	return l.Addr().String()
}

func (w *world) dials(at string, c *tls.Config) error {
	ctx, stop := context.WithTimeout(w.t.Context(), time.Minute)
	defer stop()
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: c}).DialContext(ctx, "tcp", at)
	if err != nil {
		return err
	}
	return conn.Close()
}
