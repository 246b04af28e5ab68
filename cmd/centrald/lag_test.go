package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestBooksThatLagAreTold moves journal and books by hand.
func TestBooksThatLagAreTold(t *testing.T) {
	var head, made int64
	var failing error
	now := time.Unix(1_790_000_000, 0)
	l := newLag(func(context.Context) (int64, error) { return head, nil }, func(context.Context) (int64, error) { return made, failing },
		func() time.Time { return now })
	pass := func(d, step time.Duration, do func()) {
		for end := now.Add(d); now.Before(end); {
			now = now.Add(step)
			do()
			l.look(t.Context())
		}
	}
	pass(time.Hour, lagPause, func() { head, made = head+1000, head }) // always a little behind
	if err := l.late(); err != nil {
		t.Errorf("books that follow: %v", err)
	}
	pass(time.Minute, lagPause, func() { head++ })
	if err := l.late(); err != nil {
		t.Errorf("after a minute: %v", err)
	}
	pass(3*time.Minute, lagPause, func() { head++; made++ })
	if err := l.late(); err == nil || !strings.Contains(err.Error(), "rows and") {
		t.Errorf("books that do not come nearer: %v", err)
	}
	made = head
	l.look(t.Context())
	if err := l.late(); err != nil {
		t.Errorf("books that have caught up: %v", err)
	}
	failing = errors.New("no such table")
	pass(3*time.Minute, lagPause, func() { head++ })
	if err := l.late(); !errors.Is(err, failing) {
		t.Errorf("books that cannot be read: %v", err)
	}
}
