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
