package ratepage

import (
	"context"
	"math"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"haochaping/internal/proof/chromium"
	"haochaping/internal/rating"
)

// css is a selector.
type css = chromedp.CSS

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(shift int) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}

// browser starts a phone-sized Chromium without JavaScript.
func browser(t *testing.T) context.Context {
	t.Helper()
	ctx := chromium.Start(t)
	noScript := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
	if err := chromedp.Do(ctx, noScript, chromedp.EmulateViewport(360, 740, chromedp.EmulateScale(2))); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return ctx
}

func TestRatingInABrowserWithoutScript(t *testing.T) {
	h := newHall(t)
	h.arrived()
	h.books.visit.Visit.Staff.Name = "测试员甲"
	server := httptest.NewServer(h.page)
	defer server.Close()
	ctx := browser(t)
	token := h.sign(t, h.claim())
	err := chromedp.Do(ctx,
		chromedp.Navigate(server.URL+"/R/"+token), chromium.Screenshot("form"),
		chromedp.WaitNotVisible(css(`.question:first-of-type .r2`)), chromedp.WaitNotVisible(css(`#staff-text`)),
		chromedp.Click(css(`label[for=staff-2]`), chromedp.NodeVisible),
		chromedp.Click(css(`.question:first-of-type .r2 summary`), chromedp.NodeVisible),
		chromedp.WaitVisible(css(`.question:first-of-type .r2 .reason`)), chromium.Screenshot("reasons"),
		chromedp.Click(css(`.question:first-of-type .r2 input[value="214"]`), chromedp.NodeVisible),
		chromedp.Click(css(`label[for=matter-4]`), chromedp.NodeVisible),
		chromedp.Click(css(`.question:first-of-type .any summary`), chromedp.NodeVisible),
		chromedp.SendKeys(css(`#staff-text`), "排队\n太久"), chromium.Screenshot("filled"),
		chromedp.Click(css(`button[type=submit]`), chromedp.NodeVisible),
		chromedp.WaitVisible(css(`section.done`)), chromium.Screenshot("thanks"),
		chromedp.Reload(), chromedp.WaitVisible(css(`section.done`)))
	if err != nil {
		t.Fatal(err)
	}
	located, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		t.Fatal(err)
	}
	if located != server.URL+"/R/"+token+"/thanks" {
		t.Errorf("after submitting and reloading the browser is at %s", located)
	}
	if len(h.books.stored) != 2 {
		t.Fatalf("stored = %+v, want two evaluations", h.books.stored)
	}
	staff, matter := h.books.stored[0], h.books.stored[1]
	if staff.Level != 2 || staff.Text != "排队 太久" || len(staff.Reasons) != 1 || matter.Level != 4 || matter.Subject != rating.MatterSubject {
		t.Errorf("stored = %+v", h.books.stored)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/R/"+token), chromedp.WaitVisible(css(`section.notice`)),
		chromium.Screenshot("used")); err != nil {
		t.Fatal(err)
	}
}

// Nothing on the page favours a level: the five tiles are of one size, none is chosen, and the keyboard reaches each.
func TestKeyboardAndSizesInABrowser(t *testing.T) {
	h := newHall(t)
	c := h.claim()
	c.Matter = false
	server := httptest.NewServer(h.page)
	defer server.Close()
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/R/"+h.sign(t, c)), chromium.Screenshot("single")); err != nil {
		t.Fatal(err)
	}
	var sizes [5]*dom.BoxModel
	for i, level := range rating.Levels() {
		var err error
		if sizes[i], err = chromedp.Run(ctx, chromedp.Dimensions(css(`label[for=staff-`+strconv.Itoa(int(level))+`]`))); err != nil {
			t.Fatal(err)
		}
	}
	layout, err := chromedp.Run(ctx, func(ctx context.Context, target *chromedp.Target) (page.GetLayoutMetricsResult, error) {
		return cdp.Call(ctx, target, page.GetLayoutMetrics, cdp.Empty{})
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range sizes {
		if s.Width != sizes[0].Width || s.Height != sizes[0].Height || s.Height < 48 {
			t.Errorf("tile %d is %dx%d, the first is %dx%d; want one size, at least 48 high", i, s.Width, s.Height, sizes[0].Width, sizes[0].Height)
		}
	}
	if layout.CSSContentSize.Width > 360 {
		t.Errorf("the page is %.0f wide, want no scrolling to the side at 360", layout.CSSContentSize.Width)
	}
	// The first tab comes to the radio group, the arrow chooses the next level, and enter submits.
	err = chromedp.Do(ctx, chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.ArrowDown), chromium.Screenshot("keyboard"),
		chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(css(`section.done`)))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.books.stored) != 1 || h.books.stored[0].Level != rating.Satisfied {
		t.Errorf("stored = %+v, want level 4", h.books.stored)
	}
}

// A theme's matters are asked one by one, and only those that were answered are stored.
func TestMattersOneByOneInABrowser(t *testing.T) {
	h := newHall(t)
	h.theme()
	h.books.visit.Visit.Staff.Name = "测试员甲"
	h.books.visit.Visit.Cases[2].TaskName = "企业职工基本养老保险参保登记和社会保险费缴费工资申报"
	server := httptest.NewServer(h.page)
	defer server.Close()
	ctx := browser(t)
	err := chromedp.Do(ctx,
		chromedp.Navigate(server.URL+"/R/"+h.sign(t, h.claim())), chromium.Screenshot("matters"),
		chromedp.Click(css(`label[for=matter2-1]`), chromedp.NodeVisible),
		chromedp.WaitVisible(css(`.question:nth-of-type(3) .r1`)), chromedp.WaitNotVisible(css(`.question:nth-of-type(2) .any`)),
		chromium.Screenshot("matters-chosen"),
		chromedp.Click(css(`button[type=submit]`), chromedp.NodeVisible),
		chromedp.WaitVisible(css(`section.done`)), chromium.Screenshot("matters-thanks"))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.books.stored) != 1 || h.books.stored[0].Case != "620102-SECRET3" || h.books.stored[0].Level != 1 {
		t.Errorf("stored = %+v, want the second matter with level 1", h.books.stored)
	}
}
