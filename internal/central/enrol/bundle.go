package enrol

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// bundleType is of what boxes send to support.
const bundleType = "application/gzip"

const (
	// bundlePatience is how long a bundle may take over a thin line.
	bundlePatience = time.Minute
	// keepPatience is how long it may take to keep one.
	keepPatience = 20 * time.Second
)

// patient gives a request that somebody waits for more time than any may have.
func patient(w http.ResponseWriter, t time.Duration) error {
	c, until := http.NewResponseController(w), time.Now().Add(t)
	return errors.Join(c.SetReadDeadline(until), c.SetWriteDeadline(until.Add(t)))
}

// bundle takes what a box sends to support, if somebody has asked it to. It is kept as it came: nothing here reads what a box packed.
func (d *door) bundle(w http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, "show the box's certificate", http.StatusUnauthorized)
		return
	}
	command := r.PathValue("command")
	box, err := d.room.sender(r.Context(), r.TLS.PeerCertificates[0], command)
	if err != nil {
		d.refuse(w, box, err)
		return
	}
	if !d.begins(box) {
		http.Error(w, "the box is sending one already", http.StatusConflict)
		return
	}
	defer d.ends(box)
	content, ok := d.receive(w, r)
	if !ok {
		return
	}
	// The request's own time may have passed while the bundle came.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), keepPatience)
	defer cancel()
	if err := d.room.boxes.KeepBundle(ctx, box, command, content, d.room.now()); err != nil {
		d.refuse(w, box, err)
		return
	}
	d.logger.Info("a box has sent what support needs", "device", box, "command", command, "bytes", len(content))
	w.WriteHeader(http.StatusOK)
}

// receive reads a bundle, or answers why it is not taken.
func (d *door) receive(w http.ResponseWriter, r *http.Request) (content []byte, ok bool) {
	if r.Header.Get("Content-Type") != bundleType {
		http.Error(w, "want "+bundleType, http.StatusUnsupportedMediaType)
		return nil, false
	}
	if err := patient(w, bundlePatience); err != nil {
		d.fail(w, err)
		return nil, false
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxBundle))
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		http.Error(w, fmt.Sprintf("at most %d bytes are taken", large.Limit), http.StatusRequestEntityTooLarge)
		return nil, false
	}
	if err != nil || len(content) == 0 {
		http.Error(w, "the bundle cannot be read", http.StatusBadRequest)
		return nil, false
	}
	return content, true
}

// begins reports whether a box may send a bundle, which it does until ends: each takes memory while it comes, and a box sends one.
func (d *door) begins(box rating.DeviceID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sending[box] {
		return false
	}
	d.sending[box] = true
	return true
}

func (d *door) ends(box rating.DeviceID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sending, box)
}

// sender returns the box that shows a certificate, if it was asked for a bundle by a command and has not sent it.
func (r *Room) sender(ctx context.Context, shown *x509.Certificate, command string) (rating.DeviceID, error) {
	id, err := rating.ParseDeviceID(shown.Subject.CommonName)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if _, err := r.serving(ctx, id, shown); err != nil {
		return id, err
	}
	return id, r.boxes.BundleAsked(ctx, id, command, r.now())
}

// refuse says why a bundle is not taken. One that has come before is well: its sender missed the answer.
func (d *door) refuse(w http.ResponseWriter, box rating.DeviceID, err error) {
	switch {
	case errors.Is(err, fleet.ErrBundled):
		w.WriteHeader(http.StatusOK)
	case errors.Is(err, fleet.ErrUnasked), errors.Is(err, ErrRefused):
		d.logger.Warn("what a box sends to support is not taken", "device", box, "error", err)
		http.Error(w, err.Error(), http.StatusForbidden)
	default:
		d.fail(w, err)
	}
}
