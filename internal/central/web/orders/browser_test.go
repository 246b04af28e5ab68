package orders_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/rating"
)

// TestInABrowser works on an order in a browser, which enforces the pages' Content-Security-Policy, and looks at each page with axe at
// three widths.
func TestInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	w := newWorld(t)
	w.rate(t, rating.CaseFact{Unit: labour, TaskName: "社会保障卡申领、启用、补领、换领"})
	w.Pass(48 * time.Hour)
	page := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"}, rating.CaseFact{TaskName: "户口迁移"})[0]
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	server := webtest.Serve(t, w.site, unit)
	do := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	look := func(name string) { t.Helper(); axe.Look(t, ctx, script, "orders-"+name) }
	// form opens the form of a deed and sends it.
	form := func(deed rectify.Deed, words string) {
		t.Helper()
		id := "#words-" + string(deed)
		do(string(deed), chromedp.Navigate(server.URL+page),
			chromedp.Click(chromedp.CSS(`details:has(`+id+`) summary`)), chromedp.WaitVisible(chromedp.CSS(id)),
			chromedp.SendKeys(chromedp.CSS(id), words))
		if deed == rectify.Reply {
			look("form")
		}
		do(string(deed), chromedp.Click(chromedp.CSS(`details:has(`+id+`) button`)),
			chromedp.WaitNotPresent(chromedp.CSS(id)), chromedp.WaitVisible(chromedp.CSS(".steps"))) // what was done is not offered again
	}
	form(rectify.Verify, "调取取号记录：当日等候 110 分钟，窗口只开一个。")
	form(rectify.Plan, "列入台账")
	form(rectify.Reply, "自 12 月起上午增开一个身份证窗口，取号屏显示预计等候时间。")
	do("one", chromedp.Navigate(server.URL+page))
	look("one")
	server.As(office)
	for name, path := range map[string]string{"office": page, "list": "/orders"} {
		do(name, chromedp.Navigate(server.URL+path))
		look(name)
	}
	w.Pass(7 * 24 * time.Hour)
	office = w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	complaint := orderOf(t, w.complain(t, office, "number", "12345-2027-000731"))
	clue := w.complain(t, office, "retaliation", "1")
	if clue.Code != 200 {
		t.Fatalf("a clue: %d %s", clue.Code, clue.Body)
	}
	server.As(office)
	for name, path := range map[string]string{"board": "/orders/board", "search": "/orders/search?late=1", "contacts": "/orders/contacts",
		"complain":  "/complaints",
		"complaint": complaint} {
		do(name, chromedp.Navigate(server.URL+path))
		look(name)
	}
	do("urge", chromedp.Navigate(server.URL+"/orders/search?late=1"), chromedp.SendKeys(chromedp.CSS("#words"), "请今天联系评价人"),
		chromedp.Click(chromedp.CSS(`form[action="/orders/urge"] button`)), chromedp.WaitVisible(chromedp.CSS(".notice")))
	look("urged")
	do("a reason", chromedp.Navigate(server.URL+complaint), chromedp.SendKeys(chromedp.CSS("#why-words"), "核实投诉"),
		chromedp.Click(chromedp.CSS(`form[action$="/words"] button`)), chromedp.WaitVisible(chromedp.CSS("blockquote")))
	look("words")
	server.As(w.SignIn(w.Add(webtest.Grant(account.Inspector, city, city))))
	do("clues", chromedp.Navigate(server.URL+"/clues"))
	look("clues")
	do("a clue", chromedp.Click(chromedp.CSS("td a")), chromedp.WaitVisible(chromedp.CSS("#why-clue")),
		chromedp.SendKeys(chromedp.CSS("#why-clue"), "核实线索"),
		chromedp.Click(chromedp.CSS(`form[action$="/look"] button`)), chromedp.WaitVisible(chromedp.CSS("blockquote")))
	look("clue")
	server.As(w.SignIn(w.Add(webtest.Grant(account.County, county, county))))
	do("empty", chromedp.Navigate(server.URL+"/orders"))
	look("empty")
}
