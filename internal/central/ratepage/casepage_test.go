package ratepage

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"haochaping/internal/central/books"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/link"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
	"haochaping/internal/rating"
)

func (m *memory) Case(_ context.Context, k rating.CaseKey) (books.Case, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.cases[k]
	return c, ok, nil
}

// Answer lets answers wait for the completion, and counts the first of a matter and of a person.
func (m *memory) Answer(_ context.Context, source, name string, answers []journal.Answer, texts []string) (journal.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return journal.Receipt{}, m.err
	}
	if pos, ok := m.rows[source+name]; ok {
		return journal.Receipt{Pos: pos}, nil
	}
	var out []books.Answer
	for _, a := range answers {
		if err := a.Check(); err != nil {
			return journal.Receipt{}, err
		}
		q := rating.Question{Subject: a.Subject()}
		standing := rating.Counted
		if a.Visit != nil {
			if _, rated := m.visit.Rated[q]; rated {
				standing = rating.Later
			}
			m.visit.Rated[q] = a.Channel
		} else {
			c := m.cases[a.Case]
			switch c.State() {
			case books.CaseOpen:
				standing = rating.Unasked
			case books.CaseRated:
				standing = rating.Later
			case books.CaseDefault:
				standing = rating.Late
			default:
				c.Counts = 1
				m.cases[a.Case] = c
			}
		}
		m.channelled = append(m.channelled, a)
		out = append(out, books.Answer{Question: q, Standing: standing})
	}
	m.answers = append(m.answers, out)
	pos := int64(len(m.answers))
	m.rows[source+name] = pos
	m.entries[pos] = journal.Entry{Pos: pos, Kind: journal.Answered, Source: source, Name: name}
	return journal.Receipt{Pos: pos, Entered: true}, nil
}

// Last is what the terminal "zz-1" has finished.
func (m *memory) Last(_ context.Context, terminal, opener string, _ time.Time) (k rating.CaseKey, wait time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.finished && terminal == "zz-1" {
		k = theCase()
	}
	if m.opener == "" {
		m.opener = opener
	}
	if m.opener != opener {
		wait = time.Second
	}
	return k, wait, m.err
}

const city = "620100000000"

func theCase() rating.CaseKey { return rating.CaseKey{Area: city, Project: "620102-SECRET"} }

// caseLink returns the path of a link for a case, completed or not, that a portal asked for.
func (h *hall) caseLink(t testing.TB, change func(*link.Claim)) string {
	t.Helper()
	c := link.Claim{Case: theCase(), Channel: rating.Portal, Source: "portal", Expires: h.now.Add(time.Hour).Unix() / 60,
		Return: "https://portal.example.com/mine"}
	if change != nil {
		change(&c)
	}
	token, err := h.page.cfg.Links.Write(c)
	if err != nil {
		t.Fatal(err)
	}
	return link.Path + token
}

func (h *hall) completed(handling rating.Handling) {
	h.books.cases[theCase()] = books.Case{Key: theCase(), CaseFile: rating.CaseFile{Learnt: 1,
		CaseFact: rating.CaseFact{TaskName: "居民身份证<换领>", Handling: handling, CompletedAt: 1}}}
}

// TestALinkForACase: 全程网上办理的事项办结后,评价人对服务事项进行一次评价. The page asks about the matter alone, once, and leads back.
func TestALinkForACase(t *testing.T) {
	h := newHall(t)
	h.completed(rating.Online)
	path := h.caseLink(t, nil)
	want(t, h.get(strings.ToLower(path)), 200, "居民身份证&lt;换领&gt;", "matter.level", "!staff.level", "!SECRET", "! checked", "!窗口工作人员")
	form := h.fill(t, path, "matter.level", "2", "matter.reason", "214", "matter.text", "太慢")
	w := h.post(path, form, "Origin", "null", "Sec-Fetch-Site", "same-origin")
	want(t, w, 303)
	again := h.post(path, form)
	if w.Header().Get("Location") != again.Header().Get("Location") || len(h.books.channelled) != 1 {
		t.Errorf("a second press led to %s with %d answers", again.Header().Get("Location"), len(h.books.channelled))
	}
	got := h.books.channelled[0]
	if got.Case != theCase() || got.Level != 2 || got.Channel != rating.Portal || got.At != h.now.UnixMilli() || got.Reasons[0] != "214" ||
		got.Catalogue == 0 {
		t.Errorf("entered %+v", got)
	}
	for range 2 {
		want(t, h.get(w.Header().Get("Location")), 200, "保存并计入", `href="https://portal.example.com/mine" target="_top"`, "!不满意", "!太慢")
	}
	want(t, h.get(path), 409, "已经评价过了", "portal.example.com")
	want(t, h.get(path+"/thanks"), 303)
	want(t, h.get(path+"/thanks?row=7"), 303)
	form.Set("matter.level", "5")
	want(t, h.get(h.post(path, form).Header().Get("Location")), 200, "此前已有一份评价先到")
	if log := h.logged.String(); log != "" {
		t.Errorf("logged %s", log)
	}
}

// TestWhatBecomesOfAnAnswerByLink is said as it is: it waits for the completion, or is late.
func TestWhatBecomesOfAnAnswerByLink(t *testing.T) {
	h := newHall(t)
	path := h.caseLink(t, func(c *link.Claim) { c.Return = "" })
	want(t, h.get(path), 200, "您办理的事项", "matter.level")
	said := func(texts ...string) {
		t.Helper()
		w := h.post(path, h.fill(t, path, "matter.level", "4"))
		want(t, w, 303)
		want(t, h.get(w.Header().Get("Location")), 200, texts...)
	}
	said("还没有办结的记录", "自动计入", "!保存并计入", "!返回")
	h.completed(rating.Online)
	c := h.books.cases[theCase()]
	c.Deadline = 2
	h.books.cases[theCase()] = c
	said("标注为逾期", "!保存并计入")
	h.books.behind = true
	h.page.late = make(chan struct{})
	form := h.fill(t, path, "matter.level", "4")
	want(t, h.post(path, form), 303)
}

// TestAWindowWithoutABox: 评价人每次到窗口办理后均可对服务人员进行一次评价,事项办结后可对服务事项进行一次评价, each once by one link.
func TestAWindowWithoutABox(t *testing.T) {
	h := newHall(t)
	h.completed(rating.InHall)
	atWindow := func(c *link.Claim) {
		c.Channel = rating.Phone
		c.Visit = &link.Visit{ID: 7, Window: rating.Window{ID: "B2", Name: "社保窗口", Hall: "安宁便民站", Generation: 1},
			Staff: rating.Staff{ID: "77", Name: "马"}}
	}
	path := h.caseLink(t, atWindow)
	want(t, h.get(path), 200, "安宁便民站", "社保窗口", "工号", "77", "staff.level", "matter.level")
	w := h.post(path, h.fill(t, path, "staff.level", "5"))
	want(t, h.get(w.Header().Get("Location")), 200, "保存并计入")
	if got := h.books.channelled[0]; got.Visit == nil || got.Visit.Staff.ID != "77" || got.Case != (rating.CaseKey{}) {
		t.Errorf("entered %+v", got)
	}
	want(t, h.get(path), 200, "!staff.level", "matter.level")
	want(t, h.post(path, h.fill(t, path, "matter.level", "5")), 303)
	want(t, h.get(path), 409)
	h.completed(rating.Online)
	want(t, h.get(path), 200, "!staff.level")
}

// TestThePostedCodeOfATerminal: 自助服务终端要…张贴二维码. It leads to what was just finished there, and to nothing else.
func TestThePostedCodeOfATerminal(t *testing.T) {
	h := newHall(t)
	h.completed(rating.Online)
	path := h.caseLink(t, func(c *link.Claim) {
		*c = link.Claim{Terminal: true, Channel: rating.Kiosk, Source: "zz-1", Expires: c.Expires}
	})
	want(t, h.get(path), 404, "没有可评价的办件", "!submission")
	want(t, h.post(path, url.Values{"submission": {strings.Repeat("0", 32)}, "matter.level": {"5"}}), 404)
	h.books.finished = true
	h.agent = "a program that looks what links are"
	want(t, h.do(httptest.NewRequest("HEAD", path, nil)), 503)
	h.purpose = "prefetch;prerender"
	want(t, h.get(path), 503)
	h.agent, h.purpose = "", ""
	w := h.get(path)
	want(t, w, 303)
	at := w.Header().Get("Location")
	h.agent = "another phone"
	want(t, h.get(path), 409, "已在另一部手机上打开", "!居民身份证", "!submission")
	h.agent = ""
	want(t, h.get(path), 303)
	want(t, h.get(at), 200, "居民身份证", "matter.level", "!staff.level")
	want(t, h.post(at, h.fill(t, at, "matter.level", "3")), 303)
	if got := h.books.channelled; len(got) != 1 || got[0].Channel != rating.Kiosk || !got[0].Completed || got[0].Case != theCase() {
		t.Errorf("entered %+v", got)
	}
	want(t, h.get(h.get(path).Header().Get("Location")), 409, "已经评价过了")
	h.agent = "another phone"
	want(t, h.get(h.get(path).Header().Get("Location")), 409, "已经评价过了")
}

// TestLinksOfAPostedCodeAreBounded: each look at the code makes a link, and all links for one case share what one may send; those of
// portals do not.
func TestLinksOfAPostedCodeAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*link.Claim)
		want   int // what the last of maxSubmissions+1 links for one case is answered
	}{
		"kiosk":  {func(c *link.Claim) { c.Channel, c.Source, c.Return = rating.Kiosk, "zz-1", "" }, 429},
		"portal": {nil, 303},
	} {
		h := newHall(t)
		h.completed(rating.Online)
		var paths []string
		var forms []url.Values
		for range maxSubmissions + 1 {
			path := h.caseLink(t, c.change)
			paths, forms = append(paths, path), append(forms, h.fill(t, path, "matter.level", "1"))
		}
		last := 0
		for i, path := range paths {
			last = h.post(path, forms[i]).Code
			if i < maxSubmissions && last != 303 {
				t.Errorf("%s: link %d is answered %d", name, i, last)
			}
		}
		if last != c.want {
			t.Errorf("%s: the last link is answered %d, want %d", name, last, c.want)
		}
	}
}

func TestUnusableCaseLinks(t *testing.T) {
	h := newHall(t)
	h.completed(rating.Online)
	path := h.caseLink(t, nil)
	form := h.fill(t, path, "matter.level", "1")
	want(t, h.get(path[:len(path)-1]), 400, "不完整")
	want(t, h.post(path[:len(path)-1], form), 400)
	want(t, h.post(path, form, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), 403)
	want(t, h.post(path, url.Values{"submission": {"x"}}), 400)
	want(t, h.post(path, h.fill(t, path)), 422, "还没有选择")
	h.books.err = errors.New("disk full")
	want(t, h.post(path, form), 503, "还没有提交成功", "checked")
	if strings.Contains(h.logged.String(), "SECRET") || strings.Contains(h.logged.String(), path) {
		t.Errorf("the log names a case or link: %s", &h.logged)
	}
	h.books.err = nil
	for range maxSubmissions {
		h.post(path, form)
	}
	want(t, h.post(path, form), 429)
	h.now = h.now.Add(2 * time.Hour)
	want(t, h.get(path), 410, "已过期")
	want(t, h.post(path, form), 410)
}

// withoutCookies fails the test if a page sets a cookie, or a browser sends one.
func withoutCookies(t *testing.T, page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.ServeHTTP(w, r)
		if sent, set := r.Cookies(), w.Header().Values("Set-Cookie"); len(sent) > 0 || len(set) > 0 {
			t.Errorf("%s has cookies: sent %v, set %v", r.URL.Path, sent, set)
		}
	})
}

// TestACaseInABrowser rates by a link on a phone without script, in a frame of an allowed site, and looks at each page.
func TestACaseInABrowser(t *testing.T) {
	h := newHall(t)
	h.completed(rating.Online)
	path := h.caseLink(t, nil)
	server := httptest.NewServer(withoutCookies(t, h.page))
	defer server.Close()
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		// the browser has gone
		_, _ = io.WriteString(w, `<!doctype html><title>portal</title><iframe style="width:340px;height:700px" src="`+server.URL+path+
			`"></iframe>`)
	}))
	defer portal.Close()
	ctx := browser(t)
	err := chromedp.Do(ctx, chromedp.Navigate(server.URL+path), chromium.Screenshot("case-form"),
		chromedp.Click(css(`label[for=matter-2]`), chromedp.NodeVisible), chromedp.WaitVisible(css(`.question .r2 .reason`)),
		chromium.Screenshot("case-chosen"),
		chromedp.Click(css(`button[type=submit]`), chromedp.NodeVisible),
		chromedp.WaitVisible(css(`section.done`)), chromium.Screenshot("case-thanks"),
		chromedp.Navigate(server.URL+path), chromedp.WaitVisible(css(`section.notice`)), chromium.Screenshot("case-used"),
		chromedp.Navigate(portal.URL), chromium.Screenshot("case-frame-refused"))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.books.channelled) != 1 || h.books.channelled[0].Level != 2 {
		t.Errorf("entered %+v", h.books.channelled)
	}
	for origins, allowed := range map[string]string{"": "'none'", portal.URL: portal.URL} {
		var all []string
		if origins != "" {
			all = []string{origins}
		}
		if csp := h.page.tmpl.policy(all); !strings.HasSuffix(csp, "frame-ancestors "+allowed) {
			t.Errorf("policy %s", csp)
		}
	}
	// In an allowed frame, by keyboard: to the levels, the next one, send.
	h.completed(rating.Online)
	h.page.csp = h.page.tmpl.policy([]string{portal.URL})
	answers := func() int {
		h.books.mu.Lock()
		defer h.books.mu.Unlock()
		return len(h.books.channelled)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(portal.URL), chromium.Screenshot("case-frame"), chromedp.KeyEvent(kb.Tab),
		chromedp.KeyEvent(kb.ArrowDown),
		chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); answers() < 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what was rated in the frame did not arrive within a minute")
		}
	}
	if err := chromedp.Do(ctx, chromium.Screenshot("case-frame-thanks")); err != nil {
		t.Fatal(err)
	}
	if got := h.books.channelled[1]; got.Level != rating.Satisfied || got.Channel != rating.Portal {
		t.Errorf("in the frame entered %+v", got)
	}
}

// TestACasePageForEverybody has axe look at the pages of a link for a case.
func TestACasePageForEverybody(t *testing.T) {
	script := axe.Script(t)
	h := newHall(t)
	h.completed(rating.InHall)
	path := h.caseLink(t, func(c *link.Claim) {
		c.Channel = rating.Phone
		c.Visit = &link.Visit{ID: 7, Window: rating.Window{ID: "B2", Name: "社保窗口", Generation: 1}, Staff: rating.Staff{Name: "马"}}
	})
	server := httptest.NewServer(h.page)
	defer server.Close()
	ctx := chromium.Start(t)
	h.page.csp = "" // axe is a script, which the page's own policy refuses
	for name, at := range map[string]string{"form": path, "expired": path + "x"} {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(360, 740), chromedp.Navigate(server.URL+at)); err != nil {
			t.Fatal(err)
		}
		axe.Check(t, ctx, script, name)
	}
}
