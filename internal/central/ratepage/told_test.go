package ratepage

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"regexp"
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
	appeal []string
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

func (w *work) Appeal(_ context.Context, about, part, words string) (bool, error) {
	w.appeal = append(w.appeal, fmt.Sprintf("%s %s %s", about, part, words))
	return len(w.appeal) == 1, w.err
}

// TestAReceipt: only whoever has rated or complained gets it; it shows how the work stands, and takes an appeal once (article 6).
func TestAReceipt(t *testing.T) {
	h := newHall(t)
	h.takes()
	h.page.cfg.Receipt = func(row int64) string { return fmt.Sprint("row ", row) }
	w := &work{told: map[string]Told{}}
	h.page.cfg.Orders = w
	h.arrived()
	path := "/R/" + h.sign(t, h.claim())
	sent := h.post(path, h.fill(t, path, "staff.level", "1", "matter.level", "2"))
	to := sent.Header().Get("Location")
	if sent.Code != 303 || !strings.Contains(to, "receipt=") {
		t.Fatalf("rated: %d to %s", sent.Code, to)
	}
	receipt := regexp.MustCompile(`href="(/F/[0-9A-Z]+)"`)
	m := receipt.FindStringSubmatch(h.get(to).Body.String())
	if m == nil {
		t.Fatal("the thanks lead to no receipt")
	}
	plain, _, _ := strings.Cut(to, "?")
	asked := strings.TrimPrefix(h.works(t, w, "7-1.1"), link.ToldPath)
	for _, other := range []string{plain, plain + "?receipt=X", plain + "?receipt=" + asked} {
		if receipt.MatchString(h.get(other).Body.String()) {
			t.Errorf("%s leads to a receipt", other)
		}
	}
	claim, err := h.page.cfg.Links.ReadTold(strings.TrimPrefix(m[1], link.ToldPath))
	if err != nil || !claim.Receipt {
		t.Fatalf("the receipt is %+v, %v", claim, err)
	}
	w.told[claim.About] = Told{}
	want(t, h.get(m[1]), 200, "现在没有需要办理的事项", "!<form", "!满意")
	w.told[claim.About] = Told{Parts: []Followed{{Part: "412-1", Unit: "示例市公安局", State: "待联系", By: "3月4日"}}}
	want(t, h.get(m[1]), 200, "示例市公安局", "待联系", "3月4日", "!<form")
	w.told[claim.About] = Told{Parts: []Followed{{Part: "412-1", Unit: "示例市公安局", State: "不予采纳", Appeals: true}}}
	want(t, h.get(m[1]), 200, "不予采纳", "提交申诉")
	form := map[string][]string{"part": {"412-1"}, "words": {"不"}}
	want(t, h.post(m[1], form), 422, "尚未提交")
	form["words"] = []string{"不是误评，我等了两小时"}
	want(t, h.post(m[1], map[string][]string{"part": {"413-1"}, "words": form["words"]}), 400)
	want(t, h.post(m[1], form), 200, "申诉已收到")
	want(t, h.post(m[1], form), 409, "现在不能申诉")
	if w.appeal[0] != claim.About+" 412-1 不是误评，我等了两小时" || strings.Contains(h.logged.String(), "两小时") {
		t.Errorf("appealed was %q; the log is %s", w.appeal, &h.logged)
	}
	// A complaint has one too, but for one of retaliation: nothing shows how a clue stands.
	for retaliation, has := range map[string]bool{"": true, "1": false} {
		got := h.post(path+"/complaint", h.fill(t, path+"/complaint", "words", "排队两小时", "retaliation", retaliation))
		if got.Code != 200 || receipt.MatchString(got.Body.String()) != has {
			t.Errorf("a complaint with retaliation %q: %d, a receipt: %t", retaliation, got.Code, !has)
		}
	}
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
		Words: "经核实，您于当日等候一小时。我单位已在上午增开一个窗口，自下周一起执行。"},
		"row 5": {Parts: []Followed{{Part: "412-1", Unit: "示例市公安局", State: "不予采纳", Appeals: true}}}}}
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
	receipt := h.works(t, w, "row 5")
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+receipt), chromium.Screenshot("receipt")); err != nil {
		t.Fatal(err)
	}
	axe.Check(t, ctx, script, "receipt")
	if err := chromedp.Do(ctx, chromedp.SendKeys(css("textarea"), "不是误评"), chromedp.Click(css("button[type=submit]")),
		chromedp.WaitVisible(css("section.done"))); err != nil || len(w.appeal) != 1 {
		t.Errorf("appealed was %q, %v", w.appeal, err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+path)); err != nil {
		t.Fatal(err)
	}
	err := chromedp.Do(ctx, chromedp.Click(css(`label[for=judgement-0]`)), chromedp.SendKeys(css("#words"), "还是要排队"),
		chromedp.Click(css("button[type=submit]")), chromedp.WaitVisible(css("section.done")))
	if err != nil || len(w.judged) != 1 || w.judged[0] != "7-1.1 false 还是要排队" {
		t.Errorf("judged was %q, %v", w.judged, err)
	}
}
