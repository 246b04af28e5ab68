package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"haochaping/internal/rating"
)

// Account is what Audit found about one epoch of a device.
type Account struct {
	Device      rating.DeviceID
	Epoch       rating.Epoch
	Records     uint64
	First, Last uint64
	Signatures  uint64              // kept ones, which verify
	Keys        []ed25519.PublicKey // by which they do
	Forks       uint64
	Quarantined uint64
	Waiting     uint64 // records that are not here and may still come: the box was not told that it may let them go
	Open        int    // findings that stand
	Problems    []string
	More        int // problems beyond those
}

// maxProblems bounds the problems that an Account spells out.
const maxProblems = 20

// auditor checks one epoch.
type auditor struct {
	Account
	through uint64
	gaps    []Finding         // that stand
	inner   map[place][]place // salvaged records to the records that hold them
	known   map[uint64]rating.Hash
	visits  map[rating.VisitID]said // of all epochs
}

func (a *auditor) problem(format string, args ...any) {
	if len(a.Problems) == maxProblems {
		a.More++
		return
	}
	a.Problems = append(a.Problems, fmt.Sprintf(format, args...))
}

// Audit checks everything that the books hold of the devices' records, device by device, each in one snapshot: that each
// record is what was received, that it follows from the one before it, that its device's signature covers it, that the
// visits and evaluations which people look at are those of the records, and that those evaluations count which do by the
// rules. Ratings by phone have no device's signature: only whether they count is looked at.
func (l *Ledger) Audit(ctx context.Context, report func(Account) error) error {
	devices, err := query(ctx, l.db, func(s scanner) (d rating.DeviceID, err error) { return d, s.Scan(&d) },
		"SELECT device FROM record UNION SELECT device FROM proof UNION SELECT device FROM fork UNION SELECT device FROM progress ORDER BY device")
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	for _, d := range devices {
		accounts, err := l.auditDevice(ctx, d)
		if err != nil {
			return fmt.Errorf("audit %s: %w", d, err)
		}
		for _, a := range accounts {
			if err := report(a.Account); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *Ledger) auditDevice(ctx context.Context, device rating.DeviceID) (all []*auditor, err error) {
	tx, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	epochs, err := query(ctx, tx, func(s scanner) (rating.Epoch, error) {
		var text string
		if err := s.Scan(&text); err != nil {
			return 0, err
		}
		return rating.ParseEpoch(text)
	}, `SELECT epoch FROM record WHERE device = ?1 UNION SELECT epoch FROM proof WHERE device = ?1
		UNION SELECT epoch FROM fork WHERE device = ?1 UNION SELECT epoch FROM progress WHERE device = ?1 ORDER BY epoch`, device)
	if err != nil {
		return nil, err
	}
	unproven := make(map[place]bool)
	inner, visits := make(map[place][]place), make(map[rating.VisitID]said)
	for _, e := range epochs {
		a := &auditor{Account: Account{Device: device, Epoch: e}, inner: inner, known: make(map[uint64]rating.Hash), visits: visits}
		mine := make(map[place]bool)
		if err := errors.Join(a.findings(ctx, tx), a.records(ctx, tx, mine), a.forks(ctx, tx, mine), a.proofs(ctx, tx, a.known, mine), a.counts(ctx, tx, e.String())); err != nil {
			return nil, err
		}
		for p := range mine {
			unproven[p] = true
		}
		all = append(all, a)
	}
	salvaged(unproven, inner)
	for _, a := range all {
		a.unproven(unproven)
	}
	if n := len(all); n > 0 { // what is no epoch's stands with the last one
		return all, errors.Join(all[n-1].shownVisits(ctx, tx), all[n-1].counts(ctx, tx, ""))
	}
	return all, nil
}

// salvaged takes from the unproven records those that a proven one holds, which may itself be held by another.
func salvaged(unproven map[place]bool, inner map[place][]place) {
	for more := true; more; {
		more = false
		for p := range unproven {
			if slices.ContainsFunc(inner[p], func(outer place) bool { return !unproven[outer] }) {
				delete(unproven, p)
				more = true
			}
		}
	}
}

// unproven reports what is left of the unproven records of this epoch.
func (a *auditor) unproven(all map[place]bool) {
	var seqs []uint64
	for p := range all {
		if p.epoch == a.Epoch {
			seqs = append(seqs, p.seq)
		}
	}
	slices.Sort(seqs)
	for i := 0; i < len(seqs); {
		j := i + 1
		for j < len(seqs) && seqs[j] <= seqs[j-1]+1 {
			j++
		}
		a.problem("no signature of the device is kept for %s", span(seqs[i], seqs[j-1]))
		i = j
	}
}

func span(first, last uint64) string {
	if first == last {
		return fmt.Sprintf("record %d", first)
	}
	return fmt.Sprintf("records %d to %d", first, last)
}

// findings reads what the books themselves know to be wrong with the epoch, and how far it was acknowledged.
func (a *auditor) findings(ctx context.Context, tx *sql.Tx) error {
	open, err := query(ctx, tx, scanFinding, findingColumns+"WHERE device = ? AND epoch = ? AND resolved_at IS NULL", a.Device, a.Epoch.String())
	if err != nil {
		return err
	}
	a.Open = len(Join(open))
	for _, f := range open {
		if f.Kind == Gap {
			a.gaps = append(a.gaps, f)
		}
	}
	err = tx.QueryRowContext(ctx, "SELECT through FROM progress WHERE device = ? AND epoch = ?", a.Device, a.Epoch.String()).Scan(&a.through)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// records reads all records in their order.
func (a *auditor) records(ctx context.Context, tx *sql.Tx, unproven map[place]bool) (err error) {
	rows, err := tx.QueryContext(ctx, `SELECT r.seq, r.hash, r.raw, r.quarantine IS NOT NULL,
		e.visit, e.subject, e.project, e.level, e.channel, e.replaces, e.reasons, e.text, e.boot, e.mono, e.at, e.synced, e.time, e.quality, r.received_at
		FROM record r LEFT JOIN evaluation e ON e.device = r.device AND e.epoch = r.epoch AND e.seq = r.seq AND e.submission = ''
		WHERE r.device = ? AND r.epoch = ? ORDER BY r.seq`, a.Device, a.Epoch.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	head := rating.Genesis(a.Device, a.Epoch)
	for rows.Next() {
		var seq uint64
		var hash, raw []byte
		var quarantined bool
		var shown shownEvaluation
		if err := rows.Scan(&seq, &hash, &raw, &quarantined, &shown.visit, &shown.subject, &shown.project, &shown.level, &shown.channel, &shown.replaces, &shown.reasons, &shown.text,
			&shown.boot, &shown.mono, &shown.at, &shown.synced, &shown.time, &shown.quality, &shown.received); err != nil {
			return err
		}
		a.next(seq)
		sum := rating.HashOf(raw)
		if !bytes.Equal(sum[:], hash) {
			a.problem("record %d is not what was received", seq)
		}
		// What was received is what the signature covers, so the bytes count, not the column.
		a.known[seq] = sum
		at := place{a.Epoch, seq, sum}
		unproven[at] = true
		if quarantined {
			a.Quarantined++
		} else if r, err := rating.DecodeRecord(raw); err != nil || r.Device != a.Device || r.Epoch != a.Epoch || r.Seq != seq {
			a.problem("record %d cannot be read or is not that record", seq)
		} else {
			before, here := a.known[seq-1]
			if seq == 1 {
				before, here = head, true
			}
			if here && r.Prev != before {
				a.problem("record %d does not follow from the one before it", seq)
			}
			a.decoded(r, at, shown)
		}
	}
	a.end()
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = query(ctx, tx, func(s scanner) (struct{}, error) {
		var seq uint64
		err := s.Scan(&seq)
		a.problem("an evaluation is shown for record %d, which is not here", seq)
		return struct{}{}, err
	}, `SELECT e.seq FROM evaluation e WHERE e.device = ?1 AND e.epoch = ?2 AND NOT EXISTS
		(SELECT 1 FROM record r WHERE r.device = ?1 AND r.epoch = ?2 AND r.seq = e.seq)`, a.Device, a.Epoch.String())
	return err
}

// decoded notes what a record holds, and compares it with the evaluation that is made of it.
func (a *auditor) decoded(r rating.Record, at place, shown shownEvaluation) {
	if r.Kind == rating.KindSalvaged {
		if in, err := rating.DecodeRecord(r.Salvaged.Record); err == nil {
			p := place{in.Epoch, in.Seq, rating.HashOf(r.Salvaged.Record)}
			a.inner[p] = append(a.inner[p], at)
		}
	}
	if r.Kind == rating.KindVisit {
		a.opened(r)
	}
	if !shown.tells(r) {
		a.problem("the evaluation that is shown for record %d is not what the record says", r.Seq)
	} else if r.Kind == rating.KindEvaluation && !shown.when(r.At) {
		a.problem("the time that is shown for the evaluation of record %d is not what the record says", r.Seq)
	}
}

// next notes that the records between the last one and seq are not here.
func (a *auditor) next(seq uint64) {
	if a.Records == 0 {
		a.First = seq
	}
	a.hole(a.Last+1, seq-1)
	a.Last = seq
	a.Records++
}

// end notes what is missing after the last record.
func (a *auditor) end() { a.hole(a.Last+1, a.through) }

// hole notes that the records from first to last are not here.
func (a *auditor) hole(first, last uint64) {
	for first <= last {
		end, known := a.gap(first, last)
		switch {
		case known:
			a.problem("%s: missing; a finding says so", span(first, end))
		case first > a.through:
			a.Waiting += end - first + 1
		default:
			end = min(end, a.through)
			a.problem("%s: missing, though acknowledged to the box, and no finding says so", span(first, end))
		}
		first = end + 1
	}
}

// gap returns up to where the record numbered first is in the same case as those after it: known to be missing, or not.
func (a *auditor) gap(first, last uint64) (end uint64, known bool) {
	end = last
	for _, f := range a.gaps {
		if f.From <= first && first <= f.To {
			return min(last, f.To), true
		}
		if f.From > first {
			end = min(end, f.From-1)
		}
	}
	return end, false
}

// forks reads the second records.
func (a *auditor) forks(ctx context.Context, tx *sql.Tx, unproven map[place]bool) error {
	_, err := query(ctx, tx, func(s scanner) (struct{}, error) {
		var seq uint64
		var hash, raw []byte
		if err := s.Scan(&seq, &hash, &raw); err != nil {
			return struct{}{}, err
		}
		a.Forks++
		sum := rating.HashOf(raw)
		if !bytes.Equal(sum[:], hash) {
			a.problem("the second record %d is not what was received", seq)
		}
		unproven[place{a.Epoch, seq, sum}] = true
		return struct{}{}, nil
	}, "SELECT seq, hash, raw FROM fork WHERE device = ? AND epoch = ?", a.Device, a.Epoch.String())
	return err
}

// shownEvaluation is what the table that people look at says of a record.
type shownEvaluation struct {
	visit, subject, project, channel, reasons, text sql.NullString
	level, replaces                                 sql.NullInt64
	boot, mono, at, time                            sql.NullInt64
	synced                                          sql.NullBool
	quality                                         sql.NullString
	received                                        int64 // when the record was
}

// when reports whether it says when the record does. A time that the box did not know follows from all that it has sent,
// and is not worked out again here.
func (s shownEvaluation) when(at rating.Stamp) bool {
	if s.boot.Int64 != int64(at.Boot) || s.mono.Int64 != at.Mono || s.at.Int64 != at.Wall || s.synced.Bool != at.Synced {
		return false
	}
	set := rating.Quality(s.quality.String) == rating.TimeSet
	return set == rating.Believable(at, s.received, 0) && (!set || s.time.Int64 == at.Wall)
}

// tells reports whether it says what the record does.
func (s shownEvaluation) tells(r rating.Record) bool {
	if r.Kind != rating.KindEvaluation {
		return !s.visit.Valid
	}
	e := r.Evaluation
	reasons, err := json.Marshal(e.Reasons)
	return err == nil && s.visit.Valid && s.visit.String == e.Visit.String() && s.subject.String == string(e.Subject) && s.project.String == e.Case &&
		s.channel.String == string(e.Channel) && s.reasons.String == string(reasons) && s.text.String == e.Text &&
		s.level.Int64 == int64(e.Level) && s.replaces.Int64 == int64(e.Replaces)
}
