package web

import (
	"net/http"
	"time"

	"haochaping/internal/central/directory/account"
)

// The cookies: of the session, of a browser that has signed in before, and of one that is away at a provider to sign in.
const (
	sessionCookie = "hcp"
	browserCookie = "hcp-browser"
	ticketCookie  = "hcp-ticket"
)

// browserLife is how long a browser is known.
const browserLife = 180 * 24 * time.Hour

// cookieName returns a cookie's name. Over HTTPS its prefix makes browsers hold it to this host; on loopback without TLS there is no such
// prefix.
func (s *Site) cookieName(r *http.Request, name string) string {
	if s.client(r).https {
		return "__Host-" + name
	}
	return name
}

// setCookie is Lax, since who comes back from a provider of OpenID Connect comes from another site. Nothing is changed by GET.
func (c *Call) setCookie(name, value string, life time.Duration) {
	k := &http.Cookie{Name: c.site.cookieName(c.R, name), Value: value, Path: "/", HttpOnly: true, Secure: c.site.client(c.R).https,
		SameSite: http.SameSiteLaxMode}
	if k.MaxAge = int(life / time.Second); value == "" {
		k.MaxAge = -1
	}
	http.SetCookie(c.W, k)
}

// Enter gives the browser a session's secret in place of the one that it had.
func (c *Call) Enter(e account.Entered) {
	c.setCookie(sessionCookie, e.Secret, 0)
	if e.Device != "" {
		c.setCookie(browserCookie, e.Device, browserLife)
	}
}

// Keep lets the browser keep something while it is away at a provider.
func (c *Call) Keep(ticket string, life time.Duration) { c.setCookie(ticketCookie, ticket, life) }

// Kept takes from the browser what it has kept, empty for nothing.
func (c *Call) Kept() string {
	k, err := c.R.Cookie(c.site.cookieName(c.R, ticketCookie))
	if err != nil {
		return ""
	}
	c.setCookie(ticketCookie, "", 0)
	return k.Value
}

// Leave takes the session's secret from the browser, and what it has stored of this site's pages.
func (c *Call) Leave() {
	c.setCookie(sessionCookie, "", 0)
	if c.site.client(c.R).https {
		c.W.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	}
}
