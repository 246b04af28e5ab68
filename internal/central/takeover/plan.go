package takeover

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// plan is in which order what is to be entered goes in, in a file of its own: books of many millions of records do not fit the memory.
type plan struct {
	db   *db.DB
	path string
	rows [][]any // that wait to be written
	n    int64
}

// kinds of items, in the order of those received at the same millisecond.
const (
	signedItem   = iota // records that a signature covers
	unsignedItem        // records that none does
	phoneItem           // a rating by phone
)

// item is something to be entered.
type item struct {
	n, received, kind int64
	device            rating.DeviceID
	epoch             string
	first             uint64
	count             int
	fork              bool   // of an unsigned item: it is in the table fork
	name              []byte // the signature, the hash of a single fork, or the name of a sending
}

func itemColumns() []string {
	return []string{"n", "received", "kind", "device", "epoch", "first", "count", "fork", "name"}
}

// newPlan begins an empty plan beside the old books. One that an interruption has left is made anew.
func newPlan(ctx context.Context, path string) (p *plan, err error) {
	p = &plan{path: path + ".plan"}
	if err := p.remove(); err != nil {
		return nil, err
	}
	if p.db, err = db.Open(ctx, "sqlite:"+p.path); err != nil {
		return nil, err
	}
	err = p.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `CREATE TABLE item (n INTEGER NOT NULL, received INTEGER NOT NULL, kind INTEGER NOT NULL,
			device TEXT NOT NULL,
			epoch TEXT NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, fork INTEGER NOT NULL, name BLOB NOT NULL,
			PRIMARY KEY (received, kind, n)) WITHOUT ROWID`)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *plan) close() error { return errors.Join(p.db.Close(), p.remove()) }

func (p *plan) remove() error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(p.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// add plans an item.
func (p *plan) add(ctx context.Context, x item) error {
	const together = 10_000
	p.n++
	fork := int64(0)
	if x.fork {
		fork = 1
	}
	p.rows = append(p.rows, []any{p.n, x.received, x.kind, string(x.device), x.epoch, int64(x.first), int64(x.count), fork,
		append([]byte{}, x.name...)})
	if len(p.rows) < together {
		return nil
	}
	return p.flush(ctx)
}

func (p *plan) flush(ctx context.Context) error {
	rows := p.rows
	p.rows = nil
	return p.db.Write(ctx, func(tx *db.Tx) error { return tx.Insert(ctx, "item", itemColumns(), rows) })
}

// each calls do with the items in the order of receipt.
func (p *plan) each(ctx context.Context, do func(item) error) error {
	const step = 500
	last := item{received: -1 << 62}
	for {
		some, err := db.Query(ctx, p.db, func(s db.Scanner) (x item, err error) {
			return x, s.Scan(&x.n, &x.received, &x.kind, &x.device, &x.epoch, &x.first, &x.count, &x.fork, &x.name)
		}, `SELECT n, received, kind, device, epoch, first, count, fork, name FROM item WHERE (received, kind, n) > ($1, $2, $3)
			ORDER BY received, kind, n LIMIT $4`,
			last.received, last.kind, last.n, step)
		if err != nil {
			return err
		}
		for _, x := range some {
			if err := do(x); err != nil {
				return err
			}
			last = x
		}
		if len(some) < step {
			return nil
		}
	}
}

// planLog plans what is to be entered of one log, in which the memory holds no more than its signatures' places.
func (t *taking) planLog(l log) error {
	proofs, err := t.proofs(l)
	if err != nil {
		return err
	}
	forks := make(map[rating.Hash]bool) // that a signature covers
	kept := proofs[:0]
	for _, p := range proofs {
		if p.unkept {
			continue
		}
		kept = append(kept, p)
		for _, h := range p.forks {
			forks[h] = true
		}
		x := item{received: p.received, kind: signedItem, device: l.device, epoch: l.epoch, first: p.first, count: p.count, name: p.signature}
		if err := t.plan.add(t.ctx, x); err != nil {
			return err
		}
	}
	c := covering{proofs: kept}
	err = t.unsigned(l, "SELECT seq, hash, received_at FROM record WHERE device = $1 AND epoch = $2 ORDER BY seq", false,
		func(m mark) bool { return c.covers(m) || forks[m.hash] })
	if err != nil {
		return err
	}
	return t.unsigned(l, "SELECT seq, hash, received_at FROM fork WHERE device = $1 AND epoch = $2 ORDER BY seq", true,
		func(m mark) bool { return forks[m.hash] })
}

// covering tells whether a signature covers a record of the table record. It is asked by ascending numbers.
type covering struct {
	proofs []proof // by first
	active []proof
}

func (c *covering) covers(m mark) bool {
	for len(c.proofs) > 0 && c.proofs[0].first <= m.seq {
		c.active, c.proofs = append(c.active, c.proofs[0]), c.proofs[1:]
	}
	left, covered := c.active[:0], false
	for _, p := range c.active {
		if p.last() < m.seq {
			continue
		}
		left = append(left, p)
		if _, forked := p.forks[m.seq]; !forked {
			covered = true
		}
	}
	c.active = left
	return covered
}

// unsigned plans the records that no signature covers, neighbours that came together as one item.
func (t *taking) unsigned(l log, text string, fork bool, signed func(mark) bool) (err error) {
	rows, err := t.old.QueryContext(t.ctx, text, string(l.device), l.epoch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var x item
	put := func() error {
		if x.count == 0 {
			return nil
		}
		if x.count > 1 {
			x.name = nil
		}
		err := t.plan.add(t.ctx, x)
		x = item{}
		return err
	}
	for rows.Next() {
		m, err := scanMark(rows)
		if err != nil {
			return err
		}
		t.seen()
		goesOn := x.count > 0 && x.count < wire.MaxBatchRecords && m.seq == x.first+uint64(x.count) && m.received == x.received
		isSigned := signed(m)
		if isSigned || !goesOn {
			if err := put(); err != nil {
				return err
			}
		}
		switch {
		case isSigned:
		case goesOn:
			x.count++
		default:
			x = item{received: m.received, kind: unsignedItem, device: l.device, epoch: l.epoch, first: m.seq, count: 1, fork: fork,
				name: append([]byte{}, m.hash[:]...)}
		}
	}
	return errors.Join(rows.Err(), put())
}

// planPhones plans the ratings by phone, each sending as one.
func (t *taking) planPhones() (err error) {
	rows, err := t.old.QueryContext(t.ctx, "SELECT device, submission, min(at) FROM evaluation WHERE seq = 0 GROUP BY device, submission "+
		"ORDER BY min(cursor)")
	if err != nil {
		return fmt.Errorf("ratings by phone: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		x := item{kind: phoneItem}
		if err := rows.Scan(&x.device, &x.name, &x.received); err != nil {
			return fmt.Errorf("ratings by phone: %w", err)
		}
		if err := t.plan.add(t.ctx, x); err != nil {
			return err
		}
	}
	return rows.Err()
}

// forksOf reads which records of a proof became forks: for each its place in the batch and its hash.
func forksOf(first uint64, b []byte) map[uint64]rating.Hash {
	const entry = 2 + len(rating.Hash{})
	if len(b) < entry {
		return nil
	}
	all := make(map[uint64]rating.Hash, len(b)/entry)
	for ; len(b) >= entry; b = b[entry:] {
		all[first+uint64(binary.BigEndian.Uint16(b))] = rating.Hash(b[2:entry])
	}
	return all
}
