package account

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"haochaping/internal/central/db"
)

// Errors of accounts that a provider of OpenID Connect vouches for.
var (
	ErrNoRole   = errors.New("统一身份认证没有给您本系统的角色，请联系管理机构 (the provider names no group of yours that has a role here)")
	ErrBarred   = errors.New("账号已停用，请联系管理机构 (the account is barred)")
	ErrProvided = errors.New("此账号由统一身份认证登录，在本系统没有密码 (the account signs in at the provider and has no password here)")
)

// Provided is who a provider says that somebody is.
type Provided struct {
	Subject string // the issuer and what it knows the person by
	Login   string // as the provider calls the person; another one is taken where that is not free
	Name    string
	Grants  []Following
}

// Following is a grant that follows from a group of the provider.
type Following struct {
	Group string
	Grant
}

// same reports whether two grants from groups are one appointment.
func (f Following) same(o Following) bool {
	return f.Group == o.Group && f.Role == o.Role && f.Scope == o.Scope && f.Area == o.Area
}

// EnterByProvider signs in whom a provider vouches for, with the roles of their groups at that moment. The first time an account is opened,
// which never has a password; one with the same sign-in name is not taken over. The second factor is the provider's duty.
func (a *Accounts) EnterByProvider(ctx context.Context, who Provided, b Browser) (Entered, error) {
	for i := range who.Grants {
		if err := a.prepare(&who.Grants[i].Grant); err != nil {
			return Entered{}, fmt.Errorf("group %q: %w", who.Grants[i].Group, err)
		}
	}
	all, err := db.Query(ctx, a.db, scanAccount, readAccount+"WHERE subject = $1", who.Subject)
	if err != nil {
		return Entered{}, fmt.Errorf("read an account by its provider: %w", err)
	}
	var x Account
	switch {
	case len(all) == 0 && len(who.Grants) == 0:
		return Entered{}, ErrNoRole
	case len(all) == 0:
		x, err = a.provide(ctx, who)
	case all[0].Disabled:
		return Entered{}, ErrBarred
	default:
		x = all[0]
		err = a.follow(ctx, x, who.Grants)
	}
	if err != nil {
		return Entered{}, err
	}
	grants, err := a.Grants(ctx, x.ID)
	if err != nil {
		return Entered{}, err
	}
	if !slices.ContainsFunc(grants, func(g Grant) bool { return g.Holds(a.now()) }) {
		return Entered{}, ErrNoRole
	}
	return a.enter(ctx, x, "provider", true, b, nil, nil)
}

// provide opens an account for somebody whom the provider vouches for.
func (a *Accounts) provide(ctx context.Context, who Provided) (x Account, err error) {
	x = Account{Name: who.Name, Area: who.Grants[0].Area, Subject: who.Subject, CreatedAt: a.now()}
	if x.ID, err = a.id("a-"); err != nil {
		return x, err
	}
	if x.Login, err = ParseLogin(who.Login); err != nil {
		x.Login = x.ID
	}
	if checkName(x.Name) != nil {
		x.Name = x.Login
	}
	data := struct {
		Area   string      `json:"area"`
		Groups []Following `json:"groups"`
	}{x.Area, who.Grants}
	err = a.do(ctx, By{Account: x.ID}, "account.add", x.ID, x.Area, data, func(ctx context.Context, tx *db.Tx, pos int64) error {
		if _, err := one(ctx, tx, "WHERE login = $1", x.Login); err == nil {
			x.Login = x.ID // somebody else's; whoever chooses a name at the provider must not become them
		} else if !errors.Is(err, ErrNoAccount) {
			return err
		}
		x.Changed = pos
		_, err := tx.ExecContext(ctx, `INSERT INTO account (id, login, name, area, disabled, password, password_at, created_at, changed, subject)
			VALUES ($1, $2, $3, $4, 0, '', 0, $5, $6, $7)`, x.ID, x.Login, x.Name, x.Area, x.CreatedAt, pos, x.Subject)
		for _, f := range who.Grants {
			f.Account = x.ID
			err = errors.Join(err, insertGrant(ctx, tx, f.Grant, f.Group))
		}
		return err
	})
	return x, err
}

// follow makes the grants that follow from groups those of now. Grants that people made stay.
func (a *Accounts) follow(ctx context.Context, x Account, want []Following) error {
	at := a.now()
	has, err := db.Query(ctx, a.db, func(s db.Scanner) (f Following, err error) {
		return f, s.Scan(&f.ID, &f.Role, &f.Scope, &f.Area, &f.Group)
	}, "SELECT id, role, scope, area, source FROM account_grant WHERE account = $1 AND source <> '' AND (valid_to = 0 OR valid_to > $2)", x.ID,
		at)
	if err != nil {
		return fmt.Errorf("read the groups of %s: %w", x.ID, err)
	}
	var data struct {
		Added []Following `json:"added,omitempty"`
		Ended []Following `json:"ended,omitempty"`
	}
	for _, f := range want {
		if !slices.ContainsFunc(has, f.same) {
			f.Account = x.ID
			data.Added = append(data.Added, f)
		}
	}
	for _, f := range has {
		if !slices.ContainsFunc(want, f.same) {
			data.Ended = append(data.Ended, f)
		}
	}
	if len(data.Added)+len(data.Ended) == 0 {
		return nil
	}
	return a.do(ctx, By{Account: x.ID}, "account.groups", x.ID, x.Area, data, func(ctx context.Context, tx *db.Tx, pos int64) error {
		_, err := tx.ExecContext(ctx, "UPDATE account SET changed = $1 WHERE id = $2", pos, x.ID)
		for _, f := range data.Ended {
			if err == nil {
				_, err = tx.ExecContext(ctx, "UPDATE account_grant SET valid_to = $1 WHERE id = $2", at, f.ID)
			}
		}
		for _, f := range data.Added {
			if err == nil {
				err = insertGrant(ctx, tx, f.Grant, f.Group)
			}
		}
		return err
	})
}
