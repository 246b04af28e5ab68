package windowapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"haochaping/internal/rating"
)

// stalledTerminal is a window whose disk takes what waits for it when flow is closed, whether or not somebody still asks.
type stalledTerminal struct {
	*fakeTerminal
	flow chan struct{}
}

func (s stalledTerminal) OpenVisit(ctx context.Context, v rating.Visit) (rating.VisitID, error) {
	var id rating.VisitID
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-s.flow
		id, err = s.fakeTerminal.OpenVisit(context.WithoutCancel(ctx), v)
	}()
	select {
	case <-done:
		return id, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// stall returns a window whose disk stalls until release is called, and a function that opens a visit under a key.
func stall(t *testing.T) (terminal *fakeTerminal, release func(), post func(ctx context.Context, key string) *httptest.ResponseRecorder) {
	path := filepath.Join(t.TempDir(), TokensFile)
	token, _, err := AddToken(path, "PC A12", strings.NewReader(strings.Repeat("x", 64)), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	j := NewJournal(nil)
	terminal = newFakeTerminal(j)
	s := stalledTerminal{terminal, make(chan struct{})}
	h := New(Config{Terminal: s, Journal: j, Tokens: NewTokens(path, log), Hosts: []string{"box"}, Now: time.Now, Logger: log})
	return terminal, func() { close(s.flow) }, func(ctx context.Context, key string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(ctx, "POST", "http://box/v1/visits", strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
}

// TestIdempotencyKeyWhileTheDiskStalls asks again with the key of a request that was given up because the disk stalled: there is
// one visit, and both get it.
func TestIdempotencyKeyWhileTheDiskStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal, release, post := stall(t)
		begun := time.Now()
		if w := post(t.Context(), "k1"); w.Code != http.StatusInternalServerError || time.Since(begun) > time.Minute {
			t.Errorf("%d after %s: %s", w.Code, time.Since(begun), w.Body)
		}
		again := make(chan *httptest.ResponseRecorder, 1)
		go func() { again <- post(t.Context(), "k1") }()
		synctest.Wait()
		release()
		w := <-again
		if w.Code != http.StatusCreated || w.Header().Get("Location") != "/v1/visits/0000000000000001" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		synctest.Wait()
		if len(terminal.opened) != 1 {
			t.Errorf("%d visits were opened under one key", len(terminal.opened))
		}
	})
}

// TestShutdownWhileAKeyIsBusy holds that who waits for another request with its key is not told, by an empty 200, that all is well.
func TestShutdownWhileAKeyIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, release, post := stall(t)
		first, second := make(chan *httptest.ResponseRecorder, 1), make(chan *httptest.ResponseRecorder, 1)
		go func() { first <- post(t.Context(), "k1") }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { second <- post(ctx, "k1") }()
		synctest.Wait()
		cancel()
		if w := <-second; w.Code != http.StatusConflict {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		release()
		if w := <-first; w.Code != http.StatusCreated {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// A PC that asks on and on while the disk stalls does not fill the memory, and is heard again afterwards.
func TestVisitsThatWaitForTheDiskAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal, release, post := stall(t)
		for i := range maxOpens {
			if w := post(t.Context(), strconv.Itoa(i)); w.Code != http.StatusInternalServerError {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		if w := post(t.Context(), "one-more"); w.Code != http.StatusTooManyRequests {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		release()
		synctest.Wait()
		if w := post(t.Context(), "one-more"); w.Code != http.StatusCreated || len(terminal.opened) != maxOpens+1 {
			t.Errorf("%d %s after %d visits", w.Code, w.Body, len(terminal.opened))
		}
	})
}
