package me_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/me"
	"haochaping/internal/central/web/people"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/provider"
)

// away is a world whose people sign in at a provider.
type away struct {
	*webtest.World
	t        *testing.T
	provider *provider.Provider
	site     *web.Site
}

func newAway(t *testing.T, change func(*me.ProviderConfig)) *away {
	t.Helper()
	p, err := provider.Start("http://localhost/signin/provider/back")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	w := &away{World: webtest.New(t), t: t, provider: p}
	w.Pass(time.Since(w.Now())) // the provider has no other clock than the machine's
	roles := map[string]account.Grant{"office-lz": webtest.Grant(account.City, "620100000000", "620100000000"),
		"hall-h1": webtest.Grant(account.Hall, "h1", "620102000000")}
	cfg := me.ProviderConfig{Issuer: p.Issuer, ClientID: provider.ClientID, Secret: provider.Secret, Name: "统一身份认证登录", Key: make([]byte, 32),
		Client: &http.Client{Timeout: 2 * time.Minute}, Now: w.Now,
		Grants: func(_ context.Context, groups []string) (all []account.Following, err error) {
			for _, g := range groups {
				if grant, ok := roles[g]; ok {
					all = append(all, account.Following{Group: g, Grant: grant})
				}
			}
			return all, nil
		}}
	if change != nil {
		change(&cfg)
	}
	x, err := me.NewProvider(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.site = w.Site(me.Section(me.Config{Accounts: w.Accounts, Provider: x}),
		people.Section(people.Config{Accounts: w.Accounts, Journal: w.Journal}))
	return w
}

func (w *away) get(path string, cookies []*http.Cookie, headers ...string) *httptest.ResponseRecorder {
	r := webtest.Request("GET", path, "", nil)
	for _, k := range cookies {
		if k.MaxAge >= 0 {
			r.AddCookie(k)
		}
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return webtest.Do(w.site, r)
}

// leave begins a sign-in and returns where the browser is sent, and what it keeps.
func (w *away) leave() (to string, ticket []*http.Cookie) {
	w.t.Helper()
	out := w.get("/signin/provider?to=/me", nil)
	if out.Code != http.StatusSeeOther {
		w.t.Fatalf("leaving for the provider: %d %s", out.Code, out.Body)
	}
	return out.Header().Get("Location"), out.Result().Cookies()
}

// signIn signs somebody in at the provider and returns what the centre answers then.
func (w *away) signIn(login string) *httptest.ResponseRecorder {
	w.t.Helper()
	to, ticket := w.leave()
	return w.get(w.back(to, login), ticket)
}

// back returns the path to which the provider sends somebody back.
func (w *away) back(to, login string) string {
	w.t.Helper()
	at, err := w.provider.SignIn(to, login)
	if err != nil {
		w.t.Fatal(err)
	}
	path, ok := strings.CutPrefix(at, "http://localhost")
	if !ok {
		w.t.Fatalf("the provider sends the browser to %s", at)
	}
	return path
}

// session returns the session's secret that an answer gives, empty for none.
func session(w *httptest.ResponseRecorder) string {
	for _, k := range w.Result().Cookies() {
		if k.Name == "hcp" && k.MaxAge >= 0 {
			return k.Value
		}
	}
	return ""
}

// holding returns the roles that an account has now.
func (w *away) holding(id string) (all []string) {
	w.t.Helper()
	grants, err := w.Accounts.Grants(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range grants {
		if g.Holds(w.Now().UnixMilli()) {
			all = append(all, string(g.Role))
		}
	}
	slices.Sort(all)
	return all
}

// Who signs in at the provider has the roles of their groups of that moment, no password, and a session like everybody's.
func TestProvider(t *testing.T) {
	w := newAway(t, nil)
	w.provider.Set(provider.Person{ID: "7", Login: "wang.min", Name: "王敏", Groups: []string{"everybody", "office-lz"}})
	webtest.Want(t, w.get("/signin?to=/me", nil), 200, "统一身份认证登录", "/signin/provider?to=%2Fme", `name="password"`)
	to, _ := w.leave()
	q, err := url.Parse(to)
	if err != nil || q.Query().Get("code_challenge_method") != "S256" || len(q.Query().Get("state")) < 20 || len(q.Query().Get("nonce")) < 20 {
		t.Errorf("the browser is sent to %s", to)
	}
	out := w.signIn("wang.min")
	secret := session(out)
	if out.Code != http.StatusSeeOther || out.Header().Get("Location") != "/me" || secret == "" {
		t.Fatalf("signing in: %d %s %s", out.Code, out.Header(), out.Body)
	}
	p, s, err := w.Accounts.Session(t.Context(), secret, true)
	if err != nil || p.Login != "wang.min" || p.Name != "王敏" || !s.Second ||
		!account.May(p, account.SeeAudit, account.Object{Area: "620102000000"}) {
		t.Fatalf("the session's person %+v, %v", p, err)
	}
	webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/me", secret, nil)), 200, "wang.min", "!修改密码")
	webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/audit", secret, nil)), 200, "开通账号", "王敏")

	// Groups that change change the roles at the next sign-in, and in the one account.
	w.provider.Set(provider.Person{ID: "7", Login: "wang.min", Name: "王敏", Groups: []string{"hall-h1"}})
	if again := session(w.signIn("wang.min")); again == "" {
		t.Fatal("the second time nobody is signed in")
	}
	if got := w.holding(p.Account); !slices.Equal(got, []string{"hall"}) {
		t.Errorf("the roles are %q", got)
	}
	if err := w.Accounts.Disable(t.Context(), account.By{Account: webtest.Operator}, account.Account{ID: p.Account, Area: "620100000000"},
		true); err != nil {
		t.Fatal(err)
	}
	webtest.Want(t, w.signIn("wang.min"), 403, "账号已停用")
}

// Whose groups have no role here does not come in, and whoever loses the last one keeps none.
func TestProviderWithoutARole(t *testing.T) {
	w := newAway(t, nil)
	w.provider.Set(provider.Person{ID: "1", Login: "li.na", Name: "李娜", Groups: []string{"everybody"}})
	webtest.Want(t, w.signIn("li.na"), 403, "没有给您本系统的角色")
	if any, err := w.Accounts.Any(t.Context()); any || err != nil {
		t.Errorf("an account was opened all the same: %v", err)
	}
	w.provider.Set(provider.Person{ID: "1", Login: "li.na", Name: "李娜", Groups: []string{"office-lz"}})
	secret := session(w.signIn("li.na"))
	p, _, err := w.Accounts.Session(t.Context(), secret, true)
	if err != nil {
		t.Fatal(err)
	}
	w.provider.Set(provider.Person{ID: "1", Login: "li.na", Name: "李娜"})
	webtest.Want(t, w.signIn("li.na"), 403, "没有给您本系统的角色")
	if got := w.holding(p.Account); len(got) > 0 {
		t.Errorf("the roles are %q", got)
	}
	webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/audit", secret, nil)), 404)
}

// A session that has ended is over, and neither the way back nor the ticket opens another.
func TestProviderSessionEnds(t *testing.T) {
	w := newAway(t, nil)
	w.provider.Set(provider.Person{ID: "7", Login: "wang.min", Name: "王敏", Groups: []string{"office-lz"}})
	to, ticket := w.leave()
	path := w.back(to, "wang.min")
	secret := session(w.get(path, ticket))
	if out := webtest.Do(w.site, webtest.Request("POST", "/signout", secret, url.Values{})); out.Code != http.StatusSeeOther {
		t.Fatal(out.Code)
	}
	webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/me", secret, nil)), 303)
	if out := w.get(path, ticket); session(out) != "" || out.Code != http.StatusBadGateway {
		t.Errorf("the way back again: %d %s", out.Code, out.Header())
	}
	secret = session(w.signIn("wang.min"))
	w.Pass(account.SessionIdle + time.Minute)
	webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/me", secret, nil)), 303)
}

// Nobody is signed in by a page of another site, with another browser's ticket, with a state of their own, or too late.
func TestProviderForgeries(t *testing.T) {
	w := newAway(t, nil)
	w.provider.Set(provider.Person{ID: "7", Login: "wang.min", Name: "王敏", Groups: []string{"office-lz"}})
	if out := w.get("/signin/provider", nil, "Sec-Fetch-Site", "cross-site"); out.Header().Get("Location") != "/signin" ||
		len(out.Result().Cookies()) > 0 {
		t.Errorf("a page of another site sends people to the provider: %s", out.Header())
	}
	to, ticket := w.leave()
	path := w.back(to, "wang.min")
	_, other := w.leave()
	forged := []*http.Cookie{{Name: "hcp-ticket", Value: strings.Repeat("A", 200)}}
	for what, out := range map[string]*httptest.ResponseRecorder{
		"no ticket":        w.get(path, nil),
		"another's ticket": w.get(path, other),
		"a forged ticket":  w.get(path, forged),
		"another state":    w.get(strings.Replace(path, "state=", "state=x", 1), ticket),
		"an error":         w.get("/signin/provider/back?error=access_denied&"+path[strings.Index(path, "state="):], ticket),
	} {
		if out.Code != http.StatusForbidden || session(out) != "" {
			t.Errorf("%s: %d %s", what, out.Code, out.Header())
		}
	}
	// The code of one sign-in does not serve another, which has begun with another verifier.
	to, ticket = w.leave()
	q, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	code := path[strings.Index(path, "code=")+5:]
	code, _, _ = strings.Cut(code, "&")
	if out := w.get("/signin/provider/back?code="+code+"&state="+q.Query().Get("state"), ticket); out.Code != http.StatusBadGateway ||
		session(out) != "" {
		t.Errorf("the code of another sign-in: %d", out.Code)
	}
	to, ticket = w.leave()
	path = w.back(to, "wang.min")
	w.Pass(11 * time.Minute)
	webtest.Want(t, w.get(path, ticket), 403, "已超时")
	plain := webtest.Request("GET", "/signin/provider", "", nil)
	plain.RemoteAddr = "10.0.0.1:1"
	webtest.Want(t, webtest.Do(w.site, plain), 403, "HTTPS")
}

// A name that somebody here has is not taken over, and an account of the provider never gets a password.
func TestProviderTakesNoAccountOver(t *testing.T) {
	w := newAway(t, nil)
	here := w.Add(webtest.Grant(account.Province, "620000000000", "620000000000"))
	w.provider.Set(provider.Person{ID: "7", Login: here.Login, Name: "王敏", Groups: []string{"hall-h1"}})
	p, _, err := w.Accounts.Session(t.Context(), session(w.signIn(here.Login)), true)
	if err != nil || p.Account == here.ID || p.Login == here.Login || account.Ever(p, account.SeeAudit) {
		t.Fatalf("the person is %+v, %v", p, err)
	}
	x, err := w.Accounts.Account(t.Context(), p.Account)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Accounts.AddToken(t.Context(), p, "x", []account.Action{account.SeeBoxes}, "",
		w.Now().Add(time.Hour).UnixMilli()); !errors.Is(err, account.ErrProvided) {
		t.Errorf("a token of such an account: %v", err)
	}
	if _, err := w.Accounts.Link(t.Context(), account.By{Account: webtest.Operator}, x, account.ChoosesPassword); err != account.ErrProvided {
		t.Errorf("a link for a password: %v", err)
	}
	if _, err := w.Accounts.SignIn(t.Context(), x.Login, "", account.Browser{}); err == nil {
		t.Error("an account without a password signs in by none")
	}
	boss := w.SignIn(here)
	webtest.Want(t, webtest.Do(w.site, webtest.Request("GET", "/accounts/"+x.ID, boss, nil)), 200, "由统一身份认证登录", "!重设密码")
	webtest.Want(t, webtest.Do(w.site, webtest.Request("POST", "/accounts/"+x.ID+"/link", boss, url.Values{})), 422, "没有密码")
}

// A provider that is away keeps nobody from signing in here, and one that must use a second factor is held to it.
func TestProviderAway(t *testing.T) {
	w := newAway(t, func(c *me.ProviderConfig) { c.AMR = "mfa" })
	w.provider.Set(provider.Person{ID: "7", Login: "wang.min", Name: "王敏", Groups: []string{"office-lz"}})
	webtest.Want(t, w.signIn("wang.min"), 403, "第二种方式")
	w = newAway(t, func(c *me.ProviderConfig) { c.AMR = "pwd" })
	w.provider.Set(provider.Person{ID: "7", Login: "wang.min", Name: "王敏", Groups: []string{"office-lz"}})
	if session(w.signIn("wang.min")) == "" {
		t.Error("the method is not recognised")
	}
	w = newAway(t, nil)
	w.provider.Close()
	webtest.Want(t, w.get("/signin/provider", nil), 502, "暂时不能用")
	webtest.Want(t, w.get("/signin", nil), 200, `name="password"`)
}
