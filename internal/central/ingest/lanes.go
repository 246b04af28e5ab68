package ingest

import (
	"context"
	"hash/maphash"
	"runtime"
	"time"

	"haochaping/internal/central/journal"
)

const (
	// maxUnderWay and maxBytesUnderWay bound the batches that are being taken, of all devices, by number and by the bytes of their payloads. A
	// batch takes up to three times as much while the journal writes it.
	maxUnderWay      = 512
	maxBytesUnderWay = 8 << 20
	// laneLength bounds those that wait for one lane.
	laneLength = 64
	// together is how many of them are checked together at most, which costs each a third of what it costs alone.
	together = 32
	// gatheringBatches is how long a lane that is busy waits for more of them. A box waits a second and more for an answer.
	gatheringBatches = 4 * time.Millisecond
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

// take is one lane. What waits in it is checked together.
func (t *takers) take(ctx context.Context, lane <-chan work) {
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-lane:
			if len(lane) < together && time.Since(last) < 2*gatheringBatches {
				time.Sleep(gatheringBatches)
			}
			last = time.Now()
			if err := t.some(ctx, waiting(w, lane)); err != nil && ctx.Err() == nil {
				t.line.fail(booksError{err})
			}
		}
	}
}

// waiting returns a batch and those that wait behind it, at most together.
func waiting(first work, lane <-chan work) []work {
	all := []work{first}
	for len(all) < together {
		select {
		case w := <-lane:
			all = append(all, w)
		default:
			return all
		}
	}
	return all
}

// some hands batches to the journal in their order, as far as they are believed. An error is the database's.
func (t *takers) some(ctx context.Context, all []work) error {
	read, signed := make([]believed, len(all)), make([]journal.Signed, 0, len(all))
	reasons := make([]string, len(all))
	for i, w := range all {
		var err error
		if read[i], reasons[i], err = t.in.read(ctx, w); err != nil {
			for _, w := range all {
				t.drop(w)
			}
			return err
		}
		if reasons[i] == "" {
			signed = append(signed, read[i].signed())
		}
	}
	good := journal.CheckSignatures(signed)
	for i, b := range read {
		if reasons[i] == "" {
			if !good[0] {
				reasons[i] = "the signature is not that of the device's key"
			}
			good = good[1:]
		}
		t.one(ctx, b, reasons[i])
	}
	return nil
}

// one hands a batch to the journal, unless there is a reason not to believe it.
func (t *takers) one(ctx context.Context, b believed, why string) {
	if why != "" {
		t.in.refuse(b.work, why, b.at)
		t.dismiss(b.work)
		return
	}
	select {
	case t.room <- struct{}{}:
	case <-ctx.Done():
		t.drop(b.work)
		return
	}
	err := t.in.cfg.Journal.Submit(ctx, b.entry(), func(r journal.Receipt, err error) {
		b.receipt, b.err = r, err
		t.answers <- b
		t.clear(ctx)
	})
	if err == nil {
		return
	}
	<-t.room
	if ctx.Err() != nil {
		t.drop(b.work)
		return
	}
	t.in.refuse(b.work, err.Error(), b.at) // no transaction has seen it, so the batch itself is what cannot be
	t.dismiss(b.work)
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
