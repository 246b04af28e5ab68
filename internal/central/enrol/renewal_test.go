package enrol

import (
	"net/http"
	"strings"
	"testing"
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
