package enrol

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

// TestWhoMayComeToNATS writes what nats-server reads: a box that was let in may come by its key, and one that was revoked, whose
// certificate has ended, or that has only its name may not. One of an earlier version has only that, until it renews.
func TestWhoMayComeToNATS(t *testing.T) {
	w := newWorld(t)
	stays, goes := newBox(t, "bcdf23456789"), newBox(t, "ghjk23456789")
	kept, lost := w.enrolled(stays), w.enrolled(goes)
	centre, err := w.room.Authority().Client("centre", stays.tls.Public(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	said := func() string {
		t.Helper()
		live, err := w.room.Live(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return NATSUsers(live, centre)
	}
	want := func(text string, c *x509.Certificate, yes bool) {
		t.Helper()
		for _, x := range []string{`user: "` + natsName(c) + `"`, "hcp.1." + c.Subject.CommonName + ".records.*"} {
			if strings.Contains(text, x) != yes {
				t.Errorf("%q is there: %v, want %v\n%s", x, !yes, yes, text)
			}
		}
	}
	want(said(), kept, true)
	want(said(), lost, true)
	w.revokes(goes)
	want(said(), kept, true)
	want(said(), lost, false)
	if text := said(); !strings.HasPrefix(natsName(kept), "urn:") || strings.Contains(text, "CN=bcdf") {
		t.Errorf("somebody is known by the name alone:\n%s", text)
	}
	w.pass(BoxLife + day)
	want(said(), kept, false)

	before := *kept
	before.URIs = nil
	want(NATSUsers([]*x509.Certificate{&before}, centre), &before, true)
	if text := NATSUsers([]*x509.Certificate{&before, kept}, centre); strings.Contains(text, "CN=bcdf") {
		t.Errorf("a box with a named key is known by its own name as well:\n%s", text)
	}
}
