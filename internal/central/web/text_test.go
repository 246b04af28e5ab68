package web_test

import (
	"bytes"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/webtest"
)

// TestWhatIsNoText: no page and no program's address gets a NUL or broken UTF-8, of which a database would make an outage.
func TestWhatIsNoText(t *testing.T) {
	w := webtest.New(t)
	var got string
	ask := func(c *web.Call) error {
		got = c.R.PathValue("name") + c.R.FormValue("code")
		return c.JSON("done")
	}
	object := func(c *web.Call) (account.Object, error) {
		if name := c.R.PathValue("name"); strings.Contains(name, "\x00") || strings.Contains(name, "\xff") {
			t.Error("the object is looked for by what is no text")
		}
		return account.Object{Area: "620000000000"}, nil
	}
	upload := func(c *web.Call) error {
		b, err := io.ReadAll(c.R.Body)
		got = string(b)
		if err != nil {
			return err
		}
		return c.JSON("done")
	}
	s := w.Site(web.Section{Name: "x", Files: fstest.MapFS{}, Routes: []web.Route{
		{Method: "GET", Path: "/open", Public: true, Do: ask},
		{Method: "POST", Path: "/open", Public: true, Do: ask},
		{Method: "GET", Path: "/of/{name}", Action: account.SeeBoxes, Object: object, Do: ask},
		{Method: "POST", Path: "/of/{name}", Action: account.SeeBoxes, Object: object, Do: ask},
		{Method: "GET", Path: "/api/v1/list", Action: account.SeeBoxes, Do: ask},
		{Method: "POST", Path: "/upload", Action: account.SeeBoxes, Do: upload, MaxBody: 1 << 20},
		{Method: "POST", Path: "/raw", Action: account.SeeBoxes, Do: upload},
		{Method: "POST", Path: "/api/v1/list", Action: account.SeeBoxes, Do: func(c *web.Call) error {
			var v struct{ Name string }
			if err := c.Body(&v); err != nil {
				return err
			}
			return c.JSON("done")
		}},
	}})
	me := w.SignIn(w.Add(webtest.Grant(account.Province, "620000000000", "620000000000")))
	for _, x := range []struct {
		method, path, session string
		form                  url.Values
		status                int
		says                  string
	}{
		{"GET", "/open?code=%E7%A0%81", "", nil, 200, "码"},
		{"GET", "/open?code=%00", "", nil, 400, "no text"},
		{"GET", "/open?code=a&code=%ff", "", nil, 400, "no text"},
		{"GET", "/open?code=%e7&code=%a0%81", "", nil, 400, "no text"},
		{"GET", "/open?%00=a", "", nil, 400, "no text"},
		{"POST", "/open", "", url.Values{"code": {"码"}}, 200, "码"},
		{"POST", "/open", "", url.Values{"code": {"a\x00"}}, 400, "no text"},
		{"POST", "/open?code=%00", "", url.Values{}, 400, "no text"},
		{"POST", "/open", "", url.Values{"code": {strings.Repeat("x", 70<<10)}}, 413, "too large"},
		{"GET", "/of/b?code=c", me, nil, 200, "bc"},
		{"GET", "/of/%00", me, nil, 404, ""},
		{"GET", "/of/%ff", me, nil, 404, ""},
		{"GET", "/of/b?code=%ff", me, nil, 400, "no text"},
		{"GET", "/of/b?code=%00", "", nil, 303, ""},
		{"POST", "/of/b", me, url.Values{"code": {"\xff"}}, 400, "no text"},
		{"GET", "/api/v1/list?cursor=%00", me, nil, 400, `"code": "invalid"`},
		{"GET", "/api/v1/list?cursor=%c3", me, nil, 400, `"code": "invalid"`},
		{"POST", "/upload", me, url.Values{"code": {"c"}}, 200, "code=c"},
	} {
		got = ""
		answer := webtest.Do(s, webtest.Request(x.method, x.path, x.session, x.form))
		if answer.Code != x.status || !strings.Contains(got+answer.Body.String(), x.says) {
			t.Errorf("%s %s: %d %q, want %d %s", x.method, x.path, answer.Code, got+answer.Body.String(), x.status, x.says)
		}
	}
	send := func(path, kind, body string, status int) {
		t.Helper()
		r := webtest.Request("POST", path, me, nil)
		r.Header.Set("Content-Type", kind)
		r.Body = io.NopCloser(strings.NewReader(body))
		if answer := webtest.Do(s, r); answer.Code != status {
			t.Errorf("%s %q: %d %q, want %d", path, body, answer.Code, answer.Body.String(), status)
		}
	}
	const parts = "--x\r\nContent-Disposition: form-data; name=\"code\"\r\n\r\n%s\r\n--x--\r\n"
	send("/open", "multipart/form-data; boundary=x", strings.Replace(parts, "%s", "码", 1), 200)
	send("/open", "multipart/form-data; boundary=x", strings.Replace(parts, "%s", "a\x00", 1), 400)
	send("/of/b", "multipart/form-data; boundary=x", strings.Replace(parts, "%s", "\xff", 1), 400)
	for body, status := range map[string]int{
		`{"Name":"码"}`: 200, `{"Name":"a\u0000"}`: 400, `{"Name":"a\\u0000"}`: 200, `{"Name":"a\\\u0000"}`: 400, "{\"Name\":\"\xff\"}": 400,
		"{\"Name\":\"\x00\"}": 400,
	} {
		send("/api/v1/list", "application/json", body, status)
	}
	r := webtest.Request("POST", "/raw", me, nil)
	r.Header.Set("Content-Type", "application/octet-stream")
	r.Body = io.NopCloser(bytes.NewReader([]byte("a\x00\xff")))
	if answer := webtest.Do(s, r); answer.Code != 200 || got != "a\x00\xff" {
		t.Errorf("a file: %d %q", answer.Code, got)
	}
}
