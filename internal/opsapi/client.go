package opsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// askLimit is how long a box may take to answer: it gives each of its parts two seconds.
const askLimit = 10 * time.Second

// maxStatus is the greatest size of an answer in bytes.
const maxStatus = 1 << 20

// Ask asks the daemon at a unix socket how the box is. The error wraps fs.ErrNotExist if there is no socket, ECONNREFUSED if
// nobody answers at it and fs.ErrPermission if this user may not ask.
func Ask(ctx context.Context, socket string) (s Status, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("ask ratingd at %s: %w", socket, err)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/v1/status", nil)
	if err != nil {
		return s, err
	}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return s, unaddressed(err)
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return s, fmt.Errorf("it answers %s", answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxStatus)).Decode(&s); err != nil {
		return s, fmt.Errorf("read its answer: %w", err)
	}
	if s.V != StatusVersion {
		return s, fmt.Errorf("its answer has version %d, this program reads %d; take the ratingctl of the same package", s.V, StatusVersion)
	}
	return s, nil
}

// unaddressed returns an error without the address that nobody has typed.
func unaddressed(err error) error {
	if wrapped := new(url.Error); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
