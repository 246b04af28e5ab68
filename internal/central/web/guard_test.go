package web_test

import (
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/webtest"
)

// A page without a line in docs/roles.md cannot be registered, nor one that is for everybody and for some.
func TestARouteNeedsARule(t *testing.T) {
	w := webtest.New(t)
	nothing := func(*web.Call) error { return nil }
	for what, r := range map[string]web.Route{
		"no action":        {Method: "GET", Path: "/x", Do: nothing},
		"an unknown one":   {Method: "GET", Path: "/x", Action: "evaluation.guess", Do: nothing},
		"public and ruled": {Method: "GET", Path: "/x", Action: account.SeeLive, Public: true, Do: nothing},
		"nothing to do":    {Method: "GET", Path: "/x", Action: account.SeeLive},
	} {
		if _, err := web.New(w.Config(), web.Section{Name: "x", Files: fstest.MapFS{}, Routes: []web.Route{r}}); err == nil {
			t.Errorf("%s: the route is registered", what)
		}
	}
	ruled := web.Route{Method: "GET", Path: "/x", Action: account.SeeLive, Do: nothing}
	if _, err := web.New(w.Config(), web.Section{Name: "x", Files: fstest.MapFS{}, Routes: []web.Route{ruled}}); err != nil {
		t.Error(err)
	}
}

// Every answer, also a refusal and a file, says how a browser has to treat it, and none lets another site read it.
func TestHeaders(t *testing.T) {
	w := webtest.New(t)
	s := w.Site()
	person := w.SignIn(w.Add(webtest.Grant(account.City, "620100000000", "620100000000")))
	for path, status := range map[string]int{"/": 200, "/nothing": 404, "/assets/frame/style.css": 200} {
		r := webtest.Request(http.MethodGet, path, person, nil)
		r.Header.Set("Origin", "https://evil.example.com")
		got := webtest.Do(s, r)
		webtest.Want(t, got, status)
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": ""} {
			if h := got.Header().Get(name); h != want {
				t.Errorf("%s: %s is %q, want %q", path, name, h, want)
			}
		}
		csp := got.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "base-uri 'none'", "form-action 'self'",
			"frame-ancestors http://127.0.0.1:8400"} {
			if !strings.Contains(csp, want) || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: the policy lacks %q: %s", path, want, csp)
			}
		}
	}
	alone := w.Config()
	alone.FrameAncestors = nil
	site, err := web.New(alone)
	if err != nil {
		t.Fatal(err)
	}
	got := webtest.Do(site, webtest.Request(http.MethodGet, "/", person, nil))
	if csp := got.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("without configured origins the policy is %s", csp)
	}
}

// A template escapes what stands behind a question mark as one value: a whole query there would be lost. Addresses are built as a whole,
// with printf.
func TestNoQueryIsEscapedAsAValue(t *testing.T) {
	lost, pages := regexp.MustCompile(`(href|src|action|formaction)="[^"{]*(\?|&|&amp;)\{\{`), 0
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".html") {
			return err
		}
		pages++
		text, err := os.ReadFile(path)
		if at := lost.Find(text); at != nil {
			t.Errorf("%s: %s", path, at)
		}
		return err
	})
	if err != nil || pages < 20 {
		t.Errorf("%d pages, %v", pages, err)
	}
}
