package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

const (
	// keptChanges is how many changes of a box are kept.
	keptChanges = 200
	// settle is how long a state must last to be a change.
	settle = 2 * time.Minute
)

// Change is something that has changed of a box.
type Change struct {
	At     time.Time
	What   ChangeKind
	Detail string // a trouble's code, a version, or a window
}

// ChangeKind is what has changed.
type ChangeKind string

// The changes.
const (
	CameOnline  ChangeKind = "online"
	WentOffline ChangeKind = "offline"
	GotTrouble  ChangeKind = "trouble"
	LostTrouble ChangeKind = "over"
	NewVersion  ChangeKind = "version"
	NewWindow   ChangeKind = "window"
	Booted      ChangeKind = "boot"
)

// seen is how a box was when it was looked at.
type seen struct {
	Online   bool     `json:"online,omitempty"`
	Troubles []string `json:"troubles,omitempty"`
	Version  string   `json:"version,omitempty"`
	Boot     uint32   `json:"boot,omitempty"`
	Window   string   `json:"window,omitempty"`
}

func (s State) seen(now time.Time) seen {
	x := seen{Online: s.online(now), Window: s.Window.Hall + " " + s.Window.Name}
	if s.Presence != nil {
		x.Version, x.Boot = s.Presence.Version, s.Presence.Boot
	}
	if s.refused() {
		x.Troubles = append(x.Troubles, string(refusedKind().Code))
	}
	for _, k := range s.troubles() {
		x.Troubles = append(x.Troubles, string(k.Code))
	}
	slices.Sort(x.Troubles)
	return x
}

func (s seen) equal(t seen) bool {
	return s.Online == t.Online && s.Version == t.Version && s.Boot == t.Boot && s.Window == t.Window && slices.Equal(s.Troubles, t.Troubles)
}

// changes returns what is different in t. What the broker says of a box that has gone has neither version nor boot.
func (s seen) changes(t seen, at time.Time) (all []Change) {
	add := func(what ChangeKind, detail string) { all = append(all, Change{at, what, detail}) }
	if t.Window != s.Window {
		add(NewWindow, t.Window)
	}
	if t.Online != s.Online {
		add(map[bool]ChangeKind{true: CameOnline, false: WentOffline}[t.Online], "")
	}
	if t.Boot != s.Boot && t.Boot != 0 && s.Boot != 0 {
		add(Booted, "")
	}
	if t.Version != s.Version && t.Version != "" {
		add(NewVersion, t.Version)
	}
	for _, c := range t.Troubles {
		if !slices.Contains(s.Troubles, c) {
			add(GotTrouble, c)
		}
	}
	for _, c := range s.Troubles {
		if !slices.Contains(t.Troubles, c) {
			add(LostTrouble, c)
		}
	}
	return all
}

// watchedBox is what the watch knows of a box.
type watchedBox struct {
	seen
	count  int64     // of its changes
	next   seen      // what it may have become
	nextAt time.Time // since when, zero: it has not changed
	known  bool
}

// step takes how a box is now, and returns its changes once they have lasted.
func (b *watchedBox) step(is seen, now time.Time) []Change {
	if !is.Online { // the broker's word for it says no more
		is.Version, is.Boot = b.Version, b.Boot
	}
	switch {
	case !b.known:
		b.seen, b.known = is, true
		return []Change{{now, map[bool]ChangeKind{true: CameOnline, false: WentOffline}[is.Online], ""}}
	case is.equal(b.seen):
		b.nextAt = time.Time{}
		return nil
	case b.nextAt.IsZero() || !is.equal(b.next):
		b.next, b.nextAt = is, now
		return nil
	case now.Sub(b.nextAt) < settle:
		return nil
	}
	all := b.changes(is, b.nextAt)
	b.seen, b.nextAt = is, time.Time{}
	return all
}

// readSeen reads what was seen of all boxes.
func (f *Fleet) readSeen(ctx context.Context) (map[rating.DeviceID]*watchedBox, error) {
	out := make(map[rating.DeviceID]*watchedBox)
	_, err := db.Query(ctx, f.db, func(s db.Scanner) (struct{}, error) {
		var id rating.DeviceID
		var text string
		b := &watchedBox{known: true}
		if err := s.Scan(&id, &text, &b.count); err != nil {
			return struct{}{}, err
		}
		out[id] = b
		return struct{}{}, json.Unmarshal([]byte(text), &b.seen)
	}, "SELECT id, seen, changes FROM device_seen")
	if err != nil {
		return nil, fmt.Errorf("read how boxes were: %w", err)
	}
	return out, nil
}

// boxChanges is what has changed of one box.
type boxChanges struct {
	device rating.DeviceID
	box    watchedBox
	all    []Change
}

// writeChanges writes changes, and removes those that are too many.
func writeChanges(ctx context.Context, tx *db.Tx, some []boxChanges) error {
	var boxes, rows, old [][]any
	for _, c := range some {
		text, err := json.Marshal(c.box.seen)
		if err != nil {
			return err
		}
		boxes = append(boxes, []any{string(c.device), string(text), c.box.count})
		for i, x := range c.all {
			rows = append(rows, []any{string(c.device), c.box.count - int64(len(c.all)-1-i), x.At.UnixMilli(), string(x.What), cut(x.Detail)})
		}
		old = append(old, []any{string(c.device), c.box.count - keptChanges})
	}
	err := tx.Each(ctx, `INSERT INTO device_seen (id, seen, changes) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, changes = excluded.changes`, boxes)
	if err == nil {
		err = tx.Each(ctx, "INSERT INTO device_change (device, n, at, what, detail) VALUES ($1, $2, $3, $4, $5)", rows)
	}
	if err == nil {
		err = tx.Each(ctx, "DELETE FROM device_change WHERE device = $1 AND n <= $2", old)
	}
	return err
}

// Changes returns the last changes of a box, the latest first.
func (f *Fleet) Changes(ctx context.Context, d rating.DeviceID, n int) ([]Change, error) {
	all, err := db.Query(ctx, f.db, func(s db.Scanner) (c Change, err error) {
		var at int64
		err = s.Scan(&at, &c.What, &c.Detail)
		c.At = time.UnixMilli(at)
		return c, err
	}, "SELECT at, what, detail FROM device_change WHERE device = $1 ORDER BY n DESC LIMIT $2", string(d), n)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", d, err)
	}
	return all, nil
}
