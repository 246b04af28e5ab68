package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
)

// Taken returns, in a transaction, those of some windows of the organisation that have a box.
func Taken(ctx context.Context, tx *db.Tx, windows []string) (all []string, err error) {
	const step = 500
	for len(windows) > 0 {
		some := windows[:min(step, len(windows))]
		windows = windows[len(some):]
		args := make([]any, len(some))
		marks := make([]string, len(some))
		for i, w := range some {
			args[i], marks[i] = w, fmt.Sprintf("$%d", i+1)
		}
		found, err := db.Query(ctx, tx, func(s db.Scanner) (w string, err error) { return w, s.Scan(&w) },
			"SELECT serves FROM device WHERE serves IN ("+strings.Join(marks, ", ")+")", args...)
		if err != nil {
			return nil, fmt.Errorf("read which windows have a box: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// tookPlace returns nil if the row of a change that is in the journal already is that of the same one: another of the same generation,
// made at the same time, has its name.
func (f *Fleet) tookPlace(ctx context.Context, d Device, text []byte) error {
	err := f.db.Read(ctx, func(tx *db.Tx) error {
		_, err := fresh(ctx, tx, d, text)
		return err
	})
	switch {
	case errors.Is(err, errSame):
		return nil
	case err == nil:
		return fmt.Errorf("%w: somebody else was first", ErrGeneration)
	}
	return err
}
