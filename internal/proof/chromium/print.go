package chromium

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// sheet is how many pixels of CSS are between the margins of a sheet of A4.
const sheet = 718

// CheckPrint reports what of the page that the tab shows would be cut off on paper, and what is of no use there. It keeps the sheets where
// HCP_SCREENSHOTS says.
func CheckPrint(t *testing.T, ctx context.Context, page string) {
	t.Helper()
	media := func(name string) chromedp.Action[chromedp.Void] {
		return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: name})
			return err
		})
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(sheet, 1000), media("print")); err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	const look = `(() => { const wrong = [];
		for (const e of document.querySelectorAll("main *")) {
			const r = e.getBoundingClientRect();
			const looks = getComputedStyle(e), begins = e.outerHTML.slice(0, 120);
			if (r.height > 1000 && looks.breakInside === "avoid") wrong.push("longer than a sheet, and kept together: " + begins);
			if (r.width && r.right > document.documentElement.clientWidth + 1 && looks.visibility !== "hidden") wrong.push("cut off: " + begins);
		}
		for (const e of document.querySelectorAll("nav.menu, form, .skip, .pager, .actions"))
			if (e.getClientRects().length) wrong.push("printed: " + e.outerHTML.slice(0, 120));
		return wrong.slice(0, 5).join("\n"); })()`
	wrong, err := chromedp.Run(ctx, chromedp.Evaluate[string](look))
	if err != nil || wrong != "" {
		t.Errorf("%s on paper: %v\n%s", page, err, wrong)
	}
	if err := chromedp.Do(ctx, media(""), sheets(page)); err != nil {
		t.Fatalf("%s: %v", page, err)
	}
}

// sheets writes the page as it prints to the folder that HCP_SCREENSHOTS names.
func sheets(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		dir := os.Getenv("HCP_SCREENSHOTS")
		if dir == "" {
			return nil
		}
		pdf, err := chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4))(ctx, target)
		if err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return os.WriteFile(filepath.Join(dir, name+".pdf"), pdf, 0o600)
	})
}
