// Package webtest gives tests of pages a site with real accounts.
package webtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/web"
)

// World is accounts in a database of their own, with a clock that the test moves.
type World struct {
	Accounts *account.Accounts
	Journal  *journal.Journal
	Hasher   *account.Hasher

	t  testing.TB
	mu sync.Mutex
	at time.Time // guarded by mu
	n  int
}

// Operator is who has opened the accounts.
const Operator = "operator test"

// New opens a world that ends with the test.
func New(t testing.TB) *World {
	t.Helper()
	return At(t, "sqlite:"+t.TempDir()+"/journal.db")
}

// At opens a world in a database.
func At(t testing.TB, database string) *World {
	t.Helper()
	j, _, _ := journaltest.Open(t, database)
	w := &World{Journal: j, Hasher: account.NewHasher(2, account.Cost{Memory: 64, Passes: 1}, rand.Reader), t: t,
		at: time.Date(2026, 3, 2, 9, 0, 0, 0, web.Zone())}
	var err error
	w.Accounts, err = account.Open(context.Background(),
		account.Config{Journal: j, Secret: make([]byte, 32), Hasher: w.Hasher, Random: rand.Reader, Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Now returns the world's time.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

// Pass lets time pass.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// Site makes a site of sections, asked for on loopback or as admin.example.com.
func (w *World) Site(sections ...web.Section) *web.Site {
	w.t.Helper()
	s, err := web.New(w.Config(), sections...)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// Config is that of Site.
func (w *World) Config() web.Config {
	return web.Config{Accounts: w.Accounts, Journal: w.Journal, Logger: slog.New(slog.DiscardHandler), Now: w.Now,
		Hosts:          []string{"admin.example.com"},
		FrameAncestors: []string{"http://127.0.0.1:8400"}, Loopback: true}
}

// Grant is a role for a scope that lies in an area.
func Grant(r account.Role, scope, area string) account.Grant {
	return account.Grant{Role: r, Scope: scope, Area: area}
}

// Add opens an account with grants.
func (w *World) Add(grants ...account.Grant) account.Account {
	w.t.Helper()
	w.n++
	area := "620000000000"
	if len(grants) > 0 {
		area = grants[0].Area
	}
	x, err := w.Accounts.Add(context.Background(), account.By{Account: Operator}, fmt.Sprintf("person%d", w.n), fmt.Sprintf("测试人员%d", w.n),
		area, grants...)
	if err != nil {
		w.t.Fatal(err)
	}
	return x
}

// SignIn signs an account in by a link, as with a second factor, and returns the session's secret.
func (w *World) SignIn(x account.Account) string {
	w.t.Helper()
	link, err := w.Accounts.Link(context.Background(), account.By{Account: Operator}, x, account.SignsIn)
	if err != nil {
		w.t.Fatal(err)
	}
	e, err := w.Accounts.EnterByLink(context.Background(), link, account.Browser{})
	if err != nil {
		w.t.Fatal(err)
	}
	return e.Secret
}

// Request returns a request as a browser on this machine sends it.
func Request(method, path, secret string, form url.Values) *http.Request {
	var r *http.Request
	if form == nil {
		r = httptest.NewRequest(method, path, nil)
	} else {
		r = httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:40000"
	r.Header.Set("Accept", "text/html")
	if secret != "" {
		r.AddCookie(&http.Cookie{Name: "hcp", Value: secret})
	}
	return r
}

// Do sends a request to a site.
func Do(s http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// Want checks an answer's status, and texts that it has, or has not after "!".
func Want(t testing.TB, w *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status = %d, want %d\n%s", w.Code, status, w.Body)
	}
	for _, text := range texts {
		if not, ok := strings.CutPrefix(text, "!"); ok && strings.Contains(w.Body.String(), not) {
			t.Errorf("the page contains %q", not)
		} else if !ok && !strings.Contains(w.Body.String(), text) {
			t.Errorf("the page lacks %q:\n%s", text, w.Body)
		}
	}
}
