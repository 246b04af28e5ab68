package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"path/filepath"
	"slices"

	"haochaping/internal/boxconfig"
	"haochaping/internal/enrolment"
	keys "haochaping/internal/identity"
)

// windowCertificate gets the certificate by which the window's PC knows a box that enrols, as long as the box is one of the centre's.
type windowCertificate struct {
	cfg   boxconfig.Config
	env   environment
	views *audience
	line  *centreLine
	log   *slog.Logger
}

// run works until ctx ends.
func (w windowCertificate) run(ctx context.Context, report func(error)) error {
	state := func(name string) string { return filepath.Join(w.cfg.State, name) }
	key, err := w.cfg.TLSKey()
	if err != nil {
		return err
	}
	window, err := keys.Keep(state(boxconfig.WindowKeyFile), rand.Reader)
	if err != nil {
		return err
	}
	x, err := enrolment.NewWindow(enrolment.WindowConfig{URL: w.cfg.Enrol.URL, Device: w.cfg.Device, Key: key,
		Own: state(boxconfig.CertificateFile), Window: window, File: state(boxconfig.WindowCertFile),
		Trust: w.line.trust(),
		Names: func() []string { return windowNames(w.cfg.WindowAPI) },
		Place: w.views.generation, Random: mathrand.Float64, Logger: w.log})
	if err != nil {
		return err
	}
	return x.Run(ctx, report)
}

// windowNames returns by which names and addresses the window's PC may call the box: those of the configuration, and what interfaces have
// where it listens at all of them.
func windowNames(c boxconfig.WindowAPI) []string {
	names := slices.Clone(c.Hosts)
	at, err := netip.ParseAddrPort(c.LANListen)
	if err == nil && !at.Addr().IsUnspecified() {
		return append(names, at.Addr().Unmap().String())
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return names
	}
	for _, n := range all {
		if p, err := netip.ParsePrefix(n.String()); err == nil && p.Addr().IsGlobalUnicast() && len(names) < keys.MaxServerNames {
			names = append(names, p.Addr().Unmap().String())
		}
	}
	return names
}

// errNotKnown says that the window's PC would not know the box yet.
var errNotKnown = errors.New("the box has no certificate for its window's PC yet; the centre gives it one")
