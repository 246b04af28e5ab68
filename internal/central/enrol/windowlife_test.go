package enrol

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/identity"
)

// forPC gets a certificate for a box's PC.
func (w *world) forPC(b box, own *x509.Certificate, names ...string) *x509.Certificate {
	w.t.Helper()
	w.pass(windowPause)
	status, body := w.asksForPC(b, own, names...)
	if status != http.StatusOK {
		w.t.Fatalf("%s gets %d %s for its PC", b.device, status, body)
	}
	c := w.bag(body)[0]
	if c.NotAfter.After(w.now().Add(WindowLife)) {
		w.t.Errorf("its PC would know it until %v", c.NotAfter)
	}
	return c
}

// listed reports whether the list that the door gives out has a certificate.
func (w *world) listed(c *x509.Certificate) bool {
	w.t.Helper()
	w.pass(listPause)
	resp, err := w.client(nil, nil).Get(w.url + "/revoked.crl")
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	der, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err == nil {
		err = list.CheckSignatureFrom(w.room.authority.Issuing())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return slices.ContainsFunc(list.RevokedCertificateEntries, func(x x509.RevocationListEntry) bool {
		return x.SerialNumber.Cmp(c.SerialNumber) == 0
	})
}

// refused asks for a certificate for the PC of a box that may have none any more, and looks at what it has.
func (w *world) refused(b box, own, had *x509.Certificate) {
	w.t.Helper()
	w.pass(windowPause)
	if status, body := w.asksForPC(b, own, "10.1.2.3"); status != http.StatusForbidden {
		w.t.Errorf("a new certificate for its PC is answered %d %s", status, body)
	}
	if !w.listed(had) {
		w.t.Error("the list has not its certificate for its PC")
	}
	root := x509.VerifyOptions{Roots: identity.Pool(w.room.authority.Root()), Intermediates: identity.Pool(w.room.authority.Issuing()),
		DNSName: "10.1.2.3", CurrentTime: w.now().Add(WindowLife)}
	if _, err := had.Verify(root); err == nil {
		w.t.Errorf("a PC that asks nobody takes it on after %v", WindowLife)
	}
}

func (w *world) revokes(b box) {
	w.t.Helper()
	err := w.room.db.Write(w.t.Context(), func(tx *db.Tx) error { _, err := Revoke(w.t.Context(), tx, b.device, w.now()); return err })
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestWhoIsNotKnownToAPCAnyMore revokes, replaces, removes and re-keys boxes: none gets another certificate for its PC, the list has the
// one that it had, and that ends within days.
func TestWhoIsNotKnownToAPCAnyMore(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { notKnown(t, func(t *testing.T) *world { return inTheCity(t, sqlite(t)) }) })
	t.Run("postgres", func(t *testing.T) {
		notKnown(t, func(t *testing.T) *world { return inTheCity(t, postgres.Database(t)) })
	})
}

func notKnown(t *testing.T, open func(*testing.T) *world) {
	const window = "SL-H2-B02"
	retire := func(w *world, b box) {
		if _, err := w.room.Retire(w.t.Context(), b.device, window, "", func(context.Context, *db.Tx) error { return nil }); err != nil {
			w.t.Fatal(err)
		}
	}
	for what, end := range map[string]func(*world, box){
		"revoked": func(w *world, b box) { w.revokes(b) },
		"removed": retire,
		"replaced": func(w *world, b box) {
			other := newBox(w.t, "ghjk23456789")
			w.takesPlace(other, b, window)
			if status, _, body := w.post(w.client(nil, nil), "simpleenroll", other.request(w.t)); status != http.StatusOK {
				w.t.Fatalf("the box in its place gets %d %s", status, body)
			}
		},
		"of another key": func(w *world, b box) {
			d, err := w.fleet.Device(w.t.Context(), b.device)
			if err != nil {
				w.t.Fatal(err)
			}
			d.Key = newBox(w.t, b.device).public
			d.Window.Generation++
			if err := w.fleet.Put(w.t.Context(), d); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := open(t)
			b := newBox(t, "bcdf23456789")
			own := w.enrolled(b)
			w.moves(b, window)
			had := w.forPC(b, own, "10.1.2.3")
			if w.listed(had) {
				t.Fatal("it is on the list before")
			}
			end(w, b)
			w.refused(b, own, had)
			all, err := w.room.WindowCertificates(t.Context(), b.device, 9)
			if err != nil || len(all) != 1 || all[0].Revoked.IsZero() || all[0].Serial != serialOf(had) {
				t.Errorf("the page shows %+v, %v", all, err)
			}
		})
	}
}

// TestAPCsCertificateIsRenewed each day without an act of the journal, and what the box is not called any more is on the list.
func TestAPCsCertificateIsRenewed(t *testing.T) {
	w := newWorld(t)
	b := newBox(t, "bcdf23456789")
	own := w.enrolled(b)
	first := w.forPC(b, own, "10.1.2.3")
	w.pass(day)
	second := w.forPC(b, own, "10.1.2.3")
	if acts := w.acts(); count(acts, "enrol.window") != 1 || w.listed(first) || !second.NotAfter.After(first.NotAfter) {
		t.Errorf("a renewal is an act of the journal, or takes the other one away: %v", acts)
	}
	third := w.forPC(b, own, "10.1.2.4")
	if !w.listed(first) || !w.listed(second) || w.listed(third) {
		t.Error("the list has not exactly the certificates for an address that the box has left")
	}
	d, err := w.fleet.Device(t.Context(), b.device)
	if err != nil {
		t.Fatal(err)
	}
	d.Window.ID = "A02"
	d.Window.Generation++
	if err := w.fleet.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	fourth := w.forPC(b, own, "10.1.2.4")
	if !w.listed(third) || w.listed(fourth) || count(w.acts(), "enrol.window") != 3 {
		t.Errorf("after a move the list has not exactly the certificates of before; acts %v", w.acts())
	}
	w.pass(WindowLife)
	w.forPC(b, own, "10.1.2.4")
	if all, err := w.room.WindowCertificates(t.Context(), b.device, 9); err != nil || len(all) != 1 {
		t.Errorf("what has ended is kept: %+v, %v", all, err)
	}
}

func count(all []string, what string) (n int) {
	for _, s := range all {
		if strings.HasPrefix(s, what) {
			n++
		}
	}
	return n
}

// TestARevocationOutrunsThePC revokes between the first look and the entry of a certificate for a PC.
func TestARevocationOutrunsThePC(t *testing.T) {
	w := newWorld(t)
	b := newBox(t, "bcdf23456789")
	own := w.enrolled(b)
	x := windowRow{"1", b.device, "10.1.2.3", 1, w.now().Add(WindowLife)}
	for range 2 { // with an act, and without one
		if err := w.room.enterWindow(t.Context(), x, []string{"10.1.2.3"}, "", good(own)); err != nil {
			t.Fatal(err)
		}
		x.serial += "1"
	}
	w.revokes(b)
	for _, names := range []string{"10.1.2.3", "10.1.2.4"} {
		x.names = names
		if err := w.room.enterWindow(t.Context(), x, []string{names}, "", good(own)); err == nil {
			t.Errorf("for %s it is entered after the revocation", names)
		}
	}
	if all, err := w.room.WindowCertificates(t.Context(), b.device, 9); err != nil || len(all) != 2 {
		t.Errorf("there are %+v, %v", all, err)
	}
}

// TestALifeOfYearsIsRefused holds the bound of what a centre may set.
func TestALifeOfYearsIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, life := range []time.Duration{-day, MostWindowLife + day} {
		c := w.room.cfg
		c.WindowLife = life
		if _, err := Open(t.Context(), c); err == nil {
			t.Errorf("%v is allowed", life)
		}
	}
}
