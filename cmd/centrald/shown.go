package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// endsSoon is how long before its end a certificate is named in the log. Those who renew by themselves do so earlier.
const endsSoon = 14 * 24 * time.Hour

// shown are the certificates that the centre's listeners show, by the fields of the configuration that name them. It is safe for
// concurrent use, and its zero value is ready.
type shown struct {
	mu  sync.Mutex
	all map[string]*renewed // guarded by mu
}

// keep reads the certificate of a field, and has it looked after.
func (s *shown) keep(field, certFile, keyFile string) (*renewed, error) {
	r := &renewed{certFile: certFile, keyFile: keyFile, now: time.Now}
	if _, err := r.certificate(nil); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[string]*renewed)
	}
	s.all[field] = r
	return r, nil
}

// listen opens a listener, with TLS where a certificate is given.
func (s *shown) listen(field, where, certFile, keyFile string) (net.Listener, error) {
	if certFile == "" {
		return bind(where)
	}
	r, err := s.keep(field, certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	l, err := bind(where)
	if err != nil {
		return nil, err
	}
	return tls.NewListener(l, r.server()), nil
}

// trouble says which certificates have ended, and which cannot be renewed since their files cannot be used. Soon are those that end before
// a time or have.
func (s *shown) trouble(until time.Time) (ended, soon error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, field := range slices.Sorted(maps.Keys(s.all)) {
		r := s.all[field]
		end, broken := r.state()
		switch day := end.UTC().Format(time.DateOnly); {
		case !r.now().Before(end):
			ended = errors.Join(ended, fmt.Errorf("%s: the certificate has ended (%s); renew it", field, day))
		case broken != nil:
			ended = errors.Join(ended, fmt.Errorf("%s: the files cannot be used, so that the certificate of before is shown, which ends on %s: %w",
				field, day, broken))
		case end.Before(until):
			soon = errors.Join(soon, fmt.Errorf("%s: the certificate ends on %s; renew it", field, day))
		}
	}
	return ended, errors.Join(ended, soon)
}

// watch names in the log what ends, each day until ctx ends.
func (s *shown) watch(log *slog.Logger) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			if _, soon := s.trouble(time.Now().Add(endsSoon)); soon != nil {
				log.Warn("certificates need somebody", "error", soon)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(24 * time.Hour):
			}
		}
	}
}
