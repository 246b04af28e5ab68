package journal

import (
	"context"
	"errors"

	"haochaping/internal/central/db"
)

// Remembered returns how many logs' states the writer remembers. Nothing may be appended meanwhile.
func (j *Journal) Remembered() int { return len(j.logs.rows) }

// LookUp looks some numbers of a log up in one group, and returns which of them are refused as crowded.
func (j *Journal) LookUp(ctx context.Context, log int64, numbers []uint64) (crowded []bool, err error) {
	err = j.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		g := newGrouping(j, tx)
		for _, n := range numbers {
			_, err := g.here(ctx, log, n, n)
			if err != nil && !errors.Is(err, errCrowded) {
				return err
			}
			crowded = append(crowded, err != nil)
		}
		return nil
	})
	return crowded, err
}

// Recent returns how many rows are kept for who follows, and the bytes of their parts.
func (j *Journal) Recent() (rows, bytes int) {
	j.recent.mu.Lock()
	defer j.recent.mu.Unlock()
	return len(j.recent.rows), j.recent.bytes
}
