package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"haochaping/internal/kernelclock"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
)

// bootID returns the kernel's name for the present start of the machine.
func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the kernel's boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// clockMark is where ratingd-clock.service says that the clock is right, to a daemon whose sandbox forbids to ask.
const clockMark = "/run/ratingd-clock/synchronised"

// clockSynced reports whether the kernel believes that something keeps its clock right.
func clockSynced() bool {
	synced, err := kernelclock.Synchronised()
	if err != nil {
		return kernelclock.Mark{Path: clockMark, SinceBoot: kernelclock.SinceBoot}.Valid()
	}
	return synced
}

// clock makes the stamps of one start of the machine.
type clock struct {
	boot   uint32
	mono   func() time.Duration
	wall   func() time.Time
	synced func() bool
}

func (c clock) now() rating.Stamp { return c.at(c.mono()) }

// at returns the stamp of a moment given by the monotonic clock, usually one that is a few milliseconds past.
func (c clock) at(mono time.Duration) rating.Stamp {
	ago := c.mono() - mono
	return rating.Stamp{
		Boot: c.boot, Mono: max(0, mono.Milliseconds()), Wall: c.wall().Add(-ago).UnixMilli(), Synced: c.synced(),
	}
}

// clockPause is how often the clock is looked at, and clockStep is by how much it must jump to be worth a record.
const (
	clockPause = 2 * time.Second
	clockStep  = time.Second
)

// watchClock tells of each time that the clock is set, so that the times before it can be corrected. The first word is of
// the clock as it is found, if it is right.
func watchClock(ctx context.Context, c clock, post func(terminal.Event)) error {
	last := c.now()
	if last.Synced {
		post(terminal.ClockSet{At: last, Before: last})
	}
	for tick := time.NewTicker(clockPause); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		}
		now := c.now()
		if e, ok := clockWasSet(last, now); ok {
			post(e)
		}
		last = now
	}
}

// clockWasSet compares two looks at the clock, by what it would have said at the second without having been set.
func clockWasSet(last, now rating.Stamp) (terminal.ClockSet, bool) {
	before := last.Add(now.Sub(last))
	jump := time.Duration(now.Wall-before.Wall) * time.Millisecond
	return terminal.ClockSet{At: now, Before: before}, jump.Abs() >= clockStep || now.Synced && !last.Synced
}
