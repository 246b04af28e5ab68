// Package stages runs the parts of a daemon and ends them in a chosen order.
package stages

import (
	"context"
	"errors"
	"fmt"
)

// Stage is a part of a daemon that runs until its context ends.
type Stage struct {
	Name string
	Run  func(context.Context) error
}

// Run runs all stages until ctx ends or one of them fails. It then ends them one after the other in the order
// given, each only when the one before has returned, and returns the failures.
func Run(ctx context.Context, stages ...Stage) error {
	type running struct {
		cancel context.CancelFunc
		done   chan error
	}
	failed := make(chan struct{}, len(stages))
	all := make([]running, len(stages))
	// The stages do not end with ctx: the order below decides.
	root, cancelAll := context.WithCancel(context.WithoutCancel(ctx))
	defer cancelAll()
	for i, s := range stages {
		sctx, cancel := context.WithCancel(root)
		all[i] = running{cancel, make(chan error, 1)}
		go func() {
			err := s.Run(sctx)
			if sctx.Err() == nil {
				failed <- struct{}{}
				if err == nil {
					err = errors.New("ended by itself")
				}
			}
			all[i].done <- err
		}()
	}
	select {
	case <-ctx.Done():
	case <-failed:
	}
	var errs []error
	for i, s := range stages {
		all[i].cancel()
		if err := <-all[i].done; err != nil && !errors.Is(err, context.Canceled) {
			errs = append(errs, fmt.Errorf("%s: %w", s.Name, err))
		}
	}
	return errors.Join(errs...)
}
