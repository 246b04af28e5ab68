package figures_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
)

// TestInABrowser looks at the page with axe at three widths, as an office and as a hall, and goes from area to window as people do.
func TestInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t)
	w.fill()
	server := webtest.Serve(t, w.site, w.SignIn(w.Add(webtest.Grant(account.City, city, city))))
	look := func(name string) { t.Helper(); axe.Look(t, ctx, script, "figures-"+name) }
	do := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	do("city", chromedp.Navigate(server.URL+"/figures"+january), chromedp.WaitVisible(chromedp.CSS(".bar svg")))
	look("city")
	do("deeper", chromedp.Click(chromedp.CSS(`a[href*="area=629901000000"]`)),
		chromedp.WaitVisible(chromedp.CSS(`input[name=area][value="629901000000"]`)))
	do("definitions", chromedp.Navigate(server.URL+"/figures"+january+"&by=staff&hall=SL-H1"),
		chromedp.Click(chromedp.CSS("details.card summary")), chromedp.WaitVisible(chromedp.CSS("dl.facts")))
	look("staff")
	drawn, err := chromedp.Run(ctx, chromedp.Evaluate[int](`[...document.querySelectorAll(".bar svg rect")].filter(r => `+
		`r.getBoundingClientRect().width > 0).length`))
	if err != nil || drawn < 5 {
		t.Errorf("%d pieces of bars are drawn, %v", drawn, err)
	}
	w.praised()
	do("signs", chromedp.Navigate(server.URL+"/figures"+january+"&by=window"), chromedp.WaitVisible(chromedp.CSS("section .list")))
	look("signs")
	do("subscribe", chromedp.Click(chromedp.CSS(`button[name=every][value=month]`)), chromedp.WaitVisible(chromedp.CSS("table.stack")))
	look("subscriptions")
	do("problem", chromedp.Navigate(server.URL+"/figures?from=2026-02-01&to=2026-01-01"), chromedp.WaitVisible(chromedp.CSS(".problem")))
	look("problem")
	do("empty", chromedp.Navigate(server.URL+"/figures?from=2024-02-01&to=2024-02-01"), chromedp.WaitVisible(chromedp.CSS(".empty")))
	look("empty")
	server.As(w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", city))))
	do("hall", chromedp.Navigate(server.URL+"/figures"), chromedp.WaitVisible(chromedp.CSS(".bar svg")))
	look("hall")
}
