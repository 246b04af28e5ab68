package takeover

import (
	"encoding/binary"
	"fmt"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// proof is a signature that was kept, with what it covers.
type proof struct {
	first, released uint64
	count           int
	signature, key  []byte
	forks           map[uint64]rating.Hash // records of it that became forks
	received        int64
}

func (p proof) last() uint64 { return p.first + uint64(p.count) - 1 }

// mark is a record that was kept, without its bytes: of books of many millions only those of one batch are in memory.
type mark struct {
	seq      uint64
	hash     rating.Hash
	received int64
	fork     bool // it is in the table fork
}

// log returns what is to be entered of one log.
func (t *taking) log(l log) ([]item, error) {
	var err error
	if l.parsed, err = rating.ParseEpoch(l.epoch); err != nil {
		return nil, err
	}
	marks, err := db.Query(t.ctx, t.old, scanMark, `SELECT seq, hash, received_at, 0 FROM record WHERE device = $1 AND epoch = $2
		UNION ALL SELECT seq, hash, received_at, 1 FROM fork WHERE device = $1 AND epoch = $2 ORDER BY 4, 1`, string(l.device), l.epoch)
	if err != nil {
		return nil, err
	}
	here := make(map[uint64]rating.Hash, len(marks))
	for _, m := range marks {
		if !m.fork {
			here[m.seq] = m.hash
		}
	}
	proofs, err := t.proofs(l)
	if err != nil {
		return nil, err
	}
	signed := make(map[rating.Hash]bool)
	var all []item
	for _, p := range proofs {
		if len(p.key) == 0 { // nothing was kept
			continue
		}
		for seq := p.first; seq <= p.last(); seq++ {
			h, forked := p.forks[seq]
			if !forked {
				h = here[seq]
			}
			signed[h] = true
		}
		all = append(all, item{p.received, 0, func() error { return t.proven(l, p) }})
	}
	return append(all, t.unsigned(l, marks, signed)...), nil
}

func scanMark(s db.Scanner) (m mark, err error) {
	var hash []byte
	var fork int
	if err := s.Scan(&m.seq, &hash, &m.received, &fork); err != nil {
		return m, err
	}
	copy(m.hash[:], hash)
	m.fork = fork == 1
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
	if len(b.Records) == p.count && b.Verify(p.key) {
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

// unsigned returns the records that no signature covers, neighbours that came together as one batch.
func (t *taking) unsigned(l log, marks []mark, signed map[rating.Hash]bool) []item {
	var all []item
	for i := 0; i < len(marks); {
		m := marks[i]
		if signed[m.hash] {
			i++
			continue
		}
		n := 1
		for i+n < len(marks) && n < wire.MaxBatchRecords {
			next := marks[i+n]
			if signed[next.hash] || next.fork != m.fork || next.seq != m.seq+uint64(n) || next.received != m.received {
				break
			}
			n++
		}
		all = append(all, item{m.received, 1, func() error { return t.unproven(l, m, n) }})
		i += n
	}
	return all
}

// unproven enters n records that no signature covers, from a mark on.
func (t *taking) unproven(l log, m mark, n int) error {
	last := m.seq + uint64(n) - 1
	records, err := t.records(l, m.seq, last, m.fork)
	if err != nil {
		return err
	}
	var b wire.Batch
	size := 0
	for seq := m.seq; seq <= last; seq++ {
		for _, raw := range records[seq] {
			if m.fork && n == 1 && rating.HashOf(raw) != m.hash {
				continue // another fork of the same number, which has a mark of its own
			}
			if len(b.Records) > 0 && (size+len(raw) > wire.MaxBatchBytes || b.First+uint64(len(b.Records)) != seq) {
				if err := t.batch(b, nil, m.received); err != nil {
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
	return t.batch(b, nil, m.received)
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
		"SELECT seq, raw FROM "+table+" WHERE device = $1 AND epoch = $2 AND seq BETWEEN $3 AND $4", string(l.device), l.epoch, int64(first), int64(last))
	if err != nil {
		return nil, err
	}
	all := make(map[uint64][][]byte)
	for _, r := range rows {
		all[r.seq] = append(all[r.seq], r.raw)
	}
	return all, nil
}

// proofs reads the signatures that were kept, in the order of receipt.
func (t *taking) proofs(l log) ([]proof, error) {
	const entry = 2 + len(rating.Hash{}) // the place in the batch, and the hash
	return db.Query(t.ctx, t.old, func(s db.Scanner) (p proof, err error) {
		var forks []byte
		if err := s.Scan(&p.first, &p.count, &p.released, &p.signature, &p.key, &forks, &p.received); err != nil {
			return p, err
		}
		p.forks = make(map[uint64]rating.Hash)
		for ; len(forks) >= entry; forks = forks[entry:] {
			p.forks[p.first+uint64(binary.BigEndian.Uint16(forks))] = rating.Hash(forks[2:entry])
		}
		return p, nil
	}, "SELECT first, count, released, signature, key, forks, received_at FROM proof WHERE device = $1 AND epoch = $2 ORDER BY received_at, first", string(l.device), l.epoch)
}
