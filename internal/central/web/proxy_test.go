package web_test

import (
	"net/netip"
	"testing"
	"testing/fstest"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/webtest"
)

// This machine is only who says nothing of others: what a proxy passes on, known or not, is never asked for by this machine, whatever it
// lacks.
func TestThisMachine(t *testing.T) {
	w := webtest.New(t)
	var local, secure bool
	ask := func(c *web.Call) error {
		local, secure = c.Local(), c.Secure()
		return nil
	}
	routes := []web.Route{{Method: "GET", Path: "/who", Public: true, Do: ask},
		{Method: "GET", Path: "/first", Action: account.SeeLive, Before: true, Do: func(*web.Call) error { return nil }}}
	for _, c := range []struct {
		remote, proxies, name, value string
		local, secure                bool
	}{
		{"127.0.0.1:1", "10.0.0.0/8", "", "", true, true},
		{"[::1]:1", "10.0.0.0/8", "", "", true, true},
		{"[::ffff:127.0.0.1]:1", "10.0.0.0/8", "", "", true, true},
		{"198.51.100.9:1", "10.0.0.0/8", "", "", false, false},
		{"127.0.0.1:1", "10.0.0.0/8", "X-Forwarded-For", "198.51.100.9", false, false},
		{"127.0.0.1:1", "10.0.0.0/8", "X-Forwarded-Host", "x", false, false},
		{"127.0.0.1:1", "10.0.0.0/8", "Forwarded", "for=198.51.100.9", false, false},
		{"127.0.0.1:1", "127.0.0.0/8", "", "", false, false},
		{"127.0.0.1:1", "127.0.0.0/8", "X-Forwarded-For", "unknown", false, false},
		{"127.0.0.1:1", "127.0.0.0/8", "X-Forwarded-For", "127.0.0.1", false, false},
		{"127.0.0.1:1", "127.0.0.0/8", "X-Forwarded-Proto", "https", false, true},
		{"10.0.0.1:1", "10.0.0.0/8", "X-Forwarded-For", "127.0.0.1", false, false},
	} {
		cfg := w.Config()
		cfg.Proxies = []netip.Prefix{netip.MustParsePrefix(c.proxies)}
		s, err := web.New(cfg, web.Section{Name: "x", Files: fstest.MapFS{}, Routes: routes})
		if err != nil {
			t.Fatal(err)
		}
		everybody := 503
		if c.local {
			everybody = 200
		}
		for path, want := range map[string]int{"/who": 200, "/first": everybody} {
			r := webtest.Request("GET", path, "", nil)
			r.RemoteAddr = c.remote
			if c.name != "" {
				r.Header.Set(c.name, c.value)
			}
			webtest.Want(t, webtest.Do(s, r), want)
		}
		if local != c.local || secure != c.secure {
			t.Errorf("%+v: this machine %t, secure %t", c, local, secure)
		}
	}
}
