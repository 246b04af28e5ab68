// Package axe asks axe-core whether people with a screen reader, a keyboard or weak eyes can use a page.
package axe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/proof/chromium"
	"haochaping/internal/proof/testkit"
)

// Script returns axe-core, which "make descriptions" installs. Without it the test is skipped, and fails where CI is set.
func Script(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Module(), ".ci/npm/node_modules/axe-core/axe.min.js"))
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("axe-core is missing: make descriptions")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Check reports each finding on the page that the tab shows, and a page that is wider than its window.
func Check(t *testing.T, ctx context.Context, script, page string) {
	t.Helper()
	const run = `;window.axeSays = ""; axe.run().then(r => { window.axeSays = "done" + r.violations.map(v =>
		"\n" + v.id + " (" + v.impact + "): " + v.help + v.nodes.map(n => "\n  " + n.html + "\n  " + n.failureSummary).join("")).join("") },
		e => { window.axeSays = "done\n" + e }); 1`
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[int](script+run)); err != nil {
		t.Fatalf("%s: start axe: %v", page, err)
	}
	said := ""
	for end := time.Now().Add(time.Minute); !strings.HasPrefix(said, "done"); time.Sleep(20 * time.Millisecond) {
		var err error
		if said, err = chromedp.Run(ctx, chromedp.Evaluate[string]("window.axeSays")); err != nil {
			t.Fatalf("%s: ask axe: %v", page, err)
		}
		if time.Now().After(end) {
			t.Fatalf("%s: axe has not ended", page)
		}
	}
	if found := strings.TrimPrefix(said, "done"); found != "" {
		t.Errorf("%s: axe finds%s", page, found)
	}
	over, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil || over > 0 {
		t.Errorf("%s: the page is %d pixels wider than its window, %v", page, over, err)
	}
}

// Widths are those of a phone, a tablet and a desk.
func Widths() []int64 { return []int64{360, 768, 1280} }

// Look asks axe about the page that the tab shows at each width, and looks at how it prints. It keeps pictures where HCP_SCREENSHOTS says.
func Look(t *testing.T, ctx context.Context, script, page string) {
	t.Helper()
	for _, w := range Widths() {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(w, 800), chromium.Screenshot(fmt.Sprintf("%s-%d", page, w))); err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		Check(t, ctx, script, fmt.Sprintf("%s at %d", page, w))
	}
	chromium.CheckPrint(t, ctx, page)
}
