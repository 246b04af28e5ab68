package dossier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// Kept is a dossier as the table has it.
type Kept struct {
	ID      int64
	Changed int64 // row of the journal that changed it last: who does something names it
	Dossier
}

const readKept = "SELECT id, changed, body, '' FROM dossier "

func scanKept(s db.Scanner) (k Kept, err error) {
	var body, found string
	if err = s.Scan(&k.ID, &k.Changed, &body, &found); err == nil {
		err = json.Unmarshal([]byte(body), &k.Dossier)
	}
	if found != "" {
		k.Found = json.RawMessage(found)
	}
	return k, err
}

// Dossier returns a dossier with what was found, or ErrNone.
func (d *Dossiers) Dossier(ctx context.Context, id int64) (Kept, error) {
	return d.one(ctx, "id = $1", id)
}

// Named returns a dossier by its kind and name, or ErrNone.
func (d *Dossiers) Named(ctx context.Context, k Kind, name string) (Kept, error) {
	return d.one(ctx, "kind = $1 AND name = $2", string(k), name)
}

func (d *Dossiers) one(ctx context.Context, where string, args ...any) (Kept, error) {
	all, err := db.Query(ctx, d.db, scanKept, "SELECT id, changed, body, found FROM dossier WHERE "+where, args...)
	if err != nil {
		return Kept{}, fmt.Errorf("read a dossier: %w", err)
	}
	if len(all) == 0 {
		return Kept{}, ErrNone
	}
	return all[0], nil
}

// Filter says which dossiers are asked for.
type Filter struct {
	Kind   Kind
	Ended  bool  // those that need nobody; else those that need somebody
	Before int64 // ID of the last one of the page before, 0: from the newest on
	Limit  int
}

// List returns dossiers without what was found, the newest first.
func (d *Dossiers) List(ctx context.Context, f Filter) ([]Kept, error) {
	if f.Before <= 0 {
		f.Before = 1 << 62
	}
	all, err := db.Query(ctx, d.db, scanKept, readKept+"WHERE kind = $1 AND ended = $2 AND id < $3 ORDER BY id DESC LIMIT $4",
		string(f.Kind), oneIf(f.Ended), f.Before, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("list dossiers: %w", err)
	}
	return all, nil
}

// Begun returns those of a kind whose names begin with a text, without what was found, the oldest first.
func (d *Dossiers) Begun(ctx context.Context, k Kind, with string) ([]Kept, error) {
	all, err := db.Query(ctx, d.db, scanKept, readKept+"WHERE kind = $1 AND substr(name, 1, $2) = $3 ORDER BY id",
		string(k), utf8.RuneCountInString(with), with)
	if err != nil {
		return nil, fmt.Errorf("list dossiers: %w", err)
	}
	return all, nil
}

// Step is one act of a dossier's history.
type Step struct {
	Pos    int64
	Do     Deed // empty where it was opened
	Event  Event
	Source string // who did it
	At     time.Time
	Text   string // what was said; empty if nothing was, or it was erased
	Erased bool
}

// History returns what was done about a dossier, in order.
func (d *Dossiers) History(ctx context.Context, id int64) (all []Step, err error) {
	places, err := db.Query(ctx, d.db, func(s db.Scanner) (pos int64, err error) { return pos, s.Scan(&pos) },
		"SELECT pos FROM dossier_act WHERE dossier = $1 ORDER BY pos", id)
	if err != nil {
		return nil, fmt.Errorf("read the history of a dossier: %w", err)
	}
	for _, pos := range places {
		s, err := d.step(ctx, pos)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// step reads an act of the journal.
func (d *Dossiers) step(ctx context.Context, pos int64) (s Step, err error) {
	e, err := d.journal.Entry(ctx, pos)
	if err != nil {
		return s, err
	}
	a, err := e.Act()
	if err != nil {
		return s, err
	}
	s = Step{Pos: pos, Source: e.Source, At: time.UnixMilli(e.Received)}
	if a.Do == opens {
		return s, nil
	}
	var x done
	if err := json.Unmarshal(a.Data, &x); err != nil {
		return s, fmt.Errorf("row %d of the journal: %w", pos, err)
	}
	s.Do, s.Event = Deed(strings.TrimPrefix(a.Do, prefix)), x.Event
	if s.Text, err = d.journal.Text(ctx, pos, 0); errors.Is(err, journal.ErrErased) {
		s.Erased, err = true, nil
	}
	return s, err
}
