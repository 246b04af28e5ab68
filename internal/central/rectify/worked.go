package rectify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// Touch is that an act was about an order.
type Touch struct{ Pos, Order int64 }

// Touched returns up to n acts after a row of the journal, in order: whoever counts orders looks at these. An attachment is none of them.
func (o *Orders) Touched(ctx context.Context, after int64, n int) ([]Touch, error) {
	all, err := db.Query(ctx, o.db, func(s db.Scanner) (t Touch, err error) { return t, s.Scan(&t.Pos, &t.Order) },
		"SELECT pos, order_id FROM rectify_act a WHERE pos > $1 AND "+noFile+" ORDER BY pos LIMIT $2", after, n)
	if err != nil {
		return nil, fmt.Errorf("read what was done about orders: %w", err)
	}
	return all, nil
}

// Worked is what has become of a part, as figures need it. Times are milliseconds since 1970-01-01 UTC, 0: not yet.
type Worked struct {
	Part       int64
	Evaluation int64
	Level      rating.Level
	State      State
	Unit, Area string
	Origin     string // unit for which the part was opened
	Named      bool   // it is known how the citizen is reached
	Ends       int64  // when the unit's time was over for its first reply: a reply from then on is late
	Replied    int64  // when it first replied
	Followed   int64  // when the citizen was last asked what they think of it, and answered
	Satisfied  bool   // with it
	Due        int64  // when the next step is too late
}

// noFile says that an act in rectify_act a is no attachment, whose row of the journal is large.
const noFile = "NOT EXISTS (SELECT 1 FROM rectify_file f WHERE f.pos = a.pos)"

// Worked returns the parts of an order with what was done about them; none of one on a complaint, which is no rating.
func (o *Orders) Worked(ctx context.Context, id int64) ([]Worked, error) {
	x, err := o.Order(ctx, id)
	if err != nil || x.About.Complaint != nil {
		return nil, err
	}
	places, err := db.Query(ctx, o.db, func(s db.Scanner) (pos int64, err error) { return pos, s.Scan(&pos) },
		"SELECT pos FROM rectify_act a WHERE order_id = $1 AND "+noFile+" ORDER BY pos", id)
	if err != nil {
		return nil, fmt.Errorf("read what was done about order %d: %w", id, err)
	}
	r := replay{terms: o.cfg.Terms, parts: make(map[int64]Part), worked: make(map[int64]*Worked)}
	for _, pos := range places {
		e, err := o.cfg.Journal.Entry(ctx, pos)
		if err != nil {
			return nil, err
		}
		a, err := e.Act()
		if err == nil {
			err = r.act(a.Do, a.Object, a.Data)
		}
		if err != nil {
			return nil, fmt.Errorf("row %d of the journal: %w", pos, err)
		}
	}
	var all []Worked
	for _, k := range x.Parts {
		w := r.worked[k.Part]
		if w == nil {
			continue // added meanwhile
		}
		w.Part, w.Evaluation, w.Level, w.Due = k.Part, x.About.Evaluation, x.About.Level, k.Due
		p := k.Body
		w.State, w.Unit, w.Area, w.Origin, w.Named = p.State, p.Unit, p.Area, p.Origin, p.Named
		if w.Replied == 0 {
			w.Ends = o.cfg.Terms.End(p).At.UnixMilli()
		}
		all = append(all, *w)
	}
	return all, nil
}

// replay goes through the acts about one order.
type replay struct {
	terms  Terms
	parts  map[int64]Part
	worked map[int64]*Worked
}

func (r *replay) begin(part int64, h Handler, at int64, days int) {
	r.parts[part], r.worked[part] = h.part(at, days), new(Worked)
}

func (r *replay) act(do, object string, data []byte) error {
	switch do {
	case opens:
		var x Opening
		if err := json.Unmarshal(data, &x); err != nil {
			return err
		}
		for i, h := range x.Handlers {
			r.begin(int64(i+1), h, x.At, x.Days)
		}
		return nil
	case adds:
		var x Added
		_, part, err := parseObject(object)
		if err := errors.Join(err, json.Unmarshal(data, &x)); err != nil {
			return err
		}
		r.begin(part, x.Handler, x.At, x.Days)
		return nil
	}
	var d Done
	_, part, err := parseObject(object)
	if err := errors.Join(err, json.Unmarshal(data, &d)); err != nil {
		return err
	}
	d.Event.Do = Deed(strings.TrimPrefix(do, prefix))
	return r.deed(part, d.Event)
}

// deed notes a reply and what the citizen thinks of it. What begins a part anew forgets both.
func (r *replay) deed(part int64, e Event) error {
	p, ok := r.parts[part]
	if !ok {
		return ErrNoOrder
	}
	next, err := Apply(p, e)
	if err != nil {
		return err
	}
	w := r.worked[part]
	switch e.Do {
	case Reply:
		if w.Replied == 0 {
			w.Replied, w.Ends = e.At, r.terms.End(p).At.UnixMilli()
		}
	case Satisfied, Dissatisfied:
		w.Followed, w.Satisfied = e.At, e.Do == Satisfied
	case Count:
		if p.State == Lapsed {
			*w = Worked{}
		}
	}
	r.parts[part] = next
	return nil
}

// InTime reports whether the unit replied before its time was over.
func (w Worked) InTime() bool { return w.Replied != 0 && w.Replied < w.Ends }

// Stands reports whether the rating still has to be answered for: it counts, and no review has refused it.
func (w Worked) Stands() bool { return w.State != Lapsed && w.State != NotAdopted }

// Late reports whether the next step is too late at a moment.
func (w Worked) Late(now time.Time) bool { return w.Due != 0 && !now.Before(time.UnixMilli(w.Due)) }
