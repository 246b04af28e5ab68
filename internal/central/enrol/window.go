package enrol

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

// windowPause is how far apart two certificates for a window's PC are at least.
const windowPause = time.Minute

// windows knows when each box got a certificate for its PC last, at this instance. It is safe for concurrent use.
type windows struct {
	mu   sync.Mutex
	last map[rating.DeviceID]time.Time // guarded by mu
}

// ask reports whether a box may have another certificate now.
func (w *windows) ask(d rating.DeviceID, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = make(map[rating.DeviceID]time.Time)
	}
	if last, ok := w.last[d]; ok && now.Sub(last) < windowPause && !now.Before(last) {
		return false
	}
	w.last[d] = now
	return true
}

// windowAct is what the journal keeps of a certificate for a window's PC.
type windowAct struct {
	Serial string   `json:"serial"`
	Ends   string   `json:"ends"`
	Names  []string `json:"names"`
}

// Window answers a box that shows its certificate and asks for one by which its window's PC knows it. It lives for days: a PC asks nobody
// whether it was revoked, so that a box which gets no other one is what ends it.
func (r *Room) Window(ctx context.Context, q identity.ServerRequest, shown *x509.Certificate) (*x509.Certificate, error) {
	d, err := r.serving(ctx, q.Device, shown)
	if err != nil {
		return nil, err
	}
	for _, n := range q.Names {
		if !r.mayHave(n) {
			return nil, fmt.Errorf("%w: a box may not have the name %q for its window's PC; see enrol.windows of centrald.toml", ErrRefused, n)
		}
	}
	if !r.windows.ask(q.Device, r.now()) {
		return nil, ErrFull
	}
	c, err := r.authority.Window(q, r.cfg.WindowLife)
	if err != nil {
		return nil, err
	}
	x := windowRow{serialOf(c), q.Device, strings.Join(q.Names, " "), d.Window.Generation, c.NotAfter}
	if err := r.enterWindow(ctx, x, q.Names, d.Window.Area, good(shown)); err != nil {
		return nil, err
	}
	return c, nil
}

// serving returns the box of a name that shows its certificate and serves a window, or why it is not one.
func (r *Room) serving(ctx context.Context, id rating.DeviceID, shown *x509.Certificate) (d fleet.Device, err error) {
	if err := r.authority.Verify(shown, r.now()); err != nil {
		return d, fmt.Errorf("%w: its certificate is not one of this centre that holds: %w", ErrRefused, err)
	}
	if shown.Subject.CommonName != string(id) {
		return d, fmt.Errorf("%w: the certificate is that of %s", ErrRefused, shown.Subject.CommonName)
	}
	revoked, err := r.revoked(ctx, shown)
	if err == nil && revoked {
		err = errRevoked
	}
	if err != nil {
		return d, err
	}
	d, err = r.boxes.Device(ctx, id)
	if errors.Is(err, fleet.ErrNoDevice) || err == nil && d.Retired != nil {
		err = fmt.Errorf("%w: %s serves no window", ErrRefused, id)
	}
	return d, err
}

// mayHave reports whether a box may have a name or address for its window's PC: a private one, or one of the domains and networks that the
// centre's configuration names, and never one of the centre's.
func (r *Room) mayHave(name string) bool {
	if slices.Contains(r.cfg.Names, name) {
		return false
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return a.IsPrivate() || slices.ContainsFunc(r.cfg.Windows, func(w string) bool {
			p, err := netip.ParsePrefix(w)
			return err == nil && p.Contains(a)
		})
	}
	if strings.ContainsFunc(name, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' }) {
		return false
	}
	under := func(domain string) bool { return strings.HasSuffix(name, "."+domain) }
	return slices.ContainsFunc([]string{"local", "lan", "internal", "home.arpa"}, under) || slices.ContainsFunc(r.cfg.Windows, under)
}
