// Package serving runs HTTP servers until they are to end, and ends them in order: what is under way is answered, for a while.
package serving

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Until serves on l until ctx ends, then lets the requests under way finish, for so long at most. It closes l.
func Until(ctx context.Context, s *http.Server, l net.Listener, grace time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := s.Shutdown(ending); err != nil {
		if err := s.Close(); err != nil {
			return fmt.Errorf("close %s: %w", l.Addr(), err)
		}
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}
