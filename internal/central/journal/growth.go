package journal

import "sync"

// Growth is how far rows have come that only become more, as this instance knows it, and who waits for the next ones. The zero value is
// ready. It is safe for concurrent use.
type Growth struct {
	mu          sync.Mutex
	last        int64                      // guarded by mu
	subscribers map[chan struct{}]struct{} // guarded by mu
}

// Last returns the last row that was told of, 0 if there is none.
func (g *Growth) Last() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// Tell tells the subscribers of the last row, if that is news.
func (g *Growth) Tell(last int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if last <= g.last {
		return
	}
	g.last = last
	for c := range g.subscribers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Subscribe returns a channel that has a value when there are more rows than at the last receive, and a function that ends this.
func (g *Growth) Subscribe() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.subscribers == nil {
		g.subscribers = make(map[chan struct{}]struct{})
	}
	g.subscribers[c] = struct{}{}
	return c, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.subscribers, c)
	}
}
