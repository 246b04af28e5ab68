package hallyear

import (
	"context"
	"fmt"

	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// box is an evaluator with its log, from which records go to the centre when it is online.
type box struct {
	id      rating.DeviceID
	window  rating.Window
	records [][]byte
	head    rating.Hash
	sent    int   // records that the centre has
	offline int64 // until then nothing is sent
	boot    uint32
	started int64    // true time of the last start
	unset   int64    // until then its clock is not set
	waits   []func() // what the centre learns when the next records arrive
}

const epoch = rating.Epoch(7)

func newBox(n int) *box {
	id := rating.DeviceID(fmt.Sprintf("bx-%03d", n))
	return &box{id: id, head: rating.Genesis(id, epoch), boot: 1,
		window: rating.Window{ID: fmt.Sprintf("A%03d", n), Name: fmt.Sprintf("%d号窗口", n), Hall: "市民中心", Area: area, Generation: 1}}
}

// stamp returns what the box's clocks say at a true time. Before its clock is set it says a time years ago.
func (b *box) stamp(now int64) rating.Stamp {
	s := rating.Stamp{Boot: b.boot, Mono: now - b.started, Wall: now, Synced: true}
	if now < b.unset {
		s.Wall, s.Synced = now-5*365*24*60*60_000, false
	}
	return s
}

func (c *centre) record(b *box, body rating.Body) (seq uint64) {
	c.t.Helper()
	seq = uint64(len(b.records)) + 1
	raw, err := rating.Record{V: 1, Device: b.id, Epoch: epoch, Seq: seq, Prev: b.head, Body: body}.Encode()
	must(c.t, err)
	b.records, b.head = append(b.records, raw), rating.HashOf(raw)
	return seq
}

// hand hands records over, some of them again.
func (c *centre) hand(b *box, again bool) {
	c.t.Helper()
	first := b.sent
	if again {
		first = max(0, first-3)
	}
	for first < len(b.records) {
		last := min(first+200, len(b.records))
		_, err := c.journal.Append(context.Background(), journal.Entry{Kind: journal.Batch, Source: string(b.id), Epoch: epoch,
			First: uint64(first) + 1,
			Parts: b.records[first:last], Received: c.now().UnixMilli()}, nil)
		must(c.t, err)
		first = last
	}
	b.sent = len(b.records)
	for _, learn := range b.waits {
		learn()
	}
	b.waits = nil
}
