package books

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	strict "github.com/go-json-experiment/json"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// reader is a loader of one transaction.
type reader struct {
	tx      *db.Tx
	t       tables
	journal Journal
}

// some returns rows of which a column is one of many values: as few queries as go, since each costs as much as many rows.
func some[T any, V int64 | string](ctx context.Context, r reader, scan func(db.Scanner) (T, error), text, column string,
	values []V) (all []T, err error) {
	const most = 5000
	for len(values) > 0 {
		n := min(most, len(values))
		var found []T
		if r.t.engine == db.Postgres {
			found, err = db.Query(ctx, r.tx, scan, r.t.of(text)+" WHERE "+column+" = ANY($1)", values[:n])
		} else {
			list, e := json.Marshal(values[:n])
			if e != nil {
				return nil, e
			}
			found, err = db.Query(ctx, r.tx, scan, r.t.of(text)+" WHERE "+column+" IN (SELECT value FROM json_each($1))", string(list))
		}
		if err != nil {
			return nil, err
		}
		all, values = append(all, found...), values[n:]
	}
	return all, nil
}

// one returns the number that a query yields.
func one(ctx context.Context, q db.Querier, text string, args ...any) (int64, error) {
	all, err := db.Query(ctx, q, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) }, text, args...)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%d rows, want one", len(all))
	}
	if err != nil {
		return 0, err
	}
	return all[0], nil
}

const readDevices = "SELECT id, name, enrolled_at, generation, serves FROM {device}"

func scanDevice(s db.Scanner) (*device, error) {
	d := new(device)
	return d, s.Scan(&d.id, &d.name, &d.enrolled, &d.generation, &d.window)
}

func (r reader) devices(ctx context.Context, names []string) ([]*device, error) {
	return some(ctx, r, scanDevice, readDevices, "name", names)
}

func (r reader) devicesByID(ctx context.Context, ids []int64) ([]*device, error) {
	return some(ctx, r, scanDevice, readDevices, "id", ids)
}

const readLogs = `SELECT l.id, l.device, l.epoch, l.records, l.quarantined, l.forks, l.entries, l.gaps, l.through, l.boot, l.others,
	l.first, l.last, l.prev, l.hash,
	s.boot, s.last_mono, s.ceiling, s.anchors, s.earliest, s.latest, s.contested
	FROM {log} l LEFT JOIN {span} s ON s.log = l.id AND s.boot = l.boot`

func scanLog(s db.Scanner) (out loadedLog, err error) {
	l, tail := new(log), &run{}
	var epoch, through, first, last int64
	var prev, hash, anchors []byte
	var boot, mono, ceiling, earliest, latest, open *int64
	if err := s.Scan(&l.id, &out.device, &epoch, &l.records, &l.quarantined, &l.forks, &l.entries, &l.gaps, &through, &l.boot, &l.others,
		&first, &last, &prev, &hash,
		&boot, &mono, &ceiling, &anchors, &earliest, &latest, &open); err != nil {
		return out, err
	}
	l.epoch, l.through = rating.Epoch(epoch), uint64(through)
	if first > 0 {
		tail.first, tail.last, tail.prev = uint64(first), uint64(last), hashOf(prev)
		copy(tail.hash[:], hash)
		out.tail = tail
	}
	if boot != nil {
		out.span, err = newSpan(*boot, *mono, *ceiling, anchors, *earliest, *latest, *open)
	}
	out.log = l
	return out, err
}

func newSpan(boot, mono, ceiling int64, anchors []byte, earliest, latest, open int64) (*span, error) {
	s := &span{origin: rating.Origin{Earliest: earliest, Latest: latest}, settled: true, open: open}
	s.Boot, s.LastMono, s.Ceiling = uint32(boot), mono, ceiling
	var err error
	s.Anchors, err = anchorsOf(anchors)
	return s, err
}

func anchorsOf(b []byte) ([]rating.Anchor, error) {
	if len(b)%16 != 0 {
		return nil, fmt.Errorf("the moments of a start have %d bytes: %w", len(b), errLost)
	}
	var all []rating.Anchor
	for ; len(b) > 0; b = b[16:] {
		all = append(all, rating.Anchor{Mono: int64(binary.BigEndian.Uint64(b)), Wall: int64(binary.BigEndian.Uint64(b[8:]))})
	}
	return all, nil
}

// hashOf returns a hash column that may be NULL.
func hashOf(b []byte) *rating.Hash {
	if len(b) != len(rating.Hash{}) {
		return nil
	}
	h := rating.Hash(b)
	return &h
}

func (r reader) logs(ctx context.Context, epochs []int64) ([]loadedLog, error) {
	return some(ctx, r, scanLog, readLogs, "l.epoch", epochs)
}

func (r reader) logsByID(ctx context.Context, ids []int64) ([]loadedLog, error) {
	return some(ctx, r, scanLog, readLogs, "l.id", ids)
}

// side returns the condition and the order of rows from a key on, upwards or back.
func side(column string, back bool) string {
	if back {
		return column + " <= $2 ORDER BY " + column + " DESC LIMIT $3"
	}
	return column + " >= $2 ORDER BY " + column + " LIMIT $3"
}

func (r reader) runs(ctx context.Context, log int64, from uint64, back bool, n int) ([]*run, error) {
	return db.Query(ctx, r.tx, func(s db.Scanner) (*run, error) {
		x := &run{saved: true}
		var first, last int64
		var prev, hash []byte
		err := s.Scan(&first, &last, &prev, &hash)
		x.first, x.last, x.prev = uint64(first), uint64(last), hashOf(prev)
		copy(x.hash[:], hash)
		return x, err
	}, r.t.of("SELECT first, last, prev, hash FROM {run} WHERE log = $1 AND ")+side("first", back), log, clamp(from), n)
}

// clamp makes a key a number that the tables have.
func clamp(k uint64) int64 { return int64(min(k, 1<<62)) }

func (r reader) spans(ctx context.Context, log int64, from uint64, back bool, n int) ([]*span, error) {
	return db.Query(ctx, r.tx, func(s db.Scanner) (*span, error) {
		var boot, mono, ceiling, earliest, latest, open int64
		var anchors []byte
		if err := s.Scan(&boot, &mono, &ceiling, &anchors, &earliest, &latest, &open); err != nil {
			return nil, err
		}
		return newSpan(boot, mono, ceiling, anchors, earliest, latest, open)
	}, r.t.of("SELECT boot, last_mono, ceiling, anchors, earliest, latest, contested FROM {span} WHERE log = $1 AND ")+side("boot", back),
		log, clamp(from), n)
}

const readVisits = "SELECT n, id, device, opened_at, moment, visit, closing, closed_at, area FROM {visit}"

func scanVisit(s db.Scanner) (out loadedVisit, err error) {
	v := new(visit)
	var id int64
	err = s.Scan(&v.n, &id, &out.device, &v.opened, &v.moment, &v.text, &v.closing, &v.closed, &v.area)
	v.id, out.visit = rating.VisitID(id), v
	return out, err
}

func (r reader) visits(ctx context.Context, ids []int64) ([]loadedVisit, error) {
	return some(ctx, r, scanVisit, readVisits, "id", ids)
}

func (r reader) visitsByN(ctx context.Context, n []int64) ([]loadedVisit, error) {
	return some(ctx, r, scanVisit, readVisits, "n", n)
}

const readEvaluations = `SELECT id, visit, log, seq, subject, project, level, channel, replaces, boot, mono, wall, synced, received_at,
	standing, refused, contested,
	submission, reasons, catalogue, texts, post, staff, tasks FROM {evaluation}`

func scanEvaluation(s db.Scanner) (out loadedEvaluation, err error) {
	e := new(evaluation)
	var seq, subject, level, channel, replaces, boot, synced, standing, contested, texts int64
	var refused string
	err = s.Scan(&e.id, &out.visit, &out.log, &seq, &subject, &e.question.Case, &level, &channel, &replaces, &boot, &e.at.Mono,
		&e.at.Wall, &synced, &e.received, &standing, &refused, &contested,
		&e.submission, &e.reasons, &e.catalogue, &texts, &e.found.post, &e.found.staff, &e.found.tasks)
	e.seq, e.level, e.replaces, e.at.Boot = uint64(seq), rating.Level(level), uint64(replaces), uint32(boot)
	e.question.Subject, e.channel, e.standing = subjectOf(subject), value(channels(), channel), value(standings(), standing)
	e.at.Synced, e.believed, e.contested, e.texts = synced > 0, synced == 2, contested == 1, texts == 1
	if err == nil && refused != "" {
		e.refused = new(rating.Refusal)
		err = json.Unmarshal([]byte(refused), e.refused)
	}
	out.evaluation = e
	return out, err
}

func (r reader) evaluations(ctx context.Context, ids []int64) ([]loadedEvaluation, error) {
	return some(ctx, r, scanEvaluation, readEvaluations, "id", ids)
}

func (r reader) evaluationsOf(ctx context.Context, visits []int64) ([]loadedEvaluation, error) {
	return some(ctx, r, scanEvaluation, readEvaluations, "standing <> 6 AND visit", visits) // as the index has it
}

func (r reader) contested(ctx context.Context, log int64, boot uint32) ([]int64, error) {
	return db.Query(ctx, r.tx, func(s db.Scanner) (id int64, err error) { return id, s.Scan(&id) },
		r.t.of("SELECT id FROM {evaluation} WHERE log = $1 AND boot = $2 AND contested = 1"), log, int64(boot))
}

func (r reader) claims(ctx context.Context, cased []int64) ([]loadedClaim, error) {
	return some(ctx, r, func(s db.Scanner) (out loadedClaim, err error) {
		var overall, direct, standing int64
		err = s.Scan(&out.cased, &out.evaluation, &overall, &direct, &standing)
		out.claim = &claim{overall: overall == 1, direct: direct == 1, standing: value(standings(), standing)}
		return out, err
	}, "SELECT cased, evaluation, overall, direct, standing FROM {claim}", "cased", cased)
}

func (r reader) files(ctx context.Context, items []int64) ([]loadedFile, error) {
	return some(ctx, r, scanFile, readFiles, "item", items)
}

const readFiles = "SELECT n, item, project, file, contact, deadline, presumed, late_holds, reminded, counts, waits FROM {case}"

func scanFile(s db.Scanner) (out loadedFile, err error) {
	f := new(file)
	var late, waits int64
	if err := s.Scan(&out.n, &out.item, &out.project, &f.text, &f.contact, &f.deadline, &f.presumed, &late, &f.reminded, &f.counts,
		&waits); err != nil {
		return out, err
	}
	if f.text == "" {
		return out, nil
	}
	f.lateHolds, f.waits = late == 1, waits == 1
	out.file = f
	return out, strict.Unmarshal([]byte(f.text), &f.CaseFile) // as encodeFile writes it
}

// members returns the keys of the cases of a batch or theme.
func (r reader) members(ctx context.Context, group int64, batch bool) ([]string, error) {
	column := "theme"
	if batch {
		column = "batch"
	}
	return db.Query(ctx, r.tx, func(s db.Scanner) (k string, err error) { return k, s.Scan(&k) },
		r.t.of("SELECT project FROM {case} WHERE "+column+" = $1"), group)
}

// standing returns how many findings of a device and kind stand.
func (r reader) standing(ctx context.Context, device int64, kind FindingKind) (int64, error) {
	return one(ctx, r.tx, r.t.of("SELECT count(*) FROM {finding} WHERE device = $1 AND kind = $2 AND resolved_at IS NULL"), device,
		number(kinds(), kind))
}

func (r reader) findings(ctx context.Context, device, log int64, kind FindingKind) ([]*finding, error) {
	return db.Query(ctx, r.tx, func(s db.Scanner) (*finding, error) {
		f := new(finding)
		var first, last, more int64
		var resolved *int64
		err := s.Scan(&f.id, &first, &last, &f.count, &more, &f.detail, &f.found, &resolved)
		f.first, f.last, f.more = uint64(first), uint64(last), more == 1
		if resolved != nil {
			f.resolved = *resolved
		}
		return f, err
	}, r.t.of(`SELECT id, first, last, count, more, detail, found_at, resolved_at FROM {finding}
		WHERE device = $1 AND log = $2 AND kind = $3 ORDER BY id`), device, log, number(kinds(), kind))
}

func (r reader) forks(ctx context.Context, log int64, first, last uint64) ([]fork, error) {
	return db.Query(ctx, r.tx, func(s db.Scanner) (f fork, err error) {
		var seq int64
		var hash, prev []byte
		err = s.Scan(&seq, &f.place, &hash, &prev)
		f.log, f.seq, f.prev = log, uint64(seq), hashOf(prev)
		copy(f.hash[:], hash)
		return f, err
	}, r.t.of("SELECT seq, place, hash, prev FROM {fork} WHERE log = $1 AND seq BETWEEN $2 AND $3"), log, clamp(first), clamp(last))
}

// held returns what the journal and the salvaged records hold under some numbers.
func (r reader) held(ctx context.Context, l *log, first, last uint64) ([]held, error) {
	entries, err := r.journal.Batches(ctx, l.device.name, l.epoch, first, last)
	if err != nil {
		return nil, err
	}
	all, err := db.Query(ctx, r.tx, func(s db.Scanner) (h held, err error) {
		var seq int64
		var hash []byte
		err = s.Scan(&seq, &h.place, &hash)
		h.seq = uint64(seq)
		copy(h.hash[:], hash)
		return h, err
	}, r.t.of("SELECT seq, place, hash FROM {salvaged} WHERE log = $1 AND seq BETWEEN $2 AND $3"), l.id, clamp(first), clamp(last))
	if err != nil {
		return nil, err
	}
	return append(all, heldIn(entries, first, last)...), nil
}

func heldIn(entries []journal.Entry, first, last uint64) (all []held) {
	for _, e := range entries {
		for i, p := range e.Parts {
			if seq := e.First + uint64(i); first <= seq && seq <= last {
				all = append(all, held{seq, placeOf(e.Pos, i), rating.HashOf(p)})
			}
		}
	}
	return all
}
