package evaluations_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/rating"
)

// TestInABrowser looks at each page with axe at three widths, searches, and looks at a text and at a contact as people do.
func TestInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t)
	w.fill()
	server := webtest.Serve(t, w.site, w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000"))))
	look := func(name string) { t.Helper(); axe.Look(t, ctx, script, "evaluations-"+name) }
	do := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	written, told := w.given[0], w.given[0]
	for _, x := range w.given {
		if x.text != "" && x.window == "SL-H1-A12" {
			written = x
		}
		if x.project == "P000020" {
			told = x
		}
	}
	address := func(x given) string { return server.URL + "/evaluations/of/" + strconv.FormatInt(x.id, 10) }
	do("list", chromedp.Navigate(server.URL+"/evaluations?from=2026-03-02"))
	look("list")
	do("further", chromedp.Navigate(server.URL+"/evaluations?text=1&from=2026-02-25"))
	look("filtered")
	do("search", chromedp.Navigate(server.URL+"/evaluations"), chromedp.SendKeys(chromedp.CSS("#hall"), "SL-H9"),
		chromedp.Click(chromedp.CSS("form.filter button")),
		chromedp.WaitVisible(chromedp.CSS(".empty")))
	look("empty")
	do("problem", chromedp.Navigate(server.URL+"/evaluations?area=x"), chromedp.WaitVisible(chromedp.CSS(".problem")))
	look("problem")
	do("nobody's", chromedp.Navigate(server.URL+"/evaluations/of/1"), chromedp.WaitVisible(chromedp.CSS(".state")))
	look("not-there")
	do("one", chromedp.Navigate(address(written)), chromedp.WaitVisible(chromedp.CSS("#why-text")))
	look("one")
	do("text", chromedp.SendKeys(chromedp.CSS("#why-text"), "核对投诉 2026-031"), chromedp.Click(chromedp.CSS(`form[action$="/text"] button`)),
		chromedp.WaitVisible(chromedp.CSS("blockquote")))
	look("text")
	do("contact", chromedp.Navigate(address(told)), chromedp.SendKeys(chromedp.CSS("#why-who"), "回访差评 2026-007"),
		chromedp.Click(chromedp.CSS(`form[action$="/identity"] button`)),
		chromedp.WaitNotPresent(chromedp.CSS("#why-who")))
	look("contact")
	number, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main").textContent.match(/139\d{8}/)[0]`))
	if err != nil || number != "13900000031" {
		t.Errorf("the page shows %q as the contact, %v", number, err)
	}
	do("texts", chromedp.Navigate(server.URL+"/evaluations/texts?from=2026-02-05&to=2026-03-02"), chromedp.SendKeys(chromedp.CSS("#q"), "太久"),
		chromedp.SendKeys(chromedp.CSS("#reason"), "汇总二月的意见"), chromedp.Click(chromedp.CSS("form.filter button")),
		chromedp.WaitVisible(chromedp.CSS(".texts")))
	look("texts")
	do("home", chromedp.Navigate(server.URL+"/"), chromedp.WaitVisible(chromedp.CSS(".needs")))
	look("home")
	at := rating.Window{ID: "SL-H1-A07", Name: "户政7号窗口", Hall: "大厅", Area: "629900000000", Generation: 1}
	desk := newBox("sl-desk")
	w.serve(desk, at)
	day := directory.Date(2026, 1, 12).Start().Add(10 * time.Hour)
	w.served(desk, at, "SL-0001", 25, day, day)
	w.follow()
	server.As(w.SignIn(w.Add(webtest.Grant(account.Staff, "SL-0001", "629900000000"))))
	do("own", chromedp.Navigate(server.URL+"/figures/own"), chromedp.WaitVisible(chromedp.CSS("table")))
	look("own")
}
