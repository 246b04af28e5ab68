package me_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pquerna/otp/totp"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/me"
	"haochaping/internal/central/web/people"
	"haochaping/internal/central/web/webtest"
)

const password = "the tram to Xigu leaves late"

// browser keeps cookies as a browser does.
type browser struct {
	t       *testing.T
	site    http.Handler
	https   bool
	cookies map[string]string
}

func newBrowser(t *testing.T, site http.Handler) *browser {
	return &browser{t: t, site: site, cookies: make(map[string]string)}
}

func (b *browser) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	r := webtest.Request(method, path, "", form)
	if b.https {
		r.Host, r.RemoteAddr = "admin.example.com", "10.0.0.1:50000"
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := webtest.Do(b.site, r)
	for _, k := range w.Result().Cookies() {
		if b.cookies[k.Name] = k.Value; k.MaxAge < 0 {
			delete(b.cookies, k.Name)
		}
	}
	return w
}

func (b *browser) post(path string, pairs ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	form := url.Values{"": {""}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do("POST", path, form)
}

func world(t *testing.T) (*webtest.World, *web.Site) {
	w := webtest.New(t)
	c := w.Config()
	c.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s, err := web.New(c, me.Section(me.Config{Accounts: w.Accounts}), people.Section(people.Config{Accounts: w.Accounts, Journal: w.Journal}))
	if err != nil {
		t.Fatal(err)
	}
	return w, s
}

// link returns the path of a link for an account.
func link(t *testing.T, w *webtest.World, x account.Account, opens account.Opens) string {
	t.Helper()
	secret, err := w.Accounts.Link(t.Context(), account.By{Account: webtest.Operator}, x, opens)
	if err != nil {
		t.Fatal(err)
	}
	return "/enter/" + secret
}

// A person opens the link, chooses a password, must enrol a second factor, and is in; then signs in anew, behind a proxy that does TLS.
func TestFirstDay(t *testing.T) {
	w, s := world(t)
	x := w.Add(webtest.Grant(account.County, "620102000000", "620102000000"))
	b := newBrowser(t, s)
	b.https = true
	to := link(t, w, x, account.ChoosesPassword)
	webtest.Want(t, b.do("GET", "/signin", nil), 200, `name="password" type="password" autocomplete="current-password"`, "!onpaste")
	webtest.Want(t, b.do("GET", to, nil), 200, "设置密码", x.Login, `name="password" type="password" autocomplete="new-password"`, "!onpaste")
	webtest.Want(t, b.post(to, "password", password, "again", "another"), 422, "不一样")
	webtest.Want(t, b.post(to, "password", "Lanzhou20260101", "again", "Lanzhou20260101"), 422, "太常见")
	got := b.post(to, "password", password, "again", password)
	if got.Code != 303 || got.Header().Get("Location") != "/" {
		t.Fatalf("%d to %s", got.Code, got.Header().Get("Location"))
	}
	for _, k := range got.Result().Cookies() {
		if !strings.HasPrefix(k.Name, "__Host-") || !k.Secure || !k.HttpOnly || k.Path != "/" || k.Domain != "" ||
			k.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie %+v", k)
		}
	}
	if got.Header().Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS over HTTPS")
	}
	webtest.Want(t, b.do("GET", to, nil), 422, "已使用或已过期")
	if got := b.do("GET", "/", nil); got.Header().Get("Location") != "/me/second" {
		t.Fatalf("without a second factor: %d to %q", got.Code, got.Header().Get("Location"))
	}
	webtest.Want(t, b.do("GET", "/audit", nil), 303)
	webtest.Want(t, b.post("/accounts", "login", "x"), 404)
	webtest.Want(t, b.do("GET", "/me/second", nil), 200, "必须先绑定")
	webtest.Want(t, b.post("/me/second", "password", "wrong"), 422)
	page := b.post("/me/second", "password", password)
	webtest.Want(t, page, 200, "data:image/png;base64,")
	seed := strings.ReplaceAll(regexp.MustCompile(`<code class="secret">([A-Z2-7 ]+)</code>`).FindStringSubmatch(page.Body.String())[1], " ",
		"")
	webtest.Want(t, b.post("/me/second/confirm", "code", "000000"), 422, "data:image/png;base64,")
	before := b.cookies["__Host-hcp"]
	code, err := totp.GenerateCode(seed, w.Now())
	if err != nil {
		t.Fatal(err)
	}
	webtest.Want(t, b.post("/me/second/confirm", "code", code), 200, "恢复码")
	if b.cookies["__Host-hcp"] == before {
		t.Error("the session's secret is that from before the second factor")
	}
	webtest.Want(t, b.do("GET", "/", nil), 200, "今天需要处理的", "县区管理机构")
	webtest.Want(t, b.post("/signout"), 303)
	webtest.Want(t, b.do("GET", "/me", nil), 303)

	webtest.Want(t, b.post("/signin", "login", x.Login, "password", "wrong", "to", "/me"), 422, "不对")
	if got := b.post("/signin", "login", x.Login, "password", password, "to", "/me"); got.Header().Get("Location") != "/signin/code?to=%2Fme" {
		t.Fatalf("%d to %s", got.Code, got.Header().Get("Location"))
	}
	webtest.Want(t, b.do("GET", "/me", nil), 303) // half signed in is not signed in
	w.Pass(time.Minute)
	if code, err = totp.GenerateCode(seed, w.Now()); err != nil {
		t.Fatal(err)
	}
	if got := b.post("/signin/code", "code", code, "to", "/me"); got.Header().Get("Location") != "/me" {
		t.Fatalf("%d to %s", got.Code, got.Header().Get("Location"))
	}
	webtest.Want(t, b.do("GET", "/me", nil), 200, "本设备")
}

// A session that somebody else knows beforehand is not the one that is signed in.
func TestSessionFixation(t *testing.T) {
	w, s := world(t)
	x := w.Add()
	planted := w.SignIn(w.Add())
	for _, secret := range []string{planted, "chosen-by-somebody"} {
		b := newBrowser(t, s)
		b.cookies["hcp"] = secret
		webtest.Want(t, b.post(link(t, w, x, account.SignsIn)), 303)
		if b.cookies["hcp"] == secret || b.cookies["hcp"] == "" {
			t.Errorf("the browser goes on with the secret %q", secret)
		}
	}
	if _, _, err := w.Accounts.Session(t.Context(), planted, true); err == nil {
		t.Error("the session that was there before is still open")
	}
}

// What another site's page causes changes nothing, and nothing is changed by GET.
func TestForgedRequests(t *testing.T) {
	w, s := world(t)
	secret := w.SignIn(w.Add(webtest.Grant(account.Province, "620000000000", "620000000000")))
	for _, forged := range []map[string]string{{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
		{"Origin": "https://evil.example.net"}, {"Origin": "null"}} {
		for _, route := range s.Routes() {
			if route.Method == "GET" {
				continue
			}
			r := webtest.Request("POST", regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(route.Path, "x"), secret, url.Values{})
			for k, v := range forged {
				r.Header.Set(k, v)
			}
			if got := webtest.Do(s, r); got.Code != http.StatusForbidden {
				t.Errorf("%s with %v: %d", route.Path, forged, got.Code)
			}
		}
	}
	if _, _, err := w.Accounts.Session(t.Context(), secret, true); err != nil {
		t.Errorf("a forged request has signed out: %v", err)
	}
	head, err := w.Journal.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range s.Routes() {
		if route.Method == "GET" && route.Path != "/audit.csv" && !strings.Contains(route.Path, "{link}") {
			webtest.Do(s, webtest.Request("GET", strings.TrimSuffix(route.Path, "{$}"), secret, nil))
		}
	}
	if after, err := w.Journal.Head(t.Context()); err != nil || after != head {
		t.Errorf("GET has entered %d acts, %v", after-head, err)
	}
}

// A link that is unused opens an account, so that no log holds it, whatever becomes of the request.
func TestLinksAreNotLogged(t *testing.T) {
	w := webtest.New(t)
	var log bytes.Buffer
	c := w.Config()
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	fails := web.Route{Method: "GET", Path: "/broken/{link}", Public: true, Do: func(*web.Call) error { return errors.New("disk full") }}
	s, err := web.New(c, me.Section(me.Config{Accounts: w.Accounts}),
		web.Section{Name: "broken", Files: fstest.MapFS{}, Routes: []web.Route{fails}})
	if err != nil {
		t.Fatal(err)
	}
	to := link(t, w, w.Add(), account.SignsIn)
	r := webtest.Request("POST", to, "", url.Values{})
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	webtest.Want(t, webtest.Do(s, r), 403)
	secret := strings.TrimPrefix(to, "/enter/")
	webtest.Want(t, webtest.Do(s, webtest.Request("GET", "/broken/"+secret, "", nil)), 503)
	if strings.Contains(log.String(), secret) {
		t.Errorf("the link is in the log:\n%s", &log)
	}
	for _, want := range []string{`"POST /enter/{link}"`, `"GET /broken/{link}"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks the route %s:\n%s", want, &log)
		}
	}
}

// An answer without an end ends when its token does.
func TestTokenOfAStreamEnds(t *testing.T) {
	w := webtest.New(t)
	by := account.By{Account: webtest.Operator}
	var x account.Account
	var token account.Token
	for what, end := range map[string]func() error{
		"dropped": func() error { return w.Accounts.DropToken(t.Context(), by, x.ID, token.ID) },
		"over":    func() error { w.Pass(2 * time.Hour); return nil },
		"barred":  func() error { return w.Accounts.Disable(t.Context(), by, x, true) },
	} {
		x = w.Add(webtest.Grant(account.Province, "620000000000", "620000000000"))
		p, _, err := w.Accounts.Session(t.Context(), w.SignIn(x), true)
		if err != nil {
			t.Fatal(err)
		}
		secret, made, err := w.Accounts.AddToken(t.Context(), p, "x", []account.Action{account.SeeLive}, "", w.Now().Add(time.Hour).UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
		token = made
		asked := false
		stream := web.Route{Method: "GET", Path: "/stream", Action: account.SeeLive, Do: func(c *web.Call) error {
			asked = true
			if !c.Still(t.Context()) {
				t.Errorf("%s: it ends before", what)
			}
			if err := end(); err != nil {
				t.Error(err)
			}
			if c.Still(t.Context()) {
				t.Errorf("the stream goes on after its token is %s", what)
			}
			return nil
		}}
		r := webtest.Request("GET", "/stream", "", nil)
		r.Header.Set("Authorization", "Bearer "+secret)
		webtest.Want(t, webtest.Do(w.Site(web.Section{Name: "x", Files: fstest.MapFS{}, Routes: []web.Route{stream}}), r), 200)
		if !asked {
			t.Errorf("%s: the stream was not asked", what)
		}
	}
}

// Only paths of this site are gone to after signing in.
func TestOpenRedirects(t *testing.T) {
	w, s := world(t)
	x := w.Add()
	for to, want := range map[string]string{"/me": "/me", "/audit?q=a&do=b": "/audit?q=a&do=b", "https://evil.example.net/": "/",
		"//evil.example.net": "/", `/\evil.example.net`: "/",
		"javascript:alert(1)": "/", "": "/", "me": "/", "/\t/evil.example.net": "/", "http:/x": "/"} {
		b := newBrowser(t, s)
		if got := b.post(link(t, w, x, account.SignsIn), "to", to); got.Header().Get("Location") != want {
			t.Errorf("to %q leads to %q, want %q", to, got.Header().Get("Location"), want)
		}
	}
}

// Whoever is no trusted proxy cannot choose the address that failures are counted by, nor call plain text HTTPS.
func TestForgedForwarding(t *testing.T) {
	w, s := world(t)
	x := w.Add()
	secret := w.SignIn(x)
	for _, c := range []struct {
		remote, forwarded, proto string
		want                     int
	}{
		{"127.0.0.1:1", "", "", 200},
		{"198.51.100.9:1", "", "", 303},
		{"198.51.100.9:1", "127.0.0.1", "https", 303},
		{"10.0.0.1:1", "198.51.100.9", "", 303},
		{"10.0.0.1:1", "198.51.100.9", "http", 303},
		{"10.0.0.1:1", "127.0.0.1, 198.51.100.9", "https, http", 303},
	} {
		r := webtest.Request("GET", "/me", secret, nil)
		r.RemoteAddr = c.remote
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if c.proto != "" {
			r.Header.Set("X-Forwarded-Proto", c.proto)
		}
		if got := webtest.Do(s, r); got.Code != c.want {
			t.Errorf("%+v: %d", c, got.Code)
		}
	}
	// Over HTTPS the cookie has another name, which plain HTTP cannot set.
	r := webtest.Request("GET", "/me", secret, nil)
	r.RemoteAddr = "10.0.0.1:1"
	r.Header.Set("X-Forwarded-Proto", "https")
	if got := webtest.Do(s, r); got.Code != 303 {
		t.Errorf("a cookie without its prefix over HTTPS: %d", got.Code)
	}
	r = webtest.Request("POST", "/signin", "", url.Values{"login": {x.Login}, "password": {"x"}})
	r.RemoteAddr = "198.51.100.9:1"
	webtest.Want(t, webtest.Do(s, r), 403, "HTTPS")
}

// A token is shown once, does what it was made for, and is none for pages.
func TestTokenOnThePage(t *testing.T) {
	w, s := world(t)
	x := w.Add(webtest.Grant(account.Province, "620000000000", "620000000000"))
	b := newBrowser(t, s)
	webtest.Want(t, b.post(link(t, w, x, account.SignsIn)), 303)
	page := b.post("/me/tokens", "label", "监控", "action", string(account.SeeAudit), "ends", "2026-12-31")
	webtest.Want(t, page, 200, "只显示这一次", account.TokenPrefix)
	token := regexp.MustCompile(account.TokenPrefix + `[\w-]+`).FindString(page.Body.String())
	webtest.Want(t, b.do("GET", "/me", nil), 200, "监控", "!"+token)
	ask := func(path, token string) int {
		r := webtest.Request("GET", path, "", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return webtest.Do(s, r).Code
	}
	for path, want := range map[string]int{"/audit": 200, "/audit.csv": 404, "/accounts": 404, "/me": 404, "/": 404} {
		if got := ask(path, token); got != want {
			t.Errorf("%s by the token: %d, want %d", path, got, want)
		}
	}
	if got := ask("/audit", token+"x"); got != 401 {
		t.Errorf("a wrong token: %d", got)
	}
}
