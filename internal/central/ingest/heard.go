package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// heard is which boxes have answered that they know of answers by phone. Every instance hears all boxes. Its methods are safe for
// concurrent use.
type heard struct {
	mu      sync.Mutex
	all     map[answered]bool // guarded by mu, as all below
	order   []answered        // the oldest first
	changed chan struct{}     // closed at each new one
}

// answered is a command that a box has answered.
type answered struct {
	device rating.DeviceID
	id     string
}

// maxHeard bounds them. Each is asked for within seconds.
const maxHeard = 20_000

// phoneRatedID begins the name of each command about an answer by phone.
const phoneRatedID = "phone-"

func newHeard() *heard { return &heard{all: make(map[answered]bool), changed: make(chan struct{})} }

// phoneRatedName names the command about an answer by phone. It is the same each time, so that all instances know it, and a box that is
// told again does nothing.
func phoneRatedName(v rating.VisitID, q rating.Question) string {
	sum := sha256.Sum256([]byte(v.String() + "\n" + string(q.Subject) + "\n" + q.Case))
	return phoneRatedID + hex.EncodeToString(sum[:16])
}

// replied takes what a box says to a command.
func (h *heard) replied(d rating.DeviceID, r wire.Reply) {
	if !r.OK || !strings.HasPrefix(r.ID, phoneRatedID) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	a := answered{d, r.ID}
	if h.all[a] {
		return
	}
	h.all[a], h.order = true, append(h.order, a)
	if len(h.order) > maxHeard {
		delete(h.all, h.order[0])
		h.order = h.order[1:]
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// Heard waits until a box has answered that it knows of answers by phone, and returns false if it has not when ctx is done.
func (in *Ingest) Heard(ctx context.Context, d rating.DeviceID, v rating.VisitID, questions []rating.Question) bool {
	for {
		missing := false
		in.heard.mu.Lock()
		for _, q := range questions {
			missing = missing || !in.heard.all[answered{d, phoneRatedName(v, q)}]
		}
		changed := in.heard.changed
		in.heard.mu.Unlock()
		if !missing {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
