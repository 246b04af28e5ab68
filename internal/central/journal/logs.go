package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// logKey names a log of a device.
type logKey struct {
	device string
	epoch  rating.Epoch
}

// keptLog is a row of the table log.
type keptLog struct {
	id int64 // 0: not written yet
	progress
}

// maxLogs bounds the logs that are remembered, about 150 bytes each.
const maxLogs = 100_000

// logCache remembers rows of the table log while no other instance writes.
type logCache struct {
	size int64  // of the journal when the rows were as they are remembered
	last string // the leaf of its last row then: a server that failed over may have as many rows, and others
	rows map[logKey]keptLog
}

func newLogCache() *logCache { return &logCache{rows: make(map[logKey]keptLog)} }

// at forgets everything if the journal is not the one that is remembered, as when it has grown by others.
func (c *logCache) at(size int64, last string) {
	if c.size != size || c.last != last || len(c.rows) > maxLogs {
		clear(c.rows)
		c.size, c.last = size, last
	}
}

const readLog = "SELECT id, device, epoch, through, hash, since, released, beyond FROM log "

// namedLog is a row of the table log with its name.
type namedLog struct {
	logKey
	keptLog
}

func scanLog(s db.Scanner) (r namedLog, err error) {
	var epoch string
	var hash, beyond []byte
	if err := s.Scan(&r.id, &r.device, &epoch, &r.through, &hash, &r.since, &r.released, &beyond); err != nil {
		return r, err
	}
	copy(r.hash[:], hash)
	if r.epoch, err = rating.ParseEpoch(epoch); err != nil {
		return r, err
	}
	if err := json.Unmarshal(beyond, &r.beyond); err != nil {
		return r, err
	}
	for i, s := range r.beyond {
		if s.Since == 0 { // from before it was kept
			r.beyond[i].Since = s.Last
		}
	}
	return r, nil
}

// loadLogs reads the rows of some logs. A device may have any number of others.
func loadLogs(ctx context.Context, q db.Querier, logs []logKey) (map[logKey]keptLog, error) {
	const step = 250
	all := make(map[logKey]keptLog)
	for len(logs) > 0 {
		some := logs[:min(step, len(logs))]
		logs = logs[len(some):]
		var args []any
		marks := make([]string, len(some))
		for i, k := range some {
			args = append(args, k.device, k.epoch.String())
			marks[i] = fmt.Sprintf("($%d, $%d)", 2*i+1, 2*i+2)
		}
		rows, err := db.Query(ctx, q, scanLog, readLog+"WHERE (device, epoch) IN (VALUES "+strings.Join(marks, ", ")+")", args...)
		if err != nil {
			return nil, fmt.Errorf("read the state of logs: %w", err)
		}
		for _, r := range rows {
			all[r.logKey] = r.keptLog
		}
	}
	return all, nil
}

// saveLogs writes some rows, of which it is said whether they are new.
func saveLogs(ctx context.Context, tx *db.Tx, logs map[logKey]keptLog, unsaved map[logKey]bool) error {
	var added, updated [][]any
	for k, isNew := range unsaved {
		l := logs[k]
		var hash []byte
		if l.hash != (rating.Hash{}) {
			hash = append([]byte{}, l.hash[:]...)
		}
		beyond := []byte("[]")
		if len(l.beyond) > 0 {
			var err error
			if beyond, err = json.Marshal(l.beyond); err != nil {
				return err
			}
		}
		if isNew {
			added = append(added, []any{l.id, k.device, k.epoch.String(), int64(l.through), hash, int64(l.since), int64(l.released), beyond})
		} else {
			updated = append(updated, []any{int64(l.through), hash, int64(l.since), int64(l.released), beyond, l.id})
		}
	}
	if err := tx.Insert(ctx, "log", []string{"id", "device", "epoch", "through", "hash", "since", "released", "beyond"}, added); err != nil {
		return fmt.Errorf("write the state of logs: %w", err)
	}
	if err := updateLogs(ctx, tx, updated); err != nil {
		return fmt.Errorf("write the state of logs: %w", err)
	}
	return nil
}

// updateLogs writes rows that are there. On a server one statement for all of them takes a third of the time.
func updateLogs(ctx context.Context, tx *db.Tx, rows [][]any) error {
	if tx.Engine() == db.SQLite {
		return tx.Each(ctx, "UPDATE log SET through = $1, hash = $2, since = $3, released = $4, beyond = $5 WHERE id = $6", rows)
	}
	if len(rows) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE log SET through = n.through, hash = n.hash, since = n.since, released = n.released, beyond = n.beyond
		FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[])
		AS n (through, hash, since, released, beyond, id) WHERE log.id = n.id`,
		column[int64](rows, 0), column[[]byte](rows, 1), column[int64](rows, 2), column[int64](rows, 3), column[[]byte](rows, 4),
		column[int64](rows, 5))
	return err
}

// column returns a column of rows.
func column[T any](rows [][]any, n int) []T {
	all := make([]T, len(rows))
	for i, r := range rows {
		all[i], _ = r[n].(T)
	}
	return all
}
