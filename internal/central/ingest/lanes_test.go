package ingest

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// slow is a journal that answers when it is told to.
type slow struct {
	taker
	mu      sync.Mutex
	waiting []func(journal.Receipt, error) // guarded by mu
	given   chan struct{}
}

func (k *slow) Submit(_ context.Context, _ journal.Entry, done func(journal.Receipt, error)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting = append(k.waiting, done)
	k.given <- struct{}{}
	return nil
}

// A session that has ended makes room for the next one: at once where a batch waits in a lane, and as soon as the journal has answered
// where it has it. Until then the bytes of what it has still count.
func TestASessionThatHasEndedMakesRoom(t *testing.T) {
	const batches = 40
	books := &slow{taker: taker{t: t}, given: make(chan struct{}, batches)}
	in, err := New(Config{Broker: "mqtt://localhost", Journal: books, Fleet: books, Key: key(9), Now: time.Now, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	l := &line{in: in, lost: make(chan error, 1)}
	l.ctx, l.stop = context.WithCancel(t.Context())
	defer l.stop()
	l.takers = newTakers(in, l)
	l.takers.start()
	total := int64(0)
	var giving sync.WaitGroup
	for i := range batches {
		b := wire.Batch{Device: "box-1", Epoch: rating.Epoch(i + 1), First: 1, Records: [][]byte{make([]byte, 1000)}}
		copy(b.Records[0], `"`+rand.Text())
		for k := 27; k < 999; k++ {
			b.Records[0][k] = 'x'
		}
		b.Records[0][999] = '"'
		b.Sign(key(1))
		payload, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		total += int64(len(payload))
		giving.Go(func() { l.takers.give(l.ctx, work{&message{payload: payload}, wire.RecordsChannel, "box-1"}) })
	}
	for range 3 {
		<-books.given
	}
	l.stop()
	giving.Wait()
	l.working.Wait()
	l.takers.clear(l.ctx)
	books.mu.Lock()
	held := books.waiting
	books.mu.Unlock()
	if len(held) == 0 || in.underWay.TryAcquire(maxBytesUnderWay) {
		t.Fatalf("the journal has %d batches, and their bytes do not count", len(held))
	}
	each := total / batches
	if !in.underWay.TryAcquire(maxBytesUnderWay - int64(len(held)+1)*each) {
		t.Errorf("more counts than the %d batches that the journal has", len(held))
	} else {
		in.underWay.Release(maxBytesUnderWay - int64(len(held)+1)*each)
	}
	for _, done := range held {
		done(journal.Receipt{}, journal.ErrUnavailable)
	}
	if !in.underWay.TryAcquire(maxBytesUnderWay) {
		t.Error("the journal has answered everything, and something still counts")
	}
}
