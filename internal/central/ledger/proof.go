package ledger

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/binary"
	"fmt"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// prove keeps the batch's signature, if the batch has brought anything. A repetition proves nothing new.
func (w *batchWriter) prove(key ed25519.PublicKey) error {
	if w.res.Added == 0 && w.res.Forks == 0 {
		return nil
	}
	head := w.batch.Head()
	return w.exec(`INSERT INTO proof (device, epoch, first, count, released, head, signature, key, forks, received_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		w.batch.Device, w.batch.Epoch.String(), w.batch.First, len(w.batch.Records), w.batch.Released, head[:],
		append([]byte{}, w.batch.Signature...), append([]byte{}, key...), append([]byte{}, w.forks...), w.at)
}

// forkEntry is the size of an entry of the column forks.
const forkEntry = 2 + len(rating.Hash{})

// proof is a row of the table proof.
type proof struct {
	first, released uint64
	count           int
	head            rating.Hash
	signature       []byte
	key             ed25519.PublicKey
	forks           map[int]rating.Hash // by place in the batch
}

func scanProof(s scanner) (p proof, err error) {
	var head, key, forks []byte
	if err := s.Scan(&p.first, &p.count, &p.released, &head, &p.signature, &key, &forks); err != nil {
		return p, err
	}
	copy(p.head[:], head)
	p.key, p.forks = key, make(map[int]rating.Hash)
	for ; len(forks) >= forkEntry; forks = forks[forkEntry:] {
		p.forks[int(binary.BigEndian.Uint16(forks))] = rating.Hash(forks[2:forkEntry])
	}
	if len(forks) > 0 {
		return p, fmt.Errorf("the signature from %d on has a damaged list of forks", p.first)
	}
	return p, nil
}

// place names a record among all that one device has sent.
type place struct {
	epoch rating.Epoch
	seq   uint64
	hash  rating.Hash
}

// hashes returns the hashes that the proof is about, those of the books' records from known, and the first seq that the
// books lack, 0 if none.
func (p proof) hashes(known map[uint64]rating.Hash) (all []rating.Hash, missing uint64) {
	for i := range p.count {
		h, ok := p.forks[i]
		if !ok {
			h, ok = known[p.first+uint64(i)]
		}
		if !ok {
			return nil, p.first + uint64(i)
		}
		all = append(all, h)
	}
	return all, 0
}

// proofs verifies the kept signatures of the auditor's epoch and takes what they cover from its unproven records.
func (a *auditor) proofs(ctx context.Context, tx *sql.Tx, known map[uint64]rating.Hash, unproven map[place]bool) error {
	kept, err := query(ctx, tx, scanProof,
		"SELECT first, count, released, head, signature, key, forks FROM proof WHERE device = ? AND epoch = ? ORDER BY first",
		a.Device, a.Epoch.String())
	if err != nil {
		return err
	}
	for _, p := range kept {
		last := p.first + uint64(p.count) - 1
		if p.count < 1 || p.count > wire.MaxBatchRecords {
			a.problem("the signature from %d on is about %d records, which no batch has", p.first, p.count)
			continue
		}
		hashes, missing := p.hashes(known)
		switch {
		case missing > 0:
			a.problem("the signature over %d to %d is about record %d, which is not in the books", p.first, last, missing)
			continue
		case hashes[len(hashes)-1] != p.head || len(p.key) != ed25519.PublicKeySize ||
			!ed25519.Verify(p.key, wire.BatchText(a.Device, a.Epoch, p.first, p.released, hashes), p.signature):
			a.problem("the signature over %d to %d does not verify: a record, the signature or its key was changed", p.first, last)
			continue
		}
		a.Signatures++
		a.useKey(p.key)
		for i, h := range hashes {
			delete(unproven, place{a.Epoch, p.first + uint64(i), h})
		}
	}
	return nil
}

// useKey notes a key by which a signature has verified.
func (a *auditor) useKey(key ed25519.PublicKey) {
	for _, k := range a.Keys {
		if k.Equal(key) {
			return
		}
	}
	a.Keys = append(a.Keys, key)
}
