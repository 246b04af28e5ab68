package rectify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"haochaping/internal/central/books"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// attempts is how often something is tried that somebody else may be faster with.
const attempts = 5

// Once follows the feed as far as it can be followed now, if this instance has the lease. Of each bad evaluation that a decision names it
// looks at how it stands in the books, so that a decision may be looked at twice, and an older one says nothing wrong.
func (o *Orders) Once(ctx context.Context) error {
	if err := o.keep(ctx); errors.Is(err, journal.ErrElsewhere) {
		return nil
	} else if err != nil {
		return err
	}
	last, err := o.followed(ctx)
	if err != nil {
		return err
	}
	since, err := o.since(ctx)
	if err != nil {
		return err
	}
	const step = 500
	for {
		some, err := o.cfg.Books.Decisions(ctx, last.ID, step)
		if err != nil || len(some) == 0 {
			return err
		}
		n, err := o.take(ctx, some, since)
		if n > 0 {
			last = some[n-1]
			err = errors.Join(err, o.remember(ctx, last))
		}
		if err != nil || n < step {
			return err
		}
		if err := o.keep(ctx); err != nil {
			return err
		}
	}
}

// since returns when decisions were first followed, and notes it if that is now: evaluations that came before open no orders.
func (o *Orders) since(ctx context.Context) (since int64, err error) {
	err = o.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO rectify_since (id, since) VALUES (1, $1) ON CONFLICT (id) DO NOTHING",
			o.now()); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, "SELECT since FROM rectify_since WHERE id = 1").Scan(&since)
	})
	if err != nil {
		return 0, fmt.Errorf("look since when there are orders: %w", err)
	}
	return since, nil
}

func (o *Orders) keep(ctx context.Context) error {
	return journal.KeepLease(ctx, o.cfg.Journal, leaseName, o.cfg.Holder, leaseTime)
}

// followed returns the last decision that was looked at, the zero one if the feed is another one since.
func (o *Orders) followed(ctx context.Context) (last books.Decision, err error) {
	all, err := db.Query(ctx, o.db, func(s db.Scanner) (d books.Decision, err error) {
		return d, s.Scan(&d.ID, &d.Pos, &d.Evaluation, &d.Before)
	}, "SELECT decision, pos, evaluation, instead FROM rectify_feed WHERE id = 1")
	if err != nil || len(all) == 0 {
		return last, err
	}
	there, err := o.cfg.Books.Decisions(ctx, all[0].ID-1, 1)
	if err != nil || len(there) == 0 {
		return last, err
	}
	d := there[0]
	if d.ID != all[0].ID || d.Pos != all[0].Pos || d.Evaluation != all[0].Evaluation || d.Before != all[0].Before {
		return last, nil
	}
	return d, nil
}

func (o *Orders) remember(ctx context.Context, d books.Decision) error {
	return o.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO rectify_feed (id, decision, pos, evaluation, instead) VALUES (1, $1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET decision = excluded.decision, pos = excluded.pos, evaluation = excluded.evaluation,
				instead = excluded.instead`,
			d.ID, d.Pos, d.Evaluation, d.Before)
		return err
	})
}

// take looks at decisions, and returns how many: the rest has to wait until what they name can no longer be corrected.
func (o *Orders) take(ctx context.Context, some []books.Decision, since int64) (int, error) {
	var ids []int64
	for _, d := range some {
		ids = append(ids, d.Evaluation, d.Before)
	}
	bad, err := o.cfg.Books.Bad(ctx, ids, since)
	if err != nil {
		return 0, err
	}
	for n, d := range some {
		for _, id := range []int64{d.Before, d.Evaluation} {
			if !slices.Contains(bad, id) {
				continue
			}
			if ripe, err := o.consider(ctx, id); err != nil || !ripe {
				return n, err
			}
		}
	}
	return len(some), nil
}

// consider brings the order on an evaluation in line with how that stands. It reports false if it is too early to open one: the citizen may
// still be correcting it.
func (o *Orders) consider(ctx context.Context, id int64) (ripe bool, err error) {
	for range attempts {
		d, found, err := o.cfg.Books.Counted(ctx, id)
		if err != nil || !found {
			return true, err
		}
		handlers, err := o.handlers(ctx, d)
		if err != nil {
			return false, err
		}
		order, err := o.Of(ctx, id)
		switch {
		case errors.Is(err, ErrNoOrder) && len(handlers) == 0:
			return true, nil
		case errors.Is(err, ErrNoOrder) && o.cfg.Now().Sub(d.ReceivedAt) < settled:
			return false, nil
		case errors.Is(err, ErrNoOrder):
			return true, o.open(ctx, d, handlers)
		case err != nil:
			return false, err
		}
		if err = o.align(ctx, order, handlers); !errors.Is(err, ErrMeanwhile) {
			return true, err
		}
	}
	return false, ErrMeanwhile // people are at it; it is tried again
}

// open opens an order. Its name in the journal makes it one, whoever else opens it.
func (o *Orders) open(ctx context.Context, d books.Detail, handlers []Handler) error {
	x := Opening{Evaluation: d.Cursor, At: o.now(), Days: Days, Level: d.Level, RatedAt: d.At.UnixMilli(), Subject: string(d.Subject),
		Matter: d.Matter,
		Place:  strings.TrimSpace(d.Window.Hall + " " + d.Window.Name), Handlers: handlers}
	for _, c := range d.Contests {
		if x.Matter == "" && c.File != nil {
			x.Matter = c.File.TaskName
		}
	}
	data, err := json.Marshal(x)
	if err != nil {
		return err
	}
	_, err = o.say(ctx, Source, fmt.Sprintf("open %d", x.Evaluation), journal.Act{Do: opens, Data: data, Domain: handlers[0].Area}, "")
	return err
}

// align lets parts lapse that are about nothing the evaluation counts for, has them go on where it counts again, and adds those of units
// that were not known.
func (o *Orders) align(ctx context.Context, x Order, handlers []Handler) error {
	alone := len(x.Parts) == 1 && len(handlers) == 1 // also if it is better known by now whose it is
	for _, k := range x.Parts {
		counts := alone || slices.ContainsFunc(handlers, func(h Handler) bool { return h.Unit == k.Body.Origin })
		if counts == k.Body.Counts {
			continue
		}
		e := Event{Do: Lapse, At: max(o.now(), k.Body.Since)}
		if counts {
			e.Do, e.Days = Count, Days
		}
		if _, err := o.do(ctx, By{Account: Source}, fmt.Sprintf("%s %s after %d", e.Do, objectOf(k.Order, k.Part), k.Changed), k, e,
			""); err != nil {
			return err
		}
	}
	if alone {
		return nil
	}
	next := int64(len(x.Parts))
	for _, h := range handlers {
		if slices.ContainsFunc(x.Parts, func(k Kept) bool { return k.Body.Origin == h.Unit }) {
			continue
		}
		next++
		data, err := json.Marshal(Added{o.now(), Days, h})
		if err != nil {
			return err
		}
		a := journal.Act{Do: adds, Object: objectOf(x.ID, next), Data: data, Domain: h.Area}
		if _, err := o.say(ctx, Source, fmt.Sprintf("part %d/%d", x.ID, next), a, ""); err != nil {
			return err
		}
	}
	return nil
}

// handlers returns the units that handled what an evaluation counts for, or would if no review had refused it; none if that is nothing.
func (o *Orders) handlers(ctx context.Context, d books.Detail) (all []Handler, err error) {
	handled, err := o.handled(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, c := range d.Contests {
		if c.Standing != rating.Counted && c.Standing != rating.NotAdopted {
			continue
		}
		h := handled(c)
		if i := slices.IndexFunc(all, func(x Handler) bool { return x.Unit == h.Unit }); i >= 0 {
			all[i].Named = all[i].Named || h.Named
			continue
		}
		all = append(all, h)
	}
	return all, nil
}

// handled returns what tells who handled what an evaluation is about (谁办理、谁负责). Of a matter that is what the business system says, else the
// window's unit, as of a person.
func (o *Orders) handled(ctx context.Context, d books.Detail) (func(books.Contest) Handler, error) {
	a, err := o.cfg.Directory.Atlas(ctx)
	if err != nil {
		return nil, err
	}
	window := Handler{Area: rating.PadArea(d.Window.Area)}
	if p, ok := d.Post(); ok && p.Area == "" {
		if place, ok := a.Place(p.Device, p.Window, p.Generation, d.Moment()); ok {
			window.Unit, window.Area = place.Unit().ID, place.Area().ID
		}
	}
	return func(c books.Contest) Handler {
		h := window
		if c.Item.Case.Area != "" && h.Area == "" {
			h.Area = c.Item.Case.Area
		}
		if f := c.File; f != nil {
			h.Named = f.Contact != 0
			if f.Unit != "" {
				h.Unit = f.Unit
			}
		}
		if unit, ok := a.At(directory.Unit, h.Unit, directory.DayOf(o.cfg.Now())); ok {
			h.Area = unit.Area
		}
		return h
	}, nil
}
