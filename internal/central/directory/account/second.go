package account

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"haochaping/internal/central/db"
)

const (
	seedLength    = 20 // bytes, as RFC 4226 recommends
	codePeriod    = 30 // seconds
	codeSkew      = 1  // periods that a phone's clock may be off
	recoveryCodes = 10
	recoveryBytes = 15 // 120 bits each, 24 characters: enough to be kept under a plain hash
)

func newWrap(secret []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(b)
}

// seal encrypts a seed for one account.
func (a *Accounts) seal(account string, seed []byte) []byte {
	return a.wrap.Seal(nil, nil, seed, []byte("second factor of "+account))
}

func (a *Accounts) unseal(account string, kept []byte) ([]byte, error) {
	seed, err := a.wrap.Open(nil, nil, kept, []byte("second factor of "+account))
	if err != nil {
		return nil, errors.New("动态口令的密钥解不开：中心密钥与数据库不是一套 (the seed cannot be decrypted: the centre's key is not that of this database)")
	}
	return seed, nil
}

var base32Plain = base32.StdEncoding.WithPadding(base32.NoPadding)

// stepOf returns the period in which a seed has a code, near the present, or ErrWrong. One at or before last was used already.
func (a *Accounts) stepOf(seed []byte, code string, last int64) (int64, error) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	now := a.cfg.Now().Unix() / codePeriod
	for step := now - codeSkew; step <= now+codeSkew; step++ {
		ok, err := hotp.ValidateCustom(code, uint64(step), base32Plain.EncodeToString(seed),
			hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil && !errors.Is(err, otp.ErrValidateInputInvalidLength) {
			return 0, err
		}
		if ok && step > last {
			return step, nil
		}
	}
	return 0, ErrWrong
}

// use makes something that works once be used up.
type use func(ctx context.Context, tx *db.Tx) error

// second checks a code of the account's second factor.
func (a *Accounts) second(x Account, code string) (use, error) {
	if len(x.seed) == 0 {
		return nil, ErrWrong
	}
	seed, err := a.unseal(x.ID, x.seed)
	if err != nil {
		return nil, err
	}
	step, err := a.stepOf(seed, code, x.step)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *db.Tx) error {
		// Of two requests with one code the second meets no row.
		err := changed(tx.ExecContext(ctx, "UPDATE account SET step = $1 WHERE id = $2 AND step < $1", step, x.ID))
		if errors.Is(err, ErrChanged) {
			return ErrWrong
		}
		return err
	}, nil
}

// recovery checks a recovery code.
func (a *Accounts) recovery(ctx context.Context, x Account, code string) (use, error) {
	hash := hashOf(recoveryText(code))
	found, err := db.Query(ctx, a.db, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT count(*) FROM account_recovery WHERE hash = $1 AND account = $2", hash, x.ID)
	if err != nil {
		return nil, err
	}
	if found[0] == 0 {
		return nil, ErrWrong
	}
	return func(ctx context.Context, tx *db.Tx) error {
		err := changed(tx.ExecContext(ctx, "DELETE FROM account_recovery WHERE hash = $1 AND account = $2", hash, x.ID))
		if errors.Is(err, ErrChanged) {
			return ErrWrong
		}
		return err
	}, nil
}

// recoveryText is how a recovery code is hashed, however it was typed.
func recoveryText(code string) string {
	return "recovery " + strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(strings.TrimSpace(code)))
}

// Trial is a second factor that is shown and not yet confirmed.
type Trial struct {
	Seed string // as people type it
	URL  string // otpauth://…, for the QR code
}

// TrySecond draws a seed for an account. It counts when Confirm has seen a code of it; the old one counts until then.
func (a *Accounts) TrySecond(ctx context.Context, x Account) (Trial, error) {
	seed := make([]byte, seedLength)
	if _, err := io.ReadFull(a.cfg.Random, seed); err != nil {
		return Trial{}, fmt.Errorf("draw a seed: %w", err)
	}
	err := a.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE account SET trial = $1 WHERE id = $2", a.seal(x.ID, seed), x.ID)
		return err
	})
	if err != nil {
		return Trial{}, fmt.Errorf("keep a seed: %w", err)
	}
	return showTrial(x, seed), nil
}

func showTrial(x Account, seed []byte) Trial {
	text := base32Plain.EncodeToString(seed)
	q := url.Values{"secret": {text}, "issuer": {"好差评"}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {fmt.Sprint(codePeriod)}}
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/好差评:" + x.Login, RawQuery: strings.ReplaceAll(q.Encode(), "+", "%20")}
	return Trial{text, u.String()}
}

// Shown returns the second factor that was shown last and is not confirmed yet, or ErrWrong.
func (a *Accounts) Shown(ctx context.Context, x Account) (Trial, error) {
	seed, err := a.trial(ctx, x.ID)
	if err != nil {
		return Trial{}, err
	}
	return showTrial(x, seed), nil
}

// trial returns the seed that was shown last and not confirmed.
func (a *Accounts) trial(ctx context.Context, id string) ([]byte, error) {
	all, err := db.Query(ctx, a.db, func(s db.Scanner) (b []byte, err error) { return b, s.Scan(&b) },
		"SELECT trial FROM account WHERE id = $1", id)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 || len(all[0]) == 0 {
		return nil, ErrWrong
	}
	return a.unseal(id, all[0])
}

// Confirm makes the seed that was shown the account's second factor, if the code is of it, and returns new recovery codes. The other
// sessions of the account end; this one counts as one with a second factor and goes on under a new secret.
func (a *Accounts) Confirm(ctx context.Context, p Person, secret, code string, b Browser) (codes []string, e Entered, err error) {
	x, err := a.Account(ctx, p.Account)
	if err != nil {
		return nil, e, err
	}
	counters := a.counters(x.Login, b)
	if _, err := a.try(ctx, counters); err != nil {
		return nil, e, err
	}
	seed, err := a.trial(ctx, x.ID)
	if err != nil {
		return nil, e, err
	}
	step, err := a.stepOf(seed, code, 0)
	if err != nil {
		return nil, e, err
	}
	codes, hashes, err := a.drawRecovery()
	if err != nil {
		return nil, e, err
	}
	e.Stage = IsOpen
	if e.Secret, _, err = a.secret(""); err != nil {
		return nil, e, err
	}
	err = a.do(ctx, By{Account: x.ID, Session: p.By}, "account.second", x.ID, x.Area, nil,
		func(ctx context.Context, tx *db.Tx, pos int64) error {
			if err := errors.Join(useSession(ctx, tx, secret), unchanged(ctx, tx, x)); err != nil {
				return err
			}
			now := x
			now.seed = a.seal(x.ID, seed)
			if _, err := tx.ExecContext(ctx, "UPDATE account SET seed = $1, trial = NULL, step = $2, changed = $3 WHERE id = $4", now.seed, step,
				pos,
				x.ID); err != nil {
				return err
			}
			if err := errors.Join(writeRecovery(ctx, tx, x.ID, hashes), endAll(ctx, tx, x.ID, nil), forgive(ctx, tx, counters)); err != nil {
				return err
			}
			return a.begin(ctx, tx, now, IsOpen, true, b, e.Secret)
		})
	return codes, e, err
}

func (a *Accounts) drawRecovery() (codes []string, hashes [][]byte, err error) {
	for range recoveryCodes {
		b := make([]byte, recoveryBytes)
		if _, err := io.ReadFull(a.cfg.Random, b); err != nil {
			return nil, nil, fmt.Errorf("draw recovery codes: %w", err)
		}
		c := base32Plain.EncodeToString(b)
		codes = append(codes, strings.Join([]string{c[:6], c[6:12], c[12:18], c[18:]}, "-"))
		hashes = append(hashes, hashOf(recoveryText(c)))
	}
	return codes, hashes, nil
}

func writeRecovery(ctx context.Context, tx *db.Tx, account string, hashes [][]byte) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM account_recovery WHERE account = $1", account); err != nil {
		return err
	}
	for _, h := range hashes {
		if _, err := tx.ExecContext(ctx, "INSERT INTO account_recovery (hash, account) VALUES ($1, $2)", h, account); err != nil {
			return err
		}
	}
	return nil
}

// RecoveryLeft returns how many recovery codes an account has.
func (a *Accounts) RecoveryLeft(ctx context.Context, account string) (int64, error) {
	all, err := db.Query(ctx, a.db, func(s db.Scanner) (n int64, err error) { return n, s.Scan(&n) },
		"SELECT count(*) FROM account_recovery WHERE account = $1", account)
	if err != nil {
		return 0, fmt.Errorf("count the recovery codes: %w", err)
	}
	return all[0], nil
}

// NewRecovery replaces the recovery codes.
func (a *Accounts) NewRecovery(ctx context.Context, p Person) ([]string, error) {
	codes, hashes, err := a.drawRecovery()
	if err != nil {
		return nil, err
	}
	err = a.do(ctx, By{Account: p.Account, Session: p.By}, "account.recovery", p.Account, "", nil,
		func(ctx context.Context, tx *db.Tx, _ int64) error {
			return writeRecovery(ctx, tx, p.Account, hashes)
		})
	return codes, err
}

// ClearSecond takes an account's second factor away, since the phone is lost. Its sessions and tokens end.
func (a *Accounts) ClearSecond(ctx context.Context, by By, x Account) error {
	return a.do(ctx, by, "account.second.clear", x.ID, x.Area, nil, func(ctx context.Context, tx *db.Tx, pos int64) error {
		_, err := tx.ExecContext(ctx, "UPDATE account SET seed = NULL, trial = NULL, changed = $1 WHERE id = $2", pos, x.ID)
		return errors.Join(err, writeRecovery(ctx, tx, x.ID, nil), endAll(ctx, tx, x.ID, nil), dropTokens(ctx, tx, x.ID))
	})
}

// CodeEvery is how long one code counts.
const CodeEvery = codePeriod * time.Second
