package account

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"haochaping/internal/central/db"
)

// How long a session lives, and how often it is noted that it was used.
const (
	SessionIdle  = 30 * time.Minute
	SessionLife  = 12 * time.Hour
	codeLife     = 5 * time.Minute // between password and second factor
	seenEvery    = time.Minute
	maxSessions  = 20 // of one account; the oldest goes
	secretLength = 32 // bytes of what opens something
)

// ErrSignedOut says that nobody is signed in by this.
var ErrSignedOut = errors.New("nobody is signed in")

// Stage is how far a session is.
type Stage string

// The stages.
const (
	AwaitsCode Stage = "code" // the password was right, the second factor is missing
	IsOpen     Stage = "open"
)

// Session is a browser that somebody signed in with.
type Session struct {
	ID        string // a name that opens nothing
	Account   string
	Stage     Stage
	Second    bool
	CreatedAt int64
	SeenAt    int64
	EndsAt    int64
	Address   string
	Agent     string
}

// Browser is from where somebody signs in.
type Browser struct {
	Address string // as the back-off counts it
	Agent   string // what the browser calls itself
	Known   string // the cookie of a browser that this account has signed in with before
}

// secret draws something that opens, and returns it with the hash under which it is kept.
func (a *Accounts) secret(prefix string) (text string, hash []byte, err error) {
	b := make([]byte, secretLength)
	if _, err := io.ReadFull(a.cfg.Random, b); err != nil {
		return "", nil, fmt.Errorf("draw a secret: %w", err)
	}
	text = prefix + base64.RawURLEncoding.EncodeToString(b)
	return text, hashOf(text), nil
}

// hashOf is what is kept of a secret. It was drawn at random, so a plain hash suffices.
func hashOf(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// nameOf is the name of a session or token that opens nothing.
func nameOf(hash []byte) string { return base64.RawURLEncoding.EncodeToString(hash[:9]) }

const readSession = "SELECT id, account, stage, second, created_at, seen_at, ends_at, address, agent FROM account_session "

func scanSession(s db.Scanner) (x Session, err error) {
	var second int64
	err = s.Scan(&x.ID, &x.Account, &x.Stage, &second, &x.CreatedAt, &x.SeenAt, &x.EndsAt, &x.Address, &x.Agent)
	x.Second = second == 1
	return x, err
}

// lives reports whether a session is neither too old nor too long unused.
func (s Session) lives(at int64) bool {
	return at < s.EndsAt && (s.Stage != IsOpen || at < s.SeenAt+SessionIdle.Milliseconds())
}

// unchanged is ErrWrong if an account was barred, or its password or second factor changed, since it was read to be checked. It locks the
// row, so that whoever does so later meets the session and ends it.
func unchanged(ctx context.Context, tx *db.Tx, x Account) error {
	err := changed(tx.ExecContext(ctx, "UPDATE account SET step = step WHERE id = $1 AND disabled = 0 AND password = $2", x.ID, x.hash))
	if errors.Is(err, ErrChanged) {
		return ErrWrong
	}
	if err != nil {
		return err
	}
	now, err := one(ctx, tx, "WHERE id = $1", x.ID)
	if err == nil && !bytes.Equal(now.seed, x.seed) {
		err = ErrWrong
	}
	return err
}

// begin writes a new session for an account that is as it was checked. A browser never keeps the secret of an earlier stage.
func (a *Accounts) begin(ctx context.Context, tx *db.Tx, x Account, stage Stage, second bool, b Browser, secret string) error {
	if err := unchanged(ctx, tx, x); err != nil {
		return err
	}
	account, at, life := x.ID, a.now(), SessionLife
	if stage == AwaitsCode {
		life = codeLife
	}
	hash := hashOf(secret)
	if _, err := tx.ExecContext(ctx, "DELETE FROM account_session WHERE ends_at <= $1", at); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM account_session WHERE account = $1 AND hash NOT IN
		(SELECT hash FROM account_session WHERE account = $1 ORDER BY seen_at DESC LIMIT $2)`, account, maxSessions-1); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO account_session (hash, id, account, stage, second, created_at, seen_at, ends_at, address, agent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, hash, nameOf(hash), account, string(stage), flag(second), at, at,
		at+life.Milliseconds(), clip(b.Address, 64), clip(b.Agent, 200))
	return err
}

func flag(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// clip returns the first n characters of a text that somebody else wrote, those that can be printed.
func clip(s string, n int) string {
	var out []rune
	for _, r := range s {
		if len(out) == n {
			break
		}
		if r >= ' ' && r != 0x7f && r != 0xfffd {
			out = append(out, r)
		}
	}
	return string(out)
}

// Session returns the session that a secret opens and whose it is, or ErrSignedOut. It counts as use, unless quiet.
func (a *Accounts) Session(ctx context.Context, secret string, quiet bool) (Person, Session, error) {
	at, hash := a.now(), hashOf(secret)
	all, err := db.Query(ctx, a.db, scanSession, readSession+"WHERE hash = $1", hash)
	if err != nil {
		return Person{}, Session{}, fmt.Errorf("read a session: %w", err)
	}
	if len(all) == 0 || !all[0].lives(at) {
		return Person{}, Session{}, ErrSignedOut
	}
	s := all[0]
	p, err := a.person(ctx, s.Account, at)
	if err != nil {
		return Person{}, Session{}, err
	}
	p.By, p.Second = s.ID, s.Second
	if !quiet && s.Stage == IsOpen && at >= s.SeenAt+seenEvery.Milliseconds() {
		err = a.db.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE account_session SET seen_at = $1 WHERE hash = $2", at, hash)
			return err
		})
	}
	return p, s, err
}

// person returns the person of an account, or ErrSignedOut if it is barred.
func (a *Accounts) person(ctx context.Context, id string, at int64) (Person, error) {
	x, err := a.Account(ctx, id)
	if errors.Is(err, ErrNoAccount) || err == nil && x.Disabled {
		return Person{}, ErrSignedOut
	}
	if err != nil {
		return Person{}, err
	}
	p := Person{Account: x.ID, Login: x.Login, Name: x.Name, At: at}
	p.Grants, err = a.Grants(ctx, x.ID)
	return p, err
}

// Sessions returns the open sessions of an account, the one used last first.
func (a *Accounts) Sessions(ctx context.Context, account string) (open []Session, err error) {
	all, err := db.Query(ctx, a.db, scanSession, readSession+"WHERE account = $1 ORDER BY seen_at DESC", account)
	if err != nil {
		return nil, fmt.Errorf("read the sessions of %s: %w", account, err)
	}
	for _, s := range all {
		if s.lives(a.now()) && s.Stage == IsOpen {
			open = append(open, s)
		}
	}
	return open, nil
}

// useSession deletes the session that goes on under another secret. Of two requests with one session the second is ErrSignedOut.
func useSession(ctx context.Context, tx *db.Tx, secret string) error {
	err := changed(tx.ExecContext(ctx, "DELETE FROM account_session WHERE hash = $1", hashOf(secret)))
	if errors.Is(err, ErrChanged) {
		return ErrSignedOut
	}
	return err
}

// End ends a session of an account by its name.
func (a *Accounts) End(ctx context.Context, by By, account, id string) error {
	return a.do(ctx, by, "account.signout", account, "", struct {
		Session string `json:"session"`
	}{id}, func(ctx context.Context, tx *db.Tx, _ int64) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM account_session WHERE account = $1 AND id = $2", account, id)
		return err
	})
}

// endAll ends all sessions of an account but one, and its links.
func endAll(ctx context.Context, tx *db.Tx, account string, but []byte) error {
	if but == nil {
		but = []byte{}
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM account_session WHERE account = $1 AND hash <> $2", account, but)
	if err == nil {
		_, err = tx.ExecContext(ctx, "DELETE FROM account_link WHERE account = $1", account)
	}
	return err
}
