package account

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"haochaping/internal/central/db"
)

// How failures slow down whoever fails. Nobody is locked out: the pause never grows over longestPause, a browser that the account has
// signed in with before has a count of its own, and a link from whoever looks after the account signs in at any time.
const (
	freeAccount  = 5   // failures of an account or a known browser that cost nothing
	freeCode     = 2   // codes after a right password that cost nothing; they count apart from the password's failures
	freeAddress  = 30  // failures from an address, behind which a whole office may sit
	firstPause   = 1   // seconds; it doubles with each failure
	longestPause = 900 // seconds
	forgetAfter  = 24 * time.Hour
)

// TooSoon says that somebody failed, or a program asked, too often, and when they may try again.
type TooSoon struct{ Wait time.Duration }

func (e *TooSoon) Error() string {
	return fmt.Sprintf("次数过多，请 %d 秒后再试 (too often; try again in %d seconds)", e.seconds(), e.seconds())
}

func (e *TooSoon) seconds() int64 { return max(1, int64((e.Wait+time.Second-1)/time.Second)) }

// Seconds is how long to wait.
func (e *TooSoon) Seconds() int64 { return e.seconds() }

// pause returns how long to wait after so many failures, of which some are free.
func pause(many, free int64) time.Duration {
	n := many - free
	if n <= 0 {
		return 0
	}
	return time.Duration(min(longestPause, firstPause<<min(n-1, 20))) * time.Second
}

// counters are the counts that a try at signing in touches.
func (a *Accounts) counters(login string, b Browser) map[string]int64 {
	return counted(a.who(login, b), freeAccount, b)
}

// codeCounters are the counts that a try at a code touches.
func (a *Accounts) codeCounters(login string, b Browser) map[string]int64 {
	return counted("code of "+a.who(login, b), freeCode, b)
}

// who is under what name the failures of a login count.
func (a *Accounts) who(login string, b Browser) string {
	if device := a.knownDevice(login, b.Known); device != "" {
		return "browser " + device
	}
	return "account " + base64.RawURLEncoding.EncodeToString(hashOf(login)) // a login may be anything at all here
}

func counted(who string, free int64, b Browser) map[string]int64 {
	all := map[string]int64{who: free}
	if b.Address != "" {
		all["address "+b.Address] = freeAddress
	}
	return all
}

// device returns the cookie by which a browser is known after a login has signed in there.
func (a *Accounts) device(login string) (string, error) {
	name, err := a.id("")
	if err != nil {
		return "", err
	}
	return name + "." + a.deviceMark(login, name), nil
}

func (a *Accounts) deviceMark(login, name string) string {
	m := hmac.New(sha256.New, a.cfg.Secret)
	_, _ = fmt.Fprintf(m, "known browser\n%s\n%s", name, login) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// knownDevice returns the name of a browser whose cookie is that of the login, else nothing.
func (a *Accounts) knownDevice(login, cookie string) string {
	name, mark, ok := strings.Cut(cookie, ".")
	if !ok || !hmac.Equal([]byte(mark), []byte(a.deviceMark(login, name))) {
		return ""
	}
	return name
}

// try counts a try as a failure before it is made, so that many at once are not free, or returns TooSoon. Costly says that it is the first
// of its account that costs time; how many an address has failed says nothing of the account.
func (a *Accounts) try(ctx context.Context, counters map[string]int64) (costly bool, err error) {
	at := a.now()
	err = a.db.Write(ctx, func(tx *db.Tx) error {
		costly = false
		if _, err := tx.ExecContext(ctx, "DELETE FROM account_failure WHERE last < $1", at-forgetAfter.Milliseconds()); err != nil {
			return err
		}
		for _, who := range sorted(counters) {
			n, err := a.count(ctx, tx, who, counters[who], at)
			if err != nil {
				return err
			}
			costly = costly || !strings.HasPrefix(who, "address ") && n == counters[who]+1
		}
		return nil
	})
	return costly, err
}

// count adds a failure, unless it comes too soon.
func (a *Accounts) count(ctx context.Context, tx *db.Tx, who string, free, at int64) (int64, error) {
	// The row is locked from here on, also on PostgreSQL.
	if _, err := tx.ExecContext(ctx, `INSERT INTO account_failure (who, many, until, last) VALUES ($1, 0, 0, $2)
		ON CONFLICT (who) DO UPDATE SET many = account_failure.many`, who, at); err != nil {
		return 0, err
	}
	type row struct{ many, until int64 }
	all, err := db.Query(ctx, tx, func(s db.Scanner) (r row, err error) { return r, s.Scan(&r.many, &r.until) },
		"SELECT many, until FROM account_failure WHERE who = $1", who)
	if err != nil {
		return 0, err
	}
	if wait := all[0].until - at; wait > 0 {
		return 0, &TooSoon{time.Duration(wait) * time.Millisecond}
	}
	n := all[0].many + 1
	_, err = tx.ExecContext(ctx, "UPDATE account_failure SET many = $1, until = $2, last = $3 WHERE who = $4", n,
		at+pause(n, free).Milliseconds(), at, who)
	return n, err
}

// forgive forgets the failures before a success. An address keeps its others.
func forgive(ctx context.Context, tx *db.Tx, counters map[string]int64) error {
	for _, who := range sorted(counters) {
		if strings.HasPrefix(who, "address ") {
			if err := uncount(ctx, tx, who); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM account_failure WHERE who = $1", who); err != nil {
			return err
		}
	}
	return nil
}

// uncount takes one try back. The pause before it was over, else it had not been one.
func uncount(ctx context.Context, tx *db.Tx, who string) error {
	_, err := tx.ExecContext(ctx, "UPDATE account_failure SET many = many - 1, until = 0 WHERE who = $1 AND many > 0", who)
	return err
}

// takeBack takes a try back in a transaction.
func takeBack(ctx context.Context, tx *db.Tx, counters map[string]int64) error {
	for _, who := range sorted(counters) {
		if err := uncount(ctx, tx, who); err != nil {
			return err
		}
	}
	return nil
}

// untried takes a try back that was not looked at.
func (a *Accounts) untried(ctx context.Context, counters map[string]int64) error {
	return a.db.Write(context.WithoutCancel(ctx), func(tx *db.Tx) error { return takeBack(ctx, tx, counters) })
}
