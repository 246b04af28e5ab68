// Package provider runs a real provider of OpenID Connect, that of Zitadel's certified library, on loopback: people sign in there with name
// and password, and it says their groups. It is for tests.
package provider

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// The client that is known.
const (
	ClientID = "centre"
	Secret   = "the client's secret"
	Password = "everybody's password"
)

// Person is somebody whom the provider knows.
type Person struct {
	ID, Login, Name string
	Groups          []string
}

// Provider runs until Close.
type Provider struct {
	Issuer string

	server *httptest.Server
	mu     sync.Mutex
	people map[string]Person // guarded by mu; by id
}

// Start starts a provider whose client comes back to some addresses.
func Start(redirects ...string) (*Provider, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Provider{Issuer: "http://" + listener.Addr().String(), people: make(map[string]Person)}
	client := storage.WebClient(ClientID, Secret, redirects...)
	kept := storing{storage.NewStorageWithClients(p, map[string]*storage.Client{ClientID: client}), p}
	provider, err := op.NewProvider(&op.Config{CryptoKey: sha256.Sum256([]byte("test")), CodeMethodS256: true, AuthMethodPost: true,
		SupportedScopes: []string{"openid", "profile"}},
		kept, op.StaticIssuer(p.Issuer), op.WithAllowInsecure())
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	mux := http.NewServeMux()
	back := op.NewIssuerInterceptor(provider.IssuerFromRequest)
	mux.HandleFunc("POST /login/username", back.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("authRequestID")
		if err := kept.CheckUsernamePassword(r.PostFormValue("login"), r.PostFormValue("password"), id); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, op.AuthCallbackURL(provider)(r.Context(), id), http.StatusFound)
	}))
	mux.Handle("/", provider)
	p.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: mux}}
	p.server.Start()
	return p, nil
}

// Close ends the provider.
func (p *Provider) Close() { p.server.Close() }

// Set makes somebody known, or known anew.
func (p *Provider) Set(x Person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.people[x.ID] = x
}

// SignIn does at the provider what a person's browser does from the address to which the centre has sent it, and returns where the provider
// sends it back.
func (p *Provider) SignIn(away, login string) (back string, err error) {
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	next := func(r *http.Response, err error) (string, error) {
		if err != nil {
			return "", err
		}
		at, err := r.Location()
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return "", fmt.Errorf("%s %s: %w", r.Request.URL, r.Status, err)
		}
		return at.String(), nil
	}
	form, err := next(browser.Get(away))
	if err != nil || !strings.HasPrefix(form, p.Issuer) {
		return form, err // the provider has refused at once
	}
	done, err := next(browser.PostForm(form, url.Values{"login": {login}, "password": {Password}}))
	if err != nil {
		return "", err
	}
	return next(browser.Get(done))
}

// GetUserByID implements storage.UserStore.
func (p *Provider) GetUserByID(id string) *storage.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, ok := p.people[id]
	if !ok {
		return nil
	}
	return &storage.User{ID: x.ID, Username: x.Login, Password: Password, FirstName: x.Name}
}

// GetUserByUsername implements storage.UserStore.
func (p *Provider) GetUserByUsername(login string) *storage.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, x := range p.people {
		if x.Login == login {
			return &storage.User{ID: x.ID, Username: x.Login, Password: Password, FirstName: x.Name}
		}
	}
	return nil
}

// ExampleClientID implements storage.UserStore.
func (p *Provider) ExampleClientID() string { return storage.ServiceUserID }

// storing adds the groups to what the userinfo says.
type storing struct {
	*storage.Storage
	p *Provider
}

// SetUserinfoFromToken implements op.Storage.
func (s storing) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	if err := s.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin); err != nil {
		return err
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	info.AppendClaims("groups", s.p.people[subject].Groups)
	return nil
}
