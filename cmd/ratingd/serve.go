package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"haochaping/internal/keptfile"
	"haochaping/internal/serving"
)

// serve answers HTTP on l until ctx ends, then gives the requests under way a moment.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	return serving.Until(ctx, &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}, l, time.Second)
}

// writeAddresses writes what was bound as JSON into path, whole or not at all.
func writeAddresses(path string, addresses map[string]string) error {
	if path == "" {
		return nil
	}
	b, err := json.Marshal(addresses)
	if err == nil {
		err = keptfile.Replace(path, b)
	}
	if err != nil {
		return fmt.Errorf("write the addresses file: %w", err)
	}
	return nil
}
