package people_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/chromium"
)

// TestWhatTakesAMoment asks for a page that does not come yet: the one that is there says so and sends nothing twice; one that asks for a
// file stays as it is.
func TestWhatTakesAMoment(t *testing.T) {
	ctx := chromium.Start(t)
	w, site := world(t)
	come := make(chan struct{})
	slow := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "q=slow") {
			select {
			case <-come:
			case <-r.Context().Done():
			}
		}
		site.ServeHTTP(out, r)
	})
	server := webtest.Serve(t, slow, w.SignIn(w.Add(webtest.Grant(account.Auditor, "620000000000", "620000000000"))))
	state := func() string {
		t.Helper()
		said, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".working").textContent + " " +
			document.querySelector("main form button").disabled`))
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	becomes := func(what, want string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); state() != want; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the page says %q, want %q", what, state(), want)
			}
		}
	}
	err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/audit"), chromedp.WaitVisible(chromedp.CSS("#q")),
		chromedp.SendKeys(chromedp.CSS("#q"), "none"), chromedp.Click(chromedp.CSS(`button[formaction]`)))
	if err != nil {
		t.Fatal(err)
	}
	if got := state(); got != " false" {
		t.Errorf("a file is asked for, and the page says %q", got)
	}
	// A click of chromedp would wait for the page that does not come.
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.querySelector("#q").value = "slow",
		document.querySelector("main form button").click(), true`)); err != nil {
		t.Fatal(err)
	}
	becomes("what was asked for does not come", "正在处理，请稍候…… true")
	close(come)
	if err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS(".empty"))); err != nil {
		t.Fatal(err)
	}
	becomes("it has come", " false")
}
