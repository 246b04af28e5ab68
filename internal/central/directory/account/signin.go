package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"haochaping/internal/central/db"
)

// ErrWrong says that name and password, or the code, do not fit. It does not say which, nor whether there is such an account.
var ErrWrong = errors.New("登录名、密码或动态口令不对 (the name, password or code is wrong)")

// Entered is a session that was just begun.
type Entered struct {
	Secret string // for the cookie
	Stage  Stage
	Device string // for the cookie of a browser that is known from now on, empty: none
}

func sorted(m map[string]int64) []string { return slices.Sorted(maps.Keys(m)) }

// SignIn checks a name and a password. With a second factor the session waits for its code. An account that does not exist costs the same.
func (a *Accounts) SignIn(ctx context.Context, login, password string, b Browser) (Entered, error) {
	login = strings.ToLower(strings.TrimSpace(login))
	counters := a.counters(login, b)
	costly, err := a.try(ctx, counters)
	if err != nil {
		return Entered{}, err
	}
	x, err := a.ByLogin(ctx, login)
	if err != nil && !errors.Is(err, ErrNoAccount) {
		return Entered{}, err
	}
	ok, err := a.cfg.Hasher.Matches(ctx, password, x.hash)
	if err != nil {
		return Entered{}, errors.Join(err, a.untried(ctx, counters))
	}
	if !ok || x.Disabled {
		return Entered{}, errors.Join(ErrWrong, a.noteRefused(ctx, x, costly, b))
	}
	if x.Second {
		e := Entered{Stage: AwaitsCode}
		if e.Secret, _, err = a.secret(""); err != nil {
			return e, err
		}
		// The password was right, so that this was no failure of it; codes have a count of their own.
		err = a.db.Write(ctx, func(tx *db.Tx) error {
			if err := takeBack(ctx, tx, counters); err != nil {
				return err
			}
			return a.begin(ctx, tx, x, AwaitsCode, false, b, e.Secret)
		})
		return e, err
	}
	e, err := a.enter(ctx, x, "password", false, b, counters, nil)
	if err == nil && a.cfg.Hasher.stale(x.hash) {
		err = a.rehash(ctx, x, password)
	}
	return e, err
}

// rehash keeps the password's hash at today's cost.
func (a *Accounts) rehash(ctx context.Context, x Account, password string) error {
	hash, err := a.cfg.Hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	return a.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE account SET password = $1 WHERE id = $2 AND password = $3", hash, x.ID, x.hash)
		return err
	})
}

// noteRefused enters that an account was tried too often, once a row of failures begins to cost time.
func (a *Accounts) noteRefused(ctx context.Context, x Account, costly bool, b Browser) error {
	if x.ID == "" || !costly {
		return nil
	}
	return a.do(ctx, By{Account: x.ID}, "account.refused", x.ID, x.Area, from{"", clip(b.Address, 64)}, nil)
}

// from is what is known of who signs in.
type from struct {
	How     string `json:"how,omitempty"`
	Address string `json:"address"`
}

// enter opens a session, and forgets what failed before.
func (a *Accounts) enter(ctx context.Context, x Account, how string, second bool, b Browser, counters map[string]int64,
	also func(*db.Tx) error) (e Entered, err error) {
	e.Stage = IsOpen
	secret, hash, err := a.secret("")
	if err != nil {
		return e, err
	}
	if e.Device, err = a.device(x.Login); err != nil {
		return e, err
	}
	if a.knownDevice(x.Login, b.Known) != "" {
		e.Device = b.Known
	}
	e.Secret = secret
	err = a.do(ctx, By{Account: x.ID, Session: nameOf(hash)}, "account.signin", x.ID, x.Area, from{how, clip(b.Address, 64)},
		func(ctx context.Context, tx *db.Tx, _ int64) error {
			if also != nil {
				if err := also(tx); err != nil {
					return err
				}
			}
			if err := forgive(ctx, tx, counters); err != nil {
				return err
			}
			return a.begin(ctx, tx, x, IsOpen, second, b, secret)
		})
	return e, err
}

// Code checks the second factor of a session that waits for it: six digits, or a recovery code. The session goes on under a new secret.
func (a *Accounts) Code(ctx context.Context, secret, code string, b Browser) (Entered, error) {
	p, s, err := a.Session(ctx, secret, true)
	if err != nil {
		return Entered{}, err
	}
	if s.Stage != AwaitsCode {
		return Entered{}, ErrSignedOut
	}
	x, err := a.Account(ctx, p.Account)
	if err != nil {
		return Entered{}, err
	}
	counters := a.codeCounters(x.Login, b)
	costly, err := a.try(ctx, counters)
	if err != nil {
		return Entered{}, err
	}
	counters[a.who(x.Login, b)] = freeAccount // forgotten with the code's failures
	how := "password and code"
	use, err := a.second(x, code)
	if errors.Is(err, ErrWrong) {
		how = "password and recovery code"
		use, err = a.recovery(ctx, x, code)
	}
	if errors.Is(err, ErrWrong) {
		return Entered{}, errors.Join(err, a.noteRefused(ctx, x, costly, b))
	}
	if err != nil {
		return Entered{}, fmt.Errorf("check a second factor: %w", err)
	}
	return a.enter(ctx, x, how, true, b, counters, func(tx *db.Tx) error {
		if err := useSession(ctx, tx, secret); err != nil {
			return err
		}
		return use(ctx, tx)
	})
}

// SignOut ends the session of a secret. One that is over already is none.
func (a *Accounts) SignOut(ctx context.Context, secret string) error {
	p, s, err := a.Session(ctx, secret, true)
	if errors.Is(err, ErrSignedOut) {
		return nil
	}
	if err != nil {
		return err
	}
	return a.End(ctx, By{Account: p.Account, Session: s.ID}, p.Account, s.ID)
}
