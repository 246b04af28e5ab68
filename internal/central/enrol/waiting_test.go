package enrol

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"haochaping/internal/identity"
)

// TestTheWaitingAreBounded lets one address ask without end.
func TestTheWaitingAreBounded(t *testing.T) {
	w := newWorld(t)
	b := newBox(t, "bcdf23456789")
	q, err := identity.ParseRequest(b.request(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range waitingOfAddress {
		q.Hash[0], q.Hash[1] = byte(i), byte(i>>8)
		if _, _, err := w.room.Ask(t.Context(), q, Origin{Address: "192.0.2.1"}); !errors.Is(err, ErrWaiting) {
			t.Fatal(err)
		}
	}
	q.Hash[2]++
	if _, _, err := w.room.Ask(t.Context(), q, Origin{Address: "192.0.2.1"}); !errors.Is(err, ErrFull) {
		t.Errorf("one more of the same address: %v", err)
	}
	if _, _, err := w.room.Ask(t.Context(), q, Origin{Address: "192.0.2.2"}); !errors.Is(err, ErrWaiting) {
		t.Errorf("one of another address: %v", err)
	}
	w.pass(silent + time.Second)
	q.Hash[2]++
	if _, _, err := w.room.Ask(t.Context(), q, Origin{Address: "192.0.2.1"}); !errors.Is(err, ErrWaiting) {
		t.Errorf("one more when the others have gone: %v", err)
	}
}

// TestAddresses counts a machine once, however many addresses it has.
func TestAddresses(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.1:1234":              "192.0.2.1",
		"[::ffff:192.0.2.1]:1234":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1234": "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:1":         "2001:db8:1:2::/64",
		"[fe80::1%eth0]:1":            "fe80::/64",
		"somewhere":                   "somewhere",
	} {
		if got := addressOf(&http.Request{RemoteAddr: from}); got != want {
			t.Errorf("%s counts as %s, want %s", from, got, want)
		}
	}
}

// TestTheAcceptedAreNotForgotten leaves a box that was accepted silent for an hour, while others come.
func TestTheAcceptedAreNotForgotten(t *testing.T) {
	w := newWorld(t)
	b := newBox(t, "bcdf23456789")
	_, h, _ := w.post(w.client(nil, nil), "simpleenroll", b.request(t))
	w.accept(h.Get(CodeHeader))
	w.pass(time.Hour)
	w.post(w.client(nil, nil), "simpleenroll", newBox(t, "ghjk23456789").request(t))
	if status, _, body := w.post(w.client(nil, nil), "simpleenroll", b.request(t)); status != http.StatusOK {
		t.Errorf("it gets %d %s", status, body)
	}
}

// TestTheListIsNotSignedForEach asks for the list of revoked certificates before and after its pause.
func TestTheListIsNotSignedForEach(t *testing.T) {
	w := newWorld(t)
	get := func() []byte {
		t.Helper()
		resp, err := w.client(nil, nil).Get(w.url + "/revoked.crl")
		if err != nil {
			t.Fatal(err)
		}
		der, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return der
	}
	first := get()
	w.pass(listPause / 2)
	if !bytes.Equal(first, get()) {
		t.Error("it is signed anew within the pause")
	}
	w.pass(listPause)
	if bytes.Equal(first, get()) {
		t.Error("it is the old one after the pause")
	}
}

// TestTheAcceptedStaySoThoughTheyAsk accepts a box between the moment in which its request is read and that in which it is noted.
func TestTheAcceptedStaySoThoughTheyAsk(t *testing.T) {
	w := newWorld(t)
	b := newBox(t, "bcdf23456789")
	_, h, _ := w.post(w.client(nil, nil), "simpleenroll", b.request(t))
	w.pass(seenStep)
	w.room.random = io.MultiReader(once(func() { w.accept(h.Get(CodeHeader)) }), rand.Reader) // read for the code that it may get
	if status, _, body := w.post(w.client(nil, nil), "simpleenroll", b.request(t)); status != http.StatusOK {
		t.Errorf("it gets %d %s", status, body)
	}
}

// once is an empty reader that does something when it is first read.
type once func()

func (o once) Read([]byte) (int, error) {
	o()
	return 0, io.EOF
}
