package webtest

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// Served is a site as a browser meets it that is signed in.
type Served struct {
	URL    string
	secret atomic.Pointer[string]
}

// Serve serves a site on loopback until the test ends, to browsers that have a session.
func Serve(t testing.TB, site http.Handler, secret string) *Served {
	t.Helper()
	s := new(Served)
	s.As(secret)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.AddCookie(&http.Cookie{Name: "hcp", Value: *s.secret.Load()})
		site.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// As makes the browsers those of another session from now on.
func (s *Served) As(secret string) { s.secret.Store(&secret) }
