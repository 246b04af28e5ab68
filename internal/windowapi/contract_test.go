package windowapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"haochaping/internal/rating"
)

// fakeTerminal is a window that asks about one visit at a time and records into a Journal, as the real one does.
type fakeTerminal struct {
	journal *Journal

	mu     sync.Mutex
	log    memoryLog
	seq    uint64
	opened []rating.Visit
	open   rating.VisitID
	state  string
	staff  rating.Staff
	err    error // of every method, if set
	prints int
	// answered: a citizen has answered all, and is being thanked.
	answered bool
}

func newFakeTerminal(j *Journal) *fakeTerminal {
	return &fakeTerminal{journal: j, state: "idle"}
}

// record needs mu.
func (f *fakeTerminal) record(bodies ...rating.Body) {
	f.log.epoch = 1
	f.log.append(f.journal, bodies...)
	f.seq += uint64(len(bodies))
}

func (f *fakeTerminal) at() rating.Stamp {
	return rating.Stamp{Boot: 1, Mono: int64(f.seq), Wall: 1_790_000_000_000 + int64(f.seq)*1000, Synced: true}
}

func (f *fakeTerminal) OpenVisit(_ context.Context, v rating.Visit) (rating.VisitID, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return 0, f.err
	}
	if f.state != "idle" && f.state != "asking" {
		return 0, &NotReadyError{f.state}
	}
	if err := rating.CheckVisit(v); err != nil {
		return 0, err
	}
	recorded := v
	recorded.ID, recorded.WaitSec, recorded.Window = 1, 60, rating.Window{ID: "A12", Generation: 1}
	if err := recorded.Check(); err != nil {
		return 0, err
	}
	if f.open != 0 {
		f.end(f.open, rating.Superseded)
	}
	v.ID = rating.VisitID(len(f.opened) + 1)
	f.opened = append(f.opened, v)
	f.open, f.state = v.ID, "asking"
	recorded.ID = v.ID
	f.record(rating.VisitBody(f.at(), recorded))
	return v.ID, nil
}

// end needs mu.
func (f *fakeTerminal) end(id rating.VisitID, o rating.Outcome) {
	c := rating.Closing{Visit: id, Outcome: o}
	if o == rating.Rated {
		c.Rated = []rating.Subject{rating.StaffSubject}
	}
	f.open, f.state = 0, "idle"
	f.record(rating.OutcomeBody(f.at(), c))
}

func (f *fakeTerminal) finish(id rating.VisitID, o rating.Outcome) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end(id, o)
}

func (f *fakeTerminal) CancelVisit(_ context.Context, id rating.VisitID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if f.open != id || id == 0 {
		return ErrNoVisit
	}
	if f.answered {
		f.end(id, rating.Rated)
		return nil
	}
	f.end(id, rating.Cancelled)
	return nil
}

func (f *fakeTerminal) Window() Window {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Window{State: f.state, Offline: true, Visit: f.open, Staff: f.staff}
}

func (f *fakeTerminal) change(do func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		do()
	}
	return f.err
}

func (f *fakeTerminal) SignIn(_ context.Context, s rating.Staff) error {
	return f.change(func() { f.staff = s })
}
func (f *fakeTerminal) SignOut(context.Context) error {
	return f.change(func() { f.staff = rating.Staff{} })
}
func (f *fakeTerminal) Pause(context.Context) error {
	return f.change(func() {
		if f.open != 0 {
			f.end(f.open, rating.Cancelled)
		}
		f.state = "paused"
	})
}
func (f *fakeTerminal) Resume(context.Context) error { return f.change(func() { f.state = "idle" }) }

func (f *fakeTerminal) Print(context.Context, rating.Visit, rating.Stamp) ([]byte, error) {
	return []byte("\x89PNG"), f.change(func() { f.prints++ })
}

// contract is a box behind HTTP whose every request and answer is held against the description.
type contract struct {
	t        testing.TB
	terminal *fakeTerminal
	journal  *Journal
	tokens   string // file
	token    string
	server   *httptest.Server
	document validator.Validator
	schemas  map[string]any
	change   func(*Config)
}

func newContract(t testing.TB, change func(*Config)) *contract {
	t.Helper()
	document, err := libopenapi.NewDocument(Description())
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, found := v.ValidateDocument(); !ok {
		for _, e := range found {
			t.Errorf("%s: %s %v", e.Message, e.Reason, e.SchemaValidationErrors)
		}
		t.Fatal("the description is not an OpenAPI 3.1 document")
	}
	var parsed struct {
		Components struct {
			Schemas map[string]any `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(Description(), &parsed); err != nil {
		t.Fatal(err)
	}
	c := &contract{t: t, tokens: filepath.Join(t.TempDir(), TokensFile), document: v, schemas: parsed.Components.Schemas, change: change}
	if c.token, _, err = AddToken(c.tokens, "PC A12", bytes.NewReader(bytes.Repeat([]byte{7}, 64)), time.Unix(1_790_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	c.journal = NewJournal([]byte("secret"))
	c.terminal = newFakeTerminal(c.journal)
	c.start()
	return c
}

// start serves the box anew, as after a restart.
func (c *contract) start() {
	// A second passes between any two requests, so that nothing but what is about the limits meets them.
	var seconds atomic.Int64
	config := Config{
		Terminal: c.terminal, Journal: c.journal, Tokens: NewTokens(c.tokens, slog.New(slog.DiscardHandler)), PrintQR: true,
		Now: func() time.Time { return time.Unix(seconds.Add(1), 0) }, Logger: slog.New(slog.DiscardHandler),
	}
	if c.change != nil {
		c.change(&config)
	}
	c.server = httptest.NewServer(New(config))
	c.t.Cleanup(c.server.Close)
}

// answer is what came back.
type answer struct {
	*http.Response
	body []byte
}

func (a answer) problem(t rapid.TB) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return p
}

func (a answer) id(t testing.TB) string {
	t.Helper()
	var v struct{ ID string }
	if err := json.Unmarshal(a.body, &v); err != nil || v.ID == "" {
		t.Fatalf("%s %s: %v", a.Status, a.body, err)
	}
	return v.ID
}

// request makes a request as the PC sends it.
func (c *contract) request(method, path, body string, header ...string) *http.Request {
	c.t.Helper()
	r, err := http.NewRequest(method, c.server.URL+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		switch {
		case header[i] == "Host":
			r.Host = header[i+1]
		case header[i+1] == "":
			r.Header.Del(header[i])
		default:
			r.Header.Set(header[i], header[i+1])
		}
	}
	return r
}

// allowed reports whether the description allows a request, and why not.
func (c *contract) allowed(method, path, body string, header ...string) error {
	r := c.request(method, path, body, header...)
	ok, errs := c.document.ValidateHttpRequest(r)
	if ok {
		return nil
	}
	var all []error
	for _, e := range errs {
		all = append(all, fmt.Errorf("%s: %s %v", e.Message, e.Reason, e.SchemaValidationErrors))
	}
	return errors.Join(all...)
}

// send sends a request and holds the answer against the description.
func (c *contract) send(method, path, body string, header ...string) answer {
	c.t.Helper()
	r := c.request(method, path, body, header...)
	resp, err := c.server.Client().Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(b))
	// What is not in the description by its nature: preflights, paths and methods that there are not.
	if method != http.MethodOptions && resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed ||
		strings.HasPrefix(path, "/v1/visits/") {
		again := c.request(method, path, body, header...)
		if ok, errs := c.document.ValidateHttpResponse(again, resp); !ok {
			for _, e := range errs {
				c.t.Errorf("%s %s: %s: %s: %s %v\n%s", method, path, resp.Status, e.Message, e.Reason, e.SchemaValidationErrors, b)
			}
		}
	}
	return answer{resp, b}
}

// want sends a request that the description allows and wants an answer with a status.
func (c *contract) want(status int, method, path, body string, header ...string) answer {
	c.t.Helper()
	if err := c.allowed(method, path, body, header...); err != nil {
		c.t.Errorf("%s %s %s: the description does not allow it: %v", method, path, body, err)
	}
	a := c.send(method, path, body, header...)
	if a.StatusCode != status {
		c.t.Fatalf("%s %s %s: %s, want %d\n%s", method, path, body, a.Status, status, a.body)
	}
	return a
}

// refuse sends a request that the description does not allow and wants a problem.
func (c *contract) refuse(status int, name, method, path, body string, header ...string) problem {
	c.t.Helper()
	a := c.send(method, path, body, header...)
	p := a.problem(c.t)
	if a.StatusCode != status || p.Type != "urn:hcp:problem:"+name || p.Status != status {
		c.t.Fatalf("%s %s %s: %s, want %d %s\n%s", method, path, body, a.Status, status, name, a.body)
	}
	return p
}
