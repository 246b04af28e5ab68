package fleet

import (
	"context"
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
