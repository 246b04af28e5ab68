package provinceday

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"haochaping/internal/central/journal"
	"haochaping/sync/wire"
)

// together is how many batches are checked by one sum, as ingest does.
const together = 32

// waiting is a batch that is about to be handed over.
type waiting struct {
	box *box
	n   int
	visited
}

// handed plays the day of some boxes in the order of their visits, and hands each batch to the journal as ingest does: read, its signature
// checked with others, and answered after the commit.
func (p *province) handed(ctx context.Context, some []*box) error {
	var under sync.WaitGroup
	defer under.Wait()
	var ready []waiting
	for n := range p.visits {
		for _, b := range some {
			due := p.due(b, n)
			if len(ready) == together || len(ready) > 0 && !p.passed(due) {
				if err := p.hand(ctx, ready, &under); err != nil {
					return err
				}
				ready = nil
			}
			if err := p.sleep(ctx, due); err != nil {
				return err
			}
			v, err := b.visit(n, p.now())
			if err != nil {
				return err
			}
			ready = append(ready, waiting{b, n, v})
		}
	}
	return p.hand(ctx, ready, &under)
}

func (p *province) hand(ctx context.Context, all []waiting, under *sync.WaitGroup) error {
	entries, signed := make([]journal.Entry, len(all)), make([]journal.Signed, len(all))
	for i, w := range all {
		b, err := wire.DecodeBatch(w.payload)
		if err != nil {
			return err
		}
		hashes, key := b.Hashes(), w.box.public()
		signed[i] = journal.Signed{Key: key, Text: wire.BatchText(b.Device, b.Epoch, b.First, b.Released, hashes), Signature: b.Signature}
		entries[i] = journal.Entry{Kind: journal.Batch, Source: string(b.Device), Received: p.now().UnixMilli(), Key: key, Signature: b.Signature,
			Epoch: b.Epoch, First: b.First, Released: b.Released, Parts: b.Records, Hashes: hashes}
	}
	for i, good := range journal.CheckSignatures(signed) {
		if !good {
			return errors.New("the signature does not verify")
		}
		e, w := entries[i], all[i]
		under.Add(1)
		if err := p.journal.Submit(ctx, e, func(r journal.Receipt, err error) {
			defer under.Done()
			if err == nil && r.Ack != e.Last() {
				err = fmt.Errorf("%s: %+v, want %d acknowledged", e.Source, r, e.Last())
			}
			if err == nil {
				err = p.took(w.box, w.n, w.visited)
			}
			p.fail(err)
		}); err != nil {
			under.Done()
			return err
		}
	}
	return nil
}
