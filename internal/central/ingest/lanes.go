package ingest

import (
	"context"
	"hash/maphash"
	"runtime"
	"sync"

	"haochaping/internal/central/journal"
)

const (
	// maxUnderWay bounds the batches that are being taken, of all devices.
	maxUnderWay = 1024
	// laneLength bounds those that wait for one lane.
	laneLength = 64
)

// takers read and verify batches and hand them to the journal, and answer them once they are committed.
type takers struct {
	in      *Ingest
	line    *line
	seed    maphash.Seed
	lanes   []chan work
	room    chan struct{} // a place for each batch under way
	answers chan believed // has room for all of them, so that the journal never waits
	acks    acks
}

// newTakers starts a lane for each core, and as many that answer. They end with the line.
func newTakers(in *Ingest, l *line, working *sync.WaitGroup) *takers {
	t := &takers{in: in, line: l, seed: maphash.MakeSeed(), room: make(chan struct{}, maxUnderWay), answers: make(chan believed, maxUnderWay)}
	for range max(2, runtime.GOMAXPROCS(0)) {
		lane := make(chan work, laneLength)
		t.lanes = append(t.lanes, lane)
		working.Go(func() { t.take(l.ctx, lane) })
		working.Go(func() { t.answer(l.ctx) })
	}
	return t
}

// give hands a batch to the lane of its device.
func (t *takers) give(ctx context.Context, w work) {
	select {
	case t.lanes[maphash.String(t.seed, string(w.device))%uint64(len(t.lanes))] <- w:
	case <-ctx.Done():
	}
}

// take is one lane.
func (t *takers) take(ctx context.Context, lane <-chan work) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-lane:
			if err := t.one(ctx, w); err != nil && ctx.Err() == nil {
				t.line.fail(booksError{err})
			}
		}
	}
}

// one hands a batch to the journal, if it is believed. An error is the database's.
func (t *takers) one(ctx context.Context, w work) error {
	taken, d, why, err := t.in.believe(ctx, w)
	if err != nil {
		return err
	}
	if why != "" {
		t.in.refuse(w, why, taken.at)
		w.message.Ack()
		return nil
	}
	select {
	case t.room <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	err = t.in.cfg.Journal.Submit(ctx, taken.entry(d), func(r journal.Receipt, err error) {
		taken.receipt, taken.err = r, err
		t.answers <- taken
	})
	if err == nil {
		return nil
	}
	<-t.room
	if ctx.Err() != nil {
		return nil
	}
	t.in.refuse(w, err.Error(), taken.at) // no transaction has seen it, so the batch itself is what cannot be
	w.message.Ack()
	return nil
}

// answer answers what is committed.
func (t *takers) answer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-t.answers:
			<-t.room
			if err := t.in.answer(b, &t.acks); err != nil {
				t.line.fail(err)
			}
		}
	}
}
