package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"haochaping/internal/central/db"
)

// rowName is what a message is known by.
type rowName struct {
	kind         Kind
	source, name string
}

func (e Entry) rowName() rowName { return rowName{e.Kind, e.Source, e.Name} }

// loadNames looks for the rows with the group's names, all at once: a look each would be a round trip each while the head is locked.
func (g *grouping) loadNames(ctx context.Context, group []*draft) error {
	var kinds, sources, names []string
	for _, d := range group {
		n := d.entry.rowName()
		_, asked := g.names[n]
		words := n.source + n.name
		// what JSON cannot say is looked for by itself
		if asked || d.entry.Kind == Batch || n.name == "" || !utf8.ValidString(words) || strings.Contains(words, "\x00") {
			continue
		}
		g.names[n] = 0
		kinds, sources, names = append(kinds, string(n.kind)), append(sources, n.source), append(names, n.name)
	}
	if len(names) < 2 {
		clear(g.names)
		return nil
	}
	type place struct {
		rowName
		pos int64
	}
	text, args := `SELECT e.kind, e.source, e.name, e.pos FROM unnest($1::text[], $2::text[], $3::text[]) AS w(kind, source, name)
		JOIN entry e ON e.kind = w.kind AND e.source = w.source AND e.name = w.name`, []any{kinds, sources, names}
	if g.tx.Engine() == db.SQLite {
		var asked [][]string
		for i := range names {
			asked = append(asked, []string{kinds[i], sources[i], names[i]})
		}
		b, err := json.Marshal(asked)
		if err != nil {
			return err
		}
		text, args = `SELECT e.kind, e.source, e.name, e.pos FROM json_each($1) w
			CROSS JOIN entry e ON e.kind = w.value ->> 0 AND e.source = w.value ->> 1 AND e.name = w.value ->> 2`, []any{string(b)}
	}
	found, err := db.Query(ctx, g.tx, func(s db.Scanner) (p place, err error) { return p, s.Scan(&p.kind, &p.source, &p.name, &p.pos) }, text,
		args...)
	if err != nil {
		return fmt.Errorf("look for rows by their names: %w", err)
	}
	for _, p := range found {
		g.names[p.rowName] = p.pos
	}
	return nil
}

// named returns the position of the row with the entry's name, this group's among them, 0 if there is none.
func (g *grouping) named(ctx context.Context, e Entry) (int64, error) {
	if pos, ok := g.names[e.rowName()]; ok {
		return pos, nil
	}
	at, err := db.Query(ctx, g.tx, scanInt, "SELECT pos FROM entry WHERE kind = $1 AND source = $2 AND name = $3", string(e.Kind), e.Source,
		e.Name)
	if err != nil || len(at) == 0 {
		return 0, err
	}
	return at[0], nil
}
