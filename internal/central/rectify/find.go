package rectify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
)

// Place is where a list goes on. The zero one is its beginning. At is when the part before is due, or was opened, as the list is ordered.
type Place struct{ At, Order, Part int64 }

// Filter says which parts a list has. Without units and areas it has all, else those that are of one of them. What else is empty narrows
// nothing.
type Filter struct {
	Units []string // that work on it
	Areas []Codes  // in which it is

	Words      string // in number, matter or place
	Unit       string // exactly
	States     []State
	From, To   int64 // opened from and before
	DueBefore  int64 // its next step is due by then
	Complaints bool  // only these
	Owed       bool  // with a name, and still to be followed up
	Clues      bool  // what is a clue or has one; else a list has nothing that is a clue as a whole

	After Place
	Limit int
}

// Codes are the areas from one code to another, both included.
type Codes struct{ First, Last string }

// of returns the filter as SQL that follows a condition, whose arguments it adds.
func (f Filter) of(args []any) (string, []any) {
	mark := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	in := func(column string, all []string) string {
		var marks []string
		for _, s := range all {
			marks = append(marks, mark(s))
		}
		return column + " IN (" + strings.Join(marks, ", ") + ")"
	}
	all := []string{"p.clue < 2"}
	if f.Clues {
		all[0] = "p.clue > 0"
	}
	var ways []string
	if len(f.Units) > 0 {
		ways = append(ways, in("p.unit", f.Units))
	}
	for _, c := range f.Areas {
		ways = append(ways, "p.area BETWEEN "+mark(c.First)+" AND "+mark(c.Last))
	}
	if len(ways) > 0 {
		all = append(all, "("+strings.Join(ways, " OR ")+")")
	}
	if f.Unit != "" {
		all = append(all, "p.unit = "+mark(f.Unit))
	}
	if len(f.States) > 0 {
		var states []string
		for _, s := range f.States {
			states = append(states, string(s))
		}
		all = append(all, in("p.state", states))
	}
	if f.From > 0 {
		all = append(all, "p.opened >= "+mark(f.From))
	}
	if f.To > 0 {
		all = append(all, "p.opened < "+mark(f.To))
	}
	if f.DueBefore > 0 {
		all = append(all, "p.due > 0 AND p.due <= "+mark(f.DueBefore))
	}
	if f.Complaints {
		all = append(all, "p.complaint = 1")
	}
	if f.Owed {
		all = append(all, fmt.Sprintf("p.owed = %d", stillOwed))
	}
	if f.Words != "" {
		all = append(all, `p.order_id IN (SELECT id FROM rectify_order WHERE label LIKE `+
			mark("%"+strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(f.Words))+"%")+` ESCAPE '\')`)
	}
	return " AND " + strings.Join(all, " AND "), args
}

// Listed is a part with what it is about.
type Listed struct {
	Kept
	About Opening
}

// Place returns where the list of Due goes on after it.
func (l Listed) Place() Place { return Place{l.Due, l.Order, l.Part} }

// Opened returns where the list of Find goes on after it.
func (l Listed) Opened() Place { return Place{l.opened, l.Order, l.Part} }

// readListed reads the parts of a list, and of these alone what their orders are about: a planner that has no statistics yet would else
// read all orders. The verbs are the condition of the parts, their order, how many are read, and what of these is left.
const readListed = `SELECT p.order_id, p.part, p.changed, p.due, p.opened, p.body, r.about
	FROM (SELECT p.order_id, p.part, p.changed, p.due, p.opened, p.body FROM rectify_part p WHERE %[1]s ORDER BY %[2]s LIMIT %[3]d) p
	JOIN rectify_order r ON r.id = p.order_id%[4]s ORDER BY %[2]s`

func scanListed(s db.Scanner) (l Listed, err error) {
	var body, about string
	if err = s.Scan(&l.Order, &l.Part, &l.Changed, &l.Due, &l.opened, &body, &about); err == nil {
		err = errors.Join(json.Unmarshal([]byte(body), &l.Body), json.Unmarshal([]byte(about), &l.About))
	}
	return l, err
}

// Due lists what is still to be done, by what is due first.
func (o *Orders) Due(ctx context.Context, f Filter) ([]Listed, error) {
	before := f.DueBefore
	f.DueBefore = 0
	where, args := f.of([]any{f.After.At, f.After.Order, f.After.Part})
	left := ""
	if before > 0 { // what is due by then comes first, so that the index ends the reading
		args = append(args, before)
		left = fmt.Sprintf(" WHERE p.due <= $%d", len(args))
	}
	all, err := db.Query(ctx, o.db, scanListed, fmt.Sprintf(readListed, "p.due > 0 AND (p.due, p.order_id, p.part) > ($1, $2, $3)"+where,
		"p.due, p.order_id, p.part", f.Limit, left), args...)
	if err != nil {
		return nil, fmt.Errorf("list what is due: %w", err)
	}
	return all, nil
}

// Find lists what there is, also what is closed, the last that was opened first.
func (o *Orders) Find(ctx context.Context, f Filter) ([]Listed, error) {
	text, args := "p.opened > 0", []any(nil)
	if f.After != (Place{}) {
		args = []any{f.After.At, f.After.Order, f.After.Part}
		text += " AND (p.opened, p.order_id, p.part) < ($1, $2, $3)"
	}
	where, args := f.of(args)
	all, err := db.Query(ctx, o.db, scanListed, fmt.Sprintf(readListed, text+where, "p.opened DESC, p.order_id DESC, p.part DESC", f.Limit,
		""), args...)
	if err != nil {
		return nil, fmt.Errorf("search orders: %w", err)
	}
	return all, nil
}
