package main

import (
	"context"
	"errors"

	"haochaping/internal/kernelclock"
)

// clockMark keeps the file by which the daemon knows whether the clock is right. The daemon's sandbox protects the clock, and
// with that forbids even to ask; this is a service of its own that may do nothing else.
func clockMark(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return &hinted{errors.New("the file is missing"), "this is the work of ratingd-clock.service; by hand: ratingctl clock FILE"}
	}
	return kernelclock.Mark{Path: args[0], SinceBoot: kernelclock.SinceBoot}.Keep(ctx, kernelclock.Synchronised)
}
