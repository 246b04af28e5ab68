package account

import (
	"context"
	"crypto/cipher"
	"embed"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"

	"haochaping/internal/central/db"
	"haochaping/internal/central/journal"
)

//go:embed schema/*.sql
var schemas embed.FS

// Errors of accounts.
var (
	ErrNoAccount = errors.New("there is no such account")
	ErrLogin     = errors.New("the sign-in name is taken")
	ErrRefused   = errors.New("the role does not allow this")
)

// Config names what Accounts need.
type Config struct {
	Journal *journal.Journal
	Secret  []byte // 32 bytes: encrypts the seeds of second factors; the same for all instances
	Hasher  *Hasher
	Random  io.Reader
	Now     func() time.Time
}

// Accounts is who may use the centre. Its methods are safe for concurrent use.
type Accounts struct {
	cfg  Config
	db   *db.DB
	wrap cipher.AEAD // of seeds
}

// Open brings the tables up to date.
func Open(ctx context.Context, c Config) (*Accounts, error) {
	a := &Accounts{cfg: c, db: c.Journal.DB()}
	scripts, err := fs.Sub(schemas, "schema")
	if err == nil {
		err = a.db.Migrate(ctx, "account", scripts)
	}
	if err == nil {
		a.wrap, err = newWrap(c.Secret)
	}
	if err != nil {
		return nil, fmt.Errorf("open the accounts: %w", err)
	}
	return a, nil
}

// Account is one person's account.
type Account struct {
	ID         string
	Login      string
	Name       string
	Area       string // of the office that looks after it
	Disabled   bool
	Password   bool // one was chosen
	PasswordAt int64
	Second     bool // a second factor is enrolled
	Subject    string
	CreatedAt  int64
	Changed    int64 // position in the journal of the act that changed it last

	hash string
	seed []byte
	step int64
}

// Bounds of what is written about an account, in characters.
const (
	maxLogin  = 64
	maxName   = 64
	maxReason = 500
)

// ParseLogin returns a sign-in name as the table has it: small letters, digits and . _ - @, at least two.
func ParseLogin(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) < 2 || len(s) > maxLogin || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-@") != "" {
		return "", fmt.Errorf("登录名 %q 不能用：请用 2 到 %d 个小写字母、数字或 . _ - @ (a sign-in name has 2 to %d small letters, digits, . _ - @)", s, maxLogin,
			maxLogin)
	}
	return s, nil
}

func checkName(s string) error {
	if s == "" || utf8.RuneCountInString(s) > maxName || !printable(s) {
		return fmt.Errorf("姓名须为 1 到 %d 个字 (a name has 1 to %d characters)", maxName, maxName)
	}
	return nil
}

// printable reports whether a text is one line that people can read.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError })
}

// id draws a name that nobody can guess, with a prefix that says of what.
func (a *Accounts) id(prefix string) (string, error) {
	b := make([]byte, 10)
	if _, err := io.ReadFull(a.cfg.Random, b); err != nil {
		return "", fmt.Errorf("draw a name: %w", err)
	}
	return prefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)), nil
}

func (a *Accounts) now() int64 { return a.cfg.Now().UnixMilli() }

// Any reports whether there is an account at all.
func (a *Accounts) Any(ctx context.Context) (yes bool, err error) {
	all, err := db.Query(ctx, a.db, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) }, "SELECT count(*) FROM account")
	if err != nil {
		return false, fmt.Errorf("count the accounts: %w", err)
	}
	return all[0] > 0, nil
}

const readAccount = `SELECT id, login, name, area, disabled, password, password_at, seed, step, coalesce(subject, ''), created_at, changed
	FROM account `

func scanAccount(s db.Scanner) (x Account, err error) {
	var disabled int64
	err = s.Scan(&x.ID, &x.Login, &x.Name, &x.Area, &disabled, &x.hash, &x.PasswordAt, &x.seed, &x.step, &x.Subject, &x.CreatedAt, &x.Changed)
	x.Disabled, x.Password, x.Second = disabled == 1, x.hash != "", len(x.seed) > 0
	return x, err
}

// one returns the account of a condition, or ErrNoAccount.
func one(ctx context.Context, q db.Querier, where string, args ...any) (Account, error) {
	all, err := db.Query(ctx, q, scanAccount, readAccount+where, args...)
	if err != nil {
		return Account{}, fmt.Errorf("read an account: %w", err)
	}
	if len(all) == 0 {
		return Account{}, ErrNoAccount
	}
	return all[0], nil
}

// Account returns an account by its id, or ErrNoAccount.
func (a *Accounts) Account(ctx context.Context, id string) (Account, error) {
	return one(ctx, a.db, "WHERE id = $1", id)
}

// ByLogin returns an account by its sign-in name, or ErrNoAccount.
func (a *Accounts) ByLogin(ctx context.Context, login string) (Account, error) {
	return one(ctx, a.db, "WHERE login = $1", login)
}

// All returns all accounts by their sign-in names.
func (a *Accounts) All(ctx context.Context) ([]Account, error) {
	all, err := db.Query(ctx, a.db, scanAccount, readAccount+"ORDER BY login")
	if err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	return all, nil
}

// By is who does something to accounts.
type By struct {
	Account string // id, or the operator of the machine
	Session string // its name
	Reason  string
}

// do enters an act about an account.
func (a *Accounts) do(ctx context.Context, by By, do, object, area string, data any,
	also func(ctx context.Context, tx *db.Tx, pos int64) error) error {
	if len(by.Reason) > 4*maxReason {
		return fmt.Errorf("理由太长 (the reason is too long): %d", len(by.Reason))
	}
	if area == "" { // of one's own account
		x, err := a.Account(ctx, object)
		if err != nil {
			return err
		}
		area = x.Area
	}
	var text []byte
	if data != nil {
		var err error
		if text, err = json.Marshal(data); err != nil {
			return fmt.Errorf("%s: %w", do, err)
		}
	}
	_, err := a.cfg.Journal.Do(ctx, by.Account, "", journal.Act{Do: do, Object: object, Reason: by.Reason, By: by.Session, Data: text,
		Domain: area}, also)
	return err
}

// Add opens an account without a password: a link lets the person choose one. Grants may come with it.
func (a *Accounts) Add(ctx context.Context, by By, login, name, area string, grants ...Grant) (Account, error) {
	login, err := ParseLogin(login)
	if err == nil {
		err = checkName(name)
	}
	if err == nil && !IsArea(area) {
		err = errArea(area)
	}
	if err != nil {
		return Account{}, err
	}
	x := Account{Login: login, Name: name, Area: area, CreatedAt: a.now()}
	if x.ID, err = a.id("a-"); err != nil {
		return x, err
	}
	for i := range grants {
		grants[i].Account = x.ID
		if err := a.prepare(&grants[i]); err != nil {
			return x, err
		}
	}
	data := struct {
		Area   string  `json:"area"`
		Grants []Grant `json:"grants,omitempty"`
	}{area, grants}
	err = a.do(ctx, by, "account.add", x.ID, area, data, func(ctx context.Context, tx *db.Tx, pos int64) error {
		if _, err := one(ctx, tx, "WHERE login = $1", login); !errors.Is(err, ErrNoAccount) {
			return errors.Join(err, ErrLogin)
		}
		x.Changed = pos
		_, err := tx.ExecContext(ctx, `INSERT INTO account (id, login, name, area, disabled, password, password_at, created_at, changed)
			VALUES ($1, $2, $3, $4, 0, '', 0, $5, $6)`, x.ID, x.Login, x.Name, x.Area, x.CreatedAt, pos)
		for _, g := range grants {
			err = errors.Join(err, insertGrant(ctx, tx, g, ""))
		}
		return err
	})
	return x, err
}

func errArea(s string) error {
	return fmt.Errorf("区划代码 %q 不对：请写 12 位数字 (an area's code has 12 digits)", s)
}

// Disable bars an account, or lets it in again. Its sessions and tokens end.
func (a *Accounts) Disable(ctx context.Context, by By, x Account, disabled bool) error {
	do, flag := "account.enable", 0
	if disabled {
		do, flag = "account.disable", 1
	}
	return a.do(ctx, by, do, x.ID, x.Area, nil, func(ctx context.Context, tx *db.Tx, pos int64) error {
		_, err := tx.ExecContext(ctx, "UPDATE account SET disabled = $1, changed = $2 WHERE id = $3", flag, pos, x.ID)
		return errors.Join(err, endAll(ctx, tx, x.ID, nil), dropTokens(ctx, tx, x.ID))
	})
}

// Rename changes the person's name, and the area of the office that looks after the account. It is ErrChanged if somebody else was faster.
func (a *Accounts) Rename(ctx context.Context, by By, x Account, name, area string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if !IsArea(area) {
		return errArea(area)
	}
	data := struct {
		Area string `json:"area"`
	}{area}
	return a.do(ctx, by, "account.change", x.ID, area, data, func(ctx context.Context, tx *db.Tx, pos int64) error {
		return changed(tx.ExecContext(ctx, "UPDATE account SET name = $1, area = $2, changed = $3 WHERE id = $4 AND changed = $5", name, area,
			pos, x.ID, x.Changed))
	})
}

// ErrChanged says that somebody else has changed the account meanwhile.
var ErrChanged = errors.New("the account was changed by somebody else meanwhile")

// changed makes a statement that met no row ErrChanged.
func changed(r interface{ RowsAffected() (int64, error) }, err error) error {
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrChanged)
	}
	return nil
}
