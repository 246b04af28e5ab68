package enrol

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/db/dbtest"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

// TestARenewalIsOfTheSameKey asks in the name of a box that was let in for a certificate of a key that nobody has accepted.
func TestARenewalIsOfTheSameKey(t *testing.T) {
	w := newWorld(t)
	b := newBox(t, "bcdf23456789")
	c := w.enrolled(b)
	other := b
	other.tls = newBox(t, b.device).tls
	if status, _, body := w.post(w.client(c, b.tls), "simplereenroll", other.request(t)); status != http.StatusForbidden || !strings.Contains(body, "another key") {
		t.Errorf("a request for another key gets %d %s", status, body)
	}
	if all, err := w.room.Certificates(t.Context(), b.device, 5); err != nil || len(all) != 1 {
		t.Errorf("the box has %d certificates, %v", len(all), err)
	}
}

// TestARevocationIsNotOutrun revokes between the first look and the entry of a certificate.
func TestARevocationIsNotOutrun(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { notOutrun(t, newWorld(t)) })
	t.Run("postgres", func(t *testing.T) {
		notOutrun(t, worldAt(t, dbtest.StartPostgres(t).Database(t), time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai())))
	})
}

func notOutrun(t *testing.T, w *world) {
	b := newBox(t, "bcdf23456789")
	c := w.enrolled(b)
	q, err := identity.ParseRequest(b.request(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, may := range []still{accepted(q), good(c)} {
		if _, err := w.room.issue(t.Context(), q, "test", may); err != nil {
			t.Errorf("before the revocation: %v", err)
		}
	}
	err = w.room.db.Write(t.Context(), func(tx *db.Tx) error { _, err := Revoke(t.Context(), tx, b.device, w.now()); return err })
	if err != nil {
		t.Fatal(err)
	}
	for _, may := range []still{accepted(q), good(c)} {
		if _, err := w.room.issue(t.Context(), q, "test", may); !errors.Is(err, ErrRefused) {
			t.Errorf("after it: %v", err)
		}
	}
	all, err := w.room.Certificates(t.Context(), b.device, 9)
	if err != nil || len(all) != 3 {
		t.Errorf("the box has %d certificates, %v", len(all), err)
	}
	for _, x := range all {
		if x.Revoked.IsZero() {
			t.Errorf("%s holds after the revocation", x.Serial)
		}
	}
}
