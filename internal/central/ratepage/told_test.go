package ratepage

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/link"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
)

// work is what citizens are told and asked of the work on their rating.
type work struct {
	told   map[string]Told
	judged []string
	err    error
}

func (w *work) Told(_ context.Context, about string) (Told, bool, error) {
	t, ok := w.told[about]
	return t, ok, w.err
}

func (w *work) Judge(_ context.Context, about string, satisfied bool, words string) (bool, error) {
	if w.err != nil {
		return false, w.err
	}
	w.judged = append(w.judged, fmt.Sprintf("%s %t %s", about, satisfied, words))
	t := w.told[about]
	asked := t.Asks
	t.Asks = false
	w.told[about] = t
	return asked, nil
}

// works makes a hall's page tell of work, and returns the path of a link to it.
func (h *hall) works(t testing.TB, w *work, about string) string {
	t.Helper()
	h.page.cfg.Orders = w
	token, err := h.page.cfg.Links.WriteTold(link.Told{About: about, Expires: h.now.Add(link.Life).Unix() / 60})
	if err != nil {
		t.Fatal(err)
	}
	return link.ToldPath + token
}

// TestWhatACitizenThinksOfTheWork: by the link of a message, once, without a name; nothing is preselected.
func TestWhatACitizenThinksOfTheWork(t *testing.T) {
	h := newHall(t)
	w := &work{told: map[string]Told{"7-1.1": {Asks: true, Unit: "示例市公安局", Words: "增开<b>一个</b>窗口"},
		"7-1.2": {Unit: "示例市公安局", Words: "等待设备", Until: h.now.Add(48 * time.Hour)}}}
	path := h.works(t, w, "7-1.1")
	want(t, h.get(path), 200, "示例市公安局", "增开&lt;b&gt;一个", "满意", "不满意", "!value=\"1\" checked", "!value=\"0\" checked", "!差评")
	want(t, h.get(strings.ToLower(path)), 200, "示例市公安局")
	form := map[string][]string{"words": {"还是排队"}}
	want(t, h.post(path, form), 422, "还没有选择", "还是排队")
	form["judgement"] = []string{"2"}
	want(t, h.post(path, form), 422, "还没有选择")
	form["judgement"], form["words"] = []string{"0"}, []string{strings.Repeat("长", 151)}
	want(t, h.post(path, form), 422, "文字太长")
	form["words"] = []string{"还是排队"}
	want(t, h.post(path, form, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), 403)
	w.err = errors.New("the database is away")
	want(t, h.get(path), 503)
	w.err = nil
	want(t, h.post(path, form), 200, "答复已收到")
	want(t, h.post(path, form), 409, "已经有了答复")
	want(t, h.get(path), 200, "这次回访已经结束", "!<form")
	if w.judged[0] != "7-1.1 false 还是排队" {
		t.Errorf("judged was %q", w.judged)
	}
	want(t, h.get(h.works(t, w, "7-1.2")), 200, "延长到", "2026年3月4日", "等待设备", "!<form")
	want(t, h.get(h.works(t, w, "9-9.9")), 400)
	// A link to rate a case is none to judge, nor the other way round.
	want(t, h.get(link.Path+strings.TrimPrefix(path, link.ToldPath)), 400)
	want(t, h.get(path[:len(path)-1]), 400)
	for range maxSubmissions {
		h.post(path, form)
	}
	want(t, h.post(path, form), 429)
	h.now = h.now.Add(link.Life + time.Minute)
	want(t, h.get(path), 410, "12345")
	if strings.Contains(h.logged.String(), "排队") {
		t.Error("the log has what the citizen wrote")
	}
	h.page.cfg.Orders = nil
	want(t, h.get(path), 404)
}

// TestJudgingInABrowser looks at the page with axe, on a phone and wider, and sends it.
func TestJudgingInABrowser(t *testing.T) {
	script := axe.Script(t)
	ctx := chromium.Start(t)
	h := newHall(t)
	w := &work{told: map[string]Told{"7-1.1": {Asks: true, Unit: "示例市公安局",
		Words: "经核实，您于当日等候一小时。我单位已在上午增开一个窗口，自下周一起执行。"}}}
	path := h.works(t, w, "7-1.1")
	server := httptest.NewServer(h.page)
	defer server.Close()
	for _, width := range axe.Widths() {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 740), chromedp.Navigate(server.URL+path)); err != nil {
			t.Fatal(err)
		}
		axe.Check(t, ctx, script, fmt.Sprintf("told at %d", width))
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(360, 740), chromium.Screenshot("told")); err != nil {
		t.Fatal(err)
	}
	err := chromedp.Do(ctx, chromedp.Click(css(`label[for=judgement-0]`)), chromedp.SendKeys(css("#words"), "还是要排队"),
		chromedp.Click(css("button[type=submit]")), chromedp.WaitVisible(css("section.done")))
	if err != nil || len(w.judged) != 1 || w.judged[0] != "7-1.1 false 还是要排队" {
		t.Errorf("judged was %q, %v", w.judged, err)
	}
}
