package account_test

import (
	"errors"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
)

func TestTokens(t *testing.T) {
	w := webtest.New(t)
	ctx, a := t.Context(), w.Accounts
	x := w.Add(webtest.Grant(account.City, "620100000000", "620100000000"))
	p, _, err := a.Session(ctx, w.SignIn(x), false)
	if err != nil {
		t.Fatal(err)
	}
	day := w.Now().Add(24 * time.Hour).UnixMilli()
	for _, bad := range [][]account.Action{nil, {account.SeeText}, {account.SeeIdentity}, {account.UseOwn}, {account.EditBoxes},
		{account.EditAccounts}, {"nothing"}} {
		if _, _, err := a.AddToken(ctx, p, "x", bad, "", day); err == nil {
			t.Errorf("a token for %v", bad)
		}
	}
	if _, _, err := a.AddToken(ctx, p, "x", []account.Action{account.SeeBoxes}, "", w.Now().AddDate(2, 0, 0).UnixMilli()); err == nil {
		t.Error("a token for two years")
	}
	secret, token, err := a.AddToken(ctx, p, "monitor", []account.Action{account.SeeBoxes}, "", day)
	if err != nil {
		t.Fatal(err)
	}
	q, err := a.ByToken(ctx, secret)
	if err != nil || !account.May(q, account.SeeBoxes, account.Object{Area: "620102000000"}) ||
		account.May(q, account.SeeEvaluations, account.Object{Area: "620102000000"}) {
		t.Errorf("the token's person %+v, %v", q, err)
	}
	for _, area := range []string{"620200000000", "62010", "610000000000"} {
		if _, _, err := a.AddToken(ctx, p, "x", []account.Action{account.SeeBoxes}, area, day); !errors.Is(err, account.ErrToken) {
			t.Errorf("a token for %s: %v", area, err)
		}
	}
	bounded, _, err := a.AddToken(ctx, p, "county", []account.Action{account.SeeBoxes}, "620102000000", day)
	if err != nil {
		t.Fatal(err)
	}
	q, err = a.ByToken(ctx, bounded)
	if err != nil || !account.May(q, account.SeeBoxes, account.Object{Area: "620102001000"}) ||
		account.May(q, account.SeeBoxes, account.Object{Area: "620103000000"}) {
		t.Errorf("the token of a county: %+v, %v", q, err)
	}
	grants, err := a.Grants(ctx, x.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Revoke(ctx, account.By{Account: webtest.Operator}, grants[0]); err != nil {
		t.Fatal(err)
	}
	if q, err = a.ByToken(ctx, secret); err != nil || account.Ever(q, account.SeeBoxes) {
		t.Errorf("a token outlives its grant: %v", err)
	}
	w.Pass(25 * time.Hour)
	if _, err := a.ByToken(ctx, secret); !errors.Is(err, account.ErrSignedOut) {
		t.Errorf("a token that is over: %v", err)
	}
	if err := a.DropToken(ctx, account.By{Account: x.ID}, x.ID, token.ID); err != nil {
		t.Error(err)
	}
}

// A token is worth as much as its maker's session, and ends with what that stood on.
func TestTokensEndWithTheirAccount(t *testing.T) {
	onBoth(t, func(t *testing.T, w *webtest.World) {
		ctx, a, by := t.Context(), w.Accounts, account.By{Account: webtest.Operator}
		for what, end := range map[string]func(account.Account) error{
			"a new password": func(x account.Account) error {
				link, err := a.Link(ctx, by, x, account.ChoosesPassword)
				if err != nil {
					return err
				}
				return a.ChooseByLink(ctx, link, better, here())
			},
			"a second factor that is taken away": func(x account.Account) error { return a.ClearSecond(ctx, by, x) },
			"an account that was barred": func(x account.Account) error {
				return errors.Join(a.Disable(ctx, by, x, true), a.Disable(ctx, by, x, false))
			},
		} {
			x := chosen(t, w, webtest.Grant(account.Technician, "620100000000", "620100000000"))
			e, err := a.SignIn(ctx, x.Login, good, here())
			if err != nil {
				t.Fatal(err)
			}
			p, _, err := a.Session(ctx, e.Secret, true)
			if err != nil {
				t.Fatal(err)
			}
			secret, _, err := a.AddToken(ctx, p, "monitor", []account.Action{account.SeeBoxes}, "", w.Now().Add(time.Hour).UnixMilli())
			if err != nil {
				t.Fatal(err)
			}
			if q, err := a.ByToken(ctx, secret); err != nil || q.Second {
				t.Errorf("a token made without a second factor: %+v, %v", q, err)
			}
			grant := webtest.Grant(account.City, "620100000000", "620100000000")
			if _, err := a.Grant(ctx, by, x, grant); err != nil {
				t.Fatal(err)
			}
			if q, err := a.ByToken(ctx, secret); err != nil || account.Ever(q, account.SeeBoxes) {
				t.Errorf("a token stands in for a second factor that nobody has shown: %v", err)
			}
			if err := end(x); err != nil {
				t.Fatal(err)
			}
			if _, err := a.ByToken(ctx, secret); !errors.Is(err, account.ErrSignedOut) {
				t.Errorf("a token after %s: %v", what, err)
			}
		}
	})
}

// A backup has the accounts and opens nothing by itself.
func TestBackup(t *testing.T) {
	w, other := webtest.New(t), webtest.New(t)
	x := chosen(t, w, webtest.Grant(account.Hall, "h1", "620102000000"))
	session := w.SignIn(x)
	var _ journal.Room = w.Accounts
	if err := w.Accounts.Export(t.Context(), func(b []byte) error { return other.Accounts.Import(t.Context(), b) }); err != nil {
		t.Fatal(err)
	}
	e, err := other.Accounts.SignIn(t.Context(), x.Login, good, here())
	if err != nil {
		t.Fatal(err)
	}
	if p, _, err := other.Accounts.Session(t.Context(), e.Secret, false); err != nil || !account.Ever(p, account.SeeFigures) {
		t.Errorf("after a restore: %+v, %v", p, err)
	}
	signedOut(t, other, "a session from before the backup", session)
}

func TestGrantsThatMakeNoSense(t *testing.T) {
	w := webtest.New(t)
	x := w.Add()
	for _, g := range []account.Grant{
		{Role: "king", Scope: "620000000000", Area: "620000000000"}, {Role: account.City, Scope: "620000000000", Area: "620000000000"},
		{Role: account.County, Area: "62"},
		{Role: account.Hall, Area: "620102000000"}, {Role: account.Unit, Scope: "a b", Area: "620102000000"},
		{Role: account.Hall, Scope: "h1", Area: "620102000000", From: 5, To: 5},
	} {
		if _, err := w.Accounts.Grant(t.Context(), account.By{Account: webtest.Operator}, x, g); !errors.Is(err, account.ErrGrant) {
			t.Errorf("%+v: %v", g, err)
		}
	}
	if _, err := w.Accounts.Add(t.Context(), account.By{Account: webtest.Operator}, x.Login, "重名", "620000000000"); !errors.Is(err,
		account.ErrLogin) {
		t.Errorf("a sign-in name twice: %v", err)
	}
}
