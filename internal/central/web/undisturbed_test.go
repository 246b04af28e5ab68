package web_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/webtest"
)

// TestUndisturbed: what has begun goes on though the browser is gone, and what comes after it is the request's again.
func TestUndisturbed(t *testing.T) {
	w := webtest.New(t)
	ctx, gone := context.WithCancel(t.Context())
	var during, after error
	deed := web.Route{Method: "POST", Path: "/deed", Action: account.UseOwn, Object: web.Own, Do: func(c *web.Call) error {
		end := c.Undisturbed()
		during = c.R.Context().Err()
		gone()
		during = errors.Join(during, c.R.Context().Err())
		end()
		after = c.R.Context().Err()
		return web.ErrNotFound
	}}
	r := webtest.Request("POST", "/deed", w.SignIn(w.Add()), nil).WithContext(ctx)
	webtest.Do(w.Site(web.Section{Name: "x", Files: fstest.MapFS{}, Routes: []web.Route{deed}}), r)
	if during != nil || !errors.Is(after, context.Canceled) {
		t.Errorf("while it is done: %v, afterwards: %v", during, after)
	}
	again := web.Route{Method: "POST", Path: "/deed", Action: account.UseOwn, Object: web.Own, Do: func(c *web.Call) error {
		c.Undisturbed()()
		after = c.R.Context().Err()
		return web.ErrNotFound
	}}
	webtest.Do(w.Site(web.Section{Name: "x", Files: fstest.MapFS{}, Routes: []web.Route{again}}),
		webtest.Request("POST", "/deed", w.SignIn(w.Add()), nil))
	if after != nil {
		t.Errorf("a browser that is still there reads nothing any more: %v", after)
	}
}
