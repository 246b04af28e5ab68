package ledger

import (
	"encoding/binary"

	"haochaping/internal/rating"
)

// addFork keeps a second record with a number that another one has. What came first stays; the box is acknowledged both,
// since neither will ever become the other.
func (w *batchWriter) addFork(seq uint64, hash rating.Hash, raw []byte) error {
	w.forks = binary.BigEndian.AppendUint16(w.forks, uint16(seq-w.batch.First))
	w.forks = append(w.forks, hash[:]...)
	if err := w.find(Fork, seq, seq, "two different records have this number"); err != nil {
		return err
	}
	done, err := w.tx.ExecContext(w.ctx, `INSERT INTO fork (device, epoch, seq, hash, raw, received_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		w.batch.Device, w.batch.Epoch.String(), seq, hash[:], raw, w.at)
	if err != nil {
		return err
	}
	n, err := done.RowsAffected()
	if err != nil || n == 0 {
		return err
	}
	w.res.Forks++
	return w.linkFork(seq, raw)
}

// linkFork looks for the record that a fork follows on. The two logs differ from some number on, and the numbers tell
// what is missing of the first only; of the second the chain does.
func (w *batchWriter) linkFork(seq uint64, raw []byte) error {
	r, reason := w.decode(seq, raw)
	if seq > 1 && reason == "" {
		here, err := w.holds(seq-1, r.Prev)
		if err != nil {
			return err
		}
		if !here {
			if err := w.find(ForkGap, seq-1, seq-1, "a second log was forked, and its record with this number is not here"); err != nil {
				return err
			}
		}
	}
	return w.closeForkGap(seq)
}

// closeForkGap resolves what linkFork has found, if the record that has come is what a fork was missing.
func (w *batchWriter) closeForkGap(seq uint64) error {
	later, err := query(w.ctx, w.tx, func(s scanner) (raw []byte, err error) { return raw, s.Scan(&raw) },
		"SELECT raw FROM fork WHERE device = ? AND epoch = ? AND seq = ?", w.batch.Device, w.batch.Epoch.String(), seq+1)
	if err != nil || len(later) == 0 {
		return err
	}
	for _, raw := range later {
		r, reason := w.decode(seq+1, raw)
		if reason != "" {
			continue
		}
		if here, err := w.holds(seq, r.Prev); err != nil || !here {
			return err
		}
	}
	return w.exec("UPDATE finding SET resolved_at = ? WHERE device = ? AND epoch = ? AND first = ? AND kind = ? AND resolved_at IS NULL",
		w.at, w.batch.Device, w.batch.Epoch.String(), seq, ForkGap)
}

// holds reports whether a record with this number and hash is in the books or among the forks.
func (w *batchWriter) holds(seq uint64, hash rating.Hash) (here bool, err error) {
	err = w.tx.QueryRowContext(w.ctx, `SELECT EXISTS (SELECT 1 FROM record WHERE device = ?1 AND epoch = ?2 AND seq = ?3 AND hash = ?4)
		OR EXISTS (SELECT 1 FROM fork WHERE device = ?1 AND epoch = ?2 AND seq = ?3 AND hash = ?4)`,
		w.batch.Device, w.batch.Epoch.String(), seq, hash[:]).Scan(&here)
	return here, err
}
