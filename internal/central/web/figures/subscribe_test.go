package figures_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
)

// TestSubscriptions: figures that somebody has subscribed to are told on the home page once a period is over, until they were looked at, to
// nobody else; a hall's stand by month alone.
func TestSubscriptions(t *testing.T) {
	w := newWorld(t)
	w.fill()
	login := w.Add(webtest.Grant(account.City, city, city))
	session := w.SignIn(login)
	other := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	hall := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", city)))
	subscribe := func(session, every, by string) int {
		return webtest.Do(w.site, webtest.Request("POST", "/figures/subscriptions", session, url.Values{"every": {every}, "by": {by},
			"hall": {"SL-H1"}, "from": {"2020-01-01"}})).Code
	}
	look := func(session string) string {
		return regexp.MustCompile(`/figures/subscriptions/look\?n=\d+`).FindString(w.get("/", session).Body.String())
	}
	webtest.Want(t, w.get("/figures"+january, session), 200, "每月告诉我", "每周告诉我")
	if a, b, c, d := subscribe(session, "month", "window"), subscribe(session, "month", "window"), subscribe(session, "year", "window"),
		subscribe(hall, "week", "window"); a != 303 || b != 303 || c != 422 || d != 422 {
		t.Fatalf("subscribed: %d, again %d; refused: %d %d", a, b, c, d)
	}
	webtest.Want(t, w.get("/figures/subscriptions", session), 200, "每月", "2026-01-01 至 2026-01-31", "1 项")
	webtest.Want(t, w.get("/", session), 200, "统计已出（每月）")
	path := look(session)
	if look(other) != "" || w.get(path, other).Code != 404 {
		t.Error("what one has subscribed to is another's")
	}
	webtest.Want(t, w.get("/figures/subscriptions/look", session), 200, "1 项")
	got := w.get(path, session)
	to := got.Header().Get("Location")
	if got.Code != 303 || !strings.Contains(to, "hall=SL-H1") || !strings.Contains(to, "from=2026-01-01&to=2026-01-31") {
		t.Fatalf("it leads to %d %q", got.Code, to)
	}
	webtest.Want(t, w.get(to, session), 200, "户政7号窗口")
	if look(session) != "" {
		t.Error("what was looked at is told again")
	}
	w.Pass(31 * 24 * time.Hour)
	session = w.SignIn(login)
	path = look(session)
	if got := w.get(path, session).Header().Get("Location"); path == "" || !strings.Contains(got, "from=2026-02-01&to=2026-02-28") {
		t.Errorf("a month later: %q, %q", path, got)
	}
	n := regexp.MustCompile(`\d+$`).FindString(path)
	other = w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	choose := func(session string, form url.Values) int {
		form.Set("n", n)
		return webtest.Do(w.site, webtest.Request("POST", "/figures/subscriptions/way", session, form)).Code
	}
	for _, c := range []struct {
		form    url.Values
		session string
		want    int
	}{{url.Values{"way": {"mail"}, "address": {"wang@example.com"}}, session, 422}, {url.Values{"way": {"pigeon"}}, session, 422},
		{url.Values{"way": {"webhook"}}, other, 404}, {url.Values{"way": {"webhook"}}, session, 303},
		{url.Values{"way": {"mail"}, "address": {"wang@example.gov.cn"}}, session, 303}} {
		if got := choose(c.session, c.form); got != c.want {
			t.Errorf("%v: %d, want %d", c.form, got, c.want)
		}
	}
	webtest.Want(t, w.get("/figures/subscriptions", session), 200, `value="mail" selected`, `value="wang@example.gov.cn"`)
	drop := webtest.Request("POST", "/figures/subscriptions/drop", session, url.Values{"n": {n}})
	if got := webtest.Do(w.site, drop); got.Code != 303 {
		t.Errorf("dropped: %d", got.Code)
	}
	webtest.Want(t, w.get("/figures/subscriptions", session), 200, "还没有订阅")
}
