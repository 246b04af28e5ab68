package ops

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config names what the listener needs. Tokens may be nil, the others are mandatory.
type Config struct {
	Metrics *Metrics
	Look    func(context.Context) Status
	Ready   func(context.Context) error
	// Known reports whether a token may ask. Nil: whoever reaches the listener may, which then is a loopback address.
	Known  func(token string) bool
	Now    func() time.Time
	Logger *slog.Logger
}

// Handler returns the listener's handler. Call it once for each Metrics.
func Handler(c Config) http.Handler {
	w := &watch{look: c.Look, now: c.Now}
	c.Metrics.registry.MustRegister(newCollector(w.status))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Metrics.registry, promhttp.HandlerOpts{
		Registry: c.Metrics.registry, MaxRequestsInFlight: 8, ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelError),
	}))
	mux.HandleFunc("GET /healthz", func(out http.ResponseWriter, _ *http.Request) { health(out, w.status()) })
	mux.Handle("GET /readyz", Ready(c.Ready, c.Now))
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Cache-Control", "no-store")
		out.Header().Set("X-Content-Type-Options", "nosniff")
		if c.Known == nil {
			// A web page could ask by a name that was made to point here.
			if !loopback(r.Host) || r.Header.Get("Origin") != "" {
				http.Error(out, "请在本机上用 127.0.0.1 访问。 Ask from this machine, by 127.0.0.1.", http.StatusForbidden)
				return
			}
		} else if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || !c.Known(token) {
			out.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(out, "令牌缺失或无效。 The token is missing or unknown (ops.tokens_file).", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(out, r)
	})
}

// health answers with the parts.
func health(w http.ResponseWriter, s Status) {
	status := http.StatusOK
	if !s.OK() {
		status = http.StatusServiceUnavailable
	}
	b, err := json.Marshal(struct {
		OK    bool   `json:"ok"`
		Parts []Part `json:"parts"`
	}{s.OK(), s.Parts})
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that has gone is no error of ours
}

// loopback reports whether a Host header names this machine.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

const (
	// readyEvery is for how long an answer is good enough for the next balancer.
	readyEvery = time.Second
	readyLimit = 5 * time.Second
)

// Ready answers a balancer that asks whether this instance can answer people. The answer says no more, since anybody may ask.
func Ready(check func(context.Context) error, now func() time.Time) http.Handler {
	var mu sync.Mutex
	var at time.Time
	var last error
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if at.IsZero() || now().Sub(at) >= readyEvery {
			// Another who asks gets the answer too, so that it outlives whoever asked first.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), readyLimit)
			last = check(ctx)
			cancel()
			at = now()
		}
		err := last
		mu.Unlock()
		w.Header().Set("Cache-Control", "no-store")
		if err != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ready\n"))
	})
}
