package enrol

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"haochaping/internal/rating"
)

// guardPause is how often the revoked certificates are read.
const guardPause = 5 * time.Second

// Guard knows which certificates open the built-in broker. While the database cannot be asked it goes by what it knows.
type Guard struct {
	room   *Room
	logger *slog.Logger

	mu      sync.Mutex
	revoked map[string]bool // guarded by mu; by number; nil before it was read
}

// Guard returns a guard that knows nothing before Run.
func (r *Room) Guard(log *slog.Logger) *Guard { return &Guard{room: r, logger: log} }

// Run reads the revoked certificates until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	tick := time.NewTicker(guardPause)
	defer tick.Stop()
	for failed := false; ; {
		all, err := g.room.Revoked(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failed = false
			g.learn(all)
		case !failed:
			failed = true
			g.logger.Error("which certificates were revoked cannot be read; the broker goes by what it knows", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (g *Guard) learn(all []Revocation) {
	revoked := make(map[string]bool, len(all))
	for _, r := range all {
		revoked[r.Serial] = true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.revoked = revoked
}

var errNotYet = errors.New("which certificates were revoked is not known yet")

// Admit returns whose certificate it is, or why it opens nothing.
func (g *Guard) Admit(c *x509.Certificate) (rating.DeviceID, error) {
	if err := g.room.authority.Verify(c, g.room.now()); err != nil {
		return "", fmt.Errorf("the certificate is not one of this centre that holds: %w", err)
	}
	g.mu.Lock()
	known := g.revoked != nil
	g.mu.Unlock()
	switch {
	case !known:
		return "", errNotYet
	case g.Revoked(c):
		return "", errors.New("the certificate was revoked")
	}
	return rating.ParseDeviceID(c.Subject.CommonName)
}

// Revoked reports whether a certificate was revoked.
func (g *Guard) Revoked(c *x509.Certificate) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.revoked[serialOf(c)]
}
