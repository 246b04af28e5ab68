package takeover

import (
	"bytes"
	"fmt"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// proof is a signature that was kept, with what it covers. A plan needs less of it.
type proof struct {
	first, released uint64
	count           int
	signature, key  []byte
	unkept          bool                   // nothing was kept
	forks           map[uint64]rating.Hash // records of it that became forks
	received        int64
}

func (p proof) last() uint64 { return p.first + uint64(p.count) - 1 }

// mark is a record that was kept, without its bytes.
type mark struct {
	seq      uint64
	hash     rating.Hash
	received int64
}

func scanMark(s db.Scanner) (m mark, err error) {
	var hash []byte
	if err := s.Scan(&m.seq, &hash, &m.received); err != nil {
		return m, err
	}
	copy(m.hash[:], hash)
	return m, nil
}

// proven enters the records that a signature covers. If it does not verify, or not all of them are here, those that are go in without.
func (t *taking) proven(l log, p proof) error {
	records, err := t.records(l, p.first, p.last(), false)
	if err != nil {
		return err
	}
	if len(p.forks) > 0 {
		forks, err := t.records(l, p.first, p.last(), true)
		if err != nil {
			return err
		}
		for seq, h := range p.forks {
			delete(records, seq)
			for _, raw := range forks[seq] {
				if rating.HashOf(raw) == h {
					records[seq] = [][]byte{raw}
				}
			}
		}
	}
	b := wire.Batch{Device: l.device, Epoch: l.parsed, First: p.first, Released: p.released, Signature: p.signature}
	for seq := p.first; seq <= p.last() && len(records[seq]) > 0; seq++ {
		b.Records = append(b.Records, records[seq][0])
	}
	signed := journal.Signed{Key: p.key, Text: b.SignedText(), Signature: b.Signature}
	if len(b.Records) == p.count && journal.CheckSignatures([]journal.Signed{signed})[0] {
		return t.batch(b, p.key, p.received)
	}
	t.Broken = append(t.Broken, fmt.Sprintf("%s, epoch %s: the signature over %d to %d", l.device, l.epoch, p.first, p.last()))
	for seq := p.first; seq <= p.last(); seq++ {
		for _, raw := range records[seq] {
			if err := t.batch(wire.Batch{Device: l.device, Epoch: l.parsed, First: seq, Records: [][]byte{raw}}, nil, p.received); err != nil {
				return err
			}
		}
	}
	return nil
}

// unproven enters records that no signature covers.
func (t *taking) unproven(l log, x item) error {
	last := x.first + uint64(x.count) - 1
	records, err := t.records(l, x.first, last, x.fork)
	if err != nil {
		return err
	}
	var b wire.Batch
	size := 0
	for seq := x.first; seq <= last; seq++ {
		for _, raw := range records[seq] {
			if h := rating.HashOf(raw); x.fork && x.count == 1 && !bytes.Equal(h[:], x.name) {
				continue // another fork of the same number, which has a mark of its own
			}
			if len(b.Records) > 0 && (size+len(raw) > wire.MaxBatchBytes || b.First+uint64(len(b.Records)) != seq) {
				if err := t.batch(b, nil, x.received); err != nil {
					return err
				}
				b, size = wire.Batch{}, 0
			}
			if len(b.Records) == 0 {
				b = wire.Batch{Device: l.device, Epoch: l.parsed, First: seq}
			}
			b.Records, size = append(b.Records, raw), size+len(raw)
		}
	}
	return t.batch(b, nil, x.received)
}

// records reads records by their numbers: one each, or of forks as many as there are.
func (t *taking) records(l log, first, last uint64, forks bool) (map[uint64][][]byte, error) {
	table := "record"
	if forks {
		table = "fork"
	}
	type row struct {
		seq uint64
		raw []byte
	}
	rows, err := db.Query(t.ctx, t.old, func(s db.Scanner) (r row, err error) { return r, s.Scan(&r.seq, &r.raw) },
		"SELECT seq, raw FROM "+table+" WHERE device = $1 AND epoch = $2 AND seq BETWEEN $3 AND $4", string(l.device), l.epoch, int64(first),
		int64(last))
	if err != nil {
		return nil, err
	}
	all := make(map[uint64][][]byte)
	for _, r := range rows {
		all[r.seq] = append(all[r.seq], r.raw)
	}
	return all, nil
}

// proofs reads which signatures were kept, by their first records.
func (t *taking) proofs(l log) ([]proof, error) {
	return db.Query(t.ctx, t.old, func(s db.Scanner) (p proof, err error) {
		var forks []byte
		err = s.Scan(&p.first, &p.count, &p.signature, &p.unkept, &forks, &p.received)
		p.forks = forksOf(p.first, forks)
		return p, err
	}, `SELECT first, count, signature, length(key) = 0, forks, received_at FROM proof WHERE device = $1 AND epoch = $2
		ORDER BY first, received_at`, string(l.device), l.epoch)
}

// proof reads one signature whole.
func (t *taking) proof(l log, x item) (proof, error) {
	all, err := db.Query(t.ctx, t.old, func(s db.Scanner) (p proof, err error) {
		var forks []byte
		err = s.Scan(&p.first, &p.count, &p.released, &p.signature, &p.key, &forks, &p.received)
		p.forks = forksOf(p.first, forks)
		return p, err
	}, `SELECT first, count, released, signature, key, forks, received_at FROM proof
		WHERE device = $1 AND epoch = $2 AND first = $3 AND signature = $4`,
		string(l.device), l.epoch, int64(x.first), x.name)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("the signature over the records from %d on is not there any more", x.first)
	}
	if err != nil {
		return proof{}, err
	}
	return all[0], nil
}
