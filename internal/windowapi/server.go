package windowapi

import (
	"context"
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"haochaping/internal/serving"
)

// Timeouts of a connection. A client that sends a byte now and then does not keep it (slow loris).
const (
	headerTimeout = 5 * time.Second
	bodyTimeout   = 10 * time.Second
	idleTimeout   = time.Minute
)

// Serve answers on l until ctx ends, over TLS if there is a configuration for it, and then gives the requests under way a
// moment. It closes l.
func Serve(ctx context.Context, l net.Listener, t *tls.Config, h http.Handler, logger *slog.Logger) error {
	// One request at a time on a connection: what bounds the connections bounds the requests too.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 16 << 10,
		Protocols: protocols, BaseContext: func(net.Listener) context.Context { return base },
		// What strangers do on the network is worth a line for those who look for it, no more.
		ErrorLog: log.New(debugWriter{logger}, "", 0),
	}
	s.RegisterOnShutdown(stop) // streams and those who wait for a visit end then, not after the moment
	var limited net.Listener = newLimitedListener(l)
	if t != nil {
		t = t.Clone()
		t.NextProtos = []string{"http/1.1"}
		limited = tls.NewListener(limited, t)
	}
	return serving.Until(ctx, s, limited, time.Second)
}

// debugWriter logs lines.
type debugWriter struct{ logger *slog.Logger }

func (w debugWriter) Write(b []byte) (int, error) {
	w.logger.Debug("window API", "line", string(b))
	return len(b), nil
}
