package windowapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"haochaping/internal/rating"
)

// sse is one event as it came over the line.
type sse struct{ id, event, data string }

// follow reads a stream until the test ends it.
func (c *contract) follow(ctx context.Context, last string) <-chan sse {
	c.t.Helper()
	r := c.request("GET", "/v1/events", "").WithContext(ctx)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	resp, err := c.server.Client().Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		c.t.Fatalf("%s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	events := make(chan sse, 100)
	go func() {
		defer func() { _ = resp.Body.Close() }()
		defer close(events)
		var e sse
		for in := bufio.NewScanner(resp.Body); in.Scan(); {
			name, value, _ := strings.Cut(in.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.event = value
			case "data":
				e.data = value
			case "":
				if e.event != "" {
					events <- e
				}
				e = sse{}
			}
		}
	}()
	return events
}

func next(t *testing.T, events <-chan sse) sse {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatal("the stream has ended")
		}
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event came")
	}
	return sse{}
}

// schemaOf returns a schema of the description.
func schemaOf(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	var document any
	if err := yaml.Unmarshal(Description(), &document); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", v); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("openapi.json#/components/schemas/" + name)
}

// A line that breaks before the first event loses none.
func TestEventsBeforeTheFirst(t *testing.T) {
	c := newContract(t, nil)
	for _, opened := range []int{0, 1} {
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := c.server.Client().Do(c.request("GET", "/v1/events", "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		id := ""
		for in := bufio.NewScanner(resp.Body); id == "" && in.Scan(); {
			id, _ = strings.CutPrefix(in.Text(), "id: ")
			if id == in.Text() {
				id = ""
			}
		}
		cancel()
		_ = resp.Body.Close()
		visit := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
		c.start() // the box, again
		ctx, cancel = context.WithCancel(t.Context())
		events := c.follow(ctx, id)
		if opened > 0 {
			next(t, events) // the end of the one before
		}
		if e := next(t, events); e.event != VisitOpened || !strings.Contains(e.data, visit) {
			t.Errorf("after %d visits %+v came, want %s", opened, e, visit)
		}
		cancel()
	}
}

func TestEvents(t *testing.T) {
	c := newContract(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	events := c.follow(ctx, "")
	first := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
	second := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
	c.terminal.finish(2, rating.TimedOut)
	schema := schemaOf(t, "Event")
	var ids []string
	for _, want := range []string{"visit.opened " + first, "visit.ended " + first + " superseded", "visit.opened " + second,
		"visit.ended " + second + " timed_out"} {
		e := next(t, events)
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(e.data))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", e.data, err)
		}
		var data struct{ Type, ID, Visit, Outcome string }
		if err := json.Unmarshal([]byte(e.data), &data); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(data.Type + " " + data.Visit + " " + data.Outcome); got != want || data.ID != e.id || data.Type != e.event {
			t.Errorf("%+v, want %s", e, want)
		}
		ids = append(ids, e.id)
	}
	// The client goes on after the second event; the box has been started again in between.
	cancel()
	c.start()
	again, stop := context.WithCancel(t.Context())
	defer stop()
	resumed := c.follow(again, ids[1])
	for _, want := range ids[2:] {
		if e := next(t, resumed); e.id != want {
			t.Errorf("after the restart %+v came, want %s", e, want)
		}
	}
	unknown := c.follow(again, "AAAAAAAAAAAAAAAAAAAAAA")
	if e := next(t, unknown); e.event != "reset" {
		t.Errorf("after an unknown name %+v came, want reset", e)
	}
	for _, want := range ids {
		if e := next(t, unknown); e.id != want {
			t.Errorf("after reset %+v came, want %s", e, want)
		}
	}
}

// TestShutdownEndsStreams holds that a client that follows the window does not keep the daemon from ending.
func TestShutdownEndsStreams(t *testing.T) {
	c := newContract(t, nil)
	c.server.Close()
	l := listenLoopback(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	log := slog.New(slog.DiscardHandler)
	handler := New(Config{Terminal: c.terminal, Journal: c.journal, Tokens: NewTokens(c.tokens, log), Now: time.Now, Logger: log})
	go func() { done <- Serve(ctx, l, nil, handler, log) }()
	c.server.URL = "http://" + l.Addr().String()
	events := c.follow(t.Context(), "")
	begun := time.Now()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, ok := <-events; ok || errors.Is(t.Context().Err(), context.Canceled) {
		t.Error("the stream goes on")
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the shutdown took %s", took)
	}
}
