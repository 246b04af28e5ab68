package enrol

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/db"
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
	if status, _, body := w.post(w.client(c, b.tls), "simplereenroll", other.request(t)); status != http.StatusForbidden ||
		!strings.Contains(body, "another key") {
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
		notOutrun(t, worldAt(t, postgres.Database(t), time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai())))
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

// TestAnotherRecordKeyRevokes gives an enrolled box another key for records by hand: what was issued for the old one opens nothing.
func TestAnotherRecordKeyRevokes(t *testing.T) {
	w := newWorld(t)
	b := newBox(t, "bcdf23456789")
	c := w.enrolled(b)
	d, err := w.fleet.Device(t.Context(), b.device)
	if err != nil {
		t.Fatal(err)
	}
	d.Window.Generation++ // another window changes nothing
	d.Window.ID = "A02"
	if err := w.fleet.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if all, err := w.room.Revoked(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("a move revokes %v, %v", all, err)
	}
	d.Key = newBox(t, b.device).public
	if err := w.fleet.Put(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if all, err := w.room.Revoked(t.Context()); err != nil || len(all) != 1 || all[0].Serial != serialOf(c) {
		t.Errorf("revoked are %v, %v", all, err)
	}
	if status, _, body := w.post(w.client(c, b.tls), "simplereenroll", b.request(t)); status != http.StatusForbidden {
		t.Errorf("its renewal is answered %d %s", status, body)
	}
}

// TestABoardsNameIsBounded sends what is no board's name.
func TestABoardsNameIsBounded(t *testing.T) {
	w := newWorld(t)
	b := newBox(t, "bcdf23456789")
	for board, status := range map[string]int{"": 202, "0011223344556677": 202, strings.Repeat("x", maxBoard+1): 400, "a b": 400,
		"\xff": 400} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/.well-known/est/simpleenroll",
			strings.NewReader(base64.StdEncoding.EncodeToString(b.request(t))))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/pkcs10")
		r.Header.Set(BoardHeader, board)
		resp, err := w.client(nil, nil).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != status {
			t.Errorf("%q is answered %s, %v", board, resp.Status, err)
		}
	}
}
