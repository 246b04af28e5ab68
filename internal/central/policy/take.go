package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

// By is who does something.
type By struct {
	Account string
	Session string // by which they are known, as a name that opens nothing
	Area    string // in which they do it, empty: the whole centre's
}

// Issue signs a policy, keeps it, and enters it into the journal. Its number follows the last one; after a number that is here already
// the answer is ErrMeanwhile.
func (r *Room) Issue(ctx context.Context, by By, d Document) (Signed, error) {
	if !r.Issues() {
		return Signed{}, refuse("本中心有上级（above.key），政策由上级发布", "there is a level above (above.key), which issues policies")
	}
	s, err := Sign(d, r.cfg.Own)
	if err != nil {
		return s, err
	}
	if d.Expired(r.now()) {
		return s, ErrExpired
	}
	_, err = r.keep(ctx, by, Issued, d, s)
	if errors.Is(err, ErrOlder) || errors.Is(err, ErrOther) {
		err = ErrMeanwhile
	}
	return s, err
}

// Take keeps a policy of the level above, and enters it into the journal. It reports whether it was not here yet.
func (r *Room) Take(ctx context.Context, by By, way Way, s Signed) (fresh bool, err error) {
	if r.Issues() {
		return false, refuse("没有设置上级的公钥（above.key），无法核对签名", "no key of a level above is set (above.key), so nothing can be verified")
	}
	d, err := s.Open(r.cfg.Above)
	if err != nil {
		return false, err
	}
	here, err := r.After(ctx, d.Number-1)
	if err != nil {
		return false, err
	}
	if len(here) > 0 && here[0].Signed == s {
		return false, nil
	}
	// An expired one is a step on the way where a centre was away for long; by itself it is not taken.
	if way == FromFile && d.Expired(r.now()) {
		return false, ErrExpired
	}
	return r.keep(ctx, by, way, d, s)
}

// keep enters a policy if its number is greater than all that are here. The rows' lock keeps two instances apart.
func (r *Room) keep(ctx context.Context, by By, way Way, d Document, s Signed) (bool, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return false, err
	}
	a := journal.Act{Do: "policy.take", Object: fmt.Sprintf("第 %d 号 %s", d.Number, d.Title), By: by.Session, Data: text, Domain: by.Area}
	if way == Issued {
		a.Do = "policy.issue"
	}
	_, err = r.cfg.Journal.Do(ctx, by.Account, "", a, func(ctx context.Context, tx *db.Tx, pos int64) error {
		if err := r.greater(ctx, tx, d, string(text)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO policy_document (number, from_day, pos, came, way, signed) VALUES ($1, $2, $3, $4, $5, $6)`,
			d.Number, d.From, pos, r.cfg.Journal.Now(), string(way), string(text))
		return err
	})
	if errors.Is(err, errHere) {
		return false, nil
	}
	for _, known := range []error{ErrOlder, ErrOther} {
		if errors.Is(err, known) {
			return false, known
		}
	}
	return err == nil, err
}

// errHere says that another instance was faster with the same policy.
var errHere = errors.New("this policy is here")

// greater reports why a policy is not a new one. Policies of another key, from before this centre had a level above, count for nothing
// and go.
func (r *Room) greater(ctx context.Context, tx *db.Tx, d Document, text string) error {
	rows, err := tx.QueryContext(ctx, "SELECT number, signed FROM policy_document WHERE number >= $1 ORDER BY number", d.Number)
	if err != nil {
		return err
	}
	var foreign []int64
	var refused error
	for rows.Next() {
		var n int64
		var kept string
		var s Signed
		err := rows.Scan(&n, &kept)
		if err == nil {
			err = json.Unmarshal([]byte(kept), &s)
		}
		if err != nil {
			return errors.Join(err, rows.Close())
		}
		if _, err := s.Open(r.key()); err != nil {
			foreign = append(foreign, n)
			continue
		}
		switch {
		case refused != nil:
		case n == d.Number && kept == text:
			refused = errHere
		case n == d.Number:
			refused = ErrOther
		default:
			refused = ErrOlder
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, n := range foreign {
		if _, err := tx.ExecContext(ctx, "DELETE FROM policy_document WHERE number = $1", n); err != nil {
			return err
		}
	}
	return refused
}

// Choose sets what this centre chooses of a setting, within the bounds of the policy that holds; an empty value with clear takes it back.
func (r *Room) Choose(ctx context.Context, by By, n Name, value string, clear bool) error {
	standing, err := r.Standing(ctx, r.now())
	if err != nil {
		return err
	}
	d := standing.Document()
	if d == nil {
		return refuse("还没有生效的政策；本级的设置写在 centrald.toml 中", "no policy holds yet; settings stand in centrald.toml")
	}
	s, ok := d.Setting(n)
	if !ok {
		return refuse(fmt.Sprintf("政策没有规定“%s”，写在 centrald.toml 中", n),
			fmt.Sprintf("the policy says nothing of %s; it stands in centrald.toml", n))
	}
	if !clear {
		if err := s.May(value); err != nil {
			return err
		}
	}
	data, err := json.Marshal(struct {
		Policy int64  `json:"policy"`
		Value  string `json:"value,omitempty"`
		Clear  bool   `json:"clear,omitempty"`
	}{d.Number, value, clear})
	if err != nil {
		return err
	}
	a := journal.Act{Do: "policy.choose", Object: string(n), By: by.Session, Data: data, Domain: by.Area}
	_, err = r.cfg.Journal.Do(ctx, by.Account, "", a, func(ctx context.Context, tx *db.Tx, pos int64) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM policy_choice WHERE name = $1", string(n)); err != nil || clear {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO policy_choice (name, value, pos, chosen) VALUES ($1, $2, $3, $4)", string(n), value, pos,
			r.cfg.Journal.Now())
		return err
	})
	return err
}
