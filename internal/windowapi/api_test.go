package windowapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

// fake is a window with one visit.
type fake struct {
	visit  rating.Visit
	err    error
	status Status
	waited time.Duration
}

func (f *fake) OpenVisit(_ context.Context, v rating.Visit) (rating.VisitID, error) {
	f.visit = v
	return 7, f.err
}

func (f *fake) CancelVisit(_ context.Context, id rating.VisitID) error {
	if id != 7 {
		return ErrNoVisit
	}
	return f.err
}

func (f *fake) VisitStatus(_ context.Context, id rating.VisitID, wait time.Duration) (Status, error) {
	f.waited = wait
	if id != 7 {
		return Status{}, ErrNoVisit
	}
	return f.status, f.err
}

func (f *fake) State() (string, bool) { return "idle", true }

func do(t *testing.T, f *fake, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:8377"+path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	New(Config{Terminal: f, Logger: slog.New(slog.DiscardHandler)}).ServeHTTP(w, r)
	return w.Result(), w.Body.String()
}

const visitPath = "/v1/visits/0000000000000007"

func TestOpen(t *testing.T) {
	f := new(fake)
	resp, body := do(t, f, "POST", "/v1/visits", `{"staff":{"id":"0417"},"cases":[{"project_no":"p1","completed":true}]}`)
	if resp.StatusCode != http.StatusCreated || resp.Header.Get("Location") != visitPath || body != `{"id":"0000000000000007"}` {
		t.Errorf("%s, location %q, body %s", resp.Status, resp.Header.Get("Location"), body)
	}
	want := rating.Visit{Staff: rating.Staff{ID: "0417"}, Cases: []rating.Case{{ProjectNo: "p1", Completed: true}}, Grouping: rating.Single,
		Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject}}
	if diff := cmp.Diff(want, f.visit); diff != "" {
		t.Errorf("visit (-want +got):\n%s", diff)
	}
}

func TestStatusNeverTellsAScore(t *testing.T) {
	f := &fake{status: Status{Outcome: rating.Rated, Rated: []rating.Subject{rating.StaffSubject}}}
	resp, body := do(t, f, "GET", visitPath+"?wait=25s", "")
	if want := `{"id":"0000000000000007","open":false,"outcome":"rated","rated_subjects":["staff"]}`; resp.StatusCode != 200 || body != want {
		t.Errorf("%s, body %s, want %s", resp.Status, body, want)
	}
	if f.waited != 25*time.Second {
		t.Errorf("waited %s, want 25 s", f.waited)
	}
}

func TestProblems(t *testing.T) {
	broken := errors.New("visit: a batch needs two cases or more (article 14)")
	for name, c := range map[string]struct {
		f                  *fake
		method, path, body string
		status             int
		want               string
	}{
		"unknown field":   {&fake{}, "POST", "/v1/visits", `{"score":5}`, 422, "unknown field"},
		"not JSON":        {&fake{}, "POST", "/v1/visits", `score=5`, 422, "JSON"},
		"trailing":        {&fake{}, "POST", "/v1/visits", `{} {}`, 422, "after the object"},
		"too large":       {&fake{}, "POST", "/v1/visits", `{"grouping":"` + strings.Repeat("x", 70000) + `"}`, 413, "64 KiB"},
		"rule":            {&fake{err: broken}, "POST", "/v1/visits", `{}`, 422, "article 14"},
		"paused":          {&fake{err: fmt.Errorf("%w: paused", ErrNotReady)}, "POST", "/v1/visits", `{}`, 409, "paused"},
		"unknown visit":   {&fake{}, "GET", "/v1/visits/00000000000000ff", "", 404, "no-visit"},
		"no visit ID":     {&fake{}, "DELETE", "/v1/visits/x", "", 404, "no-visit"},
		"long wait":       {&fake{}, "GET", visitPath + "?wait=2h", "", 422, "wait"},
		"no such address": {&fake{}, "GET", "/v2", "", 404, "not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := do(t, c.f, c.method, c.path, c.body)
			if resp.StatusCode != c.status || !strings.Contains(body, c.want) || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s, %s, body %s; want %d with %q", resp.Status, resp.Header.Get("Content-Type"), body, c.status, c.want)
			}
			var p struct{ Title, Detail string }
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Title == "" || p.Detail == "" {
				t.Errorf("problem %+v, %v", p, err)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	if resp, body := do(t, new(fake), "DELETE", visitPath, ""); resp.StatusCode != http.StatusNoContent {
		t.Errorf("%s, %s", resp.Status, body)
	}
}

func TestWebPagesAreKeptOut(t *testing.T) {
	for name, header := range map[string][]string{
		"rebinding":      {"Host", "evil.example.com:8377"},
		"foreign origin": {"Origin", "https://evil.example.com"},
		"fetched":        {"Sec-Fetch-Site", "cross-site"},
	} {
		t.Run(name, func(t *testing.T) {
			f := new(fake)
			if resp, _ := do(t, f, "POST", "/v1/visits", `{}`, header...); resp.StatusCode != http.StatusForbidden || f.visit.Grouping != "" {
				t.Errorf("%s, visit %+v", resp.Status, f.visit)
			}
		})
	}
	if resp, _ := do(t, new(fake), "GET", "/v1/status", "", "Origin", "http://127.0.0.1:8377"); resp.StatusCode != 200 {
		t.Errorf("same origin: %s", resp.Status)
	}
}
