package opsapi

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/condition"
)

func newAPI(t *testing.T, look func(context.Context) condition.Finding) http.Handler {
	t.Helper()
	begin := time.Now()
	m := NewMonitor(Clocks{Mono: func() time.Duration { return time.Since(begin) }, Wall: time.Now},
		Watched{Name: "store", Vital: true, Look: look})
	metrics := NewMetrics()
	metrics.Watch(func(context.Context) Status { return full() })
	return New(Config{Monitor: m, Metrics: metrics, Status: func(context.Context) Status { return full() },
		Logger: slog.New(slog.DiscardHandler)})
}

func get(h http.Handler, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9477"+target, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHealthz(t *testing.T) {
	for _, c := range []struct {
		finding condition.Finding
		status  int
	}{{well, http.StatusOK}, {ill, http.StatusServiceUnavailable}} {
		w := get(newAPI(t, func(context.Context) condition.Finding { return c.finding }), "/healthz", nil)
		var h Health
		if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil {
			t.Fatal(err)
		}
		if w.Code != c.status || h.OK != c.finding.OK() || len(h.Parts) != 1 || h.Parts[0].What != c.finding.What || h.Parts[0].Since.IsZero() {
			t.Errorf("%+v: status %d, %s", c.finding, w.Code, w.Body)
		}
	}
}

func TestProfilesAreServedAndBounded(t *testing.T) {
	api := newAPI(t, nil)
	for target, want := range map[string]int{"/debug/pprof/": 200, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/heap": 200,
		"/debug/pprof/cmdline":              200,
		"/debug/pprof/profile?seconds=3600": 400, "/debug/pprof/trace?seconds=x": 400, "/debug/pprof/profile?seconds=NaN": 400,
		"/debug/vars": 404, "/": 404} {
		if w := get(api, target, nil); w.Code != want {
			t.Errorf("%s: status %d, want %d", target, w.Code, want)
		}
	}
}

func TestOnLoopbackRefusesWebPages(t *testing.T) {
	api := OnLoopback(newAPI(t, func(context.Context) condition.Finding { return well }))
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"a program":           {nil, 200},
		"localhost":           {func(r *http.Request) { r.Host = "localhost:9477" }, 200},
		"IPv6":                {func(r *http.Request) { r.Host = "[::1]:9477" }, 200},
		"DNS rebinding":       {func(r *http.Request) { r.Host = "attacker.example.com:9477" }, 403},
		"another origin":      {func(r *http.Request) { r.Header.Set("Origin", "https://attacker.example.com") }, 403},
		"an opaque origin":    {func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		"another site's page": {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"another port's page": {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
	} {
		for _, target := range []string{"/healthz", "/metrics", "/v1/status", "/debug/pprof/"} {
			if w := get(api, target, c.change); w.Code != c.want {
				t.Errorf("%s, %s: status %d, want %d", name, target, w.Code, c.want)
			}
		}
	}
}

// Whoever asks too much at a time is sent away at once, and served when the others are done.
func TestTooManyAtATime(t *testing.T) {
	begun, release := make(chan struct{}, maxAnswers), make(chan struct{})
	a := api{Config{Logger: slog.New(slog.DiscardHandler)}, make(chan struct{}, maxAnswers)}
	h := a.bound(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { begun <- struct{}{}; <-release }))
	done := make(chan struct{})
	for range maxAnswers {
		go func() { get(h, "/", nil); done <- struct{}{} }()
	}
	for range maxAnswers {
		<-begun
	}
	if w := get(h, "/", nil); w.Code != http.StatusTooManyRequests {
		t.Errorf("status %d", w.Code)
	}
	close(release)
	for range maxAnswers {
		<-done
	}
	if w := get(h, "/", nil); w.Code != http.StatusOK {
		t.Errorf("afterwards: status %d", w.Code)
	}
}

// serveOn answers on a listener until the test ends.
func serveOn(t *testing.T, l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

func TestAskOverTheSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ops.sock")
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, newAPI(t, nil))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v, %v, want mode 0660", info.Mode(), err)
	}
	got, err := Ask(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	want := full()
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Errorf("the status (-want +got):\n%s", diff)
	}
	if _, err := ListenUnix(path); err == nil || !strings.Contains(err.Error(), "another program answers") {
		t.Errorf("a socket in use is replaced: %v", err)
	}
}

func TestAskNobody(t *testing.T) {
	dir := t.TempDir()
	if _, err := Ask(t.Context(), filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
	stale := leftBehind(t, dir)
	if _, err := Ask(t.Context(), stale); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a socket that was left behind: %v", err)
	}
	other := filepath.Join(dir, "other")
	l, err := ListenUnix(other)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"v":2}`)) }))
	if _, err := Ask(t.Context(), other); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("an answer of another version: %v", err)
	}
}

// leftBehind returns a socket as a daemon leaves it that was killed.
func leftBehind(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestListenUnixReplacesOnlyWhatIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	l, err := ListenUnix(leftBehind(t, dir))
	if err != nil {
		t.Fatalf("a socket that was left behind is not replaced: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ListenUnix(file); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: %v", err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "x" {
		t.Errorf("the file has become %q, %v", b, err)
	}
	if _, err := ListenUnix("/" + strings.Repeat("a", MaxSocketPath)); err == nil || !strings.Contains(err.Error(), "at most 107") {
		t.Errorf("a long path: %v", err)
	}
	if _, err := ListenUnix(filepath.Join(dir, "none", "ops.sock")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestKeysAreToldAtTheSocketAlone asks for them at a port of the machine, which any user may reach.
func TestKeysAreToldAtTheSocketAlone(t *testing.T) {
	told := 0
	api := New(Config{
		Monitor: NewMonitor(Clocks{Mono: func() time.Duration { return 0 }, Wall: time.Now}), Metrics: NewMetrics(),
		Logger: slog.New(slog.DiscardHandler),
		Keys: func(_ context.Context, _ bool, tell func(KeyEvent) error) error {
			told++
			return tell(KeyEvent{What: KeyDown, Code: "0x31"})
		},
	})
	if w := get(OnLoopback(api), "/v1/keys", nil); w.Code != http.StatusForbidden || told != 0 {
		t.Errorf("at a port: %d, told %d times", w.Code, told)
	}
	if w := get(newAPI(t, nil), "/v1/keys", nil); w.Code != http.StatusNotFound {
		t.Errorf("without keys: %d", w.Code)
	}
}
