package rectify

import (
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
	Evaluation int64        `json:"evaluation"`
	At         int64        `json:"at"`
	Days       int          `json:"days"`
	Level      rating.Level `json:"level"`
	RatedAt    int64        `json:"rated_at"`
	Subject    string       `json:"subject"`
	Matter     string       `json:"matter,omitempty"`
	Place      string       `json:"place,omitempty"` // hall and window as citizens read them
	Handlers   []Handler    `json:"handlers"`
}

// Handler is a unit that handled what was rated.
type Handler struct {
	Unit  string `json:"unit,omitempty"` // empty: not known
	Area  string `json:"area,omitempty"`
	Named bool   `json:"named,omitempty"`
}

// part returns a handler's part as it begins.
func (h Handler) part(at int64, days int) Part {
	return Part{State: Waiting, Unit: h.Unit, Area: h.Area, Origin: h.Unit, Named: h.Named, From: at, Since: at, Days: days, Counts: true}
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
	prefix = "rectify."
	opens  = prefix + "open"
	adds   = prefix + "part"
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
		_, err := tx.ExecContext(ctx, "INSERT INTO rectify_order (id, evaluation, about) VALUES ($1, $2, $3)", pos, x.Evaluation, string(a.Data))
		if err != nil {
			return err
		}
		for i, h := range x.Handlers {
			if err := o.put(ctx, tx, Kept{Order: pos, Part: int64(i + 1), Changed: pos, Body: h.part(x.At, x.Days)}, true); err != nil {
				return err
			}
		}
		return note(ctx, tx, pos, pos, 0)
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
	}
	return o.enterDeed(ctx, tx, pos, a)
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
	case all[0].Changed != x.Seen:
		return ErrMeanwhile
	}
	k := all[0]
	if k.Body, err = Apply(k.Body, x.Event); err != nil {
		return err
	}
	k.Changed = pos
	if err := o.put(ctx, tx, k, false); err != nil {
		return err
	}
	return note(ctx, tx, pos, order, part)
}

func parseObject(s string) (order, part int64, err error) {
	if _, err := fmt.Sscanf(s, "%d/%d", &order, &part); err != nil {
		return 0, 0, fmt.Errorf("%q names no part of an order: %w", s, err)
	}
	return order, part, nil
}

// put writes a part.
func (o *Orders) put(ctx context.Context, tx *db.Tx, k Kept, fresh bool) error {
	body, err := json.Marshal(k.Body)
	if err != nil {
		return err
	}
	due := int64(0)
	if d, ok := o.cfg.Terms.Due(k.Body); ok {
		due = d.At.UnixMilli()
	}
	text := "UPDATE rectify_part SET changed = $1, unit = $2, area = $3, state = $4, due = $5, body = $6 WHERE order_id = $7 AND part = $8"
	if fresh {
		text = "INSERT INTO rectify_part (changed, unit, area, state, due, body, order_id, part) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	}
	r, err := tx.ExecContext(ctx, text, k.Changed, k.Body.Unit, k.Body.Area, string(k.Body.State), due, string(body), k.Order, k.Part)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, ErrNoOrder)
	}
	return nil
}

// note writes an act into an order's history.
func note(ctx context.Context, tx *db.Tx, pos, order, part int64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO rectify_act (pos, order_id, part) VALUES ($1, $2, $3)", pos, order, part)
	return err
}
