package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"haochaping/internal/rating"
)

// missed are the boxes that have just come back, each of which is to be told what phones have rated meanwhile. Its methods are safe for
// concurrent use.
type missed struct {
	some chan struct{} // has a value when there are some

	mu  sync.Mutex
	all map[rating.DeviceID]bool // guarded by mu
}

// maxMissed bounds them: on a broker without logins anybody can invent names.
const maxMissed = 100_000

func newMissed() *missed {
	return &missed{some: make(chan struct{}, 1), all: make(map[rating.DeviceID]bool)}
}

func (m *missed) add(d rating.DeviceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.all) < maxMissed {
		m.all[d] = true
	}
	select {
	case m.some <- struct{}{}:
	default:
	}
}

// take returns one of them.
func (m *missed) take() (d rating.DeviceID, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for d := range m.all {
		delete(m.all, d)
		return d, true
	}
	return "", false
}

// missedPause is how long the books are left alone when they could not be read.
const missedPause = time.Second

// tellMissed tells boxes that have come back until ctx ends. A session without it forgets nothing: at the next one all that are connected
// say so anew.
func (in *Ingest) tellMissed(ctx context.Context) {
	var logged time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.missed.some:
		}
		for d, ok := in.missed.take(); ok && ctx.Err() == nil; d, ok = in.missed.take() {
			err := in.cfg.Missed(ctx, d, func(v rating.VisitID, q rating.Question) error { return in.told(ctx, d, v, q) })
			if err == nil || ctx.Err() != nil {
				continue
			}
			in.missed.add(d)
			if time.Since(logged) >= quietly {
				logged = time.Now()
				in.cfg.Logger.Error("boxes that have come back are not told yet what phones have rated; it is tried again", "device", d, "error", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(missedPause):
			}
		}
	}
}

// told tells a box of an answer by phone, and returns once the broker has it.
func (in *Ingest) told(ctx context.Context, d rating.DeviceID, v rating.VisitID, q rating.Question) error {
	t, err := in.phoneRated(d, v, q)
	if err != nil {
		return err
	}
	if err := confirmed(ctx, t); err != nil {
		return fmt.Errorf("tell %s: %w", d, err)
	}
	return nil
}
