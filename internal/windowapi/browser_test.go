package windowapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"haochaping/internal/proof/chromium"
)

// What a page of the business system does: it opens a visit and follows the window, by fetch alone.
const pageScript = `(async () => {
  const headers = { Authorization: "Bearer %s", "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
  const events = await fetch("%[2]s/v1/events", { headers: { Authorization: headers.Authorization } });
  const opened = await fetch("%[2]s/v1/visits", { method: "POST", headers, body: "{}" });
  const visit = (await opened.json()).id;
  const cancelled = await fetch("%[2]s" + opened.headers.get("Location"), { method: "DELETE", headers });
  const reader = events.body.pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  while (!seen.includes('"outcome":"cancelled"')) seen += (await reader.read()).value;
  return [opened.status, cancelled.status, seen.includes(visit)].join(" ");
})().catch(e => "refused: " + e.message)`

// TestPagesInABrowser lets a real browser decide what a page may do: one of an origin that is configured, and a stranger's.
func TestPagesInABrowser(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!doctype html><title>page</title>")
	})
	known, stranger := httptest.NewServer(page), httptest.NewServer(page)
	defer known.Close()
	defer stranger.Close()
	c := newContract(t, func(c *Config) {
		c.Origins = []string{known.URL}
		c.LoopbackWithoutToken = true // what a stranger's page needs no secret for
	})
	ctx := chromium.Start(t)
	run := func(origin, token string) string {
		t.Helper()
		err := chromedp.Do(ctx, chromedp.Navigate(origin))
		v := ""
		if err == nil {
			v, err = chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(pageScript, token, c.server.URL), chromedp.EvalAwaitPromise))
		}
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if got := run(known.URL, c.token); got != "201 204 true" {
		t.Errorf("the business system's page got %s", got)
	}
	visits := func() int {
		c.terminal.mu.Lock()
		defer c.terminal.mu.Unlock()
		return len(c.terminal.opened)
	}
	opened := visits()
	if got := run(stranger.URL, c.token); !strings.HasPrefix(got, "refused") {
		t.Errorf("a stranger's page got %s", got)
	}
	// What needs no preflight arrives, and is refused by the box itself.
	simple := fmt.Sprintf(`fetch("%s/v1/visits", {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: `+
		`"{}"}).then(r => r.type, e => "refused: " + e.message)`, c.server.URL)
	if got, err := chromedp.Run(ctx, chromedp.Evaluate[string](simple, chromedp.EvalAwaitPromise)); err != nil || got != "opaque" {
		t.Errorf("a stranger's simple request: %s, %v", got, err)
	}
	if now := visits(); now != opened {
		t.Errorf("a stranger's page opened %d visits", now-opened)
	}
}
