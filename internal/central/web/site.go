package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
)

//go:embed layout.html state.html home.html style.css frame.js
var frame embed.FS

// Config holds what a Site needs. Accounts, Journal, Logger and Now are mandatory.
type Config struct {
	Accounts *account.Accounts
	Journal  *journal.Journal
	Logger   *slog.Logger
	Now      func() time.Time
	// Hosts are names by which the pages may be asked for, besides localhost and IP addresses.
	Hosts []string
	// Name returns how an area, unit, hall or member of staff is called today, empty for none. Without it, ids are shown.
	Name func(context.Context, account.Reach, string) string
	// FrameAncestors are the origins that may show the pages in a frame.
	FrameAncestors []string
	// Proxies are the networks of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
	Proxies []netip.Prefix
	// Loopback says that only this machine reaches the pages without a proxy.
	Loopback bool
}

// Site is the centre's pages, an http.Handler that is safe for concurrent use.
type Site struct {
	cfg      Config
	mux      *http.ServeMux
	routes   []Route
	needs    []func(*Call) ([]Need, error)
	pages    pages
	assets   map[string]asset
	csp      string
	origin   *http.CrossOriginProtection
	accounts atomic.Bool // there is one
	limits   limits
}

// New returns the site of some sections.
func New(cfg Config, sections ...Section) (*Site, error) {
	s := &Site{cfg: cfg, mux: http.NewServeMux(), assets: make(map[string]asset), origin: http.NewCrossOriginProtection()}
	for _, h := range cfg.Hosts { // what browsers ask for, also through a proxy that does not pass it on
		if err := s.origin.AddTrustedOrigin("https://" + h); err != nil {
			return nil, fmt.Errorf("admin.hosts: %w", err)
		}
	}
	frames := "'none'"
	if len(cfg.FrameAncestors) > 0 {
		frames = strings.Join(cfg.FrameAncestors, " ")
	}
	s.csp = "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors " + frames
	var err error
	if s.pages, err = parsePages(sections); err != nil {
		return nil, fmt.Errorf("the pages: %w", err)
	}
	for _, x := range append([]Section{s.home()}, sections...) {
		if err := s.addAssets(x.Name, x.Files); err != nil {
			return nil, err
		}
		if x.Needs != nil {
			s.needs = append(s.needs, x.Needs)
		}
		for _, r := range x.Routes {
			if err := r.check(); err != nil {
				return nil, err
			}
			s.routes = append(s.routes, r)
			s.mux.Handle(r.pattern(), s.guard(r))
		}
	}
	s.mux.HandleFunc("GET /assets/{section}/{file}", s.asset)
	s.mux.Handle("/", s.guard(Route{Action: account.Start, Do: func(*Call) error { return ErrNotFound }}))
	return s, nil
}

// Routes returns all routes, for the tests that ask each of them.
func (s *Site) Routes() []Route { return slices.Clone(s.routes) }

// ServeHTTP answers one request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", s.csp)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	if s.client(r).https {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
	if !s.hostAllowed(r.Host) {
		refuse(w, r, http.StatusMisdirectedRequest, "这里不用这个主机名提供页面：请用 IP 地址访问，或把主机名写入 admin.hosts；"+
			"经过代理时，让代理传递 Host。This page is not served under this host name. Ask for it by its address, or add the name to "+
			"admin.hosts; a proxy must pass the host on.")
		return
	}
	if err := s.origin.Check(r); err != nil {
		_, route := s.mux.Handler(r) // a path may be a link that opens an account
		s.cfg.Logger.Warn("a request of another site's page is refused", "route", route, "address", s.client(r).address(), "err", err)
		refuse(w, r, http.StatusForbidden, "请从本站页面操作。This request was caused by another site's page.")
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Site) hostAllowed(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return host == "localhost" || net.ParseIP(host) != nil || slices.Contains(s.cfg.Hosts, strings.ToLower(host))
}

// anyAccount reports whether there is an account. None is ever deleted, so yes stays yes.
func (s *Site) anyAccount(ctx context.Context) (bool, error) {
	if s.accounts.Load() {
		return true, nil
	}
	yes, err := s.cfg.Accounts.Any(ctx)
	if yes {
		s.accounts.Store(true)
	}
	return yes, err
}

// smallBody bounds a body in bytes where the route says no other bound.
const smallBody = 64 << 10

// guard is the one middleware: it finds out who asks, and lets a route do its work if that person may.
func (s *Site) guard(route Route) http.Handler {
	limit := route.MaxBody
	if limit == 0 {
		limit = smallBody
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		c := &Call{W: w, R: r, site: s, route: route}
		err := s.admit(c)
		if c.leave != nil {
			defer c.leave()
		}
		if err != nil {
			s.fail(c, err)
			return
		}
		if r.ContentLength > limit { // also where the route reads no body
			s.fail(c, &http.MaxBytesError{Limit: limit})
			return
		}
		if err := route.Do(c); err != nil {
			s.fail(c, err)
		}
	})
}

// Errors by which admit turns somebody away.
var (
	errSignIn = errors.New("sign in first")
	errSecond = errors.New("enrol a second factor first")
	errNobody = errors.New("there is no account yet")
	ErrPlain  = errors.New("only over HTTPS")
)

// admit finds out who asks, and whether they may.
func (s *Site) admit(c *Call) error {
	ctx := c.R.Context()
	err := s.identify(c)
	if c.route.Public {
		if err == nil || errors.Is(err, account.ErrSignedOut) {
			return c.text()
		}
		return err
	}
	if errors.Is(err, account.ErrSignedOut) {
		any, e := s.anyAccount(ctx)
		switch {
		case e != nil:
			return e
		case any:
			return errSignIn
		case !s.cfg.Loopback || !s.client(c.R).local:
			return errNobody
		case c.route.Before:
			c.Everybody = true
			return c.text()
		case safe(c.R.Method) && c.R.URL.Path == "/":
			return errNobody
		}
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	if c.Person.NeedsSecond() && !c.Person.Second && c.route.Action != account.UseOwn {
		return errSecond
	}
	if c.route.Method == "" {
		return ErrNotFound // whoever is signed in may know that there is no such page
	}
	if c.token != "" && !safe(c.R.Method) && !strings.HasPrefix(c.R.URL.Path, forPrograms) {
		return ErrNotFound // the pages' forms are for people, who see what they confirm
	}
	if err := c.text(); err != nil {
		return err
	}
	return s.permit(c)
}

// permit asks the rule.
func (s *Site) permit(c *Call) error {
	if c.route.Object == nil {
		if !account.Ever(c.Person, c.route.Action) {
			return ErrNotFound
		}
		return nil
	}
	o, err := c.route.Object(c)
	if err != nil {
		return err
	}
	if !account.May(c.Person, c.route.Action, o) {
		return ErrNotFound
	}
	return nil
}

// identify finds the person by a token or by the session's cookie. It is account.ErrSignedOut if there is none.
func (s *Site) identify(c *Call) (err error) {
	ctx := c.R.Context()
	if !s.client(c.R).secure() {
		return account.ErrSignedOut // what travels in plain text opens nothing
	}
	if text, ok := strings.CutPrefix(c.R.Header.Get("Authorization"), "Bearer "); ok {
		c.token = strings.TrimSpace(text)
		if c.Person, err = s.cfg.Accounts.ByToken(ctx, c.token); err == nil {
			c.leave, err = s.limits.enter(c.Person.By, s.cfg.Now())
		}
		return err
	}
	cookie, err := c.R.Cookie(s.cookieName(c.R, sessionCookie))
	if err != nil {
		return account.ErrSignedOut
	}
	p, session, err := s.cfg.Accounts.Session(ctx, cookie.Value, false)
	if err != nil {
		return err
	}
	c.secret = cookie.Value
	if session.Stage != account.IsOpen {
		return account.ErrSignedOut
	}
	c.Person = p
	return nil
}
