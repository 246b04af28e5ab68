package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/db"
)

// TokenPrefix begins each token, so that one that leaks is known as one.
const TokenPrefix = "hcp_"

// TokenLife is how long a token works at most.
const TokenLife = 366 * 24 * time.Hour

// Token is what a program shows instead of signing in.
type Token struct {
	ID        string   `json:"id"` // a name that opens nothing
	Account   string   `json:"account"`
	Label     string   `json:"label"`
	Actions   []Action `json:"actions"`
	CreatedAt int64    `json:"created_at"`
	EndsAt    int64    `json:"ends_at"`
	SeenAt    int64    `json:"seen_at,omitempty"` // 0: never
	Second    bool     `json:"second"`            // whoever made it had shown a second factor
	Area      string   `json:"area,omitempty"`    // outside of which it does nothing; empty: no bound of its own
}

// ErrToken says that a token cannot be made so.
var ErrToken = errors.New("令牌须有名称、至少一项权限和一年以内的期限；须说明理由的操作和账号管理不能授予令牌 " +
	"(a token has a label, an action, and ends within a year; what needs a reason and the care of accounts are not for tokens)")

// AddToken makes a token of an account and returns its secret, which is shown once. An area bounds it further than the account's grants do.
func (a *Accounts) AddToken(ctx context.Context, p Person, label string, actions []Action, area string, ends int64) (string, Token, error) {
	at := a.now()
	t := Token{Account: p.Account, Label: strings.TrimSpace(label), Actions: actions, CreatedAt: at, EndsAt: ends, Second: p.Second,
		Area: area}
	if area != "" && !IsArea(area) {
		return "", t, fmt.Errorf("%w: %w", ErrToken, errArea(area))
	}
	p.Bound = area
	tooMuch := func(x Action) bool {
		rule, ok := RuleOf(x)
		return !ok || !rule.ForTokens() || !Ever(p, x)
	}
	if t.Label == "" || utf8.RuneCountInString(t.Label) > maxName || !printable(t.Label) || len(actions) == 0 ||
		slices.ContainsFunc(actions, tooMuch) ||
		ends <= at || ends > at+TokenLife.Milliseconds() {
		return "", t, ErrToken
	}
	// What the provider says of people is heard when they sign in, and a token never does.
	if x, err := a.Account(ctx, p.Account); err != nil {
		return "", t, err
	} else if x.Subject != "" {
		return "", t, fmt.Errorf("%w; 也不能有令牌，请为程序另开账号 (nor tokens: open an account of its own for the program)", ErrProvided)
	}
	secret, hash, err := a.secret(TokenPrefix)
	if err != nil {
		return "", t, err
	}
	t.ID = nameOf(hash)
	err = a.do(ctx, By{Account: p.Account, Session: p.By}, "account.token", p.Account, "", t,
		func(ctx context.Context, tx *db.Tx, _ int64) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO account_token (hash, id, account, label, actions, created_at, ends_at, seen_at, second, area)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9)`, hash, t.ID, t.Account, t.Label, words(actions), t.CreatedAt, t.EndsAt, flag(t.Second),
				t.Area)
			return err
		})
	return secret, t, err
}

func words(actions []Action) string {
	var all []string
	for _, x := range actions {
		all = append(all, string(x))
	}
	return strings.Join(all, " ")
}

const readToken = "SELECT id, account, label, actions, created_at, ends_at, seen_at, second, area FROM account_token "

func scanToken(s db.Scanner) (t Token, err error) {
	var text string
	var second int64
	err = s.Scan(&t.ID, &t.Account, &t.Label, &text, &t.CreatedAt, &t.EndsAt, &t.SeenAt, &second, &t.Area)
	t.Second = second == 1
	for _, w := range strings.Fields(text) {
		t.Actions = append(t.Actions, Action(w))
	}
	return t, err
}

// Tokens returns the tokens of an account, also those that are over.
func (a *Accounts) Tokens(ctx context.Context, account string) ([]Token, error) {
	all, err := db.Query(ctx, a.db, scanToken, readToken+"WHERE account = $1 ORDER BY created_at DESC", account)
	if err != nil {
		return nil, fmt.Errorf("read the tokens of %s: %w", account, err)
	}
	return all, nil
}

// DropToken makes a token of an account open nothing any more.
func (a *Accounts) DropToken(ctx context.Context, by By, account, id string) error {
	return a.do(ctx, by, "account.token.drop", account, "", struct {
		Token string `json:"token"`
	}{id}, func(ctx context.Context, tx *db.Tx, _ int64) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM account_token WHERE account = $1 AND id = $2", account, id)
		return err
	})
}

// dropTokens deletes all tokens of an account.
func dropTokens(ctx context.Context, tx *db.Tx, account string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM account_token WHERE account = $1", account)
	return err
}

// ByToken returns the person whose token this is, or ErrSignedOut. A token counts as a second factor if whoever made it
// had shown one.
func (a *Accounts) ByToken(ctx context.Context, secret string) (Person, error) {
	at, hash := a.now(), hashOf(secret)
	all, err := db.Query(ctx, a.db, scanToken, readToken+"WHERE hash = $1 AND ends_at > $2", hash, at)
	if err != nil {
		return Person{}, fmt.Errorf("read a token: %w", err)
	}
	if len(all) == 0 {
		return Person{}, ErrSignedOut
	}
	t := all[0]
	p, err := a.person(ctx, t.Account, at)
	if err != nil {
		return Person{}, err
	}
	p.By, p.Token, p.Only, p.Second, p.Bound = t.ID, true, t.Actions, t.Second, t.Area
	if at >= t.SeenAt+seenEvery.Milliseconds() {
		err = a.db.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE account_token SET seen_at = $1 WHERE hash = $2", at, hash)
			return err
		})
	}
	return p, err
}
