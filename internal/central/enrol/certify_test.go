package enrol

import (
	"net/http"
	"testing"
	"time"

	"haochaping/internal/central/db"
)

// TestABoxOfTheFirstVersion was entered by hand, and gets its certificate by one command, once; nobody else gets one in its name.
func TestABoxOfTheFirstVersion(t *testing.T) {
	w := inTheCity(t, sqlite(t))
	old, thief, other := newBox(t, "lz-0417"), newBox(t, "lz-0417"), newBox(t, "lz-0418")
	w.serves(old, "SL-H2-B02")
	w.serves(other, "SL-H2-B03")
	certify := func(b box) {
		t.Helper()
		err := w.room.db.Write(t.Context(), func(tx *db.Tx) error { return Certify(t.Context(), tx, b.device, "operator li", w.now()) })
		if err != nil {
			t.Fatal(err)
		}
	}
	status := func(b box) int {
		t.Helper()
		s, _, _ := w.post(w.client(nil, nil), "simpleenroll", b.request(t))
		return s
	}
	if got := status(old); got != http.StatusAccepted {
		t.Errorf("without the command it gets %d", got)
	}
	if all, err := w.room.Uncertified(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("%d boxes have no certificate, %v", len(all), err)
	}
	certify(old)
	if got := status(thief); got != http.StatusForbidden {
		t.Errorf("another key in its name gets %d", got)
	}
	if got := status(other); got != http.StatusAccepted {
		t.Errorf("another box gets %d", got)
	}
	if got := status(old); got != http.StatusOK {
		t.Errorf("it gets %d", got)
	}
	w.at(old, "SL-H2-B02")
	if all, err := w.room.Uncertified(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("%d boxes have no certificate, %v", len(all), err)
	}
	revoke := func(b box) {
		t.Helper()
		err := w.room.db.Write(t.Context(), func(tx *db.Tx) error { _, err := Revoke(t.Context(), tx, b.device, w.now()); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	revoke(old)
	if got := status(old); got != http.StatusAccepted {
		t.Errorf("revoked, it gets %d by the command of before", got)
	}
	certify(other)
	revoke(other) // also takes back what it has not used
	if got := status(other); got != http.StatusAccepted {
		t.Errorf("revoked before it asked, it gets %d", got)
	}
	certify(other)
	w.pass(CertifyLife + time.Second)
	if got := status(other); got != http.StatusAccepted {
		t.Errorf("after a month it gets %d", got)
	}
}
