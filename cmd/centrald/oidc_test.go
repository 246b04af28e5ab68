package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/provider"
)

// TestProviderOfTheConfiguration signs somebody in at a real provider, by the configuration's groups: one of a hall, which lies where the
// organisation says, and one of a hall that there is not.
func TestProviderOfTheConfiguration(t *testing.T) {
	p, err := provider.Start("http://localhost/signin/provider/back")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(provider.Secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	x, site := pagesWith(t, "[admin.oidc]\nissuer = '"+p.Issuer+"'\nclient_id = '"+provider.ClientID+"'\nclient_secret_file = '"+secret+"'\n"+
		"groups = [{group = 'h2', role = 'hall', scope = 'SL-H2'}, {group = 'h9', role = 'hall', scope = 'SL-H9'}, {group = 'city', role = "+
		"'city', area = '629900000000'}]\n")
	directorytest.Enter(t, x.directory, "../ratingctl/organisation.csv")
	p.Set(provider.Person{ID: "7", Login: "wang.min", Name: "王敏", Groups: []string{"h2", "h9", "more"}})
	away := webtest.Do(site, webtest.Request("GET", "/signin/provider", "", nil))
	back, err := p.SignIn(away.Header().Get("Location"), "wang.min")
	if err != nil {
		t.Fatal(err)
	}
	r := webtest.Request("GET", strings.TrimPrefix(back, "http://localhost"), "", nil)
	for _, k := range away.Result().Cookies() {
		r.AddCookie(k)
	}
	in := webtest.Do(site, r)
	if in.Code != http.StatusSeeOther {
		t.Fatalf("signing in: %d %s", in.Code, in.Body)
	}
	for _, k := range in.Result().Cookies() {
		if k.Name != "hcp" {
			continue
		}
		person, _, err := x.people.Session(t.Context(), k.Value, true)
		if err != nil || len(person.Grants) != 1 || person.Grants[0].Role != account.Hall || person.Grants[0].Area != "629901000000" {
			t.Errorf("the person is %+v, %v", person, err)
		}
		return
	}
	t.Error("nobody is signed in")
}
