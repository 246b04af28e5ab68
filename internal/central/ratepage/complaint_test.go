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
	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/journal"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
)

// takes makes a hall's page take complaints, and returns where they are kept.
func (h *hall) takes() *[]Complaint {
	var all []Complaint
	h.page.cfg.Complain = func(_ context.Context, c Complaint) (int64, error) {
		if h.books.err != nil {
			return 0, h.books.err
		}
		all = append(all, c)
		return 77, nil
	}
	return &all
}

// TestComplaint: whoever has the code of a visit may complain of it, with or without a name, also after they rated.
func TestComplaint(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	want(t, h.get(path), 200, "!我要投诉")
	want(t, h.get(path+"/complaint"), 404)
	all := h.takes()
	h.arrived()
	want(t, h.get(path), 200, "我要投诉", path+"/complaint")
	form := h.fill(t, path+"/complaint", "words", "排队两小时\n<b>无人</b>理会", "contact", "王先生 13900000031", "retaliation", "1")
	for range 2 {
		want(t, h.post(path+"/complaint", form), 200, "反映的情况已收到", "不转给", "!整改工单", "!王先生")
	}
	got := *all
	if len(got) != 2 || got[0].Name != got[1].Name || got[0].Name == "" {
		t.Fatalf("sent twice: %+v", got)
	}
	if c := got[0]; c.Words != "排队两小时\n<b>无人</b>理会" || c.Contact != "王先生 13900000031" || !c.Retaliation || c.Device != boxID ||
		c.Window.ID == "" || c.Matter != "个体工商户登记" || !c.At.Equal(h.now) {
		t.Errorf("got %+v", c)
	}
	want(t, h.post(path, h.fill(t, path, "staff.level", "1", "matter.level", "1")), 303)
	want(t, h.get(path), 409, "我要投诉")
	want(t, h.post(path+"/complaint", h.fill(t, path+"/complaint", "words", "态度生硬，推诿")), 200, "投诉已收到")
	if c := (*all)[2]; c.Contact != "" || c.Retaliation || c.Name == got[0].Name {
		t.Errorf("got %+v", c)
	}
	h.now = h.now.Add(complaintLife + 2*time.Minute)
	want(t, h.get(path+"/complaint"), 410, "12345")
}

// TestComplaintsAreBounded: a form that is sent again with other contents is another complaint, and one code opens few of them, also of a
// box whose clock is not set.
func TestComplaintsAreBounded(t *testing.T) {
	h := newHall(t)
	all := h.takes()
	h.arrived()
	c := h.claim()
	c.Synced = false
	path := "/R/" + h.sign(t, c) + "/complaint"
	form := h.fill(t, path, "words", "排队两小时")
	want(t, h.post(path, form), 200, "投诉已收到")
	form.Set("retaliation", "1")
	want(t, h.post(path, form), 200, "反映的情况已收到")
	if got := *all; got[0].Name == got[1].Name || !got[1].Retaliation {
		t.Errorf("what was added is lost: %+v", got)
	}
	for n := 2; n <= maxComplaints; n++ {
		status := 200
		if n == maxComplaints {
			status = 429
		}
		want(t, h.post(path, h.fill(t, path, "words", strings.Repeat("又", 4+n))), status)
	}
	h.now = h.now.Add(complaintLife + time.Minute)
	want(t, h.get(path), 200) // nobody knows when the visit was
	h.books.visit.ClosedAt = h.now.Add(-complaintLife - time.Second)
	want(t, h.get(path), 410)
}

// TestTheCardOfAReplacedBoxSignsNothingNew: of a box that was replaced only codes of visits are taken that are in the books.
func TestTheCardOfAReplacedBoxSignsNothingNew(t *testing.T) {
	h := newHall(t)
	h.takes()
	path := "/R/" + h.sign(t, h.claim())
	want(t, h.get(path), 200)
	d := h.books.devices[boxID]
	d.Retired = &journal.Until{}
	h.books.devices[boxID] = d
	for _, at := range []string{path, path + "/complaint"} {
		want(t, h.get(at), 404)
	}
	h.arrived()
	for _, at := range []string{path, path + "/complaint"} {
		want(t, h.get(at), 200)
	}
}

func TestWhatIsNoComplaint(t *testing.T) {
	h := newHall(t)
	all := h.takes()
	path := "/R/" + h.sign(t, h.claim()) + "/complaint"
	for _, words := range []string{"", "  差 ", strings.Repeat("长", mostComplaint+1)} {
		want(t, h.post(path, h.fill(t, path, "words", words, "contact", "王先生")), 422, "尚未提交", "王先生")
	}
	want(t, h.post(path, h.fill(t, path, "words", "排队两小时", "contact", strings.Repeat("9", mostContact+1))), 422)
	form := h.fill(t, path, "words", "排队两小时")
	want(t, h.post(path, form, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), 403)
	form.Set("submission", "x")
	want(t, h.post(path, form), 400)
	want(t, h.get("/R/NONE/complaint"), 400)
	h.books.err = errors.New("the database is away")
	want(t, h.post(path, h.fill(t, path, "words", "排队两小时")), 503, "还没有提交成功", "排队两小时")
	h.books.err = nil
	if len(*all) != 0 {
		t.Errorf("taken were %+v", *all)
	}
	if strings.Contains(h.logged.String(), "排队") {
		t.Error("the log has what the citizen wrote")
	}
	for range maxSubmissions {
		h.post(path, h.fill(t, path, "words", "排队两小时"))
	}
	want(t, h.post(path, h.fill(t, path, "words", "排队两小时")), 429)
}

// TestComplainingInABrowser looks at the form with axe, on a phone and wider, and sends it.
func TestComplainingInABrowser(t *testing.T) {
	script := axe.Script(t)
	h := newHall(t)
	all := h.takes()
	h.arrived()
	server := httptest.NewServer(h.page)
	defer server.Close()
	ctx := chromium.Start(t)
	err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/R/"+h.sign(t, h.claim())), chromedp.Click(css(`a[href$="/complaint"]`)),
		chromedp.WaitVisible(css("#words")))
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range axe.Widths() {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 740)); err != nil {
			t.Fatal(err)
		}
		axe.Check(t, ctx, script, fmt.Sprintf("complain at %d", width))
	}
	err = chromedp.Do(ctx, chromedp.EmulateViewport(360, 740), chromedp.SendKeys(css("#words"), "排队两小时"),
		chromedp.SendKeys(css("#contact"), "13900000031"), chromium.Screenshot("complain-filled"),
		chromedp.Click(css(`button[type=submit]`)), chromedp.WaitVisible(css(`section.done`)), chromium.Screenshot("complained"))
	if err != nil {
		t.Fatal(err)
	}
	if len(*all) != 1 || !cmp.Equal((*all)[0].Contact, "13900000031") {
		t.Errorf("taken were %+v", *all)
	}
}
