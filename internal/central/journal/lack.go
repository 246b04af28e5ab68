package journal

import (
	"context"
	"fmt"

	"haochaping/internal/rating"
)

// Lack is which of the records that a box was vouched to hold are not here.
type Lack struct {
	First, Last uint64 // the outermost ones; zero where none is missing
	Count       uint64
}

// Lacks returns which records up to the last that is accepted of a box are not here. Those that the box said it had let go are a finding
// of the books, and are not counted.
func (j *Journal) Lacks(ctx context.Context, d rating.DeviceID, u Until) (Lack, error) {
	k := logKey{string(d), u.Epoch}
	all, err := loadLogs(ctx, j.cfg.DB, []logKey{k})
	if err != nil {
		return Lack{}, fmt.Errorf("read what of %s is here: %w", d, err)
	}
	return all[k].lacks(u.Last), nil
}

// lacks returns which records up to a last one are not here.
func (p progress) lacks(last uint64) (l Lack) {
	add := func(from, to uint64) {
		if to = min(to, last); from > to {
			return
		}
		if l.Count == 0 {
			l.First = from
		}
		l.Last, l.Count = to, l.Count+to-from+1
	}
	next := p.through + 1
	for _, s := range p.beyond {
		add(next, s.First-1)
		next = s.Last + 1
	}
	add(next, last)
	return l
}
