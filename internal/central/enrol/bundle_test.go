package enrol

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// sends sends a bundle as a box, and returns how it is answered.
func (w *world) sends(b box, shown *x509.Certificate, command, kind string, content []byte) int {
	w.t.Helper()
	resp, err := w.client(shown, b.tls).Post(w.url+"/bundle/"+command, kind, bytes.NewReader(content))
	if err != nil {
		w.t.Fatal(err)
	}
	status, _, _ := w.read(resp)
	return status
}

// asked has somebody ask a box for something.
func (w *world) asked(b box, id, name string) {
	w.t.Helper()
	c := fleet.NewCommand(id, b.device, name, "li", w.now())
	if err := w.room.db.Write(w.t.Context(), func(tx *db.Tx) error { return fleet.Ask(w.t.Context(), tx, c) }); err != nil {
		w.t.Fatal(err)
	}
}

// TestABundleComesOnceAndWhereItWasAsked takes what a box was asked for, from that box, once, and nothing else from anybody.
func TestABundleComesOnceAndWhereItWasAsked(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { bundled(t, newWorld(t)) })
	t.Run("postgres", func(t *testing.T) {
		bundled(t, worldAt(t, postgres.Database(t), time.Date(2026, 3, 2, 9, 0, 0, 0, rating.Shanghai())))
	})
}

func bundled(t *testing.T, w *world) {
	b, other := newBox(t, "bcdf23456789"), newBox(t, "ghjk23456789")
	own, others := w.enrolled(b), w.enrolled(other)
	want := func(status int, what string, got int) {
		t.Helper()
		if got != status {
			t.Errorf("%s: %d, want %d", what, got, status)
		}
	}
	first := []byte("first\x00")
	want(403, "what nobody asked for", w.sends(b, own, "f-1", bundleType, first))
	w.asked(b, "1", wire.CommandSendBundle)
	w.asked(b, "s", wire.CommandSelfTest)
	want(401, "from nobody", w.sends(b, nil, "f-1", bundleType, first))
	want(403, "from another box", w.sends(other, others, "f-1", bundleType, first))
	want(403, "for another command", w.sends(b, own, "f-s", bundleType, first))
	want(415, "of another kind", w.sends(b, own, "f-1", "text/html", first))
	want(400, "of nothing", w.sends(b, own, "f-1", bundleType, nil))
	want(413, "too large", w.sends(b, own, "f-1", bundleType, make([]byte, wire.MaxBundle+1)))
	want(200, "what was asked for", w.sends(b, own, "f-1", bundleType, first))
	want(200, "the same again, whose answer was lost", w.sends(b, own, "f-1", bundleType, []byte("second")))
	if got, err := w.fleet.BundleOf(t.Context(), b.device, "f-1"); err != nil || !bytes.Equal(got, first) {
		t.Errorf("kept is %q, %v", got, err)
	}
	if _, err := w.fleet.BundleOf(t.Context(), other.device, "f-1"); err == nil {
		t.Error("the other box has it")
	}
	full := bytes.Repeat([]byte{7}, wire.MaxBundle)
	for _, id := range []string{"2", "3", "4"} {
		w.pass(3 * time.Minute)
		w.asked(b, id, wire.CommandSendBundle)
		want(200, "another", w.sends(b, own, "f-"+id, bundleType, full))
	}
	all, err := w.fleet.Bundles(t.Context(), b.device)
	if err != nil || len(all) != 3 || all[0].Command != "f-4" || all[0].Size != len(full) || all[2].Command != "f-2" {
		t.Errorf("kept are %+v, %v", all, err)
	}
	w.pass(3 * time.Minute)
	w.asked(b, "5", wire.CommandSendBundle)
	w.pass(fleet.CommandLife + 3*time.Minute)
	want(403, "much too late", w.sends(b, own, "f-5", bundleType, first))
	w.asked(b, "6", wire.CommandSendBundle)
	w.revokes(b)
	want(403, "from a box that was put out", w.sends(b, own, "f-6", bundleType, first))
	if got := w.sends(b, own, "../f-6", bundleType, first); got == http.StatusOK {
		t.Error("an address that goes upward is taken")
	}
}

// TestABundleOverAThinLine takes what comes more slowly than other requests may, and one at a time of a box.
func TestABundleOverAThinLine(t *testing.T) {
	w := newWorld(t)
	b := newBox(t, "bcdf23456789")
	own := w.enrolled(b)
	w.asked(b, "2", wire.CommandSendBundle)
	handler, over := w.server.Config.Handler, make(chan struct{}, 9)
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 500*time.Millisecond) // as the centre ends any request
		defer cancel()
		context.AfterFunc(ctx, func() { over <- struct{}{} })
		handler.ServeHTTP(rw, r.WithContext(ctx))
	})
	body, line := io.Pipe()
	slow := make(chan int, 1)
	go func() {
		resp, err := w.client(own, b.tls).Post(w.url+"/bundle/f-2", bundleType, body)
		if err != nil {
			t.Error(err)
			slow <- 0
			return
		}
		_ = resp.Body.Close()
		slow <- resp.StatusCode
	}()
	if _, err := line.Write([]byte("first half, ")); err != nil {
		t.Fatal(err)
	}
	<-over // its request is over for any other
	if got := w.sends(b, own, "f-2", bundleType, []byte("another")); got != http.StatusConflict {
		t.Errorf("another meanwhile: %d", got)
	}
	_, err := line.Write([]byte("second half"))
	if err := errors.Join(err, line.Close()); err != nil {
		t.Fatal(err)
	}
	if got := <-slow; got != http.StatusOK {
		t.Errorf("what comes slowly: %d", got)
	}
	if got, err := w.fleet.BundleOf(t.Context(), b.device, "f-2"); err != nil || string(got) != "first half, second half" {
		t.Errorf("kept is %q, %v", got, err)
	}
	w.pass(fleet.CommandLife)
	w.asked(b, "3", wire.CommandSendBundle)
	if got := w.sends(b, own, "f-3", bundleType, []byte("the next")); got != http.StatusOK {
		t.Errorf("the next: %d", got)
	}
}
