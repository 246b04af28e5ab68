package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/me"
	"haochaping/internal/cli"
	"haochaping/internal/loginfiles"
)

// oidcConfig names a provider of OpenID Connect at which people sign in.
type oidcConfig struct {
	Issuer           string        `toml:"issuer"` // empty: there is none
	ClientID         string        `toml:"client_id"`
	ClientSecretFile string        `toml:"client_secret_file"`
	CAFile           string        `toml:"ca_file"`
	Name             string        `toml:"name"`
	Scopes           []string      `toml:"scopes"`
	GroupsClaim      string        `toml:"groups_claim"`
	AMR              string        `toml:"amr"`
	Groups           []groupConfig `toml:"groups"`
}

// groupConfig is the appointment of everybody in a group.
type groupConfig struct {
	Group string `toml:"group"`
	Role  string `toml:"role"`
	Area  string `toml:"area"`  // for roles with an area
	Scope string `toml:"scope"` // id of the unit, hall or member of staff, for the others
}

// check returns why the provider cannot be used so, nil if it can.
func (o oidcConfig) check() error {
	if o.Issuer == "" {
		return nil
	}
	switch {
	case !private(o.Issuer):
		return cli.Errorf("不能是 %q；请写成 https://id.example.com", "%q is not allowed; write the issuer as https://id.example.com", o.Issuer)
	case o.ClientID == "" || o.ClientSecretFile == "" || o.Name == "":
		return cli.Error("没有写全；client_id、client_secret_file 和 name 要一起写", "it is not whole; write client_id, client_secret_file and name, too")
	case len(o.Groups) == 0:
		return cli.Error("没有一个组有角色，谁也进不来；请写 admin.oidc.groups", "no group has a role, so nobody could come in; write admin.oidc.groups")
	}
	for _, g := range o.Groups {
		role := account.Role(g.Role)
		if role.Chinese() == "" || g.Group == "" {
			return cli.Errorf("组 %q 的角色是 %q；可写 %q", "group %q has the role %q; allowed are %q", g.Group, g.Role, account.Roles())
		}
		if inArea := role.Scope() == account.InArea; inArea && (!account.IsArea(g.Area) || g.Scope != "") ||
			!inArea && (g.Scope == "" || g.Area != "") {
			return cli.Errorf("组 %q 的范围不对；%s 写 12 位数字的 area，单位、大厅或人员的角色写 scope",
				"the scope of group %q is wrong; a %s has an area of 12 digits, a unit, hall or member of staff its id as scope", g.Group, g.Role)
		}
	}
	return nil
}

// private reports whether nobody on the way reads along: an address is of HTTPS, or of this machine.
func private(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && new(loopback).UnmarshalText([]byte(u.Host)) == nil
}

// provider returns the provider of the configuration, nil if there is none.
func (c *command) provider(o oidcConfig, x *rooms) (*me.Provider, error) {
	if o.Issuer == "" {
		return nil, nil
	}
	secret, err := loginfiles.Password(loginfiles.File{Field: "admin.oidc.client_secret_file", Path: o.ClientSecretFile})
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, x.key.Seed(), nil, "haochaping sign-ins", 32)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if o.CAFile != "" {
		authorities, err := loginfiles.Authorities(loginfiles.File{Field: "admin.oidc.ca_file", Path: o.CAFile})
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	}
	return me.NewProvider(me.ProviderConfig{Issuer: o.Issuer, ClientID: o.ClientID, Secret: secret, Name: o.Name, Scopes: o.Scopes,
		GroupsClaim: o.GroupsClaim,
		AMR:         o.AMR, Key: key, Client: &http.Client{Transport: transport, Timeout: answerTime}, Now: c.env.now,
		Grants: func(ctx context.Context, groups []string) ([]account.Following, error) {
			return x.following(ctx, o.Groups, groups)
		}})
}

// following returns the appointments that follow from groups. One for what the organisation does not have today is left out.
func (x *rooms) following(ctx context.Context, known []groupConfig, groups []string) (all []account.Following, err error) {
	for _, g := range known {
		if !slices.Contains(groups, g.Group) {
			continue
		}
		f := account.Following{Group: g.Group, Grant: account.Grant{Role: account.Role(g.Role), Scope: g.Scope, Area: g.Area}}
		if r := f.Role.Scope(); r == account.InArea {
			f.Scope = g.Area
		} else {
			area, ok, err := x.areaOf(ctx, r, g.Scope)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			f.Area = area
		}
		all = append(all, f)
	}
	return all, nil
}
