package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/klauspost/compress/zstd"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// ErrNoEntry says that the journal has no row at a position.
var ErrNoEntry = errors.New("the journal has no such row")

// ErrUnsealed says that a row is there and no signed head covers it yet.
var ErrUnsealed = errors.New("not sealed")

const (
	readColumns = "e.pos, e.kind, e.source, e.name, e.received, e.first, e.released, e.signer, e.signature, e.quarantine, e.packed, e.body, " +
		"l.epoch"
	readFrom  = " FROM entry e LEFT JOIN log l ON l.id = e.log "
	readEntry = "SELECT " + readColumns + readFrom
)

// Read returns up to rows rows after a position, in their order. Fewer than rows may come before the end, since it stops after some
// megabytes; none is the end.
func (j *Journal) Read(ctx context.Context, after int64, rows int) ([]Entry, error) {
	return j.read(ctx, j.cfg.DB, after, rows)
}

// enough is how many bytes of bodies are read at once.
const enough = 4 << 20

func (j *Journal) read(ctx context.Context, q db.Querier, after int64, rows int) (all []Entry, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*j.cfg.Patience)
	defer cancel()
	found, err := q.QueryContext(ctx, readEntry+"WHERE e.pos > $1 ORDER BY e.pos LIMIT $2", after, rows)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	bytes := 0
	for bytes < enough && found.Next() {
		e, n, err := j.scan(found)
		if err != nil {
			return nil, fmt.Errorf("read the journal after row %d: %w", after+int64(len(all)), err)
		}
		if e.Pos != after+int64(len(all))+1 {
			return nil, fmt.Errorf("read the journal: row %d follows row %d; a row was taken away", e.Pos, after+int64(len(all)))
		}
		all, bytes = append(all, e), bytes+n
	}
	return all, found.Err()
}

// scan reads a row of readEntry, and says how many bytes its parts have.
func (j *Journal) scan(s db.Scanner) (e Entry, size int, err error) {
	var name, epoch sql.NullString
	var first, released sql.NullInt64
	var packed int64
	var quarantine, body []byte
	if err := s.Scan(&e.Pos, &e.Kind, &e.Source, &name, &e.Received, &first, &released, &e.Key, &e.Signature, &quarantine, &packed, &body,
		&epoch); err != nil {
		return e, 0, err
	}
	e.Name, e.First, e.Released = name.String, uint64(first.Int64), uint64(released.Int64)
	if epoch.Valid {
		if e.Epoch, err = rating.ParseEpoch(epoch.String); err != nil {
			return e, 0, err
		}
	}
	if quarantine != nil {
		if err := json.Unmarshal(quarantine, &e.Quarantined); err != nil {
			return e, 0, fmt.Errorf("row %d is damaged: its verdict: %w", e.Pos, err)
		}
	}
	if packed != 0 && packed != 1 {
		return e, 0, fmt.Errorf("row %d is damaged: it is packed in the unknown way %d", e.Pos, packed)
	}
	if packed == 1 {
		if body, err = j.unzip(body); err != nil {
			return e, 0, fmt.Errorf("row %d is damaged: %w", e.Pos, err)
		}
	}
	if e.Parts, err = unframe(body); err != nil {
		return e, 0, fmt.Errorf("row %d is damaged: %w", e.Pos, err)
	}
	return e, len(body), nil
}

func (j *Journal) unzip(body []byte) ([]byte, error) {
	switch d := j.unpack.Get().(type) {
	case *zstd.Decoder:
		defer j.unpack.Put(d)
		return d.DecodeAll(body, nil)
	case error:
		return nil, d
	}
	return nil, errors.New("no decoder")
}

// Entry returns one row, or ErrNoEntry.
func (j *Journal) Entry(ctx context.Context, pos int64) (Entry, error) {
	all, err := db.Query(ctx, j.cfg.DB, j.scanEntry, readEntry+"WHERE e.pos = $1", pos)
	if err != nil {
		return Entry{}, fmt.Errorf("read row %d of the journal: %w", pos, err)
	}
	if len(all) == 0 {
		return Entry{}, fmt.Errorf("row %d: %w", pos, ErrNoEntry)
	}
	return all[0], nil
}

func (j *Journal) scanEntry(s db.Scanner) (Entry, error) {
	e, _, err := j.scan(s)
	return e, err
}

// Batches returns the batches of a log that hold a record from first to last, in the order of their positions.
func (j *Journal) Batches(ctx context.Context, d rating.DeviceID, epoch rating.Epoch, first, last uint64) ([]Entry, error) {
	ids, err := db.Query(ctx, j.cfg.DB, scanInt, "SELECT id FROM log WHERE device = $1 AND epoch = $2", string(d), epoch.String())
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return overlapping(ctx, j, j.cfg.DB, logKey{string(d), epoch}, ids[0], first, last)
}

// overlapping reads the batches of a log that hold a record from first to last. It has no bound of its own, since the books need each of
// them to tell a fork from a repetition: how many can lie there is bounded where they are entered, by maxVisited.
func overlapping(ctx context.Context, j *Journal, q db.Querier, k logKey, log int64, first, last uint64) ([]Entry, error) {
	from := int64(first) - wire.MaxBatchRecords + 1 // no batch is longer, so that the index finds them
	all, err := db.Query(ctx, q, j.scanEntry, readEntry+"WHERE e.log = $1 AND e.first BETWEEN $2 AND $3 AND e.last >= $4 ORDER BY e.pos",
		log, from, int64(last), int64(first))
	if err != nil {
		return nil, fmt.Errorf("read the batches of %s, epoch %s, that hold %d to %d: %w", k.device, k.epoch, first, last, err)
	}
	return all, nil
}

// Bounds of what is looked through to compare a batch with what is here. Honest boxes stay far below: two copies of a card make two records
// a number.
const (
	maxVisited   = 4000     // rows of which the index says that they may be such a batch
	maxHere      = 2000     // rows
	maxHereBytes = 16 << 20 // of their bodies, unpacked
	maxSame      = 64       // different records under one number
)

// runs returns the batches of a log that hold a record from first to last, or errCrowded if they are too many. The index knows where a
// batch begins and not where it ends, so that those which may reach into the range are counted in it before any is read.
func (j *Journal) runs(ctx context.Context, q db.Querier, log int64, first, last uint64) (all []run, err error) {
	from := int64(first) - wire.MaxBatchRecords + 1
	visited, err := db.Query(ctx, q, scanInt,
		"SELECT count(*) FROM (SELECT 1 FROM entry WHERE log = $1 AND first BETWEEN $2 AND $3 LIMIT $4) x", log, from, int64(last), maxVisited+1)
	if err != nil {
		return nil, err
	}
	if visited[0] > maxVisited {
		return nil, errCrowded
	}
	rows, err := q.QueryContext(ctx, readEntry+"WHERE e.log = $1 AND e.first BETWEEN $2 AND $3 AND e.last >= $4 LIMIT $5",
		log, from, int64(last), int64(first), maxHere+1) // in no order: sorting would read them all
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	size, different := 0, make(map[uint64]map[rating.Hash]struct{})
	for rows.Next() {
		e, n, err := j.scan(rows)
		if err != nil {
			return nil, err
		}
		r := run{first: e.First, prev: e.prev(), hashes: e.Header().Hashes, released: e.Released}
		if all, size = append(all, r), size+n; len(all) > maxHere || size > maxHereBytes {
			return nil, errCrowded
		}
		for i, h := range r.hashes {
			seq := r.first + uint64(i)
			if different[seq] == nil {
				different[seq] = make(map[rating.Hash]struct{})
			}
			if different[seq][h] = struct{}{}; len(different[seq]) > maxSame {
				return nil, errCrowded
			}
		}
	}
	return all, rows.Err()
}

// Acts returns up to n rows of the kind Acted before a position, the last first. A position of 0 is the end. Fewer than n
// may come before the first, since it stops after some megabytes; none is the first.
func (j *Journal) Acts(ctx context.Context, before int64, n int) (all []Entry, err error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	rows, err := j.cfg.DB.QueryContext(ctx, readEntry+"WHERE e.kind = 'act' AND e.pos < $1 ORDER BY e.pos DESC LIMIT $2", before, n)
	if err != nil {
		return nil, fmt.Errorf("read what people did: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for size := 0; size < enough && rows.Next(); {
		e, more, err := j.scan(rows)
		if err != nil {
			return nil, fmt.Errorf("read what people did: %w", err)
		}
		all, size = append(all, e), size+more
	}
	return all, rows.Err()
}
