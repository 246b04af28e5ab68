package windowapi

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// clientKey is where the name of the client stands in a request's context.
type clientKey struct{}

// clientOf returns the name of the client of a request that the guard has let through.
func clientOf(r *http.Request) string {
	name, _ := r.Context().Value(clientKey{}).(string)
	return name
}

// loopbackClient is the client that needs no token.
const loopbackClient = "loopback"

// guard lets through what comes by a name and from an origin that are allowed, with a token, and not too often.
func (a *api) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.knowsHost(r) {
			a.fail(w, r, problemHost(r.Host))
			return
		}
		if !a.admitOrigin(w, r) {
			a.fail(w, r, problemOrigin(r.Header.Get("Origin")))
			return
		}
		if r.Method == http.MethodOptions {
			a.preflight(w, r)
			return
		}
		name, ok := a.authenticate(r)
		switch {
		case !ok && !a.clients.failed():
			a.fail(w, r, problemTooMany(1))
			return
		case !ok:
			w.Header().Set("WWW-Authenticate", `Bearer realm="haochaping"`)
			a.fail(w, r, problemToken())
			return
		case !a.clients.allow(name):
			a.fail(w, r, problemTooMany(1))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, name)))
	})
}

// knowsHost reports whether the Host header names this box: its address on this connection, a loopback name if that is
// loopback, or a name of the configuration. A name that an attacker made to point here is none of these (DNS rebinding).
func (a *api) knowsHost(r *http.Request) bool {
	name, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		name = strings.Trim(r.Host, "[]")
	}
	if slices.ContainsFunc(a.Hosts, func(h string) bool { return strings.EqualFold(h, name) }) {
		return true
	}
	local := localIP(r)
	if local == nil {
		return false
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.Equal(local) || local.IsLoopback() && (strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback())
}

// localIP returns the box's own address on the request's connection.
func localIP(r *http.Request) net.IP {
	addr, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.IP
	}
	return nil
}

// admitOrigin reports whether the page that has caused the request may do so, if one has, and tells the browser.
func (a *api) admitOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	w.Header().Add("Vary", "Origin")
	if origin == "" {
		// A browser sends no Origin with what a page merely embeds; it says the site then.
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "none" || site == "same-origin"
	}
	if u, err := url.Parse(origin); err == nil && u.Host == r.Host {
		return true
	}
	if !slices.Contains(a.Origins, origin) {
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Expose-Headers", "Location, Retry-After, Idempotency-Replayed")
	return true
}

// preflight answers a browser that asks whether a page may send what it wants to send.
func (a *api) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, Last-Event-ID")
	h.Set("Access-Control-Max-Age", "600")
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true") // for browsers that ask for it, before the permission took its place
	}
	w.WriteHeader(http.StatusNoContent)
}

// authenticate returns the name of the client.
func (a *api) authenticate(r *http.Request) (name string, ok bool) {
	if r.URL.Path == descriptionPath {
		return "description", true
	}
	if secret, found := bearer(r); found {
		t, ok := a.Tokens.Check(secret)
		return t.ID, ok
	}
	return loopbackClient, a.LoopbackWithoutToken && viaLoopback(r)
}

func bearer(r *http.Request) (string, bool) {
	scheme, secret, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(secret), ok && strings.EqualFold(scheme, "Bearer")
}

// viaLoopback reports whether both ends of the connection are this machine.
func viaLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	remote, local := net.ParseIP(host), localIP(r)
	return remote != nil && remote.IsLoopback() && local != nil && local.IsLoopback()
}
