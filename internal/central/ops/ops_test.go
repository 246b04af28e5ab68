package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
)

// full is a Status in which everything is known.
func full() Status {
	rows, behind, unsealed, findings, sessions, waiting := int64(1200), int64(7), int64(3), int64(2), int64(4), int64(1)
	age, sealAge := 90*time.Second, 30*time.Second
	return Status{Version: "v1", Parts: []Part{{Name: "journal", OK: true}, {Name: "books", OK: true},
		{Name: "broker", What: "nothing is taken"}},
		Rows: &rows, Behind: &behind, Age: &age, Unsealed: &unsealed, SealAge: &sealAge, Findings: &findings, Sessions: &sessions,
		Waiting: &waiting,
		Upward:  &Upward{Waiting: 5, Refused: 6, Age: 7 * time.Second},
		Halls:   []Hall{{ID: "H1", Area: "620102000000", Name: "市民中心", Boxes: 4, Online: 3, Ill: 1, Pending: 12}},
		Alerts:  []Alerts{{Hall: "H1", Kind: "disk", Open: 2}}}
}

func handler(m *Metrics, look func(context.Context) Status, known func(string) bool) http.Handler {
	return Handler(Config{Metrics: m, Look: look, Ready: func(context.Context) error { return nil }, Known: known, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler)})
}

func get(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "127.0.0.1:9480"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// taker answers each message with what a test wants.
type taker struct {
	receipt journal.Receipt
	err     error
}

func (k taker) Submit(_ context.Context, _ journal.Entry, done func(journal.Receipt, error)) error {
	done(k.receipt, k.err)
	return nil
}

func (taker) Check(context.Context) error { return nil }

func TestMetrics(t *testing.T) {
	m := NewMetrics()
	h := handler(m, func(context.Context) Status { return full() }, nil)
	for _, k := range []taker{{receipt: journal.Receipt{Entered: true}}, {receipt: journal.Receipt{Ack: 2}},
		{receipt: journal.Receipt{Refused: "too many gaps"}}, {err: errors.New("disk full")}} {
		called := false
		if err := m.Journal(k).Submit(t.Context(), journal.Entry{Parts: make([][]byte, 3)},
			func(journal.Receipt, error) { called = true }); err != nil || !called {
			t.Fatal(err, called)
		}
	}
	m.Unbelieved([]fleet.Note{{Device: "lz-0417", Refused: 5}, {Device: "lz-0418"}})
	counted := m.Site("admin", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("a page that streams cannot be counted: %v", err)
		}
	}))
	get(counted, "/live/events")
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "centrald_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	w := get(h, "/metrics")
	for _, want := range []string{`centrald_batches_total{result="entered"} 1`, `centrald_batches_total{result="repeated"} 1`,
		`centrald_batches_total{result="refused"} 1`,
		`centrald_batches_total{result="failed"} 1`, `centrald_batches_total{result="unbelieved"} 5`, "centrald_records_total 3",
		"centrald_batch_commit_seconds_count 1",
		`centrald_http_requests_total{code="418",site="admin"} 1`, `centrald_http_request_seconds_count{site="admin"} 1`,
		`centrald_part_ok{part="broker"} 0`,
		"centrald_journal_rows 1200", "centrald_books_behind_rows 7", "centrald_books_behind_seconds 90", "centrald_unsealed_rows 3",
		"centrald_unsealed_seconds 30",
		"centrald_findings_open 2", "centrald_sessions_open 4", "centrald_signin_delayed 1", `centrald_hall_boxes_online{hall="H1"} 3`,
		`centrald_hall_records_pending{hall="H1"} 12`, `centrald_hall_alerts_open{hall="H1",kind="disk"} 2`,
		"centrald_upward_waiting 5", "centrald_upward_refused 6",
		"centrald_upward_waiting_seconds 7"} {
		if !strings.Contains(w.Body.String(), "\n"+want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(w.Body.String(), "lz-04") {
		t.Error("a box is named")
	}
}

// What is not known is left out.
func TestMetricsLeaveOutWhatIsNotKnown(t *testing.T) {
	w := get(handler(NewMetrics(), func(context.Context) Status { return Status{Version: "v1"} }, nil), "/metrics")
	for _, name := range []string{"journal_rows", "books_behind", "unsealed", "findings_open", "sessions_open", "hall_", "upward_"} {
		if strings.Contains(w.Body.String(), "centrald_"+name) {
			t.Errorf("%s is told", name)
		}
	}
}

// TestAlertsAndDashboardNameWhatThereIs looks each metric up that the alerts and the dashboard name, with its labels.
func TestAlertsAndDashboardNameWhatThereIs(t *testing.T) {
	m := NewMetrics()
	h := handler(m, func(context.Context) Status { return full() }, nil)
	get(m.Site("admin", http.NotFoundHandler()), "/")
	all := get(h, "/metrics").Body.String() + "up{job=\"\",instance=\"\"} 1\n"
	metric := regexp.MustCompile(`\b((?:centrald|process|go|up)(?:_[a-z_]+)?)(?:\{([^}]*)\})?`)
	label := regexp.MustCompile(`([a-z]+)\s*(?:=~|!=|=)`)
	for _, path := range []string{"../../../deploy/prometheus/centrald.rules.yml", "../../../deploy/grafana/centrald.json"} {
		exprs := expressions(t, path)
		if len(exprs) < 10 {
			t.Errorf("%s: %d expressions were read", path, len(exprs))
		}
		for _, e := range exprs {
			named := metric.FindAllStringSubmatch(e, -1)
			if len(named) == 0 {
				t.Errorf("%s: %q names no metric", path, e)
			}
			for _, n := range named {
				line := regexp.MustCompile(`(?m)^` + n[1] + `(\{.*\})? .*$`).FindString(all)
				if line == "" {
					t.Errorf("%s: %q names %s, which there is not", path, e, n[1])
				}
				for _, l := range label.FindAllStringSubmatch(n[2], -1) {
					if l[1] != "job" && l[1] != "instance" && !strings.Contains(line, l[1]+`="`) {
						t.Errorf("%s: %s has no label %s", path, n[1], l[1])
					}
				}
			}
		}
	}
}

// expressions returns the queries of a file of rules, or of a dashboard.
func expressions(t *testing.T, path string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".yml") {
		for _, m := range regexp.MustCompile(`(?m)^\s+expr: (.*)$`).FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
		return all
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("%s: %q shows nothing", path, p.Title)
		}
		for _, x := range p.Targets {
			all = append(all, x.Expr)
		}
	}
	return all
}

func TestWhoMayAsk(t *testing.T) {
	look := func(context.Context) Status { return full() }
	open := handler(NewMetrics(), look, nil)
	closed := handler(NewMetrics(), look, func(s string) bool { return s == "right" })
	for _, path := range []string{"/metrics", "/healthz", "/readyz"} {
		for _, c := range []struct {
			h       http.Handler
			headers []string
			want    int
		}{
			{open, []string{"Host", "evil.example.com"}, 403}, {open, []string{"Origin", "http://127.0.0.1:9480"}, 403}, {closed, nil, 401},
			{closed, []string{"Authorization", "Bearer wrong"}, 401}, {closed, []string{"Authorization", "Basic right"}, 401},
		} {
			if w := get(c.h, path, c.headers...); w.Code != c.want {
				t.Errorf("%s %v: %d, want %d", path, c.headers, w.Code, c.want)
			}
		}
		want := map[string]int{"/healthz": 503}[path]
		if want == 0 {
			want = 200
		}
		if w := get(closed, path, "Authorization", "Bearer right", "Host", "ops.example.com"); w.Code != want {
			t.Errorf("%s with the token: %d %s", path, w.Code, w.Body)
		}
		if w := get(open, path); w.Code != want {
			t.Errorf("%s on loopback: %d", path, w.Code)
		}
	}
}

// Many who ask at once cost one look, and one that is ready is asked again a second later.
func TestOneLookForMany(t *testing.T) {
	var mu sync.Mutex
	at, looks, checks := time.Unix(1_790_000_000, 0), 0, 0
	failing := errors.New("no such server")
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	h := Handler(Config{Metrics: NewMetrics(), Now: now, Logger: slog.New(slog.DiscardHandler),
		Look:  func(context.Context) Status { looks++; return full() },
		Ready: func(context.Context) error { checks++; return failing }})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { get(h, "/healthz"); get(h, "/metrics"); get(h, "/readyz") })
	}
	all.Wait()
	if looks != 1 || checks != 1 {
		t.Errorf("%d looks, %d checks, want one each", looks, checks)
	}
	if w := get(h, "/readyz"); w.Code != 503 || strings.Contains(w.Body.String(), "server") {
		t.Errorf("not ready: %d %q", w.Code, w.Body)
	}
	mu.Lock()
	at = at.Add(lookEvery)
	mu.Unlock()
	failing = nil
	if w := get(h, "/readyz"); w.Code != 200 {
		t.Errorf("ready again: %d", w.Code)
	}
	if get(h, "/metrics"); looks != 2 {
		t.Errorf("%d looks after a while", looks)
	}
}

func TestHealthSaysWhich(t *testing.T) {
	var got struct {
		OK    bool
		Parts []Part
	}
	w := get(handler(NewMetrics(), func(context.Context) Status { return full() }, nil), "/healthz")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.OK || len(got.Parts) != 3 ||
		fmt.Sprint(got.Parts[2]) != "{broker false nothing is taken}" {
		t.Errorf("%d %s, %v", w.Code, w.Body, err)
	}
}
