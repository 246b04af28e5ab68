package live

import (
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/books"
	"haochaping/internal/proof/chromium"
)

// The page shows what comes in without a reload, and marks it. The browser enforces the page's Content-Security-Policy.
func TestLiveInABrowser(t *testing.T) {
	m := newMemory()
	m.entries = []books.Entry{entry(1)}
	server := httptest.NewServer(newPage(t, m))
	t.Cleanup(server.Close) // after the tab, whose live connection would hold it up
	ctx := chromium.Start(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/live"), chromedp.WaitVisible(chromedp.CSS(`#mark.on`))); err != nil {
		t.Fatal(err)
	}
	second := entry(2)
	second.Text = `<b id="injected">x</b>`
	m.add(second)
	if err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS(`tr.new[data-cursor="2"]`))); err != nil {
		t.Fatal(err)
	}
	marked, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll("tr.new").length * 10 + `+
		`document.querySelectorAll("#injected").length`))
	if err != nil {
		t.Fatal(err)
	}
	if marked != 10 {
		t.Errorf("new rows and injected elements = %d, want 10: one new row, nothing injected", marked)
	}
}
