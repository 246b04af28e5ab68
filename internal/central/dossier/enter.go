package dossier

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

const (
	prefix = "dossier."
	opens  = prefix + "open"
)

// By is who does something.
type By struct {
	Account string
	Session string // by which they are known, as a name that opens nothing
}

// done is what an act says of a deed.
type done struct {
	Seen  int64 `json:"seen"` // row of the journal after which it was done
	Event Event `json:"event"`
}

// Add opens a dossier, and reports whether it was not there yet: one of the same kind and name stays as it is.
func (d *Dossiers) Add(ctx context.Context, by By, x Dossier) (id int64, fresh bool, err error) {
	if err := x.check(); err != nil {
		return 0, false, err
	}
	x.State, x.Opened, x.Since = Waiting, d.journal.Now(), d.journal.Now()
	known, err := d.named(ctx, x.Kind, x.Name)
	if err != nil || known != 0 {
		return known, false, err
	}
	if by.Account != Source {
		x.Hands = []string{by.Account}
	}
	data, err := json.Marshal(x)
	if err != nil {
		return 0, false, err
	}
	a := journal.Act{Do: opens, Object: string(x.Kind) + " " + x.Name, By: by.Session, Data: data, Domain: x.Area}
	r, err := d.journal.Do(ctx, by.Account, string(x.Kind)+" "+x.Name, a, func(ctx context.Context, tx *db.Tx, pos int64) error {
		return enter(ctx, tx, pos, a)
	})
	if errors.Is(err, errThere) { // another account was faster
		known, err = d.named(ctx, x.Kind, x.Name)
		return known, false, err
	}
	if err != nil {
		return 0, false, fmt.Errorf("open a dossier: %w", err)
	}
	return r.Pos, r.Entered, nil
}

func (d *Dossiers) named(ctx context.Context, k Kind, name string) (int64, error) {
	all, err := db.Query(ctx, d.db, func(s db.Scanner) (id int64, err error) { return id, s.Scan(&id) },
		"SELECT id FROM dossier WHERE kind = $1 AND name = $2", string(k), name)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[0], nil
}

// Do does something about a dossier as somebody saw it, enters it into the journal, and returns the dossier. Who may do it is for the
// caller to say; what the machine does not allow is a Refusal, and ErrMeanwhile if somebody else was faster.
func (d *Dossiers) Do(ctx context.Context, by By, seen Kept, e Event, words string) (Kept, error) {
	about, ok := seen.Kind.About(e.Do)
	words = strings.TrimSpace(words)
	n := utf8.RuneCountInString(words)
	if !ok || n > MostWords || !utf8.ValidString(words) || about.Words && n < leastWords {
		return seen, refuse(fmt.Sprintf("请写明情况（%d 至 %d 字）。", leastWords, MostWords),
			fmt.Sprintf("Say why, what or how, in %d to %d characters.", leastWords, MostWords))
	}
	e.At, e.Account = d.journal.Now(), by.Account
	if !about.Owner {
		e.Owner = ""
	}
	if !about.Due {
		e.Due = 0
	}
	if !about.Draft {
		e.Draft = ""
	}
	if about.To != Published {
		e.After = 0
	}
	if _, err := Apply(seen.Dossier, e); err != nil {
		return seen, err
	}
	data, err := json.Marshal(done{seen.Changed, e})
	if err != nil {
		return seen, err
	}
	a := journal.Act{Do: prefix + string(e.Do), Object: strconv.FormatInt(seen.ID, 10), By: by.Session, Data: data, Domain: seen.Area}
	_, err = d.journal.Say(ctx, by.Account, "", a, words, func(ctx context.Context, tx *db.Tx, pos int64) error {
		return enter(ctx, tx, pos, a)
	})
	var refusal *Refusal
	switch {
	case errors.Is(err, ErrMeanwhile):
		return seen, ErrMeanwhile
	case errors.As(err, &refusal):
		return seen, refusal
	case err != nil:
		return seen, err
	}
	return d.Dossier(ctx, seen.ID)
}

// errThere says that there is a dossier of a name already.
var errThere = errors.New("there is one already")

// enter does to the tables what an act says. It is all that ever changes dossiers, so that they can be made anew from the journal.
func enter(ctx context.Context, tx *db.Tx, pos int64, a journal.Act) error {
	if a.Do == opens {
		var x Dossier
		if err := json.Unmarshal(a.Data, &x); err != nil {
			return err
		}
		return enterNew(ctx, tx, pos, x)
	}
	id, err := strconv.ParseInt(a.Object, 10, 64)
	if err != nil {
		return fmt.Errorf("%q names no dossier: %w", a.Object, err)
	}
	var x done
	if err := json.Unmarshal(a.Data, &x); err != nil {
		return err
	}
	all, err := db.Query(ctx, tx, scanKept, readKept+"WHERE id = $1", id)
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return ErrNone
	case all[0].Changed != x.Seen:
		return ErrMeanwhile
	}
	next, err := Apply(all[0].Dossier, x.Event)
	if err != nil {
		return err
	}
	if x.Event.After != 0 {
		if last, err := published(ctx, tx, next.Kind); err != nil || last > x.Event.After {
			return cmp.Or(err, ErrMeanwhile)
		}
	}
	body, _, err := next.parts()
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE dossier SET state = $1, ended = $2, due = $3, changed = $4, body = $5 WHERE id = $6",
		string(next.State), oneIf(next.State.Ended()), next.Due, pos, body, id); err != nil {
		return err
	}
	return note(ctx, tx, pos, id)
}

// published returns the last row by which a dossier of a kind was published, 1 if none was.
func published(ctx context.Context, q db.Querier, k Kind) (int64, error) {
	all, err := db.Query(ctx, q, func(s db.Scanner) (pos int64, err error) { return pos, s.Scan(&pos) },
		"SELECT coalesce(max(changed), 1) FROM dossier WHERE kind = $1 AND state = $2", string(k), string(Published))
	if err != nil || len(all) != 1 {
		return 0, fmt.Errorf("look what was published last: %w", err)
	}
	return all[0], nil
}

// Published returns the last row by which a dossier of a kind was published, 1 if none was: whoever looks whether another one may be
// published beside these names it in Event.After.
func (d *Dossiers) Published(ctx context.Context, k Kind) (int64, error) {
	return published(ctx, d.db, k)
}

func enterNew(ctx context.Context, tx *db.Tx, pos int64, x Dossier) error {
	body, found, err := x.parts()
	if err != nil {
		return err
	}
	r, err := tx.ExecContext(ctx, `INSERT INTO dossier (id, kind, name, area, state, ended, due, changed, body, found)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (kind, name) DO NOTHING`,
		pos, string(x.Kind), x.Name, x.Area, string(x.State), oneIf(x.State.Ended()), x.Due, pos, body, found)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, errThere)
	}
	return note(ctx, tx, pos, pos)
}

// parts returns a dossier as the table has it: what was found apart, which may be large and never changes.
func (d Dossier) parts() (body, found string, err error) {
	found = string(d.Found)
	d.Found = nil
	b, err := json.Marshal(d)
	return string(b), found, err
}

func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// note writes an act into a dossier's history.
func note(ctx context.Context, tx *db.Tx, pos, id int64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO dossier_act (pos, dossier) VALUES ($1, $2)", pos, id)
	return err
}
