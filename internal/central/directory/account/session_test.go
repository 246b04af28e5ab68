package account_test

import (
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
)

func TestSessionsEnd(t *testing.T) {
	w := webtest.New(t)
	ctx, a := t.Context(), w.Accounts
	x := w.Add()
	idle, used := w.SignIn(x), w.SignIn(x)
	for range 24 {
		w.Pass(account.SessionIdle - time.Minute)
		if _, _, err := a.Session(ctx, used, false); err != nil {
			t.Fatal(err)
		}
	}
	signedOut(t, w, "a session that nobody used", idle)
	w.Pass(account.SessionIdle - time.Minute)
	signedOut(t, w, "a session after twelve hours", used)

	one, two := w.SignIn(x), w.SignIn(x)
	all, err := a.Sessions(ctx, x.ID)
	if err != nil || len(all) != 2 {
		t.Fatalf("sessions %+v, %v", all, err)
	}
	p, s, err := a.Session(ctx, two, false)
	if err != nil {
		t.Fatal(err)
	}
	other := all[0].ID
	if other == s.ID {
		other = all[1].ID
	}
	if err := a.End(ctx, account.By{Account: p.Account}, "a-another", other); err == nil {
		t.Error("a session was ended in the name of an account that is not there")
	}
	if _, _, err := a.Session(ctx, one, false); err != nil {
		t.Errorf("a session that another account wanted to end: %v", err)
	}
	if err := a.End(ctx, account.By{Account: p.Account}, x.ID, other); err != nil {
		t.Fatal(err)
	}
	signedOut(t, w, "a session that was ended", one)
	if err := a.Disable(ctx, account.By{Account: webtest.Operator}, x, true); err != nil {
		t.Fatal(err)
	}
	signedOut(t, w, "a session of a barred account", two)
}
