package account_test

import (
	"bytes"
	"encoding/base32"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
)

const (
	good   = "the tram to Xigu leaves late"
	better = "门口的槐树今年开得早了三天"
)

func here() account.Browser { return account.Browser{Address: "192.0.2.7", Agent: "test"} }

// chosen returns an account that has chosen the password.
func chosen(t *testing.T, w *webtest.World, grants ...account.Grant) account.Account {
	t.Helper()
	x := w.Add(grants...)
	link, err := w.Accounts.Link(t.Context(), account.By{Account: webtest.Operator}, x, account.ChoosesPassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Accounts.ChooseByLink(t.Context(), link, good, here()); err != nil {
		t.Fatal(err)
	}
	if x, err = w.Accounts.Account(t.Context(), x.ID); err != nil {
		t.Fatal(err)
	}
	return x
}

// enrolled gives an account a second factor, and returns its seed, the recovery codes and the session.
func enrolled(t *testing.T, w *webtest.World, x account.Account, secret string) (seed string, codes []string, e account.Entered) {
	t.Helper()
	p, _, err := w.Accounts.Session(t.Context(), secret, false)
	if err != nil {
		t.Fatal(err)
	}
	trial, err := w.Accounts.TrySecond(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if codes, e, err = w.Accounts.Confirm(t.Context(), p, secret, code(t, w, trial.Seed), here()); err != nil {
		t.Fatal(err)
	}
	return trial.Seed, codes, e
}

// withSecond returns an account with a password and a second factor, and that factor's seed.
func withSecond(t *testing.T, w *webtest.World) (x account.Account, seed string) {
	t.Helper()
	x = chosen(t, w)
	e, err := w.Accounts.SignIn(t.Context(), x.Login, good, here())
	if err != nil {
		t.Fatal(err)
	}
	seed, _, _ = enrolled(t, w, x, e.Secret)
	return x, seed
}

// code returns what an authenticator shows now, by another implementation than the one that checks it.
func code(t *testing.T, w *webtest.World, seed string) string {
	t.Helper()
	if _, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed); err != nil {
		t.Fatal(err)
	}
	c, err := totp.GenerateCode(seed, w.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func signedOut(t *testing.T, w *webtest.World, what, secret string) {
	t.Helper()
	if _, _, err := w.Accounts.Session(t.Context(), secret, false); !errors.Is(err, account.ErrSignedOut) {
		t.Errorf("%s: %v, want nobody signed in", what, err)
	}
}

// A person's way: a link, a password, a second factor, recovery, a new password.
func TestSignIn(t *testing.T) {
	onBoth(t, func(t *testing.T, w *webtest.World) {
		ctx, a := t.Context(), w.Accounts
		x := w.Add(webtest.Grant(account.City, "620100000000", "620100000000"))
		if _, err := a.SignIn(ctx, x.Login, "", here()); !errors.Is(err, account.ErrWrong) {
			t.Errorf("an account without a password: %v", err)
		}
		link, err := a.Link(ctx, account.By{Account: webtest.Operator}, x, account.ChoosesPassword)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.ChooseByLink(ctx, link, "password1234", here()); !errors.Is(err, account.ErrPassword) {
			t.Errorf("a common password: %v", err)
		}
		if err := a.ChooseByLink(ctx, link, good, here()); err != nil {
			t.Fatal(err)
		}
		if err := a.ChooseByLink(ctx, link, better, here()); !errors.Is(err, account.ErrLink) {
			t.Errorf("the link a second time: %v", err)
		}
		first, err := a.SignIn(ctx, strings.ToUpper(x.Login)+" ", good, here())
		if err != nil || first.Stage != account.IsOpen {
			t.Fatalf("sign in: %+v, %v", first, err)
		}
		p, _, err := a.Session(ctx, first.Secret, false)
		if err != nil || p.Second || account.May(p, account.SeeEvaluations, account.Object{Area: "620102000000"}) {
			t.Fatalf("without a second factor: %+v, %v", p, err)
		}
		seed, codes, enrolledNow := enrolled(t, w, x, first.Secret)
		signedOut(t, w, "the session from before the second factor", first.Secret)
		p, _, err = a.Session(ctx, enrolledNow.Secret, false)
		if err != nil || !account.May(p, account.SeeEvaluations, account.Object{Area: "620102000000"}) ||
			account.May(p, account.SeeEvaluations, account.Object{Area: "620200000000"}) {
			t.Fatalf("with a second factor: %+v, %v", p, err)
		}

		// The code that enrolled is used up; the next one signs in, once.
		e, err := a.SignIn(ctx, x.Login, good, here())
		if err != nil || e.Stage != account.AwaitsCode {
			t.Fatalf("sign in with a second factor: %+v, %v", e, err)
		}
		if _, err := a.Code(ctx, e.Secret, code(t, w, seed), here()); !errors.Is(err, account.ErrWrong) {
			t.Errorf("a used code: %v", err)
		}
		w.Pass(time.Minute)
		in, err := a.Code(ctx, e.Secret, code(t, w, seed), here())
		if err != nil || in.Stage != account.IsOpen || in.Secret == e.Secret {
			t.Fatalf("a code: %+v, %v", in, err)
		}
		signedOut(t, w, "the secret from before the code", e.Secret)

		// A recovery code, once, however it is typed.
		for i, want := range []error{nil, account.ErrWrong} {
			if e, err = a.SignIn(ctx, x.Login, good, here()); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Code(ctx, e.Secret, strings.ToLower(strings.ReplaceAll(codes[0], "-", " ")), here()); !errors.Is(err, want) {
				t.Errorf("recovery code, try %d: %v, want %v", i, err, want)
			}
		}
		// A new password ends the other sessions.
		if p, _, err = a.Session(ctx, in.Secret, false); err != nil {
			t.Fatal(err)
		}
		if err := a.ChangePassword(ctx, p, in.Secret, "wrong", better, here()); !errors.Is(err, account.ErrWrong) {
			t.Errorf("with a wrong old password: %v", err)
		}
		if err := a.ChangePassword(ctx, p, in.Secret, good, better, here()); err != nil {
			t.Fatal(err)
		}
		signedOut(t, w, "another session after a new password", enrolledNow.Secret)
		if _, _, err := a.Session(ctx, in.Secret, false); err != nil {
			t.Errorf("the session that changed the password: %v", err)
		}
		if _, err := a.SignIn(ctx, x.Login, good, account.Browser{Address: "192.0.2.8"}); !errors.Is(err, account.ErrWrong) {
			t.Errorf("the old password: %v", err)
		}
	})
}

// A password is verified as it was entered: nothing is cut off, and no letter is taken for another.
func TestPasswordsAsEntered(t *testing.T) {
	w := webtest.New(t)
	x := chosen(t, w)
	for _, other := range []string{good + " ", " " + good, strings.ToUpper(good), good[:len(good)-1]} {
		if _, err := w.Accounts.SignIn(t.Context(), x.Login, other, here()); !errors.Is(err, account.ErrWrong) {
			t.Errorf("%q in place of the password: %v", other, err)
		}
	}
	if _, err := w.Accounts.SignIn(t.Context(), x.Login, good, here()); err != nil {
		t.Errorf("the password itself: %v", err)
	}
}

// Nothing that opens something, and no password or seed, is in the journal or readable in the tables.
func TestSecretsAreNotKept(t *testing.T) {
	w := webtest.New(t)
	x := chosen(t, w, webtest.Grant(account.Technician, "620100000000", "620100000000"))
	e, err := w.Accounts.SignIn(t.Context(), x.Login, good, here())
	if err != nil {
		t.Fatal(err)
	}
	seed, codes, e := enrolled(t, w, x, e.Secret)
	p, _, err := w.Accounts.Session(t.Context(), e.Secret, false)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := w.Accounts.AddToken(t.Context(), p, "monitor", []account.Action{account.SeeBoxes}, "", w.Now().Add(time.Hour).UnixMilli())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(seed)
	if err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if err := w.Accounts.Export(t.Context(), func(b []byte) error { backup.Write(b); return nil }); err != nil {
		t.Fatal(err)
	}
	rows, err := w.Journal.Acts(t.Context(), 0, 100)
	if err != nil || len(rows) < 6 {
		t.Fatalf("%d acts, %v", len(rows), err)
	}
	all := backup.Bytes()
	for _, r := range rows {
		all = append(all, bytes.Join(append(r.Parts, []byte(r.Source)), nil)...)
	}
	for what, s := range map[string]string{"password": good, "seed": seed, "raw seed": string(raw),
		"recovery code": strings.ReplaceAll(codes[0], "-", ""), "session": e.Secret, "token": token} {
		if bytes.Contains(all, []byte(s)) {
			t.Errorf("the %s is readable", what)
		}
	}
	if bytes.Contains(rows[0].Parts[0], []byte("argon2id")) || !bytes.Contains(backup.Bytes(), []byte("argon2id")) {
		t.Error("the hash belongs into the backup and not into the journal")
	}
}

// Whoever guesses is slowed down more and more, and nobody is locked out: the pause is bounded, another address and a known browser get in,
// and an account that does not exist costs and answers the same.
func TestBruteForce(t *testing.T) {
	w := webtest.New(t)
	ctx, a := t.Context(), w.Accounts
	x := chosen(t, w)
	in, err := a.SignIn(ctx, x.Login, good, here())
	if err != nil {
		t.Fatal(err)
	}
	known := account.Browser{Address: "192.0.2.99", Known: in.Device}
	for _, login := range []string{x.Login, "nobody.at.all"} {
		before := w.Hasher.Made()
		tries, longest := 0, time.Duration(0)
		for range 40 {
			_, err := a.SignIn(ctx, login, "a wrong guess 47", account.Browser{Address: "198.51.100." + login[:1]})
			var soon *account.TooSoon
			switch {
			case errors.As(err, &soon):
				longest = max(longest, soon.Wait)
				w.Pass(soon.Wait)
			case errors.Is(err, account.ErrWrong):
				tries++
			default:
				t.Fatalf("%s: %v", login, err)
			}
		}
		if made := w.Hasher.Made() - before; made != int64(tries) {
			t.Errorf("%s: %d hashes for %d tries; the same for each, and none while it is too soon", login, made, tries)
		}
		if tries != 23 || longest != 15*time.Minute {
			t.Errorf("%s: %d tries, the longest pause %s; want 23 of 40 and 15m", login, tries, longest)
		}
	}
	// One more failure, and the account waits; not so the browser that it has signed in with before.
	if _, err := a.SignIn(ctx, x.Login, "a wrong guess 48", account.Browser{Address: "203.0.113.1"}); !errors.Is(err, account.ErrWrong) {
		t.Fatal(err)
	}
	var soon *account.TooSoon
	if _, err := a.SignIn(ctx, x.Login, good, account.Browser{Address: "203.0.113.2"}); !errors.As(err, &soon) {
		t.Errorf("an unknown browser during the pause: %v", err)
	}
	if _, err := a.SignIn(ctx, x.Login, good, known); err != nil {
		t.Errorf("a known browser during the pause: %v", err)
	}
	if _, err := a.SignIn(ctx, "nobody.at.all", good, known); errors.As(err, &soon) == errors.Is(err, account.ErrWrong) {
		t.Errorf("a known browser is known for its own account only: %v", err)
	}
	w.Pass(soon.Wait)
	if _, err := a.SignIn(ctx, x.Login, good, account.Browser{Address: "203.0.113.2"}); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

// refusals returns how often the audit says of an account that it was tried too often.
func refusals(t *testing.T, w *webtest.World, x account.Account) (n int) {
	t.Helper()
	all, err := w.Journal.Acts(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		a, err := e.Act()
		if err != nil {
			t.Fatal(err)
		}
		if a.Do == "account.refused" && a.Object == x.ID {
			n++
		}
	}
	return n
}

// A right password is no failure, however often its code does not come; wrong codes keep nobody from trying the password; a link for a new
// password forgives the wrong ones; and the audit looks at the account's count, not at its address's.
func TestWhatCountsAsFailure(t *testing.T) {
	w := webtest.New(t)
	ctx, a := t.Context(), w.Accounts
	x, seed := withSecond(t, w)
	var e account.Entered
	var err error
	for range 20 {
		if e, err = a.SignIn(ctx, x.Login, good, here()); err != nil {
			t.Fatalf("a right password counts as a failure: %v", err)
		}
	}
	var soon *account.TooSoon
	for soon == nil {
		if _, err := a.Code(ctx, e.Secret, "000000", here()); !errors.Is(err, account.ErrWrong) && !errors.As(err, &soon) {
			t.Fatal(err)
		}
	}
	if n := refusals(t, w, x); n != 1 {
		t.Errorf("%d refusals for codes, want 1", n)
	}
	if e, err = a.SignIn(ctx, x.Login, good, here()); err != nil {
		t.Errorf("the password after wrong codes: %v", err)
	}
	w.Pass(time.Minute)
	if _, err := a.Code(ctx, e.Secret, code(t, w, seed), here()); err != nil {
		t.Errorf("the code after its pause: %v", err)
	}

	for soon = nil; soon == nil; {
		if _, err := a.SignIn(ctx, x.Login, "a wrong guess 47", here()); !errors.Is(err, account.ErrWrong) && !errors.As(err, &soon) {
			t.Fatal(err)
		}
	}
	if n := refusals(t, w, x); n != 2 {
		t.Errorf("%d refusals after passwords too, want 2", n)
	}
	link, err := a.Link(ctx, account.By{Account: webtest.Operator}, x, account.ChoosesPassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.ChooseByLink(ctx, link, better, here()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.SignIn(ctx, x.Login, better, here()); err != nil {
		t.Errorf("the new password right after the link: %v", err)
	}

	// Many accounts behind one address: none of them has failed more than once.
	y := chosen(t, w)
	for i := range 5 {
		if _, err := a.SignIn(ctx, "nobody"+string(rune('a'+i)), good, account.Browser{Address: "192.0.2.200"}); !errors.Is(err,
			account.ErrWrong) {
			t.Fatal(err)
		}
	}
	if _, err := a.SignIn(ctx, y.Login, "a wrong guess 47", account.Browser{Address: "192.0.2.200"}); !errors.Is(err, account.ErrWrong) {
		t.Fatal(err)
	}
	if n := refusals(t, w, y); n != 0 {
		t.Errorf("%d refusals of an account that failed once", n)
	}
}

// Codes cannot be tried without end by somebody who knows the password.
func TestCodesCannotBeGuessed(t *testing.T) {
	w := webtest.New(t)
	ctx, a := t.Context(), w.Accounts
	x, seed := withSecond(t, w)
	var e account.Entered
	var err error
	wrong := 0
	for range 30 {
		e, err := a.SignIn(ctx, x.Login, good, here())
		var soon *account.TooSoon
		if errors.As(err, &soon) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err = a.Code(ctx, e.Secret, "000000", here()); errors.Is(err, account.ErrWrong) {
			wrong++
		} else if !errors.As(err, &soon) {
			t.Fatalf("a guessed code: %v", err)
		} else {
			break
		}
	}
	if wrong > 3 {
		t.Errorf("%d codes were tried before a pause", wrong)
	}
	w.Pass(time.Hour)
	e, err = a.SignIn(ctx, x.Login, good, here())
	if err != nil {
		t.Fatal(err)
	}
	w.Pass(5 * time.Minute)
	if _, err := a.Code(ctx, e.Secret, code(t, w, seed), here()); !errors.Is(err, account.ErrSignedOut) {
		t.Errorf("a code after five minutes: %v", err)
	}
}
