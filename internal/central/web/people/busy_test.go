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
		said, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState !== "complete" ? "still loading" :
			document.querySelector(".working").textContent + " " + document.querySelector("main form button").disabled +
			(document.querySelector(".empty") ? " empty" : "")`))
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/audit"), chromedp.WaitVisible(chromedp.CSS("#q")),
		chromedp.SendKeys(chromedp.CSS("#q"), "none"), chromedp.Click(chromedp.CSS(`button[formaction]`)))
	if err != nil {
		t.Fatal(err)
	}
	if got := state(); got != " false" {
		t.Errorf("a file is asked for, and the page says %q", got)
	}
	// Asked in one go: chromedp waits for the page that does not come, in a click as in a question that begins after it.
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`new Promise(seen => {
		const button = document.querySelector("main form button"), working = document.querySelector(".working");
		document.querySelector("#q").value = "slow";
		button.click();
		let looks = 0;
		const timer = setInterval(() => {
			if (!working.textContent && ++looks < 500) return;
			clearInterval(timer);
			seen(working.textContent + " " + button.disabled);
		}, 20);
	})`, chromedp.EvalAwaitPromise))
	if err != nil || got != "正在处理，请稍候…… true" {
		t.Fatalf("what was asked for does not come, and the page says %q, %v", got, err)
	}
	close(come)
	for end := time.Now().Add(time.Minute); state() != " false empty"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it has come, and the page says %q", state())
		}
	}
}
