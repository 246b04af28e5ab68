package main

import (
	"context"
	"errors"
	"fmt"
)

// stage is a part of the daemon that runs until its context ends.
type stage struct {
	name string
	run  func(context.Context) error
}

// runStages runs all stages until ctx ends or one of them fails. It then ends them one after the other in the order
// given, each only when the one before has returned, and returns the failures.
func runStages(ctx context.Context, stages ...stage) error {
	type running struct {
		cancel context.CancelFunc
		done   chan error
	}
	failed := make(chan struct{}, len(stages))
	all := make([]running, len(stages))
	for i, s := range stages {
		// Each stage has a context of its own, which the end of ctx does not touch: the order below decides.
		sctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		all[i] = running{cancel, make(chan error, 1)}
		go func() {
			err := s.run(sctx)
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
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
		}
	}
	return errors.Join(errs...)
}
