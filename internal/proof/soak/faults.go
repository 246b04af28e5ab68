package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

// tally counts faults by their kinds. It is safe for concurrent use.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (t *tally) add(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n[kind]++
}

func (t *tally) total() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.n {
		n += k
	}
	return n
}

func (t *tally) each(f func(kind string, n int)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(t.n)) {
		f(kind, t.n[kind])
	}
}

// fault is something that goes wrong. It returns when it is over.
type fault struct {
	kind string
	do   func(ctx context.Context, random *rand.Rand) error
}

// between returns a random duration, in seconds.
func between(random *rand.Rand, low, high float64) time.Duration {
	return time.Duration((low + (high-low)*random.Float64()) * float64(time.Second))
}

// restart ends a program with a signal and starts it again after a while.
func restart(p *process, s syscall.Signal, most float64) func(context.Context, *rand.Rand) error {
	return func(_ context.Context, random *rand.Rand) error {
		p.end(s)
		time.Sleep(between(random, 0, most))
		return p.start()
	}
}

func freeze(p *process) func(context.Context, *rand.Rand) error {
	return func(_ context.Context, random *rand.Rand) error {
		p.signal(syscall.SIGSTOP)
		time.Sleep(between(random, 0.5, 6))
		p.signal(syscall.SIGCONT)
		return nil
	}
}

// ofCentre lists what may happen to what the boxes share.
func ofCentre(w *world) []fault {
	return []fault{
		{"broker SIGKILL", restart(w.broker, syscall.SIGKILL, 8)},
		{"broker stopped", restart(w.broker, syscall.SIGTERM, 8)},
		{"broker frozen", freeze(w.broker)},
		{"centre SIGKILL", restart(w.centre, syscall.SIGKILL, 8)},
		{"centre stopped", restart(w.centre, syscall.SIGTERM, 8)},
		{"centre frozen", freeze(w.centre)},
		{"books locked", func(ctx context.Context, random *rand.Rand) error { return w.lockBooks(ctx, between(random, 1, 12)) }},
	}
}

// ofBox lists what may happen to one box.
func ofBox(b *box, count *tally) []fault {
	all := []fault{
		{"box SIGKILL", restart(b.p, syscall.SIGKILL, 1)},
		{"box stopped", restart(b.p, syscall.SIGTERM, 1)},
		{"box frozen", freeze(b.p)},
		{"", func(ctx context.Context, random *rand.Rand) error {
			done, err := b.damage(ctx, random)
			if done {
				count.add("log damaged")
			}
			return err
		}},
	}
	for _, weather := range []weather{cut, stalled, torn, thin, portal} {
		all = append(all, fault{"line " + string(weather), func(_ context.Context, random *rand.Rand) error {
			b.line.set(weather)
			time.Sleep(between(random, 1, 20))
			b.line.set(fair)
			return nil
		}})
	}
	if b.machine != nil {
		all = append(all, fault{"box power cut", func(_ context.Context, random *rand.Rand) error { return b.powerCut(random) }},
			fault{"box power cut", func(_ context.Context, random *rand.Rand) error { return b.powerCut(random) }}, // what this is about
			fault{"disk full", func(_ context.Context, random *rand.Rand) error { return b.fill(between(random, 1, 6)) }})
	}
	return all
}

// trouble lets faults happen one after the other until ctx ends.
func trouble(ctx context.Context, faults []fault, count *tally, random *rand.Rand, pause float64) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(between(random, 0.2, pause)):
		}
		f := faults[random.IntN(len(faults))]
		if err := f.do(ctx, random); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", f.kind, err)
		}
		if f.kind != "" {
			count.add(f.kind)
		}
	}
}
