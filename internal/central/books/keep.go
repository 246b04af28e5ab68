package books

import (
	"context"
	"time"
)

// together is for how long others that change with one change are waited for.
const together = time.Second

// Keep calls step until ctx ends: when the books have changed, and each interval. What changes meanwhile step may receive itself. Each
// error is told to failed once, until step goes well or fails otherwise, and is tried again at intervals only, not as fast as evaluations
// come.
func (b *Books) Keep(ctx context.Context, every time.Duration, step func(changed <-chan struct{}) error, failed func(error)) {
	changed, stop := b.Subscribe()
	defer stop()
	said := ""
	for ctx.Err() == nil {
		text, wake := "", changed
		if err := step(changed); err != nil {
			text, wake = err.Error(), nil
			if text != said && ctx.Err() == nil {
				failed(err)
			}
		}
		said = text
		select {
		case <-ctx.Done():
		case <-time.After(every):
		case <-wake:
			select {
			case <-ctx.Done():
			case <-time.After(together):
			}
		}
	}
}
