package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"haochaping/internal/keptfile"
	"haochaping/internal/serving"
)

// site is one HTTP server of the centre.
type site struct {
	listener net.Listener
	handler  http.Handler
	logger   *slog.Logger
	// endless says that the site has requests that only end with their context.
	endless bool
}

// answerTime is how long a request may take, a little less than its answer may.
const answerTime = 25 * time.Second

// timed ends the context of a request after a time, so that none waits for ever for a database that is gone without a word.
func timed(h http.Handler, d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), d)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// run serves until ctx ends, then lets the requests under way finish: what was submitted is answered.
func (s site) run(ctx context.Context) error {
	// Requests of a site that ends by itself outlive ctx, so that a commit under way is not torn from its answer.
	requests, handler := context.WithoutCancel(ctx), timed(s.handler, answerTime)
	if s.endless {
		requests, handler = ctx, s.handler
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return requests },
		// The server reports handshakes that scanners began; that is noise at any other level.
		ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelDebug),
	}
	return serving.Until(ctx, server, s.listener, 5*time.Second)
}

// bound is what the addresses file holds.
type bound struct {
	MQTT      string `json:"mqtt"` // host:port of the broker, also of one elsewhere
	Rate      string `json:"rate"`
	Admin     string `json:"admin"`
	Ops       string `json:"ops,omitempty"`
	Enrol     string `json:"enrol,omitempty"`
	PublicKey string `json:"public_key"`
}

// write writes the addresses to path, whole or not at all, so that a supervisor never reads half of them.
func (b bound) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(b)
	if err == nil {
		err = keptfile.Replace(path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the addresses file: %w", err)
	}
	return nil
}
