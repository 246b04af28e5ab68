package rectify

import (
	"context"
	"fmt"

	"haochaping/internal/central/db"
)

// Chosen is how often something was chosen of a deed, within one unit in one area.
type Chosen struct {
	Unit, Area string
	Do         Deed
	Method     Method // empty: none is asked for
	Result     Result // as above
	Side       Side   // as above
	Times      int
}

// chosen notes what was chosen of a deed, so that it can be counted. Of what an earlier version did nothing was.
func chosen(ctx context.Context, tx *db.Tx, pos int64, k Kept, e Event) error {
	if e.Method == "" && e.Side == "" && e.Do != Unclear {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO rectify_choice (pos, order_id, part, deed, method, result, side)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, pos, k.Order, k.Part, string(e.Do), string(e.Method), string(e.Result), string(e.Side))
	return err
}

// Choices counts what was chosen about the parts of a filter.
func (o *Orders) Choices(ctx context.Context, f Filter) ([]Chosen, error) {
	where, args := f.of(nil)
	all, err := db.Query(ctx, o.db, func(s db.Scanner) (c Chosen, err error) {
		return c, s.Scan(&c.Unit, &c.Area, &c.Do, &c.Method, &c.Result, &c.Side, &c.Times)
	}, `SELECT p.unit, p.area, c.deed, c.method, c.result, c.side, count(*) FROM rectify_choice c
		JOIN rectify_part p ON p.order_id = c.order_id AND p.part = c.part WHERE p.opened > 0`+where+`
		GROUP BY p.unit, p.area, c.deed, c.method, c.result, c.side ORDER BY p.unit, p.area, c.deed, c.method, c.result, c.side`, args...)
	if err != nil {
		return nil, fmt.Errorf("count how citizens were reached and who appealed: %w", err)
	}
	return all, nil
}
