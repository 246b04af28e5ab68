package web

import (
	"sync"
	"time"

	"haochaping/internal/central/directory/account"
)

// Limits of what one token asks for, at one instance. A program that follows a list stays far below them.
const (
	tokenEach   = 100 * time.Millisecond // between two requests, on the average
	tokenBurst  = 200                    // requests at once after a pause
	tokenAtOnce = 4                      // requests under way
)

// limits knows how much each token has asked for lately. Its methods are safe for concurrent use.
type limits struct {
	mu sync.Mutex
	of map[string]*allowance // guarded by mu; by the token's name
}

// allowance is what a token has left.
type allowance struct {
	whole    time.Time // when nothing of it is used any more
	underWay int
}

// swept is from how many tokens on those are forgotten that have asked for nothing lately.
const swept = 1000

// enter lets a request of a token begin, which leave ends, or is account.TooSoon.
func (l *limits) enter(token string, now time.Time) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil {
		l.of = make(map[string]*allowance)
	}
	if len(l.of) >= swept {
		for name, a := range l.of {
			if a.underWay == 0 && !a.whole.After(now) {
				delete(l.of, name)
			}
		}
	}
	a := l.of[token]
	if a == nil {
		a = &allowance{whole: now}
		l.of[token] = a
	}
	if a.whole.Before(now) {
		a.whole = now
	}
	if over := a.whole.Sub(now) + tokenEach - tokenBurst*tokenEach; over > 0 {
		return nil, &account.TooSoon{Wait: over}
	}
	if a.underWay >= tokenAtOnce {
		return nil, &account.TooSoon{Wait: time.Second}
	}
	a.whole = a.whole.Add(tokenEach)
	a.underWay++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		a.underWay--
	}, nil
}
