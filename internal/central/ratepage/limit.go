package ratepage

import (
	"sync"
	"time"

	"haochaping/internal/rating"
)

// maxSubmissions is how many forms one visit may send within Life. A citizen needs one or two and a few repetitions on a bad
// network; more would fill the books with evaluations that do not count.
const maxSubmissions = 10

// maxComplaints is how often a complaint may be sent about one visit in a day, repetitions among them. Each is an order that people work
// on.
const maxComplaints = 5

// maxCounted bounds the memory of the limit. When it is reached, what is over is forgotten, or
// else everything, which only makes the limit milder.
const maxCounted = 8192

type visitKey struct {
	device rating.DeviceID
	visit  rating.VisitID
}

type count struct {
	since time.Time
	n     int
}

// limit bounds how many submissions come about a visit in a time.
type limit struct {
	most   int
	life   time.Duration
	mu     sync.Mutex // guards counts
	counts map[visitKey]count
}

func newLimit(most int, life time.Duration) *limit {
	return &limit{most: most, life: life, counts: make(map[visitKey]count)}
}

// allow counts one submission and reports whether it is within the limit.
func (l *limit) allow(k visitKey, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.counts[k]
	if c.n == 0 || now.Sub(c.since) >= l.life {
		c = count{since: now}
	}
	c.n++
	if len(l.counts) >= maxCounted {
		l.forget(now)
	}
	l.counts[k] = c
	return c.n <= l.most
}

// forget drops what is over, and everything if that is not enough. The caller holds mu.
func (l *limit) forget(now time.Time) {
	for k, c := range l.counts {
		if now.Sub(c.since) >= l.life {
			delete(l.counts, k)
		}
	}
	if len(l.counts) >= maxCounted {
		clear(l.counts)
	}
}
