package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// Result says what a batch has come to.
type Result struct {
	Through uint64 // every seq up to this one is in the books or known to be lost
	// Ack is what may be acknowledged to the sender: not more than the batch holds, since another box with the same name
	// and key, as a copied card makes one, may have sent what comes after, and the sender would let go what only it has.
	Ack         uint64
	AckHead     rating.Hash // of the record Ack, as its sender has it
	Quarantined []wire.Quarantined
	Added       int
	Duplicates  int
	Forks       int // records that came for the first time and whose number another one has
}

// FindingKind says what a Finding is about.
type FindingKind string

// The kinds of findings.
const (
	Gap         FindingKind = "gap"          // records that the box says are gone and that never came
	Fork        FindingKind = "fork"         // a second record with the same number and other bytes
	BrokenChain FindingKind = "broken_chain" // a record that does not follow from the one before it
	Quarantine  FindingKind = "quarantine"   // a record that cannot be accepted
	Damage      FindingKind = "damage"       // a store file of the box that was damaged and set aside
	Reopened    FindingKind = "reopened"     // a second record of a visit that says otherwise
	ForkGap     FindingKind = "fork_gap"     // a record that a fork follows on and that is not here
)

// AddBatch writes a batch whose signature key has verified, in one transaction, and says what may be acknowledged.
func (l *Ledger) AddBatch(ctx context.Context, b wire.Batch, key ed25519.PublicKey, received time.Time) (Result, error) {
	var res Result
	err := l.write(ctx, func(tx *sql.Tx) error {
		res = Result{}
		times := newTimes(ctx, tx, b.Device, received.UnixMilli())
		w := batchWriter{ctx: ctx, tx: tx, batch: b, at: received.UnixMilli(), res: &res, times: times}
		for i, raw := range b.Records {
			if err := w.add(b.First+uint64(i), raw); err != nil {
				return fmt.Errorf("record %d: %w", b.First+uint64(i), err)
			}
		}
		if err := w.prove(key); err != nil {
			return fmt.Errorf("keep the signature: %w", err)
		}
		return errors.Join(times.settle(), w.advance())
	})
	if err != nil {
		return Result{}, fmt.Errorf("write a batch of %s: %w", b.Device, err)
	}
	if res.Added > 0 || res.Forks > 0 {
		l.changed()
	}
	return res, nil
}

// batchWriter writes one batch inside its transaction.
type batchWriter struct {
	ctx   context.Context
	tx    *sql.Tx
	batch wire.Batch
	at    int64
	res   *Result
	times *times
	forks []byte // as the table proof has them
}

func (w *batchWriter) exec(text string, args ...any) error {
	_, err := w.tx.ExecContext(w.ctx, text, args...)
	return err
}

func (w *batchWriter) find(kind FindingKind, first, last uint64, detail string) error {
	return w.exec(`INSERT INTO finding (device, epoch, first, last, kind, detail, found_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, w.batch.Device, w.batch.Epoch.String(), first, last, kind, detail, w.at)
}

// add writes one record, unless it is known.
func (w *batchWriter) add(seq uint64, raw []byte) error {
	if raw == nil {
		raw = []byte{} // no record at all, which is NULL to SQLite, goes to quarantine too
	}
	hash := rating.HashOf(raw)
	var known []byte
	err := w.tx.QueryRowContext(w.ctx, "SELECT hash FROM record WHERE device = ? AND epoch = ? AND seq = ?",
		w.batch.Device, w.batch.Epoch.String(), seq).Scan(&known)
	switch {
	case err == nil && bytes.Equal(known, hash[:]):
		w.res.Duplicates++
		return nil
	case err == nil:
		return w.addFork(seq, hash, raw)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	w.res.Added++
	r, reason := w.decode(seq, raw)
	if reason == "" && r.Kind == rating.KindSalvaged {
		reason = w.foreign(*r.Salvaged)
	}
	if reason != "" {
		w.res.Quarantined = append(w.res.Quarantined, wire.Quarantined{Seq: seq, Reason: reason})
		if err := w.find(Quarantine, seq, seq, reason); err != nil {
			return err
		}
		if err := w.insert(seq, hash, nil, reason, raw); err != nil {
			return err
		}
		return w.checkNext(seq, hash)
	}
	if err := w.insert(seq, hash, r.Prev[:], "", raw); err != nil {
		return err
	}
	if err := errors.Join(w.checkPrev(r), w.checkNext(seq, hash), w.times.add(r)); err != nil {
		return err
	}
	return w.materialise(r)
}

// decode reads a record and returns why it cannot be accepted, if so.
func (w *batchWriter) decode(seq uint64, raw []byte) (rating.Record, string) {
	r, err := rating.DecodeRecord(raw)
	switch {
	case err != nil:
		return r, err.Error()
	case r.Device != w.batch.Device || r.Epoch != w.batch.Epoch || r.Seq != seq:
		return r, fmt.Sprintf("it says that it is record %d of device %s, epoch %s", r.Seq, r.Device, r.Epoch)
	}
	return r, ""
}

func (w *batchWriter) insert(seq uint64, hash rating.Hash, prev []byte, reason string, raw []byte) error {
	err := w.exec("INSERT INTO record (device, epoch, seq, hash, prev, quarantine, raw, received_at) VALUES (?, ?, ?, ?, ?, nullif(?, ''), ?, ?)",
		w.batch.Device, w.batch.Epoch.String(), seq, hash[:], prev, reason, raw, w.at)
	if err != nil {
		return err
	}
	return w.closeForkGap(seq)
}

// checkPrev compares a record's Prev with the record before it, if that is here.
func (w *batchWriter) checkPrev(r rating.Record) error {
	want := rating.Genesis(r.Device, r.Epoch)
	if r.Seq > 1 {
		var before []byte
		err := w.tx.QueryRowContext(w.ctx, "SELECT hash FROM record WHERE device = ? AND epoch = ? AND seq = ?",
			r.Device, r.Epoch.String(), r.Seq-1).Scan(&before)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // compared when it comes
		}
		if err != nil {
			return err
		}
		copy(want[:], before)
	}
	if r.Prev != want {
		return w.find(BrokenChain, r.Seq, r.Seq, "the record does not follow from the one before it")
	}
	return nil
}

// checkNext compares a record with the Prev of the one after it, if that is here.
func (w *batchWriter) checkNext(seq uint64, hash rating.Hash) error {
	var prev []byte
	err := w.tx.QueryRowContext(w.ctx, "SELECT prev FROM record WHERE device = ? AND epoch = ? AND seq = ?",
		w.batch.Device, w.batch.Epoch.String(), seq+1).Scan(&prev)
	switch {
	case errors.Is(err, sql.ErrNoRows) || err == nil && prev == nil:
		return nil
	case err != nil:
		return err
	case !bytes.Equal(prev, hash[:]):
		return w.find(BrokenChain, seq+1, seq+1, "the record does not follow from the one before it")
	}
	return nil
}

// advance computes through which seq the box may be acknowledged: past records that are here, and past those that the box
// itself no longer has.
func (w *batchWriter) advance() error {
	d, e := w.batch.Device, w.batch.Epoch.String()
	var through uint64
	err := w.tx.QueryRowContext(w.ctx, "SELECT through FROM progress WHERE device = ? AND epoch = ?", d, e).Scan(&through)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for {
		next, err := w.firstMissing(through + 1)
		if err != nil {
			return err
		}
		through = next - 1
		if through >= w.batch.Released {
			break
		}
		// The box cannot send what it has let go. The books say that it is missing and go on.
		after, err := w.nextPresent(next)
		if err != nil {
			return err
		}
		last := w.batch.Released
		if after > 0 {
			last = min(last, after-1)
		}
		if err := w.find(Gap, next, last, "the box has let these records go and they are not in the books"); err != nil {
			return err
		}
		through = last
	}
	w.res.Through, w.res.Ack = through, min(through, w.batch.Last())
	if w.res.AckHead, err = w.hash(w.res.Ack); err != nil {
		return err
	}
	if err := w.resolveGaps(); err != nil {
		return err
	}
	return w.exec("INSERT INTO progress (device, epoch, through) VALUES (?, ?, ?) ON CONFLICT (device, epoch) DO UPDATE SET through = excluded.through", d, e, through)
}

// hash returns that of a record of the batch or, before it, of the books; the zero one if neither has it.
func (w *batchWriter) hash(seq uint64) (h rating.Hash, err error) {
	if seq >= w.batch.First && seq <= w.batch.Last() {
		return rating.HashOf(w.batch.Records[seq-w.batch.First]), nil
	}
	var known []byte
	err = w.tx.QueryRowContext(w.ctx, "SELECT hash FROM record WHERE device = ? AND epoch = ? AND seq = ?",
		w.batch.Device, w.batch.Epoch.String(), seq).Scan(&known)
	if errors.Is(err, sql.ErrNoRows) {
		return h, nil
	}
	copy(h[:], known)
	return h, err
}

// nextPresent returns the first seq after the given one that is in the books, 0 if there is none.
func (w *batchWriter) nextPresent(seq uint64) (uint64, error) {
	var after sql.NullInt64
	err := w.tx.QueryRowContext(w.ctx, "SELECT min(seq) FROM record WHERE device = ? AND epoch = ? AND seq > ?",
		w.batch.Device, w.batch.Epoch.String(), seq).Scan(&after)
	return uint64(after.Int64), err
}

// resolveGaps closes the findings about gaps into which records have come by now, and notes what is still missing of them.
func (w *batchWriter) resolveGaps() error {
	type gap struct {
		id          int64
		first, last uint64
		detail      string
	}
	gaps, err := query(w.ctx, w.tx, func(s scanner) (g gap, err error) { return g, s.Scan(&g.id, &g.first, &g.last, &g.detail) },
		`SELECT id, first, last, detail FROM finding f WHERE device = ?1 AND epoch = ?2 AND kind = ?3 AND resolved_at IS NULL
		AND EXISTS (SELECT 1 FROM record r WHERE r.device = ?1 AND r.epoch = ?2 AND r.seq BETWEEN f.first AND f.last)`,
		w.batch.Device, w.batch.Epoch.String(), Gap)
	if err != nil {
		return err
	}
	for _, g := range gaps {
		if err := w.exec("UPDATE finding SET resolved_at = ? WHERE id = ?", w.at, g.id); err != nil {
			return err
		}
		if err := w.findGaps(g.first, g.last, g.detail); err != nil {
			return err
		}
	}
	return nil
}

// firstMissing returns the first seq from the given one on that is not in the books.
func (w *batchWriter) firstMissing(from uint64) (uint64, error) {
	const step = 1000
	for {
		var n uint64
		err := w.tx.QueryRowContext(w.ctx, "SELECT count(*) FROM record WHERE device = ? AND epoch = ? AND seq BETWEEN ? AND ?",
			w.batch.Device, w.batch.Epoch.String(), from, from+step-1).Scan(&n)
		if err != nil {
			return 0, err
		}
		if n == step {
			from += step
			continue
		}
		seqs, err := query(w.ctx, w.tx, func(s scanner) (seq uint64, err error) { return seq, s.Scan(&seq) },
			"SELECT seq FROM record WHERE device = ? AND epoch = ? AND seq BETWEEN ? AND ? ORDER BY seq",
			w.batch.Device, w.batch.Epoch.String(), from, from+step-1)
		if err != nil {
			return 0, err
		}
		for _, seq := range seqs {
			if seq != from {
				break
			}
			from++
		}
		return from, nil
	}
}

// materialise enters what a record says into the tables that people look at.
func (w *batchWriter) materialise(r rating.Record) error {
	switch r.Kind {
	case rating.KindVisit:
		return w.addVisit(r)
	case rating.KindOutcome:
		b, err := json.Marshal(r.Outcome)
		if err != nil {
			return err
		}
		return w.exec(`INSERT INTO visit (device, id, closing, closed_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (device, id) DO UPDATE SET closing = excluded.closing, closed_at = excluded.closed_at`,
			r.Device, r.Outcome.Visit.String(), string(b), w.at)
	case rating.KindSalvaged:
		return w.addSalvaged(r)
	case rating.KindEvent:
		return w.addEvent(r)
	case rating.KindReason:
		e := r.Reason
		return w.exec(`INSERT INTO reason (device, epoch, seq, of, visit, subject, project, code, catalogue) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, r.Device, r.Epoch.String(), r.Seq, e.Of, e.Visit.String(), e.Subject, e.Case, e.Code, e.Catalogue)
	case rating.KindEvaluation:
		return addEvaluation(w.ctx, w.tx, row{device: r.Device, epoch: r.Epoch.String(), seq: r.Seq, evaluation: *r.Evaluation,
			stamp: r.At, received: w.at, fix: w.times.guess(r.At)})
	}
	return nil
}
