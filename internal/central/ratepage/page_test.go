package ratepage

import (
	"crypto/ed25519"
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

func TestFormShowsWhatIsRated(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	want(t, h.get(path), 200, "城关区政务服务中心", "综合窗口 7", "详情待窗口联网后显示", "staff.level", "matter.level", "! checked")
	for _, level := range rating.Levels() { // the faces of the box
		want(t, h.get(path), 200, `<path d="`+level.Face().Lines+`"/>`)
	}
	h.arrived()
	w := h.get(strings.ToLower(path))
	want(t, w, 200, "市场监管局", "工号", "6201", "个体工商户登记", "&lt;b&gt;测试员", "!<b>测试员", "!SECRET", "!食品经营许可", "!详情待窗口联网后显示")
	for name, value := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"X-Content-Type-Options": "nosniff"} {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s = %q, want %q", name, got, value)
		}
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'") ||
		strings.Contains(csp, "script-src") || strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy = %q", csp)
	}
	if len(w.Result().Cookies()) > 0 || strings.Contains(w.Body.String(), "<script") {
		t.Error("the page sets a cookie or has a script")
	}
}

func TestOnlyAskedSubjectsAreShownAndTaken(t *testing.T) {
	h := newHall(t)
	c := h.claim()
	c.Matter = false
	path := "/R/" + h.sign(t, c)
	want(t, h.get(path), 200, "staff.level", "!matter.level")
	w := h.post(path, h.fill(t, path, "staff.level", "3", "matter.level", "5"))
	want(t, w, 303)
	if len(h.books.stored) != 1 || h.books.stored[0].Subject != rating.StaffSubject {
		t.Errorf("stored = %+v, want the staff's alone", h.books.stored)
	}
}

func TestRating(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	form := h.fill(t, path, "staff.level", "2", "staff.reason", "214", "staff.reason", "517", "staff.text", " 等了\r\n两小时\x07 ")
	w := h.post(strings.ToLower(path), form, "Origin", "null", "Sec-Fetch-Site", "same-origin")
	want(t, w, 303)
	if got := w.Header().Get("Location"); got != path+"/thanks" {
		t.Errorf("Location = %q, want the thanks page under the canonical path", got)
	}
	wantStored := []rating.Evaluation{{Visit: visitID, Subject: rating.StaffSubject, Level: 2, Channel: rating.Phone,
		Reasons: []string{"214"}, Catalogue: 1, Text: "等了 两小时"}}
	if diff := cmp.Diff(wantStored, h.books.stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]rating.Question{{Subject: rating.StaffSubject}}, h.notified); diff != "" {
		t.Errorf("notified (-want +got):\n%s", diff)
	}
	for range 2 {
		want(t, h.get(w.Header().Get("Location")), 200, "谢谢", "继续评价办理事项", "!不满意", "!等了")
	}
	// What remains can still be rated, and what was answered is not shown.
	want(t, h.get(path), 200, "matter.level", "!staff.level", "!等了")
	want(t, h.post(path, h.fill(t, path, "matter.level", "5")), 303)
	want(t, h.get(path+"/thanks"), 200, "谢谢", "保存并计入", "!继续评价")
	h.books.offline = true // a key that was pressed there before goes first
	want(t, h.get(path+"/thanks"), 200, "谢谢", "没有联网", "以先按的为准", "goes first", "!保存并计入", "!counts. The staff")
	h.books.offline, h.silent = false, true // the connection is dead, which nobody knows yet
	want(t, h.get(path+"/thanks"), 200, "谢谢", "还没有回应", "以先按的为准", "goes first", "!保存并计入", "!counts. The staff", "!没有联网")
	h.silent = false
	want(t, h.get(path), 409, "已经评价过了", "!不满意")
}

func TestSecondPressIsTheSameEvaluation(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	form := h.fill(t, path, "staff.level", "4", "matter.level", "4")
	first, second := h.post(path, form), h.post(path, form)
	want(t, second, 303)
	if first.Header().Get("Location") != second.Header().Get("Location") || len(h.books.stored) != 2 {
		t.Errorf("second press led to %q with %d evaluations stored, want %q and 2",
			second.Header().Get("Location"), len(h.books.stored), first.Header().Get("Location"))
	}
}

func TestGoingBackAndChoosingOtherwiseIsToldHonestly(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	form := h.fill(t, path, "staff.level", "4", "matter.level", "4")
	want(t, h.post(path, form), 303)
	form.Set("staff.level", "1")
	w := h.post(path, form)
	if got := w.Header().Get("Location"); got != path+"/kept" {
		t.Errorf("changed answers led to %q, want to be told that the first count", got)
	}
	if n := len(h.books.stored); n != 4 {
		t.Errorf("%d evaluations are stored, want 4: the changed ones are kept beside the first", n)
	}
}

// theme lets the record of a visit arrive that asks about two matters one by one.
func (h *hall) theme() {
	h.arrived()
	v := h.books.visit.Visit
	v.Grouping, v.Separate = rating.Theme, true
	v.Cases = append(v.Cases, rating.Case{ProjectNo: "620102-SECRET3", TaskName: "<i>税务登记</i>", Completed: true})
}

func TestMattersOneByOne(t *testing.T) {
	h := newHall(t)
	h.theme()
	path := "/R/" + h.sign(t, h.claim())
	want(t, h.get(path), 200, "staff.level", "matter1.level", "matter2.level", "您对“个体工商户登记”满意吗", "“&lt;i&gt;税务登记", "!matter.level", "!matter3",
		"!SECRET", "可逐个评价")
	form := h.fill(t, path, "matter2.level", "2", "matter2.text", "太慢", "matter3.level", "1")
	h.books.err = errors.New("disk full")
	want(t, h.post(path, form), 503, "太慢", "matter1.level", "!matter.level")
	h.books.err = nil
	want(t, h.post(path, form), 303)
	second := rating.Question{Subject: rating.MatterSubject, Case: "620102-SECRET3"}
	if diff := cmp.Diff([]rating.Evaluation{{Visit: visitID, Subject: second.Subject, Case: second.Case, Level: 2, Channel: rating.Phone,
		Text: "太慢"}}, h.books.stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]rating.Question{second}, h.notified); diff != "" {
		t.Errorf("notified (-want +got):\n%s", diff)
	}
	want(t, h.get(path+"/thanks"), 200, "继续评价工作人员", "!SECRET")
	want(t, h.get(path), 200, "staff.level", "matter1.level", "!matter2.level")
	want(t, h.post(path, h.fill(t, path, "staff.level", "5")), 303)
	want(t, h.get(path+"/thanks"), 200, "继续评价“个体工商户登记”", "Rate matter 1 too")
	want(t, h.post(path, h.fill(t, path, "matter1.level", "5")), 303)
	want(t, h.get(path), 409)
}

// The form was opened while the window was offline, and asks about all matters at once.
func TestMattersThatArriveUnderTheForm(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	form := h.fill(t, path, "matter.level", "3", "matter.text", strings.Repeat("长", 151))
	h.theme()
	want(t, h.post(path, form), 422, "matter.level", "!matter1.level")
	form.Set("matter.text", "还行")
	want(t, h.post(path, form), 303)
	if len(h.books.stored) != 1 || h.books.stored[0].Question() != (rating.Question{Subject: rating.MatterSubject}) {
		t.Errorf("stored = %+v, want an answer about all matters", h.books.stored)
	}
}

func TestRaceWithTheKeypadIsToldHonestly(t *testing.T) {
	h := newHall(t)
	c := h.claim()
	c.Matter = false
	path := "/R/" + h.sign(t, c)
	form := h.fill(t, path, "staff.level", "4")
	h.books.visit.Rated[rating.Question{Subject: rating.StaffSubject}] = rating.Keypad
	w := h.post(path, form)
	want(t, w, 303)
	want(t, h.get(w.Header().Get("Location")), 200, "此前已有一份评价先到", "!已经保存并计入")
	if len(h.notified) > 0 {
		t.Errorf("the box was told %v, although its own evaluation counts", h.notified)
	}
	want(t, h.get(path+"/thanks"), 303) // nobody is thanked for a rating that does not count
}

func TestThanksNeedARating(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	for _, rest := range []string{"/thanks", "/kept"} {
		w := h.get(path + rest)
		if want(t, w, 303); w.Header().Get("Location") != path {
			t.Errorf("%s leads to %q, want the form", rest, w.Header().Get("Location"))
		}
	}
}

func TestUnusableLinks(t *testing.T) {
	h := newHall(t)
	good := h.sign(t, h.claim())
	foreign := h.claim()
	foreign.Device = "other"
	_, otherKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	forgedToken, err := h.claim().Sign(otherKey)
	if err != nil {
		t.Fatal(err)
	}
	form := h.fill(t, "/R/"+good, "staff.level", "1")
	for _, c := range []struct {
		name, token string
		status      int
		text        string
	}{
		{"short", good[:20], 400, "链接不完整"},
		{"changed", "0" + good[1:], 400, "链接不完整"},
		{"unknown device", h.sign(t, foreign), 404, "没有找到这台评价器"},
		{"forged", forgedToken, 403, "不是评价器发出的"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want(t, h.get("/R/"+c.token), c.status, c.text, "<h2>")
			want(t, h.post("/R/"+c.token, form), c.status, c.text)
			want(t, h.get("/R/"+c.token+"/thanks"), c.status, c.text)
		})
	}
	want(t, h.get("/"), 404, "请扫描二维码")
	if len(h.books.stored) > 0 {
		t.Errorf("stored %+v", h.books.stored)
	}
}

func TestExpiry(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	form := h.fill(t, path, "staff.level", "1")
	h.now = h.now.Add(Life + issuedCut)
	want(t, h.get(path), 410, "评价时间已过", "不会算作对工作人员的满意评价", "按规定默认为基本满意")
	want(t, h.post(path, form), 410)
	if len(h.books.stored) > 0 {
		t.Errorf("stored %+v", h.books.stored)
	}
}

func TestStorageFailureKeepsTheForm(t *testing.T) {
	h := newHall(t)
	token := h.sign(t, h.claim())
	form := h.fill(t, "/R/"+token, "staff.level", "2", "staff.text", "窗口太少", "staff.reason", "213")
	h.books.err = errors.New("disk full")
	w := h.post("/R/"+token, form)
	want(t, w, 503, "还没有提交成功", "窗口太少", form.Get("submission"), `value="2" checked`, `value="213" checked`, "!谢谢")
	if len(h.notified) > 0 {
		t.Error("the box was told of a rating that was not stored")
	}
	if log := h.logged.String(); !strings.Contains(log, "disk full") || strings.Contains(log, token) {
		t.Errorf("log = %q, want the failure without the token", log)
	}
	h.books.err = nil
	want(t, h.post("/R/"+token, form), 303)
}

func TestIncompleteForms(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	want(t, h.post(path, h.fill(t, path, "staff.text", "只有文字")), 422, "还没有选择", "只有文字", `role="alert"`)
	want(t, h.post(path, h.fill(t, path, "staff.level", "5", "staff.text", strings.Repeat("长", 151))), 422, "文字超过 150 字")
	want(t, h.post(path, h.fill(t, path, "staff.level", "5", "staff.text", strings.Repeat("长", 150))), 303)
}

func TestForeignForms(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	good := h.fill(t, path, "staff.level", "5")
	for name, header := range map[string][]string{
		"other site":          {"Sec-Fetch-Site", "cross-site"},
		"sibling site":        {"Sec-Fetch-Site", "same-site"},
		"other origin":        {"Origin", "https://evil.example.com"},
		"null, yet from afar": {"Origin", "null", "Sec-Fetch-Site", "cross-site"},
	} {
		t.Run(name, func(t *testing.T) { want(t, h.post(path, good, header...), 403) })
	}
	for name, form := range map[string]url.Values{
		"no submission":  {"staff.level": {"5"}},
		"level 0":        {"submission": good["submission"], "staff.level": {"0"}},
		"level 6":        {"submission": good["submission"], "staff.level": {"6"}},
		"two levels":     {"submission": good["submission"], "staff.level": {"5", "1"}},
		"unknown reason": {"submission": good["submission"], "staff.level": {"5"}, "staff.reason": {"999"}},
		"not UTF-8":      {"submission": good["submission"], "staff.level": {"5"}, "staff.text": {"\xff"}},
		"too large":      {"submission": good["submission"], "staff.level": {"5"}, "x": {strings.Repeat("x", maxForm)}},
	} {
		t.Run(name, func(t *testing.T) { want(t, h.post(path, form), 400) })
	}
	t.Run("JSON", func(t *testing.T) { want(t, h.post(path, good, "Content-Type", "application/json"), 400) })
	t.Run("PUT", func(t *testing.T) { want(t, h.do(httptest.NewRequest("PUT", path, nil)), 405) })
	if len(h.books.stored) > 0 {
		t.Errorf("stored %+v", h.books.stored)
	}
	want(t, h.post(path, good, "Origin", "http://example.com"), 303) // httptest's own host
}

// TestBehindAProxy submits as a phone without Sec-Fetch headers does, through proxies that pass the host on, or do not.
func TestBehindAProxy(t *testing.T) {
	for name, c := range map[string]struct {
		host, origin, forwarded string
		status                  int
	}{
		"nginx as it comes":           {"127.0.0.1:8080", "https://rate.example.com", "", 303},
		"by the loopback's name":      {"localhost:8080", "https://rate.example.com", "", 303},
		"IPv6":                        {"[::1]:8080", "https://rate.example.com", "", 303},
		"the host is passed":          {"rate.example.com", "https://rate.example.com", "", 303},
		"with the usual port":         {"rate.example.com:443", "https://rate.example.com", "", 303},
		"in capitals":                 {"RATE.example.com", "https://rate.example.com", "", 303},
		"with a port of its own":      {"rate.example.com:8443", "https://rate.example.com:8443", "", 303},
		"forwarded host":              {"10.0.0.5:8080", "https://rate.example.com", "rate.example.com", 303},
		"a proxy that drops the port": {"rate.example.com", "https://rate.example.com:8443", "", 303},
		"loopback in capitals":        {"LOCALHOST:8080", "https://rate.example.com", "", 303},
		"a name of the proxy's own":   {"rating_backend", "https://phones.example.com", "", 303},
		"another name, the same path": {"rating_backend", "https://evil.example.com", "", 403},
		"two proxies":                 {"10.0.0.5:8080", "https://rate.example.com", "rate.example.com, 10.0.0.9", 303},
		"a longer name":               {"rate.example.com", "https://rate.example.com.evil.example", "", 403},
		"another site":                {"rate.example.com", "https://evil.example.com", "", 403},
		"another port":                {"rate.example.com:8443", "https://rate.example.com", "", 403},
		"plain in place of encrypted": {"rate.example.com:443", "http://rate.example.com", "", 403},
		"another site, forwarded":     {"10.0.0.5:8080", "https://evil.example.com", "rate.example.com", 403},
		"no site":                     {"rate.example.com", "data:", "", 403},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t)
			path := "/R/" + h.sign(t, h.claim())
			r := httptest.NewRequest("POST", path, strings.NewReader(h.fill(t, path, "staff.level", "5").Encode()))
			r.Host, h.page.cfg.Base = c.host, "https://phones.example.com"
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", c.origin)
			if c.forwarded != "" {
				r.Header.Set("X-Forwarded-Host", c.forwarded)
			}
			want(t, h.do(r), c.status)
		})
	}
}

func TestSubmissionsAreLimited(t *testing.T) {
	h := newHall(t)
	path := "/R/" + h.sign(t, h.claim())
	form := h.fill(t, path, "staff.level", "5")
	for i := range maxSubmissions {
		form.Set("submission", strings.Repeat("0", 31)+string("0123456789abcdef"[i]))
		want(t, h.post(path, form), 303)
	}
	form.Set("submission", strings.Repeat("f", 32))
	want(t, h.post(path, form), 429, "提交次数过多")
}

// The books are behind: what is committed is said, and not whether it counts.
func TestStoredThoughTheBooksAreBehind(t *testing.T) {
	h := newHall(t)
	h.books.behind = true
	path := "/R/" + h.sign(t, h.claim())
	w := h.post(path, h.fill(t, path, "staff.level", "5"))
	want(t, w, 303)
	next := w.Header().Get("Location")
	if !strings.Contains(next, "/saved?row=1") {
		t.Fatalf("sent on to %q", next)
	}
	saved := h.get(next)
	want(t, saved, 200, "已经保存")
	if strings.Contains(saved.Body.String(), "保存并计入") {
		t.Error("the page says that it counts")
	}
	want(t, h.get(strings.Replace(next, "row=1", "row=7", 1)), 303)
}

func TestRandomFailureIsAFault(t *testing.T) {
	h := newHall(t)
	h.page.cfg.Random = io.LimitReader(strings.NewReader("short"), 5)
	want(t, h.get("/R/"+h.sign(t, h.claim())), 503)
}
