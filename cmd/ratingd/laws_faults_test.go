package main

import (
	"context"
	"os"

	"pgregory.net/rapid"

	"haochaping/internal/central/journal"
)

func (l *laws) crash(t *rapid.T) { l.start(t, func(string) {}) }

func (l *laws) reboot(t *rapid.T) {
	l.reset(t)
	l.start(t, func(string) {})
	l.happened["reboot"]++
}

// damage spoils what holds the file together while the box is off. The records themselves are all there.
func (l *laws) damage(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rarely") != 0 {
		return
	}
	metas := rapid.IntRange(1, 2).Draw(t, "metas")
	l.start(t, func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		clear(b[:metas*4096])
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	l.happened["damage"]++
}

func (l *laws) setClock(t *rapid.T) {
	before := l.clk.now()
	if !l.synced && rapid.Bool().Draw(t, "network sets it") {
		l.synced = true
	} else if !l.synced {
		l.offset += rapid.SampledFrom([]int64{-7200_000, 86_400_000}).Draw(t, "steps by")
	}
	if e, ok := clockWasSet(before, l.clk.now()); ok {
		l.apply(t, e, "")
	}
}

// send delivers a batch, perhaps one that is delivered already, and perhaps the acknowledgement comes through.
func (l *laws) send(t *rapid.T) {
	after := l.db.Released()
	if pending := l.db.Last() - after; pending > 1 {
		after += rapid.Uint64Range(0, pending-1).Draw(t, "after")
	}
	first, records, err := l.db.Pending(after, rapid.IntRange(1, 20).Draw(t, "records"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) == 0 {
		return
	}
	l.truth += 5
	res, err := l.books.Journal.Append(context.Background(), l.batch(first, records), nil)
	if err != nil || len(res.Quarantined) > 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	l.acks[l.db.Epoch()] = max(l.acks[l.db.Epoch()], res.Ack)
	if rapid.Bool().Draw(t, "the acknowledgement is lost") {
		l.happened["ack lost"]++
		return
	}
	l.acknowledge(t)
}

// batch returns records as the journal enters them.
func (l *laws) batch(first uint64, records [][]byte) journal.Entry {
	return journal.Entry{Kind: journal.Batch, Source: "law-box", Received: l.truth, Epoch: l.db.Epoch(), First: first,
		Released: l.db.Released(), Parts: records}
}

// acknowledge delivers the newest acknowledgement, or an old one.
func (l *laws) acknowledge(t *rapid.T) {
	through := l.acks[l.db.Epoch()]
	if through > 0 {
		through -= rapid.Uint64Range(0, min(3, through-1)).Draw(t, "older by")
	}
	if err := l.db.Acknowledge(l.db.Epoch(), min(through, l.db.Last())); err != nil {
		t.Fatal(err)
	}
	if l.db.Released() > l.acks[l.db.Epoch()] {
		t.Fatalf("released through %d, the centre has acknowledged %d", l.db.Released(), l.acks[l.db.Epoch()])
	}
}

// settle lets everything arrive.
func (l *laws) settle(t *rapid.T) {
	l.wait(t, 60_000)
	for l.db.Released() < l.db.Last() {
		first, records, err := l.db.Pending(0, 500, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		res, err := l.books.Journal.Append(context.Background(), l.batch(first, records), nil)
		if err == nil {
			err = l.db.Acknowledge(l.db.Epoch(), res.Ack)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
