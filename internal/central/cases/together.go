package cases

import (
	"context"
	"sync"

	"haochaping/internal/central/books"
	"haochaping/internal/rating"
)

// together reads what is known of cases for requests that come at the same time in one go: each read of its own is a transaction, which
// costs more than what it reads. A read begins after the requests that it is for. It is safe for concurrent use.
type together struct {
	read func(context.Context, []rating.CaseKey) (map[rating.CaseKey]books.Case, error)

	mu      sync.Mutex
	waiting []*asked // guarded by mu
	reading bool     // guarded by mu
}

// asked is what one request wants to know.
type asked struct {
	keys  []rating.CaseKey
	known map[rating.CaseKey]books.Case
	err   error
	done  chan struct{} // closed when the others are there
}

// cases returns what is known of some cases.
func (t *together) cases(ctx context.Context, keys []rating.CaseKey) (map[rating.CaseKey]books.Case, error) {
	a := &asked{keys: keys, done: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, a)
	if !t.reading {
		t.reading = true
		go t.answer(context.WithoutCancel(ctx)) // for others too
	}
	t.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-a.done:
		return a.known, a.err
	}
}

// answer reads until nobody waits.
func (t *together) answer(ctx context.Context) {
	for {
		t.mu.Lock()
		some := t.waiting
		t.waiting, t.reading = nil, len(some) > 0
		t.mu.Unlock()
		if len(some) == 0 {
			return
		}
		var keys []rating.CaseKey
		for _, a := range some {
			keys = append(keys, a.keys...)
		}
		known, err := t.read(ctx, keys)
		for _, a := range some {
			a.known, a.err = make(map[rating.CaseKey]books.Case, len(a.keys)), err
			for _, k := range a.keys {
				if c, ok := known[k]; ok {
					a.known[k] = c
				}
			}
			close(a.done)
		}
	}
}
