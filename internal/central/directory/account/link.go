package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"haochaping/internal/central/db"
)

// Opens is what a link does, once.
type Opens string

// What links do.
const (
	ChoosesPassword Opens = "password" // its reader chooses the account's password
	SignsIn         Opens = "session"  // its reader is signed in, as with a second factor
)

// How long links work.
const (
	PasswordLinkLife = 24 * time.Hour
	SignInLinkLife   = 10 * time.Minute
)

// ErrLink says that a link is over, was used, or never was.
var ErrLink = errors.New("链接已使用或已过期 (the link was used or is over)")

// Link makes a link for an account, in place of earlier ones, and returns its secret.
func (a *Accounts) Link(ctx context.Context, by By, x Account, opens Opens) (secret string, err error) {
	if x.Subject != "" && opens == ChoosesPassword {
		return "", ErrProvided
	}
	life := PasswordLinkLife
	if opens == SignsIn {
		life = SignInLinkLife
	}
	secret, hash, err := a.secret("")
	if err != nil {
		return "", err
	}
	ends := a.now() + life.Milliseconds()
	err = a.do(ctx, by, "account.link", x.ID, x.Area, struct {
		Opens Opens `json:"opens"`
	}{opens}, func(ctx context.Context, tx *db.Tx, _ int64) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM account_link WHERE account = $1 OR ends_at <= $2", x.ID, a.now()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO account_link (hash, account, opens, ends_at) VALUES ($1, $2, $3, $4)", hash, x.ID,
			string(opens), ends)
		return err
	})
	return secret, err
}

// LinkOf returns whose link it is and what it does, or ErrLink. It stays unused.
func (a *Accounts) LinkOf(ctx context.Context, secret string) (Account, Opens, error) {
	type row struct {
		account string
		opens   Opens
	}
	all, err := db.Query(ctx, a.db, func(s db.Scanner) (r row, err error) { return r, s.Scan(&r.account, &r.opens) },
		"SELECT account, opens FROM account_link WHERE hash = $1 AND ends_at > $2", hashOf(secret), a.now())
	if err != nil {
		return Account{}, "", fmt.Errorf("read a link: %w", err)
	}
	if len(all) == 0 {
		return Account{}, "", ErrLink
	}
	x, err := a.Account(ctx, all[0].account)
	if err == nil && x.Disabled {
		err = ErrLink
	}
	return x, all[0].opens, err
}

// useLink uses a link up.
func useLink(secret string) func(context.Context, *db.Tx) error {
	return func(ctx context.Context, tx *db.Tx) error {
		err := changed(tx.ExecContext(ctx, "DELETE FROM account_link WHERE hash = $1", hashOf(secret)))
		if errors.Is(err, ErrChanged) {
			return ErrLink
		}
		return err
	}
}

// EnterByLink signs in by a link that does so.
func (a *Accounts) EnterByLink(ctx context.Context, secret string, b Browser) (Entered, error) {
	x, opens, err := a.LinkOf(ctx, secret)
	if err != nil {
		return Entered{}, err
	}
	if opens != SignsIn {
		return Entered{}, ErrLink
	}
	return a.enter(ctx, x, "link", true, b, a.counters(x.Login, b), func(tx *db.Tx) error { return useLink(secret)(ctx, tx) })
}

// ChooseByLink sets the password by a link, forgets what failed with the old one, and ends all sessions. Whoever has a second factor then
// signs in with it as always, and its failures stay counted.
func (a *Accounts) ChooseByLink(ctx context.Context, secret, password string, b Browser) error {
	x, opens, err := a.LinkOf(ctx, secret)
	if err != nil {
		return err
	}
	if opens != ChoosesPassword {
		return ErrLink
	}
	return a.setPassword(ctx, By{Account: x.ID}, x, password, nil, func(ctx context.Context, tx *db.Tx) error {
		forgotten := map[string]int64{a.who(x.Login, Browser{}): freeAccount, a.who(x.Login, b): freeAccount}
		return errors.Join(useLink(secret)(ctx, tx), forgive(ctx, tx, forgotten))
	})
}

// ChangePassword sets the password of somebody who is signed in and knows the old one. All their other sessions end.
func (a *Accounts) ChangePassword(ctx context.Context, p Person, secret, old, password string, b Browser) error {
	if err := a.Again(ctx, p, old, b); err != nil {
		return err
	}
	x, err := a.Account(ctx, p.Account)
	if err != nil {
		return err
	}
	return a.setPassword(ctx, By{Account: p.Account, Session: p.By}, x, password, hashOf(secret), nil)
}

// Again checks the password of somebody who is signed in, before something that a borrowed browser must not do.
func (a *Accounts) Again(ctx context.Context, p Person, password string, b Browser) error {
	counters := a.counters(p.Login, b)
	if _, err := a.try(ctx, counters); err != nil {
		return err
	}
	x, err := a.Account(ctx, p.Account)
	if err != nil {
		return err
	}
	ok, err := a.cfg.Hasher.Matches(ctx, password, x.hash)
	if err != nil {
		return errors.Join(err, a.untried(ctx, counters))
	}
	if !ok {
		return ErrWrong
	}
	return a.db.Write(ctx, func(tx *db.Tx) error { return forgive(ctx, tx, counters) })
}

// setPassword keeps a new password's hash and ends the account's sessions but one, and its tokens.
func (a *Accounts) setPassword(ctx context.Context, by By, x Account, password string, but []byte,
	also func(context.Context, *db.Tx) error) error {
	if x.Subject != "" {
		return ErrProvided
	}
	if err := CheckPassword(password, x.Login, x.Name); err != nil {
		return err
	}
	hash, err := a.cfg.Hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	return a.do(ctx, by, "account.password", x.ID, x.Area, nil, func(ctx context.Context, tx *db.Tx, pos int64) error {
		if also != nil {
			if err := also(ctx, tx); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, "UPDATE account SET password = $1, password_at = $2, changed = $3 WHERE id = $4", hash, a.now(), pos, x.ID)
		return errors.Join(err, endAll(ctx, tx, x.ID, but), dropTokens(ctx, tx, x.ID))
	})
}
