package ingest

import (
	"context"
	"hash/maphash"
	"runtime"

	"haochaping/internal/central/journal"
)

const (
	// maxUnderWay and maxBytesUnderWay bound the batches that are being taken, of all devices, by number and by the bytes of their payloads. A
	// batch takes up to three times as much while the journal writes it.
	maxUnderWay      = 1024
	maxBytesUnderWay = 8 << 20
	// laneLength bounds those that wait for one lane.
	laneLength = 64
)

// takers read and verify batches and hand them to the journal, and answer them once they are committed.
type takers struct {
	in      *Ingest
	line    *line
	seed    maphash.Seed
	lanes   []chan work
	room    chan struct{} // a place for each batch that the journal has
	answers chan believed // has room for all of them, so that the journal never waits
	acks    acks
}

// newTakers returns takers that do nothing before start.
func newTakers(in *Ingest, l *line) *takers {
	return &takers{in: in, line: l, seed: maphash.MakeSeed(), room: make(chan struct{}, maxUnderWay),
		answers: make(chan believed, maxUnderWay)}
}

// start starts a lane for each core, and as many that answer. They end with the line.
func (t *takers) start() {
	for range max(2, runtime.GOMAXPROCS(0)) {
		lane := make(chan work, laneLength)
		t.lanes = append(t.lanes, lane)
		t.line.working.Go(func() { t.take(t.line.ctx, lane) })
		t.line.working.Go(func() { t.answer(t.line.ctx) })
	}
}

// give hands a batch to the lane of its device. It waits while too much is under way.
func (t *takers) give(ctx context.Context, w work) {
	if t.in.underWay.Acquire(ctx, size(w)) != nil {
		return // the session has ended
	}
	select {
	case t.lanes[maphash.String(t.seed, string(w.device))%uint64(len(t.lanes))] <- w:
	case <-ctx.Done():
		t.drop(w)
	}
	t.clear(ctx)
}

// size returns what a batch takes of the bytes that may be under way.
func size(w work) int64 { return int64(len(w.message.Payload())) }

// drop makes room for others in the place of a batch.
func (t *takers) drop(w work) { t.in.underWay.Release(size(w)) }

// dismiss drops a batch of which the broker is told that it need not come again.
func (t *takers) dismiss(w work) {
	w.message.Ack()
	t.drop(w)
}

// clear drops what is left when the session has ended. Whoever adds something calls it afterwards, since nobody may be there any more.
func (t *takers) clear(ctx context.Context) {
	if ctx.Err() == nil {
		return
	}
	for _, lane := range t.lanes {
		for more := true; more; {
			select {
			case w := <-lane:
				t.drop(w)
			default:
				more = false
			}
		}
	}
	for {
		select {
		case b := <-t.answers:
			t.drop(b.work)
		default:
			return
		}
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
		t.drop(w)
		return err
	}
	if why != "" {
		t.in.refuse(w, why, taken.at)
		t.dismiss(w)
		return nil
	}
	select {
	case t.room <- struct{}{}:
	case <-ctx.Done():
		t.drop(w)
		return nil
	}
	err = t.in.cfg.Journal.Submit(ctx, taken.entry(d), func(r journal.Receipt, err error) {
		taken.receipt, taken.err = r, err
		t.answers <- taken
		t.clear(ctx)
	})
	if err == nil {
		return nil
	}
	<-t.room
	if ctx.Err() != nil {
		t.drop(w)
		return nil
	}
	t.in.refuse(w, err.Error(), taken.at) // no transaction has seen it, so the batch itself is what cannot be
	t.dismiss(w)
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
				t.drop(b.work)
				t.line.fail(err)
				continue
			}
			t.dismiss(b.work)
		}
	}
}
