package opsapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config names the parts of the API. All but Keys are needed.
type Config struct {
	Monitor *Monitor
	Metrics *Metrics
	Status  func(context.Context) Status
	Keys    Keys // nil for none
	Logger  *slog.Logger
}

const (
	// maxAnswers bounds how many requests are answered at a time: the box has a window to serve.
	maxAnswers = 8
	// answerLimit is how long an answer may take to be read.
	answerLimit = 30 * time.Second
	// keysPath is where keys are told, to those who may use the socket.
	keysPath = "/v1/keys"
	// maxProfile is the longest profile in seconds.
	maxProfile = 60
)

// New returns the API.
func New(c Config) http.Handler {
	a := api{c, make(chan struct{}, maxAnswers)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) { a.write(w, http.StatusOK, c.Status(r.Context())) })
	if c.Keys != nil {
		mux.HandleFunc("GET "+keysPath, a.keys)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.Metrics, promhttp.HandlerOpts{
		Registry: c.Metrics.registry, ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelError),
	}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return a.bound(mux)
}

// OnLoopback returns the API for a port of this machine, without the keys: it refuses what a web page has caused, by Host, Origin
// and Sec-Fetch-Site. A unix socket needs none of that, since no browser reaches it.
func OnLoopback(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == keysPath {
			http.Error(w, "按键只能通过本机套接字查看。 Keys are told at the socket alone.", http.StatusForbidden)
			return
		}
		site := r.Header.Get("Sec-Fetch-Site")
		if !loopback(r.Host) || !sameOrigin(r) || site != "" && site != "none" && site != "same-origin" {
			http.Error(w, "来源不允许，请在本机上用 127.0.0.1 访问。 Origin not allowed; ask from this machine, by 127.0.0.1.", http.StatusForbidden)
			return
		}
		api.ServeHTTP(w, r)
	})
}

type api struct {
	Config
	answering chan struct{}
}

// bound limits how many answers are given at a time and how long each may take.
func (a api) bound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := answerLimit
		if strings.HasPrefix(r.URL.Path, "/debug/pprof/") {
			limit += maxProfile * time.Second
		}
		if s := r.URL.Query().Get("seconds"); s != "" {
			if n, err := strconv.ParseFloat(s, 64); err != nil || !(n > 0 && n <= maxProfile) {
				http.Error(w, "seconds 应为 1 到 60。 seconds must be 1 to 60.", http.StatusBadRequest)
				return
			}
		}
		select {
		case a.answering <- struct{}{}:
			defer func() { <-a.answering }()
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "请求太多，请稍后重试。 Too many requests at a time; try again.", http.StatusTooManyRequests)
			return
		}
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit)); err != nil {
			a.Logger.Debug("an answer has no deadline", "error", err)
		}
		next.ServeHTTP(w, r)
	})
}

func (a api) health(w http.ResponseWriter, r *http.Request) {
	h := a.Monitor.Health(r.Context())
	status := http.StatusOK
	if !h.OK {
		status = http.StatusServiceUnavailable
	}
	a.write(w, status, h)
}

func (a api) write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		a.Logger.Error("an answer cannot be encoded", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that has gone away is no error of ours
}

// loopback reports whether a Host header names this machine. A name that an attacker made to point here is none.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

func sameOrigin(r *http.Request) bool {
	o := r.Header.Get("Origin")
	if o == "" {
		return true
	}
	u, err := url.Parse(o)
	return err == nil && u.Host == r.Host
}
