package rectify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

	opened int64  // as the table has it
	body   string // as the table has it, of a part that was read
}

// Name returns how people and programs call it, as 412-1.
func (k Kept) Name() string { return fmt.Sprintf("%d-%d", k.Order, k.Part) }

// Order is an order with its parts.
type Order struct {
	ID    int64
	About Opening
	Parts []Kept
}

const readKept = "SELECT order_id, part, changed, due, opened, body FROM rectify_part "

func scanKept(s db.Scanner) (k Kept, err error) {
	if err = s.Scan(&k.Order, &k.Part, &k.Changed, &k.Due, &k.opened, &k.body); err == nil {
		err = json.Unmarshal([]byte(k.body), &k.Body)
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
	Kept   bool  // what was said is for those who see clues
	Judged bool  // the citizen has written something, which Judged returns
	File   *File // what was attached
}

// Clues is how much of clues (article 23) a history shows.
type Clues int

// How much.
const (
	NoClues    Clues = iota
	ThatClues        // that there are some, and who has referred them
	WholeClues       // and what was said of them
)

// History returns what was done about an order, in order. What a citizen has said of a complaint is not in it.
func (o *Orders) History(ctx context.Context, id int64, clues Clues) (all []Step, err error) {
	places, err := db.Query(ctx, o.db, func(s db.Scanner) (x Step, err error) {
		var about string
		if err = s.Scan(&x.Pos, &x.Part, &about); err == nil && about != "" {
			x.File = new(File)
			err = json.Unmarshal([]byte(about), &x.File.Attached)
			x.File.ID, x.Source, x.At = x.Pos, x.File.Account, time.UnixMilli(x.File.At)
		}
		return x, err
	}, `SELECT a.pos, a.part, coalesce(f.about, '') FROM rectify_act a LEFT JOIN rectify_file f ON f.pos = a.pos WHERE a.order_id = $1
		ORDER BY a.pos`, id)
	if err != nil {
		return nil, fmt.Errorf("read the history of an order: %w", err)
	}
	for _, x := range places {
		if x.File == nil {
			if x, err = o.step(ctx, x, clues); err != nil {
				return nil, err
			}
		}
		if x.Do != Refer || clues != NoClues {
			all = append(all, x)
		}
	}
	return all, nil
}

// step reads an act of the journal.
func (o *Orders) step(ctx context.Context, x Step, clues Clues) (Step, error) {
	e, err := o.cfg.Journal.Entry(ctx, x.Pos)
	if err != nil {
		return x, err
	}
	a, err := e.Act()
	if err != nil {
		return x, err
	}
	x.Source, x.At = e.Source, time.UnixMilli(e.Received)
	if a.Do == opens || a.Do == adds {
		return x, nil
	}
	if x.Event, _, err = doneOf(a); err != nil {
		return x, fmt.Errorf("row %d of the journal: %w", x.Pos, err)
	}
	x.Do = x.Event.Do
	if (a.Few || x.Do == Refer) && clues != WholeClues {
		x.Kept = true
		return x, nil
	}
	if x.Source == Citizen {
		x.Judged = len(a.Text) > 0
		return x, nil
	}
	if x.Text, err = o.cfg.Journal.Text(ctx, x.Pos, 0); errors.Is(err, journal.ErrErased) {
		x.Erased, err = true, nil
	}
	return x, err
}
