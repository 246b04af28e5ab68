package me

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
)

// providerPath is where one leaves for the provider; one comes back to /back below it.
const providerPath = "/signin/provider"

// ProviderConfig names a provider of OpenID Connect. AMR, Scopes and GroupsClaim may be empty; the others are mandatory.
type ProviderConfig struct {
	Issuer   string
	ClientID string
	Secret   string // of the client
	Name     string // what people call the provider
	Scopes   []string
	// GroupsClaim has the person's groups; "groups" if it is empty.
	GroupsClaim string
	// AMR is a method of authentication that the provider must have used, as "mfa"; empty: the provider always asks for a second factor.
	AMR string
	// Grants returns the appointments that follow from groups.
	Grants func(ctx context.Context, groups []string) ([]account.Following, error)
	Key    []byte       // 32 bytes, the same for all instances: seals what a browser keeps while it is away
	Client *http.Client // bounded in time
	Now    func() time.Time
}

// Provider is a provider of OpenID Connect. It is found at the first sign-in, so that the centre starts without it. Its methods are safe
// for concurrent use.
type Provider struct {
	cfg ProviderConfig
	box cipher.AEAD

	mu    sync.Mutex
	found *oidc.Provider // guarded by mu; nil before it was found
}

// NewProvider returns a provider, which is not asked yet.
func NewProvider(c ProviderConfig) (*Provider, error) {
	if c.GroupsClaim == "" {
		c.GroupsClaim = "groups"
	}
	block, err := aes.NewCipher(c.Key)
	if err != nil {
		return nil, fmt.Errorf("the key of sign-ins: %w", err)
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("the key of sign-ins: %w", err)
	}
	return &Provider{cfg: c, box: box}, nil
}

// errAway says that the provider cannot be used at present, and why.
func errAway(err error) error {
	return fmt.Errorf("%w: %w", &web.Refusal{Status: http.StatusBadGateway,
		Words: "统一身份认证暂时不能用，请稍后再试，或用本系统的账号登录。The provider cannot be used at the moment."}, err)
}

// errTicket says that a sign-in was not begun by this browser, or too long ago.
func errTicket() error {
	return &web.Refusal{Status: http.StatusForbidden, Words: "这次登录不是从本浏览器开始的，或已超时，请重新登录。This sign-in was not begun by this browser, or took " +
		"too long."}
}

// find returns the provider's own description.
func (p *Provider) find(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.cfg.Client), p.cfg.Issuer)
	if err != nil {
		return nil, errAway(err)
	}
	p.found = found
	return found, nil
}

func (p *Provider) oauth(found *oidc.Provider, c *web.Call) oauth2.Config {
	return oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.Secret, Endpoint: found.Endpoint(),
		RedirectURL: c.Base() + providerPath + "/back",
		Scopes:      append([]string{oidc.ScopeOpenID, "profile"}, p.cfg.Scopes...)}
}

// ticket is what the browser keeps, sealed, while it is away.
type ticket struct {
	State, Nonce, Verifier string
	To                     string
	Until                  int64 // milliseconds since 1970-01-01 UTC
}

// awayTime is how long somebody may take at the provider.
const awayTime = 10 * time.Minute

func (p *Provider) seal(t ticket) (string, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, p.box.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(p.box.Seal(nonce, nonce, text, nil)), nil
}

func (p *Provider) open(sealed string) (t ticket, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(sealed)
	n := p.box.NonceSize()
	if err != nil || len(b) < n {
		return t, false
	}
	text, err := p.box.Open(nil, b[:n], b[n:], nil)
	return t, err == nil && json.Unmarshal(text, &t) == nil && p.cfg.Now().UnixMilli() < t.Until
}

// leaveForProvider sends the browser to the provider. A page of another site cannot do that: nobody is signed in without having asked for
// it.
func (p *pages) leaveForProvider(c *web.Call) error {
	if !c.Secure() {
		return web.ErrPlain
	}
	to := destination(c.R.FormValue("to"))
	if site := c.R.Header.Get("Sec-Fetch-Site"); site != "" && site != "none" && site != "same-origin" {
		return c.See("/signin")
	}
	found, err := p.provider.find(c.R.Context())
	if err != nil {
		return err
	}
	t := ticket{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: to, Until: c.Now().Add(awayTime).UnixMilli()}
	sealed, err := p.provider.seal(t)
	if err != nil {
		return fmt.Errorf("begin a sign-in: %w", err)
	}
	c.Keep(sealed, awayTime)
	config := p.provider.oauth(found, c)
	return c.See(config.AuthCodeURL(t.State, oidc.Nonce(t.Nonce), oauth2.S256ChallengeOption(t.Verifier)))
}

// backFromProvider signs in whom the provider sends back.
func (p *pages) backFromProvider(c *web.Call) error {
	if !c.Secure() {
		return web.ErrPlain
	}
	t, ok := p.provider.open(c.Kept())
	q := c.R.URL.Query()
	if !ok || subtle.ConstantTimeCompare([]byte(t.State), []byte(q.Get("state"))) != 1 {
		return errTicket()
	}
	if q.Has("error") {
		return &web.Refusal{Status: http.StatusForbidden, Words: "统一身份认证没有让您登录。The provider did not let you in."}
	}
	who, err := p.provider.who(c, t, q.Get("code"))
	if err != nil {
		return err
	}
	e, err := p.accounts.EnterByProvider(c.R.Context(), who, c.Browser())
	if err != nil {
		return err
	}
	return p.goOn(c, e, t.To)
}

// said is what the provider says of somebody.
type said struct {
	Subject string   `json:"sub"`
	Login   string   `json:"preferred_username"`
	Name    string   `json:"name"`
	AMR     []string `json:"amr"`
}

// who redeems a code and returns whom the provider means.
func (p *Provider) who(c *web.Call, t ticket, code string) (account.Provided, error) {
	found, err := p.find(c.R.Context())
	if err != nil {
		return account.Provided{}, err
	}
	ctx := oidc.ClientContext(c.R.Context(), p.cfg.Client)
	config := p.oauth(found, c)
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(t.Verifier))
	if err != nil {
		return account.Provided{}, errAway(fmt.Errorf("redeem a code: %w", err))
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := found.VerifierContext(ctx, &oidc.Config{ClientID: p.cfg.ClientID, Now: p.cfg.Now}).Verify(ctx, raw)
	if err != nil {
		return account.Provided{}, errAway(fmt.Errorf("check an ID token: %w", err))
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(t.Nonce)) != 1 {
		return account.Provided{}, errTicket()
	}
	var s said
	claims := make(map[string]json.RawMessage)
	if err := errors.Join(id.Claims(&s), id.Claims(&claims)); err != nil {
		return account.Provided{}, errAway(fmt.Errorf("read an ID token: %w", err))
	}
	if p.cfg.AMR != "" && !slices.Contains(s.AMR, p.cfg.AMR) {
		return account.Provided{}, &web.Refusal{Status: http.StatusForbidden,
			Words: "请在统一身份认证中用第二种方式（如动态口令）验证后再登录。Sign in at the provider with a second factor."}
	}
	if _, ok := claims[p.cfg.GroupsClaim]; !ok || s.Login == "" {
		info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
		if err == nil && info.Subject != id.Subject {
			err = errors.New("it is about somebody else")
		}
		if err == nil {
			err = errors.Join(info.Claims(&s), info.Claims(&claims))
		}
		if err != nil {
			return account.Provided{}, errAway(fmt.Errorf("ask for the person's claims: %w", err))
		}
	}
	grants, err := p.cfg.Grants(ctx, groupsOf(claims[p.cfg.GroupsClaim]))
	if err != nil {
		return account.Provided{}, err
	}
	return account.Provided{Subject: id.Issuer + " " + id.Subject, Login: s.Login, Name: strings.TrimSpace(s.Name), Grants: grants}, nil
}

// groupsOf reads a claim that is one group or a list of them.
func groupsOf(claim json.RawMessage) (all []string) {
	if err := json.Unmarshal(claim, &all); err == nil {
		return all
	}
	one := ""
	if err := json.Unmarshal(claim, &one); err == nil && one != "" {
		return []string{one}
	}
	return nil
}
