package rectify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// Opening is what the act says that opens an order: of the evaluation what lists show, which says neither who rated nor what they wrote.
type Opening struct {
	Evaluation int64        `json:"evaluation"` // 0: a complaint
	At         int64        `json:"at"`
	Days       int          `json:"days"`
	Level      rating.Level `json:"level"`
	RatedAt    int64        `json:"rated_at"`
	Subject    string       `json:"subject"`
	Matter     string       `json:"matter,omitempty"`
	Place      string       `json:"place,omitempty"` // hall and window as citizens read them
	Handlers   []Handler    `json:"handlers"`
	Complaint  *Complaint   `json:"complaint,omitempty"`
}

// label is what a search looks through, in small letters.
func (x Opening) label(order int64) string {
	number := ""
	if x.Complaint != nil {
		number = x.Complaint.Number
	}
	return strings.ToLower(fmt.Sprintf("%d %s %s %s", order, x.Matter, x.Place, number))
}

// part returns a part of the order as it begins.
func (x Opening) part(h Handler) Part {
	p := h.part(x.At, x.Days)
	if c := x.Complaint; c != nil {
		p.Complaint, p.Secret, p.Clue = true, c.Retaliation, c.Retaliation
	}
	return p
}

// Handler is a unit that handled what was rated.
type Handler struct {
	Unit  string `json:"unit,omitempty"` // empty: not known
	Area  string `json:"area,omitempty"`
	Named bool   `json:"named,omitempty"`
}

// part returns a handler's part as it begins.
func (h Handler) part(at int64, days int) Part {
	return Part{State: Waiting, Unit: h.Unit, Area: h.Area, Origin: h.Unit, Named: h.Named, Began: at, From: at, Since: at, Days: days,
		Counts: true}
}

// Added is what the act says that adds a part to an order.
type Added struct {
	At      int64   `json:"at"`
	Days    int     `json:"days"`
	Handler Handler `json:"handler"`
}

// Done is what the act says of a deed.
type Done struct {
	Seen  int64 `json:"seen"` // row of the journal after which it was done
	Event Event `json:"event"`
}

const (
	prefix   = "rectify."
	opens    = prefix + "open"
	adds     = prefix + "part"
	persons  = prefix + "person" // how whoever complains is reached
	attaches = prefix + "file"
)

// objectOf names a part of an order in an act.
func objectOf(order, part int64) string { return fmt.Sprintf("%d/%d", order, part) }

// enter does to the tables what an act says. It is all that ever changes orders, so that they can be made anew from the journal.
func (o *Orders) enter(ctx context.Context, tx *db.Tx, pos int64, a journal.Act) error {
	switch a.Do {
	case opens:
		var x Opening
		if err := json.Unmarshal(a.Data, &x); err != nil {
			return err
		}
		return o.enterOrder(ctx, tx, pos, x, string(a.Data))
	case adds:
		var x Added
		if err := json.Unmarshal(a.Data, &x); err != nil {
			return err
		}
		order, part, err := parseObject(a.Object)
		if err != nil {
			return err
		}
		if err := o.put(ctx, tx, Kept{Order: order, Part: part, Changed: pos, Body: x.Handler.part(x.At, x.Days)}, true); err != nil {
			return err
		}
		return note(ctx, tx, pos, order, part)
	case persons:
		return nil // the opening names its row
	case attaches:
		return o.enterFile(ctx, tx, pos, a)
	}
	return o.enterDeed(ctx, tx, pos, a)
}

// enterOrder writes a new order with its parts.
func (o *Orders) enterOrder(ctx context.Context, tx *db.Tx, pos int64, x Opening, about string) error {
	var evaluation any
	if x.Evaluation != 0 {
		evaluation = x.Evaluation
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO rectify_order (id, evaluation, about, label) VALUES ($1, $2, $3, $4)", pos, evaluation, about,
		x.label(pos))
	if err != nil {
		return err
	}
	for i, h := range x.Handlers {
		if err := o.put(ctx, tx, Kept{Order: pos, Part: int64(i + 1), Changed: pos, Body: x.part(h)}, true); err != nil {
			return err
		}
	}
	return note(ctx, tx, pos, pos, 0)
}

// enterDeed does what an act says that was done.
func (o *Orders) enterDeed(ctx context.Context, tx *db.Tx, pos int64, a journal.Act) error {
	order, part, err := parseObject(a.Object)
	if err != nil {
		return err
	}
	var x Done
	if err := json.Unmarshal(a.Data, &x); err != nil {
		return err
	}
	x.Event.Do = Deed(strings.TrimPrefix(a.Do, prefix))
	all, err := db.Query(ctx, tx, scanKept, readKept+"WHERE order_id = $1 AND part = $2", order, part)
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return ErrNoOrder
	case all[0].Changed != x.Seen && !all[0].referredAt(x.Seen):
		return ErrMeanwhile
	}
	k := all[0]
	if k.Body, err = Apply(k.Body, x.Event); err != nil {
		return err
	}
	if x.Event.Do == Refer {
		k.Body.Referred = pos
	}
	if !x.Event.Do.quiet() {
		k.Changed = pos
	}
	if err := o.put(ctx, tx, k, false); err != nil {
		return err
	}
	if err := chosen(ctx, tx, pos, k, x.Event); err != nil {
		return err
	}
	return note(ctx, tx, pos, order, part)
}

// referredAt reports whether a row has referred something of the part, and nothing was done since. Earlier versions named it as what was
// seen.
func (k Kept) referredAt(row int64) bool { return row == k.Body.Referred && row > k.Changed }

func parseObject(s string) (order, part int64, err error) {
	if _, err := fmt.Sscanf(s, "%d/%d", &order, &part); err != nil {
		return 0, 0, fmt.Errorf("%q names no part of an order: %w", s, err)
	}
	return order, part, nil
}

// updatePart writes what row returns.
const updatePart = `UPDATE rectify_part SET changed = $1, unit = $2, area = $3, state = $4, due = $5, body = $6, opened = $7, clue = $8,
	complaint = $9, owed = $10
	WHERE order_id = $11 AND part = $12`

// row returns what is kept of a part: its body, and beside it what lists and figures ask for.
func (o *Orders) row(k Kept) ([]any, error) {
	body, err := json.Marshal(k.Body)
	due := int64(0)
	if d, ok := o.cfg.Terms.Due(k.Body); ok {
		due = d.At.UnixMilli()
	}
	return []any{k.Changed, k.Body.Unit, k.Body.Area, string(k.Body.State), due, string(body), cmp.Or(k.Body.Began, k.Body.From),
		k.Body.clue(),
		oneIf(k.Body.Complaint), k.Body.owed(), k.Order, k.Part}, err
}

// put writes a part.
func (o *Orders) put(ctx context.Context, tx *db.Tx, k Kept, fresh bool) error {
	values, err := o.row(k)
	if err != nil {
		return err
	}
	text := updatePart
	if fresh {
		text = `INSERT INTO rectify_part (changed, unit, area, state, due, body, opened, clue, complaint, owed, order_id, part)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	}
	r, err := tx.ExecContext(ctx, text, values...)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, ErrNoOrder)
	}
	return nil
}

// What the column clue says.
const (
	noClue = iota
	hasClue
	isClue // as a whole: no list has it but that of clues
)

func (p Part) clue() int {
	switch {
	case p.Secret:
		return isClue
	case p.Clue:
		return hasClue
	}
	return noClue
}

// What the column owed says: whether the rate of those with a name that were followed up (实名差评回访整改率, article 18) counts a part, and as
// what.
const (
	notAsked = iota
	stillOwed
	followedUp
)

func (p Part) owed() int {
	switch {
	case !p.Named || p.Complaint || !p.Counts || p.State == NotAdopted, p.State == Appealing && p.Back == NotAdopted:
		return notAsked
	case p.State == Closed && !p.Unheard, p.State == Appealing && !p.Unheard:
		return followedUp
	}
	return stillOwed
}

func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// note writes an act into an order's history.
func note(ctx context.Context, tx *db.Tx, pos, order, part int64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO rectify_act (pos, order_id, part) VALUES ($1, $2, $3)", pos, order, part)
	return err
}
