package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"haochaping/internal/rating"
)

// retained counts what boxes keep at the broker: one message each, their presence. What the centre keeps is not its business.
// Its methods are safe for concurrent use.
type retained struct {
	most, overhead int // bytes

	mu    sync.Mutex
	bytes int                     // guarded by mu
	of    map[rating.DeviceID]int // guarded by mu
}

func newRetained(most limits) *retained {
	return &retained{most: most.retained, overhead: most.retainedOverhead, of: make(map[rating.DeviceID]int)}
}

// put notes a message of a device in place of the one before, and reports whether there is room for it. An empty one takes the
// one before away.
func (r *retained) put(d rating.DeviceID, size int) bool {
	if size > 0 {
		size += r.overhead
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.bytes - r.of[d] + size
	if next > r.most {
		return false
	}
	r.bytes = next
	if r.of[d] = size; size == 0 {
		delete(r.of, d)
	}
	return true
}

// complaints logs refusals, and not each of many.
type complaints struct {
	logger   *slog.Logger
	interval time.Duration

	mu      sync.Mutex
	last    time.Time // guarded by mu
	omitted int       // guarded by mu
}

func (c *complaints) add(name, remote string, why error) {
	c.mu.Lock()
	if !c.last.IsZero() && time.Since(c.last) < c.interval {
		c.omitted++
		c.mu.Unlock()
		return
	}
	omitted := c.omitted
	c.last, c.omitted = time.Now(), 0
	c.mu.Unlock()
	const most = 80 // bytes of a name that anybody may invent
	c.logger.Warn("the broker refuses a login", "name", name[:min(len(name), most)], "from", remote, "reason", why, "refused meanwhile",
		omitted)
}

// errorsOnly passes on errors only: the library warns of each client that goes away.
type errorsOnly struct{ slog.Handler }

// Enabled implements slog.Handler.
func (w errorsOnly) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && w.Handler.Enabled(ctx, l)
}

// WithAttrs implements slog.Handler.
func (w errorsOnly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return errorsOnly{w.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (w errorsOnly) WithGroup(name string) slog.Handler { return errorsOnly{w.Handler.WithGroup(name)} }
