package report

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
	"haochaping/internal/rating"
)

// orderRow is a part of an order, and what figures keep of it.
type orderRow struct {
	Order int64         `json:"-"`
	Day   directory.Day `json:"-"`
	orderFact
}

// orderFact is what a part of an order adds to the figures. It counts on the day of its rating.
type orderFact struct {
	Post    Post           `json:"post"`
	Subject rating.Subject `json:"subject"`
	Staff   string         `json:"staff,omitempty"`
	Task    string         `json:"task,omitempty"`
	Channel rating.Channel `json:"channel"`
	Worked  rectify.Worked `json:"worked"`
}

// rated notes an evaluation that counts, on which there is an order if it is a bad one.
func (c *change) rated(x books.Counting) {
	if x.Level.Bad() {
		c.bad = append(c.bad, x.ID)
	}
}

// acts looks at the orders about which something was done, as far as the books have got: the evaluation that an order is about came before
// it.
func (r *Reports) acts(ctx context.Context, st state, mark books.Mark) (bool, error) {
	some, err := r.cfg.Orders.Touched(ctx, st.act, someOther)
	some = slices.DeleteFunc(some, func(t rectify.Touch) bool { return t.Pos > mark.Pos })
	if err != nil || len(some) == 0 {
		return false, err
	}
	var orders []int64
	for _, t := range some {
		orders = append(orders, t.Order)
	}
	c, next := newChange(), st
	next.act = some[len(some)-1].Pos
	if err := r.lookAtOrders(ctx, c, orders); err != nil {
		return false, err
	}
	return true, r.write(ctx, st, next, c)
}

// ordersOf returns the orders on evaluations that are counted already: where these lie may have become known.
func (r *Reports) ordersOf(ctx context.Context, evaluations []int64) ([]int64, error) {
	if len(evaluations) == 0 {
		return nil, nil
	}
	where, arg := r.among("evaluation", evaluations)
	return r.orderIDs(ctx, where, arg)
}

func (r *Reports) orderIDs(ctx context.Context, where string, args ...any) ([]int64, error) {
	all, err := db.Query(ctx, r.db, func(s db.Scanner) (id int64, err error) { return id, s.Scan(&id) },
		"SELECT DISTINCT order_id FROM report_order WHERE "+where+" ORDER BY order_id", args...)
	if err != nil {
		return nil, fmt.Errorf("read which orders are counted: %w", err)
	}
	return all, nil
}

// lookAtOrders looks at what has become of orders.
func (r *Reports) lookAtOrders(ctx context.Context, c *change, ids []int64) error {
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		parts, err := r.cfg.Orders.Worked(ctx, id)
		if errors.Is(err, rectify.ErrNoOrder) {
			continue
		}
		if err != nil {
			return err
		}
		for _, w := range parts {
			row, err := r.orderRow(ctx, id, w)
			if err != nil {
				return err
			}
			if row != nil {
				c.orders = append(c.orders, *row)
			}
		}
	}
	return nil
}

// orderRow returns a part with where its rating was given, nil if the books have none such.
func (r *Reports) orderRow(ctx context.Context, id int64, w rectify.Worked) (*orderRow, error) {
	d, found, err := r.cfg.Books.Counted(ctx, w.Evaluation)
	if err != nil || !found {
		return nil, err
	}
	row := &orderRow{Order: id, Day: directory.DayOf(d.Moment()),
		orderFact: orderFact{Subject: d.Subject, Staff: d.Staff.ID, Channel: d.Channel, Worked: w}}
	if p, ok := d.Post(); ok {
		row.Post = postOf(p)
	}
	if row.Post.Device == "" {
		row.Post.Area = cmp.Or(w.Area, row.Post.Area)
	}
	row.Post.Unit = w.Unit
	for _, x := range d.Contests {
		if x.File != nil && (row.Task == "" || x.File.Unit == w.Origin) {
			row.Task = cmp.Or(x.File.TaskCode, x.File.TaskName)
		}
	}
	return row, nil
}

// redue looks again at all orders with something to do: a calendar may have become known since the last start, by which they are due.
func (r *Reports) redue(ctx context.Context) error {
	ids, err := r.orderIDs(ctx, "due > 0")
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := r.keep(ctx); errors.Is(err, journal.ErrElsewhere) {
		return nil
	} else if err != nil {
		return err
	}
	for some := range slices.Chunk(ids, someOther) {
		st, err := r.state(ctx)
		if err != nil {
			return err
		}
		c := newChange()
		if err := r.lookAtOrders(ctx, c, some); err != nil {
			return err
		}
		if err := r.write(ctx, st, st, c); err != nil && !errors.Is(err, journal.ErrElsewhere) {
			return err
		}
	}
	return nil
}

// writeOrders writes what has become of parts.
func (c *change) writeOrders(ctx context.Context, tx *db.Tx, posts map[Post]numbered) error {
	var rows [][]any
	for _, o := range c.orders {
		body, err := json.Marshal(o.orderFact)
		if err != nil {
			return err
		}
		rows = append(rows, []any{o.Order, o.Worked.Part, int64(o.Day), posts[o.Post].id, o.Worked.Evaluation, o.Worked.Due, string(body)})
	}
	return tx.Each(ctx, `INSERT INTO report_order (order_id, part, at, post, evaluation, due, body) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (order_id, part) DO UPDATE SET at = excluded.at, post = excluded.post, evaluation = excluded.evaluation, due = excluded.due,
		body = excluded.body`, rows)
}

// Work is what parts of orders add up to.
type Work struct {
	Standing  int64 // parts whose rating has to be answered for
	Replied   int64 // of those
	Due       int64 // of those, replied or out of time
	InTime    int64 // of those
	Named     int64 // of the standing, with somebody who can be asked
	Followed  int64 // of those, who were asked and have answered
	Heard     int64 // of the standing, whether named or not, whose citizen was asked and has answered
	Satisfied int64 // of those
	Overdue   int64 // of all, with something to do that is too late
}

// Plus returns the sum.
func (w Work) Plus(o Work) Work {
	return Work{w.Standing + o.Standing, w.Replied + o.Replied, w.Due + o.Due, w.InTime + o.InTime, w.Named + o.Named, w.Followed + o.Followed,
		w.Heard + o.Heard,
		w.Satisfied + o.Satisfied, w.Overdue + o.Overdue}
}

// workOf returns what a part adds at a moment.
func workOf(x rectify.Worked, now time.Time) (w Work) {
	n := func(yes bool) int64 {
		if yes {
			return 1
		}
		return 0
	}
	w.Overdue = n(x.Late(now))
	if !x.Stands() {
		return w
	}
	w.Standing, w.Replied = 1, n(x.Replied != 0)
	w.Due, w.InTime = n(x.Replied != 0 || x.Ends <= now.UnixMilli()), n(x.InTime())
	w.Named, w.Followed = n(x.Named), n(x.Named && x.Followed != 0)
	w.Heard, w.Satisfied = n(x.Followed != 0), n(x.Followed != 0 && x.Satisfied)
	return w
}
