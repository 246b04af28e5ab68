package journal

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Bounds of the rows that are kept for who follows: more than come while the books rest between two looks.
const (
	maxRecent      = 2048    // rows
	maxRecentBytes = 4 << 20 // of their parts
)

// recent is the rows that this instance has written last, with what was read of them: whoever follows need not read them again. It is safe
// for concurrent use.
type recent struct {
	mu    sync.Mutex
	rows  []recentRow // guarded by mu; their positions are dense
	bytes int         // guarded by mu; of their parts
}

type recentRow struct {
	Entry
	leaf []byte
	size int
}

// judged is a batch's record, read, and why it cannot be accepted, if so.
type judged struct {
	record rating.Record
	reason string
}

// add keeps the rows of a group that was committed, as far as they were entered.
func (r *recent) add(group []*draft) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range group {
		if !d.receipt.Entered {
			continue
		}
		if n := len(r.rows); n > 0 && r.rows[n-1].Pos+1 != d.receipt.Pos { // another instance has written between
			r.rows, r.bytes = nil, 0
		}
		row := recentRow{Entry: d.entry, leaf: d.leaf}
		row.Pos, row.Until = d.receipt.Pos, nil
		for _, p := range row.Parts {
			row.size += len(p)
		}
		r.rows, r.bytes = append(r.rows, row), r.bytes+row.size
	}
	if len(r.rows) > maxRecent || r.bytes > maxRecentBytes {
		r.halve()
	}
}

// halve forgets the older ones. The caller holds mu.
func (r *recent) halve() {
	n := 0
	for n < len(r.rows) && (len(r.rows)-n > maxRecent/2 || r.bytes > maxRecentBytes/2) {
		r.bytes -= r.rows[n].size
		n++
	}
	r.rows = slices.Delete(r.rows, 0, n) // in place
}

// after returns up to n rows after a position, and their leaves; none if the next row is not kept.
func (r *recent) after(pos int64, n int) (all []Entry, leaves [][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.rows) == 0 || pos+1 < r.rows[0].Pos {
		return nil, nil
	}
	for _, row := range r.rows[min(int(pos+1-r.rows[0].Pos), len(r.rows)):] {
		if len(all) == n {
			break
		}
		all, leaves = append(all, row.Entry), append(leaves, row.leaf)
	}
	return all, leaves
}

// Follow returns what Read does, for who takes each row soon after it has come: rows that this instance has just written come from its
// memory, if the journal has these and no others. It is not for who checks or copies the journal.
func (j *Journal) Follow(ctx context.Context, after int64, rows int) ([]Entry, error) {
	some, leaves := j.recent.after(after, rows)
	if len(some) == 0 {
		return j.Read(ctx, after, rows)
	}
	kept, err := db.Query(ctx, j.cfg.DB, scanLeaf, "SELECT leaf FROM entry WHERE pos > $1 AND pos <= $2 ORDER BY pos", after,
		some[len(some)-1].Pos)
	if err != nil {
		return nil, fmt.Errorf("read the journal after row %d: %w", after, err)
	}
	if !slices.EqualFunc(kept, leaves, bytes.Equal) { // the server has failed over to one that had not got them
		return j.Read(ctx, after, rows)
	}
	return some, nil
}

func scanLeaf(s db.Scanner) (leaf []byte, err error) {
	var b sql.RawBytes
	err = s.Scan(&b)
	return slices.Clone(b), err
}
