package enrolment

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"haochaping/internal/identity"
	"haochaping/internal/keptfile"
	"haochaping/internal/rating"
)

// windowPath is where the door gives out what the window's PC knows a box by.
const windowPath = "/.well-known/est/window/simpleenroll"

// WindowConfig names the parts of a Window. All are needed.
type WindowConfig struct {
	URL    string // of the centre's door
	Device rating.DeviceID
	Key    identity.Key // of the box's certificate
	Own    string       // the file of that certificate
	Window identity.Key // for the window's PC
	File   string       // of its certificate, with what stands between it and the root
	Trust  identity.Trust
	Names  func() []string // by which the PC calls the box now; none while it has no network
	Place  func() uint32   // the generation of the box's window, which grows at each move; 0 while it has none
	Random func() float64  // in [0,1)
	Logger *slog.Logger
}

// Window keeps the certificate by which the window's PC knows the box. It lives for days and is renewed at a seventh of its life, and when
// the box has other names or another window. Run it once.
type Window struct {
	cfg   WindowConfig
	door  door
	place uint32    // that the box had when it asked last, or at its start
	since time.Time // its start or its last renewal, for boxes whose clock nobody has set
}

// NewWindow returns a Window that does nothing before Run.
func NewWindow(c WindowConfig) (*Window, error) {
	d, err := newDoor(Config{URL: c.URL, Device: c.Device, Key: c.Key, Trust: c.Trust})
	if err != nil {
		return nil, fmt.Errorf("certificate for the window's PC: %w", err)
	}
	return &Window{cfg: c, door: d, since: time.Now()}, nil
}

// Run gets certificates until ctx ends. It reports why there is none that holds, or nil.
func (w *Window) Run(ctx context.Context, report func(error)) error {
	for {
		pause, err := w.step(ctx)
		if ctx.Err() != nil {
			return nil
		}
		report(err)
		pause += time.Duration(w.cfg.Random() * float64(pause) / 4)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

const (
	windowLook  = time.Minute      // how often it is asked whether names have changed
	windowHurry = 15 * time.Second // after a failure of a box whose PC does not know it
)

// windowRenewAt returns when a certificate for a window's PC is renewed: at a seventh of its life, so that the centre may be away for the
// rest of it.
func windowRenewAt(c *x509.Certificate) time.Time { return partOf(c, 1.0/7, 0.02) }

// due reports whether a certificate that serves is to be followed by another one.
func (w *Window) due(c *x509.Certificate, place uint32) bool {
	return place != w.place || !w.cfg.Trust.At(c).Before(windowRenewAt(c)) ||
		time.Since(w.since) >= windowRenewAt(c).Sub(c.NotBefore)
}

// step does what is to be done now, and returns when to look again.
func (w *Window) step(ctx context.Context) (time.Duration, error) {
	names := slices.Sorted(slices.Values(w.cfg.Names()))
	if names = slices.Compact(names); len(names) == 0 {
		return windowHurry, errors.New("the box has no address by which its PC could call it")
	}
	have, err := identity.ReadCertificate(w.cfg.File, w.cfg.Window)
	serves := err == nil && slices.Equal(identity.ServerNames(have.Leaf.DNSNames, have.Leaf.IPAddresses), names)
	place := w.cfg.Place()
	if w.place == 0 || place == 0 {
		w.place = place
	}
	if serves && !w.due(have.Leaf, place) {
		return windowLook, nil
	}
	err = w.renew(ctx, names)
	switch {
	case err == nil:
		w.place, w.since = place, time.Now()
		return windowLook, nil
	case serves && w.cfg.Trust.At(have.Leaf).Before(have.Leaf.NotAfter):
		w.cfg.Logger.Warn("the certificate for the window's PC is not renewed yet; it is tried again", "ends", have.Leaf.NotAfter, "error", err)
		return look, nil
	}
	return windowHurry, err
}

// renew asks for the next certificate and keeps it.
func (w *Window) renew(ctx context.Context, names []string) error {
	own, err := identity.ReadCertificate(w.cfg.Own, w.cfg.Key)
	if err != nil {
		return fmt.Errorf("ask for a certificate for the window's PC: %w", err)
	}
	der, err := identity.NewServerRequest(w.cfg.Device, w.cfg.Window, names)
	if err != nil {
		return err
	}
	_, text, err := w.door.do(ctx, question{path: windowPath, own: &own, body: []byte(base64.StdEncoding.EncodeToString(der))})
	if err != nil {
		return err
	}
	all, err := parseBag(text)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(c *x509.Certificate) bool { return identity.Is(c, w.cfg.Window) })
	if i < 0 {
		return errors.New("the centre's answer has no certificate of the key for the window's PC")
	}
	between, err := w.door.between(ctx)
	if err != nil {
		return err
	}
	return w.keep(all[i], between)
}

func (w *Window) keep(leaf *x509.Certificate, between []*x509.Certificate) error {
	chain := append([]*x509.Certificate{leaf}, between...)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: w.cfg.Trust.Roots, Intermediates: identity.Pool(between...),
		CurrentTime: w.cfg.Trust.At(chain...), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err == nil && identity.NotAWindow(tls.ConnectionState{PeerCertificates: chain}) == nil {
		err = errors.New("it is that of a server of the centre")
	}
	if err != nil {
		return fmt.Errorf("the certificate for the window's PC cannot be used: %w", err)
	}
	var text []byte
	for _, c := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	if err := keptfile.Replace(w.cfg.File, text); err != nil {
		return err
	}
	w.cfg.Logger.Info("the window's PC knows the box by a certificate", "until", leaf.NotAfter.UTC().Format(time.DateOnly), "names",
		identity.ServerNames(leaf.DNSNames, leaf.IPAddresses))
	return nil
}
