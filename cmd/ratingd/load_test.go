package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/kernelclock"
	"haochaping/internal/rating"
	"haochaping/internal/terminal"
	"haochaping/internal/windowapi"
	"haochaping/store"
)

// manyPCs is more than a window will ever have.
const manyPCs = 50

// apiBox is a box's store, behaviour and window API, as run joins them.
type apiBox struct {
	tb     testing.TB
	db     *store.Store
	loop   *terminal.Loop
	views  chan terminal.View
	base   string
	client *http.Client
	tokens [manyPCs]string
}

func newAPIBox(tb testing.TB) *apiBox {
	dir := tb.TempDir()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(filepath.Join(dir, "log.db"), store.Options{Device: "load", Random: rand.Reader, Logger: log})
	if err != nil {
		tb.Fatal(err)
	}
	b := &apiBox{tb: tb, db: db, views: make(chan terminal.View, 4096)}
	clk := clock{1, kernelclock.SinceBoot, time.Now, func() bool { return true }}
	journal := windowapi.NewJournal([]byte("load"))
	b.loop = terminal.NewLoop(terminal.LoopConfig{
		Timings: terminal.Timings{Wait: time.Minute, Thanks: 3 * time.Second}, Log: journalled{db, db.Epoch, journal}, Visits: journal,
		Now:    clk.now,
		Random: rand.Reader, Show: func(v terminal.View) { b.views <- v }, Logger: log,
	})
	tokens := filepath.Join(dir, windowapi.TokensFile)
	for i := range b.tokens {
		if b.tokens[i], _, err = windowapi.AddToken(tokens, fmt.Sprint("PC ", i), rand.Reader, time.Now()); err != nil {
			tb.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	b.base = "http://" + l.Addr().String()
	b.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 3 * manyPCs}, Timeout: 2 * time.Minute}
	var seconds atomic.Int64 // which pass from one request to the next, so that the limits of a client are not what is measured
	handler := windowapi.New(windowapi.Config{
		Terminal: window{loop: b.loop, offline: func() bool { return false }, staff: emptyRoster()}, Journal: journal,
		Tokens: windowapi.NewTokens(tokens, log), Logger: log,
		Now: func() time.Time { return time.Unix(seconds.Add(1), 0) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := b.loop.Run(ctx, terminal.Started{At: clk.now(), Window: &benchWindow}); err != nil {
			tb.Error(err)
		}
	})
	running.Go(func() {
		if err := windowapi.Serve(ctx, l, nil, handler, log); err != nil {
			tb.Error(err)
		}
	})
	tb.Cleanup(func() {
		cancel()
		b.client.CloseIdleConnections()
		running.Wait()
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

func emptyRoster() *roster {
	r := new(roster)
	r.all.Store(&[]rating.Member{})
	return r
}

// call sends a request as one of the PCs and returns the answer.
func (b *apiBox) call(ctx context.Context, pc int, method, path, body, key string) (status int, answer string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, b.base+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+b.tokens[pc])
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	resp, err := b.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// load makes every PC follow the events, wait for the open visit, and ask for the window's status each second, until
// the returned function is called. That returns how many requests were answered.
func (b *apiBox) load(visit string) (stop func() int64) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var answered atomic.Int64
	again := func(pc int, path string, pause time.Duration) {
		running.Go(func() {
			for ctx.Err() == nil {
				if status, answer, err := b.call(ctx, pc, "GET", path, "", ""); err == nil && status != http.StatusOK {
					b.tb.Errorf("%s: %d %s", path, status, answer)
				}
				answered.Add(1)
				select {
				case <-time.After(pause):
				case <-ctx.Done():
				}
			}
		})
	}
	for pc := range b.tokens {
		again(pc, "/v1/status", time.Second)
		again(pc, "/v1/visits/"+visit+"?wait=1s", time.Second)
		again(pc, "/v1/events", time.Second) // lasts until the end
	}
	return func() int64 {
		cancel()
		running.Wait()
		return answered.Load()
	}
}

// press opens a visit, lets a moment pass, as people do, and returns how long a key takes from going down to the thanks, which come after
// the commit.
func (b *apiBox) press() time.Duration {
	if _, err := b.loop.OpenVisit(context.Background(),
		rating.Visit{Grouping: rating.Single, Subjects: []rating.Subject{rating.StaffSubject}, Opener: rating.OpenedByPC}); err != nil {
		b.tb.Fatal(err)
	}
	b.wait(terminal.Asking)
	time.Sleep(reading)
	at := time.Now()
	b.loop.Post(terminal.Press{At: clock{1, kernelclock.SinceBoot, time.Now, func() bool { return true }}.now(), Level: rating.Satisfied})
	b.wait(terminal.Correcting)
	return time.Since(at)
}

func (b *apiBox) wait(s terminal.State) {
	for v := range b.views {
		if v.State == s {
			return
		}
	}
}

// BenchmarkPressWithPCs compares how long a key takes from going down to the thanks while nobody asks the box and while fifty PCs
// do, alternating in one run. The ratio is what it shows; times depend on the disk.
func BenchmarkPressWithPCs(b *testing.B) {
	box := newAPIBox(b)
	box.wait(terminal.Idle)
	var quiet, loaded []time.Duration
	var requests int64
	var under time.Duration
	for b.Loop() {
		for range 50 {
			quiet = append(quiet, box.press())
		}
		status, answer, err := box.call(context.Background(), 0, "POST", "/v1/visits", `{"subjects":["staff"]}`, "")
		if err != nil || status != http.StatusCreated {
			b.Fatal(status, answer, err)
		}
		visit := answer[len(`{"id":"`) : len(`{"id":"`)+16]
		box.wait(terminal.Asking)
		stop := box.load(visit)
		begun := time.Now()
		time.Sleep(300 * time.Millisecond) // until all of them have come
		for range 50 {
			loaded = append(loaded, box.press())
		}
		under += time.Since(begun)
		requests += stop()
	}
	for _, q := range []struct {
		name string
		at   int // percent
	}{{"p50", 50}, {"p95", 95}} {
		slices.Sort(quiet)
		slices.Sort(loaded)
		alone, with := quiet[len(quiet)*q.at/100], loaded[len(loaded)*q.at/100]
		b.ReportMetric(float64(alone.Microseconds()), "µs-quiet-"+q.name)
		b.ReportMetric(float64(with.Microseconds()), "µs-50PCs-"+q.name)
		b.ReportMetric(float64(with)/float64(alone), "ratio-"+q.name)
	}
	b.ReportMetric(float64(requests)/under.Seconds(), "requests/s")
	b.ReportMetric(0, "ns/op")
}

// TestFiftyPCs lets fifty PCs open visits at once, each sending its request twice, and follow them. Each visit that was answered
// is in the log once, with one outcome; the last one stands, and all others were superseded.
func TestFiftyPCs(t *testing.T) {
	b := newAPIBox(t)
	go func() {
		for range b.views {
			continue
		}
	}()
	const each = 3
	var mu sync.Mutex
	opened := make(map[string]int) // how often an id was answered
	outcomes := make(map[string]int)
	var running sync.WaitGroup
	for pc := range b.tokens {
		running.Go(func() {
			for n := range each {
				for range 2 {
					status, answer, err := b.call(t.Context(), pc, "POST", "/v1/visits", `{"subjects":["staff"],"wait_sec":1}`, fmt.Sprint("visit-", n))
					if err != nil || status != http.StatusCreated {
						t.Errorf("PC %d: %d %s %v", pc, status, answer, err)
						return
					}
					mu.Lock()
					opened[answer]++
					mu.Unlock()
					if id := answer[len(`{"id":"`) : len(`{"id":"`)+16]; n == each-1 {
						_, end, err := b.call(t.Context(), pc, "GET", "/v1/visits/"+id+"?wait=30s", "", "")
						if err != nil {
							t.Errorf("PC %d: %v", pc, err)
						}
						mu.Lock()
						outcomes[end[strings.Index(end, "outcome"):]]++
						mu.Unlock()
					}
				}
			}
		})
	}
	running.Wait()
	if len(opened) != each*manyPCs {
		t.Errorf("%d visits were answered, want %d", len(opened), each*manyPCs)
	}
	visits, ends := make(map[rating.VisitID]int), make(map[rating.Outcome]int)
	err := b.db.Tail(func(seq uint64, raw []byte) bool {
		r, err := rating.DecodeRecord(raw)
		if err != nil {
			t.Errorf("record %d: %v", seq, err)
		}
		switch r.Kind {
		case rating.KindVisit:
			visits[r.Visit.ID]++
		case rating.KindOutcome:
			ends[r.Outcome.Outcome]++
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(visits) != each*manyPCs || ends[rating.Superseded] != each*manyPCs-1 || ends[rating.TimedOut] != 1 {
		t.Errorf("the log has %d visits, which ended as %v", len(visits), ends)
	}
	for id, n := range visits {
		if n != 1 || opened[`{"id":"`+id.String()+`"}`] != 2 {
			t.Errorf("visit %s is %d times in the log and was answered %d times", id, n, opened[`{"id":"`+id.String()+`"}`])
		}
	}
	if bytes.Contains(fmt.Append(nil, outcomes), []byte("level")) || len(outcomes) > 2 {
		t.Errorf("the PCs were told %v", outcomes)
	}
}
