package web

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The page shows what comes in without a reload, and marks it. The browser enforces the page's Content-Security-Policy.
func TestLiveInABrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is missing: install the Debian package chromium")
		}
		t.Skip("chromium is missing: install the Debian package chromium")
	}
	m := newMemory()
	m.entries = []Entry{entry(1)}
	server := httptest.NewServer(newPage(t, m))
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir())}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	ctx, closeTab := chromedp.NewContext(ctx)
	defer server.Close() // after the tab, whose live connection would hold it up
	defer closeTab()
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL), chromedp.WaitVisible(chromedp.CSS(`#mark.on`))); err != nil {
		t.Fatal(err)
	}
	second := entry(2)
	second.Text = `<b id="injected">x</b>`
	m.add(second)
	if err := chromedp.Do(ctx, chromedp.WaitVisible(chromedp.CSS(`tr.new[data-cursor="2"]`))); err != nil {
		t.Fatal(err)
	}
	marked, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll("tr.new").length * 10 + document.querySelectorAll("#injected").length`))
	if err != nil {
		t.Fatal(err)
	}
	if marked != 10 {
		t.Errorf("new rows and injected elements = %d, want 10: one new row, nothing injected", marked)
	}
}
