package paper_test

import (
	"bytes"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/intake"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/paper"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
)

type world struct {
	*webtest.World
	site                  *web.Site
	first, second, county string // sessions
	window                string
	day                   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: webtest.New(t)}
	d, err := directory.Open(t.Context(), w.Journal)
	if err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, d, "../../../../cmd/ratingctl/organisation.csv")
	room, err := intake.Open(t.Context(), w.Journal)
	if err != nil {
		t.Fatal(err)
	}
	w.site = w.Site(paper.Section(paper.Config{Directory: d, Room: room}))
	hall := webtest.Grant(account.Hall, "SL-H2", "629901000000")
	w.first, w.second = w.SignIn(w.Add(hall)), w.SignIn(w.Add(hall))
	w.county = w.SignIn(w.Add(webtest.Grant(account.County, "629902000000", "629902000000")))
	a, err := d.Atlas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for r := range a.Each(directory.Window, directory.DayOf(w.Now())) {
		if r.Hall == "SL-H2" {
			w.window = r.ID
		}
	}
	// The journal's clock is the machine's.
	w.day = directory.DayOf(time.UnixMilli(w.Journal.Now())).String()
	return w
}

func (w *world) form(changes ...string) url.Values {
	f := url.Values{"window": {w.window}, "number": {"17"}, "day": {w.day}, "staff": {"4"}, "area": {"629901"}, "project_no": {"P-1"},
		"matter": {"2"}, "text": {"太慢"}}
	for i := 0; i < len(changes); i += 2 {
		f.Set(changes[i], changes[i+1])
	}
	return f
}

func (w *world) post(session string, form url.Values) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("POST", "/paper", session, form))
}

func want(t *testing.T, w *httptest.ResponseRecorder, status int, texts ...string) {
	t.Helper()
	if w.Code != status {
		t.Errorf("status %d, want %d\n%s", w.Code, status, w.Body)
	}
	for _, text := range texts {
		unwanted, not := strings.CutPrefix(text, "!")
		if not && strings.Contains(w.Body.String(), unwanted) {
			t.Errorf("the page has %q", unwanted)
		}
		if !not && !strings.Contains(w.Body.String(), text) {
			t.Errorf("the page lacks %q\n%s", text, w.Body)
		}
	}
}

// Two people of a hall enter a form; neither sees what the other has entered, and nobody of another county sees that there is one.
func TestTwoPeopleEnterAForm(t *testing.T) {
	w := newWorld(t)
	list := func(session string) *httptest.ResponseRecorder {
		return webtest.Do(w.site, webtest.Request("GET", "/paper", session, nil))
	}
	want(t, list(w.first), 200, "录入一张表", "! selected")
	want(t, w.post(w.first, w.form()), 200, "等待另一人录入核对")
	want(t, w.post(w.first, w.form()), 200, "须由另一人核对")
	want(t, list(w.second), 200, "17", "!太慢", "! selected")
	want(t, list(w.county), 200, "!17</td>")
	want(t, w.post(w.county, w.form()), 422, "没有这个窗口")
	want(t, w.post(w.second, w.form("matter", "5", "text", "很快")), 409, "事项评价、意见", "很快", "!太慢", "replace")
	want(t, w.post(w.second, w.form("matter", "9")), 422, "满意程度应为")
	want(t, w.post(w.second, w.form("day", "yesterday")), 422, "形式")
	if head, err := w.Journal.Head(t.Context()); err != nil {
		t.Fatal(err)
	} else if before := head; true {
		want(t, w.post(w.second, w.form()), 200, "两人录入一致，已计入")
		want(t, w.post(w.second, w.form()), 200, "此前已经计入")
		if head, err = w.Journal.Head(t.Context()); err != nil || head != before+1 {
			t.Errorf("%d rows, %v", head-before, err)
		}
	}
	pdf := func(session, window string) *httptest.ResponseRecorder {
		return webtest.Do(w.site, webtest.Request("GET", "/paper/form/"+window, session, nil))
	}
	if got := pdf(w.first, w.window); got.Code != 200 || !bytes.HasPrefix(got.Body.Bytes(), []byte("%PDF")) {
		t.Errorf("the form: %d", got.Code)
	}
	if got := pdf(w.county, w.window); got.Code != 404 {
		t.Errorf("another county's form: %d", got.Code)
	}
}

// upload sends a file as a browser does.
func (w *world) upload(t *testing.T, session, text string) *httptest.ResponseRecorder {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", "x.csv")
	if err == nil {
		_, err = part.Write([]byte(text))
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := webtest.Request("POST", "/paper/import", session, nil)
	again := httptest.NewRequest("POST", "/paper/import", &b)
	again.Header, again.Host, again.RemoteAddr = r.Header, r.Host, r.RemoteAddr
	again.Header.Set("Content-Type", form.FormDataContentType())
	return webtest.Do(w.site, again)
}

// A file is entered line by line, and each line that is not taken is named with its reason.
func TestAFile(t *testing.T) {
	w := newWorld(t)
	text := "窗口编号,表号,评价日期,服务评价,意见\n" + w.window + ",1," + w.day + ",5,=1+1\n" + w.window + ",2," + w.day + ",7,\nnowhere,3," + w.day +
		",5,\n" + w.window + ",4," + w.day + ",不满意,\n"
	want(t, w.upload(t, w.first, text), 200, "2 行：已保存第一次录入", "2 行未保存", "<td>3</td><td>2</td><td>满意程度应为", "<td>4</td><td>3</td><td>没有这个窗口")
	want(t, w.upload(t, w.second, strings.Replace(text, "不满意", "满意", 1)), 200, "1 行：两人录入一致", "3 行未保存", "不一致：服务评价")
	want(t, w.upload(t, w.second, "x"), 422, "列名")
}

// TestPaperInABrowser looks at the page with axe at three widths.
func TestPaperInABrowser(t *testing.T) {
	script := axe.Script(t)
	w := newWorld(t)
	w.upload(t, w.first, "窗口编号,表号,评价日期,服务评价\n"+w.window+",21,"+w.day+",5\n")
	server := webtest.Serve(t, w.site, w.second)
	ctx := chromium.Start(t)
	fill := func(id, text string) chromedp.Action[chromedp.Void] {
		return chromedp.SendKeys(chromedp.CSS(`#`+id), text)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/paper")); err != nil {
		t.Fatal(err)
	}
	axe.Look(t, ctx, script, "paper")
	if err := chromedp.Do(ctx, fill("window", w.window), fill("number", "21"), fill("day", w.day),
		chromedp.SetValue(chromedp.CSS(`#staff`), "4"), chromedp.Click(chromedp.CSS(`form[action="/paper"] button`)),
		chromedp.WaitVisible(chromedp.CSS(`.problem`))); err != nil {
		t.Fatal(err)
	}
	axe.Look(t, ctx, script, "paper-differs")
	if err := chromedp.Do(ctx, chromedp.SetValue(chromedp.CSS(`#staff`), "5"), chromedp.Click(chromedp.CSS(`form[action="/paper"] button`)),
		chromedp.WaitVisible(chromedp.CSS(`.notice`))); err != nil {
		t.Fatal(err)
	}
	axe.Look(t, ctx, script, "paper-saved")
}

// TestTwoPeopleInABrowser has one person enter a form, and another one the same without seeing what the first has entered.
func TestTwoPeopleInABrowser(t *testing.T) {
	w := newWorld(t)
	server := webtest.Serve(t, w.site, w.first)
	ctx := chromium.Start(t)
	enter := func(session, shot, says string) {
		t.Helper()
		server.As(session)
		fill := func(id, text string) chromedp.Action[chromedp.Void] {
			return chromedp.SendKeys(chromedp.CSS(`#`+id), text)
		}
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/paper"), chromedp.WaitVisible(chromedp.CSS(`#window`))); err != nil {
			t.Fatal(err)
		}
		shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.documentElement.outerHTML`))
		if err != nil || strings.Contains(shown, "太慢") || strings.Contains(shown, " selected") {
			t.Fatalf("%v, before it is entered the page shows\n%s", err, shown)
		}
		if err := chromedp.Do(ctx, fill("window", w.window), fill("number", "31"), fill("day", w.day), fill("area", "629901"),
			fill("project_no", "P-7"), fill("text", "太慢"),
			chromedp.SetValue(chromedp.CSS(`#matter`), "2"), chromedp.Click(chromedp.CSS(`form[action="/paper"] button`)),
			chromedp.WaitVisible(chromedp.CSS(`.notice`)), chromium.Screenshot(shot)); err != nil {
			t.Fatal(err)
		}
		if shown, err = chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".notice").textContent`)); err != nil ||
			!strings.Contains(shown, says) {
			t.Errorf("the page says %q, %v, want %q", shown, err, says)
		}
	}
	before, err := w.Journal.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	enter(w.first, "paper-first", "等待另一人录入核对")
	if now, err := w.Journal.Head(t.Context()); err != nil || now != before {
		t.Errorf("one person's entry made %d rows, %v", now-before, err)
	}
	enter(w.second, "paper-second", "两人录入一致，已计入")
	if now, err := w.Journal.Head(t.Context()); err != nil || now != before+1 {
		t.Errorf("two people's entries made %d rows, %v", now-before, err)
	}
}
