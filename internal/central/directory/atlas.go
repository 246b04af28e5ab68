package directory

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Atlas is the areas, units, halls and windows as they were on any day, and which window each box served: a copy in memory that never
// changes, but for what is worked out once.
type Atlas struct {
	tree
	Version int64 // of the organisation
	served  map[assignment]string
	latest  int64 // the last change of what boxes served
	staying sync.Once
	stays   []Stay // after staying
}

// assignment is a box and the generation of its configuration.
type assignment struct {
	device     rating.DeviceID
	generation uint32
}

// Place is where something happened, as it was then. Units are the window's own unit, or the hall's, and those above it; Areas are the
// hall's and those above it. None is empty.
type Place struct {
	Window, Hall Record
	Units, Areas []Record
}

// Unit returns the unit whose business the window is.
func (p Place) Unit() Record { return p.Units[0] }

// Area returns the hall's area.
func (p Place) Area() Record { return p.Areas[0] }

// Place returns where a box stood with a generation of its configuration at a moment. The window is what the record says; false if the box
// did not serve that window of the organisation then, as where a window was entered by hand.
func (a *Atlas) Place(device rating.DeviceID, window string, generation uint32, at time.Time) (Place, bool) {
	if served, ok := a.served[assignment{device, generation}]; !ok || served != window {
		return Place{}, false
	}
	return a.Window(window, DayOf(at))
}

// Window returns a window's place on a day.
func (a *Atlas) Window(id string, d Day) (p Place, ok bool) {
	if p.Window, ok = a.at(Window, id, d); !ok {
		return Place{}, false
	}
	if p.Hall, ok = a.at(Hall, p.Window.Hall, d); !ok {
		return Place{}, false
	}
	unit := p.Window.Unit
	if unit == "" {
		unit = p.Hall.Unit
	}
	p.Units, p.Areas = a.Units(unit, d), a.Areas(p.Hall.Area, d)
	if len(p.Units) == 0 || len(p.Areas) == 0 {
		return Place{}, false
	}
	return p, true
}

// Areas returns an area and those above it on a day.
func (a *Atlas) Areas(code string, d Day) (all []Record) {
	for ; code != ""; code = ParentArea(code) {
		if r, ok := a.at(Area, code, d); ok {
			all = append(all, r)
		}
	}
	return all
}

// Units returns a unit and those above it on a day.
func (a *Atlas) Units(code string, d Day) (all []Record) {
	for code != "" && len(all) <= maxUnits {
		r, ok := a.at(Unit, code, d)
		if !ok {
			break
		}
		all, code = append(all, r), r.Unit
	}
	return all
}

// At returns how an area, unit, hall or window is on a day.
func (a *Atlas) At(k Kind, id string, d Day) (Record, bool) { return a.at(k, id, d) }

// Each returns the areas, units, halls or windows of a day, in no order.
func (a *Atlas) Each(k Kind, d Day) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, records := range a.tree[k] {
			if r, ok := on(records, d); ok && !yield(r) {
				return
			}
		}
	}
}

// believed is how long the copy is taken as what the tables hold.
const believed = time.Second

// Atlas returns the copy, read anew if something has changed. What another instance has changed is seen within a second.
func (d *Directory) Atlas(ctx context.Context) (*Atlas, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if d.atlas != nil && now.Sub(d.asked) < believed {
		return d.atlas, nil
	}
	var next *Atlas
	err := d.db.Read(ctx, func(tx *db.Tx) (err error) {
		next, err = d.atlas.next(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the organisation: %w", err)
	}
	d.atlas, d.asked = next, now
	return next, nil
}

// next returns the copy of what the tables hold now, which is a itself if nothing has changed. A may be nil.
func (a *Atlas) next(ctx context.Context, tx *db.Tx) (*Atlas, error) {
	v, err := version(ctx, tx)
	if err != nil {
		return nil, err
	}
	n := &Atlas{Version: v, served: make(map[assignment]string)}
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(changed), 0) FROM serving").Scan(&n.latest); err != nil {
		return nil, err
	}
	if a != nil && a.Version == n.Version && a.latest == n.latest {
		return a, nil
	}
	if a != nil && a.Version == n.Version {
		n.tree = a.tree
	} else {
		all, err := db.Query(ctx, tx, scanRecord, "SELECT "+columns+" FROM organisation WHERE kind <> $1 ORDER BY kind, id, valid_from",
			string(Staff))
		if err != nil {
			return nil, err
		}
		n.tree = newTree(all)
	}
	type row struct {
		assignment
		window string
	}
	rows, err := db.Query(ctx, tx, func(s db.Scanner) (r row, err error) {
		return r, s.Scan(&r.device, &r.generation, &r.window)
	}, "SELECT device, generation, window_id FROM serving")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		n.served[r.assignment] = r.window
	}
	return n, nil
}
