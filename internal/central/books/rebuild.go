package books

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/rating"
)

// ErrBusy says that another instance makes the books anew or verifies them.
var ErrBusy = errors.New("another instance makes the books anew or verifies them at this moment; wait until it has ended")

// Progress says how far a rebuild or a verification is.
type Progress struct {
	Step        string // "project": rows of the journal; "compare": rows of the books
	Done, Total int64  // Total is as many as are known so far
}

const (
	rebuildLease = "rebuild"
	rebuildTime  = time.Minute
)

// Rebuild makes the books anew from the journal beside those that are read, and puts them in their place. What counts otherwise than
// before is added to the feed. A rebuild that was interrupted goes on where it was. Progress is called from this goroutine.
func (b *Books) Rebuild(ctx context.Context, progress func(Progress)) error {
	err := b.alone(ctx, func(keep func() error) error {
		t, err := b.beginRebuild(ctx, keep)
		if err != nil {
			return err
		}
		p := &projector{b: b, t: t}
		for swapped := false; !swapped; {
			if err := p.fill(ctx, 1<<62, keep, progress); err != nil {
				return err
			}
			if err := b.cfg.DB.Write(ctx, func(tx *db.Tx) error {
				swapped, err = b.swap(ctx, tx, p)
				return err
			}); err != nil {
				return fmt.Errorf("put the new books in the place of the old ones: %w", err)
			}
		}
		b.growth.Tell(p.pos)
		return b.sweep(ctx, keep)
	})
	if err != nil {
		return fmt.Errorf("make the books anew: %w", err)
	}
	return nil
}

// alone runs f while no other instance rebuilds or verifies. F calls keep now and then.
func (b *Books) alone(ctx context.Context, f func(keep func() error) error) error {
	var taken time.Time
	keep := func() error {
		if now := b.cfg.Now(); taken.IsZero() || now.Sub(taken) > rebuildTime/4 {
			held, err := b.cfg.Journal.Lease(ctx, rebuildLease, b.cfg.Holder, rebuildTime)
			if err == nil && !held {
				err = ErrBusy
			}
			if err != nil {
				return err
			}
			taken = now
		}
		return nil
	}
	if err := keep(); err != nil {
		return err
	}
	err := f(keep)
	given, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if gone := b.cfg.Journal.Unlease(given, rebuildLease, b.cfg.Holder); gone != nil { // what was done is done
		b.cfg.Logger.Warn("the next who makes or verifies books has to wait a minute", "error", gone)
	}
	return err
}

// beginRebuild returns the generation that is being made, a new one if none of this program's version is.
func (b *Books) beginRebuild(ctx context.Context, keep func() error) (t tables, err error) {
	if err := b.sweep(ctx, keep); err != nil {
		return t, err
	}
	err = b.cfg.DB.Write(ctx, func(tx *db.Tx) error {
		g, err := readGeneration(ctx, tx)
		if err != nil {
			return err
		}
		if g.building > 0 && current(g.buildingSchema, g.buildingRules) {
			t = newTables(b.cfg.DB.Engine(), g.building)
			return nil
		}
		if g.building > 0 {
			if err := newTables(b.cfg.DB.Engine(), g.building).drop(ctx, tx); err != nil {
				return err
			}
		}
		t = newTables(b.cfg.DB.Engine(), g.last+1)
		if err := t.create(ctx, tx); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			"UPDATE books_state SET building = $1, building_schema = $2, building_rules = $3, last = $4 WHERE id = 1",
			t.generation, SchemaVersion, rating.RulesVersion, t.generation)
		return err
	})
	return t, err
}

// fill makes a generation that is not read, up to a row of the journal or its end.
func (p *projector) fill(ctx context.Context, last int64, keep func() error, progress func(Progress)) error {
	if p.state == nil {
		if err := p.start(ctx); err != nil {
			return err
		}
	}
	head, err := p.b.cfg.Journal.Head(ctx)
	if err != nil {
		return err
	}
	head = min(head, last)
	progress(Progress{"project", p.pos, head})
	return p.catchUp(ctx, last, func() (bool, error) {
		progress(Progress{"project", p.pos, max(head, p.pos)})
		return true, keep()
	})
}

// hold keeps every projector of a generation from going on until the transaction ends, and returns how far it is.
func hold(ctx context.Context, tx *db.Tx, t tables) (int64, error) {
	if _, err := tx.ExecContext(ctx, t.of("UPDATE {position} SET pos = pos WHERE id = 1")); err != nil {
		return 0, err
	}
	return one(ctx, tx, t.of("SELECT pos FROM {position} WHERE id = 1"))
}

// swap puts a generation in the place of the one that is read, unless that has got ahead of it.
func (b *Books) swap(ctx context.Context, tx *db.Tx, p *projector) (bool, error) {
	g, err := readGeneration(ctx, tx)
	if err != nil {
		return false, err
	}
	if g.building != p.t.generation {
		return false, errOvertaken
	}
	old := newTables(b.cfg.DB.Engine(), g.number)
	old.schema = g.schema
	pos, err := hold(ctx, tx, old)
	if err != nil || pos > p.pos {
		return false, err
	}
	if _, err := hold(ctx, tx, p.t); err != nil {
		return false, err
	}
	all, err := differences(ctx, tx, old, p.t)
	if err != nil {
		return false, fmt.Errorf("compare what counts: %w", err)
	}
	for i := range all {
		all[i].Pos = p.pos
	}
	if err := appendDecisions(ctx, tx, all); err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE books_state SET generation = $1, schema_version = $2, rules = $3, building = 0,
		building_schema = 0, building_rules = 0
		WHERE id = 1`, p.t.generation, SchemaVersion, rating.RulesVersion); err != nil {
		return false, err
	}
	return true, tx.Notify(ctx, channel)
}

// counting is an evaluation that counts for an item.
type counting struct {
	item       rating.Item
	evaluation int64
}

// differences returns which other evaluations count for which items in one generation than in another.
func differences(ctx context.Context, tx *db.Tx, before, after tables) ([]Decision, error) {
	lost, err := countingOnlyIn(ctx, tx, before, after)
	if err != nil {
		return nil, err
	}
	won, err := countingOnlyIn(ctx, tx, after, before)
	if err != nil {
		return nil, err
	}
	changed := make(map[rating.Item]Decision)
	for _, c := range lost {
		changed[c.item] = Decision{Item: c.item, Before: c.evaluation}
	}
	for _, c := range won {
		d := changed[c.item]
		d.Item, d.Evaluation = c.item, c.evaluation
		changed[c.item] = d
	}
	return slices.SortedFunc(maps.Values(changed), func(a, b Decision) int {
		return cmp.Or(cmp.Compare(a.Item.Case.String(), b.Item.Case.String()), cmp.Compare(a.Item.Device, b.Item.Device),
			cmp.Compare(a.Item.Visit,
				b.Item.Visit),
			cmp.Compare(a.Item.Subject, b.Item.Subject))
	}), nil
}

// countingOnlyIn returns what counts in one generation and not in another.
func countingOnlyIn(ctx context.Context, tx *db.Tx, in, not tables) ([]counting, error) {
	own := func(e, v string) string {
		return fmt.Sprintf("%[1]s.standing = 1 AND (%[1]s.subject = 1 OR %[1]s.project = '' AND %[2]s.visit = '')", e, v)
	}
	all, err := db.Query(ctx, tx, func(s db.Scanner) (c counting, err error) {
		var visit, subject int64
		err = s.Scan(&c.item.Device, &visit, &subject, &c.evaluation)
		c.item.Visit, c.item.Subject = rating.VisitID(visit), subjectOf(subject)
		return c, err
	},
		in.of("SELECT d.name, v.id, e.subject, e.id FROM {evaluation} e JOIN {visit} v ON v.n = e.visit JOIN {device} d ON d.id = v.device "+
			"WHERE "+own("e", "v"))+
			not.of(" AND NOT EXISTS (SELECT 1 FROM {evaluation} x JOIN {visit} y ON y.n = x.visit WHERE x.id = e.id AND "+own("x", "y")+")"))
	if err != nil {
		return nil, err
	}
	cases, err := db.Query(ctx, tx, func(s db.Scanner) (c counting, err error) {
		var project string
		err = s.Scan(&project, &c.evaluation)
		c.item.Case = rating.ParseCaseKey(project)
		return c, err
	},
		in.of("SELECT k.project, c.evaluation FROM "+in.claims("c", "k")+" WHERE c.standing = 1")+
			not.of(" AND NOT EXISTS (SELECT 1 FROM "+not.claims("x", "l")+" WHERE l.item = k.item AND l.project = k.project AND x.evaluation = "+
				"c.evaluation AND x.standing = 1)"))
	return append(all, cases...), err
}

// numbered is the first schema in which cases have numbers; before, each claim names its case.
const numbered = 6

// claims joins the claims of a generation, of whichever schema, with the cases that they are about.
func (t tables) claims(claim, about string) string {
	if t.schema < numbered {
		return fmt.Sprintf("{claim} %[1]s JOIN {claim} %[2]s ON %[2]s.item = %[1]s.item AND %[2]s.evaluation = %[1]s.evaluation", claim, about)
	}
	return fmt.Sprintf("{case} %[2]s JOIN {claim} %[1]s ON %[1]s.cased = %[2]s.n", claim, about)
}
