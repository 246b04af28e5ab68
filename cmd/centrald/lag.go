package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// lagPause is how often it is looked how far the books are.
	lagPause = 15 * time.Second
	// maxLag is how long the books may take to hold what has come in until that is a trouble.
	maxLag = 2 * time.Minute
)

// lag watches how far the books are behind the journal. What was taken is safe then; pages and standings are old. Its methods are safe for
// concurrent use.
type lag struct {
	head, made func(context.Context) (int64, error) // rows of the journal, and those that are in the books
	now        func() time.Time

	mu     sync.Mutex
	target int64     // guarded by mu; rows of the journal at since
	since  time.Time // guarded by mu; when the journal had the target, which the books have not reached
	behind int64     // guarded by mu; rows at the last look
	err    error     // guarded by mu; why the books could not be asked at the last look
}

func newLag(head, made func(context.Context) (int64, error), now func() time.Time) *lag {
	return &lag{head: head, made: made, now: now, since: now()}
}

// look asks once. A journal that cannot be asked is another's trouble.
func (l *lag) look(ctx context.Context) {
	head, err := l.head(ctx)
	if err != nil {
		return
	}
	made, err := l.made(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	if err != nil {
		return
	}
	if l.behind = max(head-made, 0); made >= l.target {
		l.target, l.since = head, l.now()
	}
}

// far returns how many rows are missing, for how long what the journal had is not reached, and why that could not be asked at the last
// look.
func (l *lag) far() (behind int64, age time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if age = l.now().Sub(l.since); l.behind == 0 && l.err == nil {
		age = 0
	}
	return l.behind, age, l.err
}

// late returns why the books are too old to be called well, nil if they are not.
func (l *lag) late() error {
	behind, age, err := l.far()
	switch {
	case age < maxLag:
		return nil
	case err != nil:
		return fmt.Errorf("the books could not be read for %s; records are taken all the same: %w", age.Round(time.Second), err)
	}
	return fmt.Errorf("the books are %d rows and %s behind the journal; records are taken all the same, and the log says why the books wait",
		behind, age.Round(time.Second))
}

// run looks until ctx ends.
func (l *lag) run(ctx context.Context, log *slog.Logger) error {
	said := false
	for {
		bounded, cancel := context.WithTimeout(ctx, lagPause)
		l.look(bounded)
		cancel()
		err := l.late()
		if err != nil && !said {
			log.Error("what the pages show is old", "error", err)
		}
		said = err != nil
		if !pause(ctx, lagPause) {
			return nil
		}
	}
}
