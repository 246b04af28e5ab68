package books

import (
	"context"
	"fmt"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Heard is that an evaluation came by a channel. It says no level.
type Heard struct {
	Cursor  int64     // as Entry has it
	At      time.Time // Entry.Moment
	Channel rating.Channel
	Post    Post   // a window, or the area alone where no box was; empty where nobody has said it
	Unit    string // that handled the case, as a business system says it; empty where none has
}

// Heard returns by which channels up to n evaluations came after the given cursor, the oldest first.
func (b *Books) Heard(ctx context.Context, cursor int64, n int) (all []Heard, err error) {
	err = b.read(ctx, func(tx *db.Tx, t tables) error {
		var cases []string // by evaluation, empty where it is of a box
		all, err = db.Query(ctx, tx, func(s db.Scanner) (Heard, error) {
			h, about, err := scanHeard(s)
			cases = append(cases, about)
			return h, err
		}, t.of(`SELECT e.id, e.moment, e.channel, e.project, v.visit, d.name FROM {evaluation} e JOIN {visit} v ON v.n = e.visit
			JOIN {device} d ON d.id = v.device WHERE e.id > $1 ORDER BY e.id LIMIT $2`), cursor, n)
		if err != nil {
			return err
		}
		var items []int64
		for _, about := range cases {
			if about != "" {
				items = append(items, itemHash(about))
			}
		}
		found, err := reader{tx, t, b.cfg.Journal}.files(ctx, unique(items))
		units := make(map[string]string)
		for _, f := range found {
			if f.file != nil {
				units[f.project] = f.file.Unit
			}
		}
		for i, about := range cases {
			all[i].Unit = units[about]
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read by which channels evaluations came: %w", err)
	}
	return all, nil
}

// scanHeard returns besides the case of one that no box sent, empty if it is about none.
func scanHeard(s db.Scanner) (h Heard, about string, err error) {
	var moment, channel int64
	var project, text string
	var sender rating.DeviceID
	if err := s.Scan(&h.Cursor, &moment, &channel, &project, &text, &sender); err != nil {
		return h, "", err
	}
	h.At, h.Channel = time.UnixMilli(moment), value(channels(), channel)
	e := Entry{Case: project}
	if e.Device, e.Source = senderOf(sender); e.Source != "" {
		about = project
	}
	if text != "" {
		if e.visit, err = decodeVisit(text); err != nil {
			return h, "", fmt.Errorf("a visit of evaluation %d: %w", h.Cursor, err)
		}
	}
	h.Post, _ = e.Post()
	return h, about, nil
}
