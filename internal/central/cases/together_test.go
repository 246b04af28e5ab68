package cases

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/rating"
)

// TestTogether: each request learns of its own cases, by a read that began after it came, and many share one.
func TestTogether(t *testing.T) {
	var reads, came atomic.Int64
	hold := make(chan struct{})
	x := &together{read: func(_ context.Context, keys []rating.CaseKey) (map[rating.CaseKey]books.Case, error) {
		if reads.Add(1) == 1 {
			<-hold
		}
		out := make(map[rating.CaseKey]books.Case)
		for _, k := range keys {
			if k.Project == "bad" {
				return nil, errors.New("away")
			}
			out[k] = books.Case{Key: k, Contact: came.Load()}
		}
		return out, nil
	}}
	key := func(i int) rating.CaseKey { return rating.CaseKey{Area: "620100000000", Project: fmt.Sprint(i)} }
	const many = 50
	var asked sync.WaitGroup
	wait := func(what string, yes func() bool) {
		for end := time.Now().Add(time.Minute); !yes(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not seen: %s", what)
			}
		}
	}
	asked.Go(func() { _, _ = x.cases(t.Context(), []rating.CaseKey{key(0)}) })
	wait("the first read", func() bool { return reads.Load() == 1 })
	for i := range many {
		asked.Go(func() {
			known, err := x.cases(t.Context(), []rating.CaseKey{key(i), key(i + many)})
			if err != nil || len(known) != 2 || known[key(i)].Key != key(i) {
				t.Errorf("%d: %v, %v", i, known, err)
			}
		})
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := x.cases(gone, []rating.CaseKey{key(1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone is answered %v", err)
	}
	wait("all others", func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return len(x.waiting) == many+1
	})
	came.Store(7)
	close(hold)
	asked.Wait()
	if n := reads.Load(); n != 2 {
		t.Errorf("%d requests were read for by %d reads", many+2, n)
	}
	if known, err := x.cases(t.Context(), []rating.CaseKey{key(3)}); err != nil || known[key(3)].Contact != 7 {
		t.Errorf("what was written before is %v, %v", known, err)
	}
	if _, err := x.cases(t.Context(), []rating.CaseKey{{Project: "bad"}}); err == nil {
		t.Error("books that are away say something")
	}
}
