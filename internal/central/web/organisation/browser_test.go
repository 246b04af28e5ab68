package organisation_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
)

// Somebody imports a file in a browser, which enforces the pages' Content-Security-Policy, and looks at each page with axe at three widths.
func TestInABrowser(t *testing.T) {
	ctx := chromium.Start(t)
	w := newWorld(t)
	script := axe.Script(t)
	server := webtest.Serve(t, w.site, w.city)
	file := filepath.Join(t.TempDir(), "x.csv")
	text := "类别,编号,名称,生效日期,所属单位,大厅\n窗口,SL-H2-B01,综合办理1号窗口,2026-02-01,,SL-H2\n窗口,SL-H2-B05,5号窗口,2026-02-01,,SL-H2\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(name string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	look := func(name string) { t.Helper(); axe.Look(t, ctx, script, "organisation-"+name) }
	for name, path := range map[string]string{"halls": "?kind=hall", "units": "?kind=unit", "staff": "?kind=staff", "hall": "/of/hall/SL-H2",
		"new": "/new/unit", "empty": "?kind=hall&q=x"} {
		do(name, chromedp.Navigate(server.URL+"/organisation"+path))
		look(name)
	}
	do("import", chromedp.Navigate(server.URL+"/organisation/import"))
	look("import")
	do("choose a file", chromedp.SetUploadFiles(chromedp.CSS(`#file`), []string{file}), chromedp.Click(chromedp.CSS(`form[enctype] button`)),
		chromedp.WaitVisible(chromedp.CSS(`#reason`)))
	look("preview")
	do("confirm", chromedp.SendKeys(chromedp.CSS(`#reason`), "增设窗口"), chromedp.Click(chromedp.CSS(`form[action$=confirm] button`)),
		chromedp.WaitVisible(chromedp.CSS(`form[role=search]`)))
	if _, err := w.directory.At(t.Context(), directory.Window, "SL-H2-B05", directory.Date(2026, 3, 2)); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte(text+"窗口,SL-H2-B06,6号窗口,2026-02-01,,SL-H9\n人员,1,=1+1,2026-02-30,,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	do("refused", chromedp.Navigate(server.URL+"/organisation/import"), chromedp.SetUploadFiles(chromedp.CSS(`#file`), []string{file}),
		chromedp.Click(chromedp.CSS(`form[enctype] button`)),
		chromedp.WaitVisible(chromedp.CSS(`.problem`)))
	look("refused")
}
