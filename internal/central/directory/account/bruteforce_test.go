package account_test

import (
	"errors"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
)

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
