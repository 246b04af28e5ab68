package directory

import (
	"context"
	"fmt"
	"strings"

	"haochaping/internal/central/db"
)

// Filter says which records are wanted. Its empty parts want all.
type Filter struct {
	Kind   Kind // mandatory
	Day    Day  // on which they hold
	Text   string
	Area   string // in which a unit or hall is, or which an area is or lies in
	Unit   string // named by the record
	Hall   string
	Window string
	After  string // IDs that come after
	Limit  int    // 1 to 1,000
}

// maxListed bounds what List returns.
const maxListed = 1000

// List returns the records that hold on a day, by their IDs.
func (d *Directory) List(ctx context.Context, f Filter) ([]Record, error) {
	text := strings.Builder{}
	args := []any{string(f.Kind), int64(f.Day)}
	text.WriteString("SELECT " + columns + " FROM organisation WHERE kind = $1 AND valid_from <= $2 AND valid_to > $2")
	and := func(condition string, v any) {
		args = append(args, v)
		text.WriteString(" AND " + strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(args))))
	}
	if f.After != "" {
		and("id > ?", f.After)
	}
	if f.Area != "" {
		column := "area"
		if f.Kind == Area {
			column = "id"
		}
		low, high := areaRange(f.Area)
		and(column+" >= ?", low)
		and(column+" <= ?", high)
	}
	for column, v := range map[string]string{"unit": f.Unit, "hall": f.Hall, "window_id": f.Window} {
		if v != "" {
			and(column+" = ?", v)
		}
	}
	if f.Text != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(f.Text)) + "%"
		and(`(lower(name) LIKE ? ESCAPE '\' OR lower(id) LIKE ? ESCAPE '\' OR lower(person) LIKE ? ESCAPE '\')`, like)
	}
	and("1 = 1 ORDER BY id LIMIT ?", max(1, min(f.Limit, maxListed)))
	all, err := db.Query(ctx, d.db, scanRecord, text.String(), args...)
	if err != nil {
		return nil, fmt.Errorf("list the %ss of the organisation: %w", f.Kind, err)
	}
	return all, nil
}

// areaRange returns the first and the last code in an area.
func areaRange(code string) (low, high string) {
	n := LevelOf(code).digits()
	return code, code[:n] + strings.Repeat("9", areaDigits-n)
}

// History returns all records of one thing, by their days, or ErrUnknown.
func (d *Directory) History(ctx context.Context, k Kind, id string) ([]Record, error) {
	all, err := db.Query(ctx, d.db, scanRecord, "SELECT "+columns+" FROM organisation WHERE kind = $1 AND id = $2 ORDER BY valid_from",
		string(k), id)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s %s: %w", k, id, err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s %s: %w", k, id, ErrUnknown)
	}
	return all, nil
}

// At returns how one thing is on a day, or ErrUnknown.
func (d *Directory) At(ctx context.Context, k Kind, id string, day Day) (Record, error) {
	all, err := d.History(ctx, k, id)
	if err != nil {
		return Record{}, err
	}
	r, ok := on(all, day)
	if !ok {
		return Record{}, fmt.Errorf("%s %s on %s: %w", k, id, day, ErrUnknown)
	}
	return r, nil
}

// Each calls f with every record, by kinds from above to below, IDs and days.
func (d *Directory) Each(ctx context.Context, f func(Record) error) error {
	all, _, err := d.read(ctx)
	if err != nil {
		return err
	}
	for _, k := range Kinds() {
		for _, r := range all {
			if r.Kind != k {
				continue
			}
			if err := f(r); err != nil {
				return err
			}
		}
	}
	return nil
}
