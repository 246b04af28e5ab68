package rectify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// Kept is a part as the table has it.
type Kept struct {
	Order, Part int64
	Changed     int64 // row of the journal that changed it last: who does something names it
	Due         int64 // milliseconds since 1970-01-01 UTC, 0: nothing is to be done
	Body        Part
}

// Order is an order with its parts.
type Order struct {
	ID    int64
	About Opening
	Parts []Kept
}

const readKept = "SELECT order_id, part, changed, due, body FROM rectify_part "

func scanKept(s db.Scanner) (k Kept, err error) {
	var body string
	if err = s.Scan(&k.Order, &k.Part, &k.Changed, &k.Due, &body); err == nil {
		err = json.Unmarshal([]byte(body), &k.Body)
	}
	return k, err
}

func scanOrder(s db.Scanner) (x Order, err error) {
	var about string
	if err = s.Scan(&x.ID, &about); err == nil {
		err = json.Unmarshal([]byte(about), &x.About)
	}
	return x, err
}

// Order returns an order, or ErrNoOrder.
func (o *Orders) Order(ctx context.Context, id int64) (Order, error) { return o.one(ctx, "id", id) }

// Of returns the order on an evaluation, or ErrNoOrder.
func (o *Orders) Of(ctx context.Context, evaluation int64) (Order, error) {
	return o.one(ctx, "evaluation", evaluation)
}

func (o *Orders) one(ctx context.Context, column string, value int64) (x Order, err error) {
	err = o.db.Read(ctx, func(tx *db.Tx) error {
		all, err := db.Query(ctx, tx, scanOrder, "SELECT id, about FROM rectify_order WHERE "+column+" = $1", value)
		if err == nil && len(all) == 0 {
			err = ErrNoOrder
		}
		if err != nil {
			return err
		}
		x = all[0]
		x.Parts, err = db.Query(ctx, tx, scanKept, readKept+"WHERE order_id = $1 ORDER BY part", x.ID)
		return err
	})
	if err != nil && !errors.Is(err, ErrNoOrder) {
		err = fmt.Errorf("read an order: %w", err)
	}
	return x, err
}

// Place is where a list of what is due goes on. The zero one is its beginning.
type Place struct{ Due, Order, Part int64 }

// Filter says which parts a list has. Without units and areas it has all, else those that are of one of them.
type Filter struct {
	Units []string // that work on it
	Areas []Codes  // in which it is
	After Place
	Limit int
}

// Codes are the areas from one code to another, both included.
type Codes struct{ First, Last string }

// of returns the filter's units and areas as SQL, whose arguments it adds.
func (f Filter) of(args []any) (string, []any) {
	mark := func(s string) string {
		args = append(args, s)
		return fmt.Sprintf("$%d", len(args))
	}
	var ways, units []string
	for _, u := range f.Units {
		units = append(units, mark(u))
	}
	if len(units) > 0 {
		ways = append(ways, "p.unit IN ("+strings.Join(units, ", ")+")")
	}
	for _, c := range f.Areas {
		ways = append(ways, "p.area BETWEEN "+mark(c.First)+" AND "+mark(c.Last))
	}
	if len(ways) == 0 {
		return "", args
	}
	return " AND (" + strings.Join(ways, " OR ") + ")", args
}

// Listed is a part with what it is about.
type Listed struct {
	Kept
	About Opening
}

// Place returns where the list goes on after it.
func (l Listed) Place() Place { return Place{l.Due, l.Order, l.Part} }

// Due lists what is still to be done, by what is due first.
func (o *Orders) Due(ctx context.Context, f Filter) ([]Listed, error) {
	where, args := f.of([]any{f.After.Due, f.After.Order, f.After.Part})
	text := `SELECT p.order_id, p.part, p.changed, p.due, p.body, r.about FROM rectify_part p JOIN rectify_order r ON r.id = p.order_id
		WHERE p.due > 0 AND (p.due > $1 OR p.due = $1 AND (p.order_id > $2 OR p.order_id = $2 AND p.part > $3))` + where +
		fmt.Sprintf(" ORDER BY p.due, p.order_id, p.part LIMIT %d", f.Limit)
	all, err := db.Query(ctx, o.db, func(s db.Scanner) (l Listed, err error) {
		var body, about string
		if err = s.Scan(&l.Order, &l.Part, &l.Changed, &l.Due, &body, &about); err == nil {
			err = errors.Join(json.Unmarshal([]byte(body), &l.Body), json.Unmarshal([]byte(about), &l.About))
		}
		return l, err
	}, text, args...)
	if err != nil {
		return nil, fmt.Errorf("list what is due: %w", err)
	}
	return all, nil
}

// Step is one act of an order's history.
type Step struct {
	Pos    int64
	Part   int64 // 0: of the whole order
	Do     Deed  // empty where it was opened or a part was added
	Event  Event
	Source string // who did it
	At     time.Time
	Text   string // what was said; empty if nothing was, or it was erased
	Erased bool
}

// History returns what was done about an order, in order. The words of what was referred (article 23) are for few: they are left out without clues.
func (o *Orders) History(ctx context.Context, id int64, clues bool) (all []Step, err error) {
	places, err := db.Query(ctx, o.db, func(s db.Scanner) (x Step, err error) { return x, s.Scan(&x.Pos, &x.Part) },
		"SELECT pos, part FROM rectify_act WHERE order_id = $1 ORDER BY pos", id)
	if err != nil {
		return nil, fmt.Errorf("read the history of an order: %w", err)
	}
	for _, x := range places {
		e, err := o.cfg.Journal.Entry(ctx, x.Pos)
		if err != nil {
			return nil, err
		}
		a, err := e.Act()
		if err != nil {
			return nil, err
		}
		x.Source, x.At = e.Source, time.UnixMilli(e.Received)
		if a.Do != opens && a.Do != adds {
			var d Done
			if err := json.Unmarshal(a.Data, &d); err != nil {
				return nil, fmt.Errorf("row %d of the journal: %w", x.Pos, err)
			}
			x.Do, x.Event = Deed(strings.TrimPrefix(a.Do, prefix)), d.Event
		}
		if x.Do == Refer && !clues {
			continue
		}
		if x.Text, err = o.cfg.Journal.Text(ctx, x.Pos, 0); errors.Is(err, journal.ErrErased) {
			x.Erased, err = true, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}
