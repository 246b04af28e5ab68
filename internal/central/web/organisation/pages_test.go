package organisation_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/organisation"
	"haochaping/internal/central/web/webtest"
)

// world is a site with the demonstration's city, an office of the city and the administrator of its second hall.
type world struct {
	*webtest.World
	directory *directory.Directory
	site      *web.Site
	city      string // session
	hall      string // session
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: webtest.New(t)}
	var err error
	if w.directory, err = directory.Open(t.Context(), w.Journal); err != nil {
		t.Fatal(err)
	}
	directorytest.Enter(t, w.directory, "../../../../cmd/ratingctl/organisation.csv")
	w.site = w.Site(organisation.Section(organisation.Config{Directory: w.directory}))
	w.city = w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	w.hall = w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	return w
}

func (w *world) get(path, session string) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("GET", path, session, nil))
}

func (w *world) post(path, session string, form url.Values) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("POST", path, session, form))
}

// upload sends a file as a browser does.
func (w *world) upload(t *testing.T, session, name string, file []byte) *httptest.ResponseRecorder {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := webtest.Request("POST", "/organisation/import", session, nil)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Body = http.NoBody
	again := httptest.NewRequest("POST", "/organisation/import", &b)
	again.Header, again.Host, again.RemoteAddr = r.Header, r.Host, r.RemoteAddr
	return webtest.Do(w.site, again)
}

func hashOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	m := regexp.MustCompile(`name="hash" value="([0-9a-f]+)"`).FindStringSubmatch(w.Body.String())
	if m == nil {
		t.Fatalf("the page asks for no confirmation:\n%s", w.Body)
	}
	return m[1]
}

// Whoever looks after a hall changes its windows and not the hall itself: neither its area nor its unit.
func TestHallIsNotItsOwn(t *testing.T) {
	w := newWorld(t)
	all, err := w.directory.History(t.Context(), directory.Hall, "SL-H2")
	if err != nil {
		t.Fatal(err)
	}
	r := all[len(all)-1]
	form := url.Values{"valid_from": {"2026-03-02"}, "name": {r.Name + "（新）"}}
	for _, f := range directory.FieldsOf(directory.Hall) {
		if f.Name != "name" {
			form.Set(f.Name, directory.Value(r, f.Name))
		}
	}
	webtest.Want(t, w.post("/organisation/of/hall/SL-H2", w.hall, form), 422, "不在您的角色范围内")
	form.Set("op", "delete")
	form.Set("valid_from", r.From.String())
	webtest.Want(t, w.post("/organisation/of/hall/SL-H2", w.hall, form), 422, "不在您的角色范围内")
	form.Set("op", "")
	form.Set("valid_from", "2026-03-02")
	webtest.Want(t, w.post("/organisation/of/hall/SL-H2", w.city, form), 200, "（新）")
}

// A list has what lies within the role, and an address of anything else is that of nothing.
func TestScope(t *testing.T) {
	w := newWorld(t)
	webtest.Want(t, w.get("/organisation?kind=hall", w.city), 200, "SL-H1", "SL-H2", "SL-H3", "新增大厅")
	webtest.Want(t, w.get("/organisation?kind=hall", w.hall), 200, "SL-H2", "!SL-H1", "!SL-H3")
	webtest.Want(t, w.get("/organisation?kind=window", w.hall), 200, "SL-H2-B04", "!SL-H1-A07")
	webtest.Want(t, w.get("/organisation?kind=window&hall=SL-H1", w.hall), 200, "!SL-H1-A07", "没有符合条件的窗口")
	webtest.Want(t, w.get("/organisation?kind=staff", w.hall), 200, "杨示例", "!赵示例")
	webtest.Want(t, w.get("/organisation?kind=staff&q="+url.QueryEscape("赵示例"), w.hall), 200, "没有符合条件的人员")
	webtest.Want(t, w.get("/organisation?kind=unit", w.city), 200, "示例市公安局", "户政科")
	webtest.Want(t, w.get("/organisation?kind=unit&day=2025-06-01", w.city), 200, "示例市政务服务中心", "!示例市政务服务管理局")
	webtest.Want(t, w.get("/organisation?kind=hall&day=x", w.city), 422, "看不懂")
	webtest.Want(t, w.get("/organisation/of/hall/SL-H2", w.hall), 200, "甲区政务服务大厅", "!预览改动")
	webtest.Want(t, w.get("/organisation/of/unit/116299002MB002222J", w.city), 200, "示例市政务服务管理局", "示例市政务服务中心")
	there, missing := w.get("/organisation/of/hall/SL-H1", w.hall), w.get("/organisation/of/hall/SL-H9", w.hall)
	webtest.Want(t, there, 404)
	if there.Code != missing.Code || there.Body.String() != missing.Body.String() {
		t.Errorf("another hall is answered with %s, no hall with %s", there.Body, missing.Body)
	}
	for path, has := range map[string]string{"/organisation/export.csv": "text/csv", "/organisation/export.xlsx": "spreadsheetml"} {
		out := w.get(path, w.hall)
		if !strings.Contains(out.Header().Get("Content-Type"), has) {
			t.Errorf("%s is %s", path, out.Header().Get("Content-Type"))
		}
		lines, err := directory.Read(out.Body.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if !strings.Contains(l.Record.ID+l.Record.Hall+l.Record.Window, "SL-H2") {
				t.Errorf("%s holds %s", path, l.Record)
			}
		}
		if len(lines) < 6 {
			t.Errorf("%s holds %d lines", path, len(lines))
		}
	}
}

// A file is previewed, and written when what was previewed is confirmed by whom it was shown.
func TestImport(t *testing.T) {
	w := newWorld(t)
	const head = "类别,编号,名称,生效日期,所属单位,大厅\n"
	past := []byte(head + "窗口,SL-H2-B01,综合办理1号窗口,2026-03-01,,SL-H2\n窗口,SL-H2-B05,5号窗口,2026-03-02,,SL-H2\n")
	webtest.Want(t, w.upload(t, w.hall, "x.csv", past), 422, "有 1 行不予接受", "今天以前的记录", "!确认写入")
	webtest.Want(t, w.upload(t, w.city, "x.csv", past), 200, "确认写入")
	file := []byte(head + "窗口,SL-H2-B01,综合办理1号窗口,2026-03-02,,SL-H2\n窗口,SL-H2-B05,<b>5号窗口</b>,2026-03-02,,SL-H2\n")
	page := w.upload(t, w.hall, "x.csv", file)
	webtest.Want(t, page, 200, "还没有写入", "第 2 行", "终止", "新增", "&lt;b&gt;5号窗口", "2026-03-02")
	hash := hashOf(t, page)
	webtest.Want(t, w.get("/organisation?kind=window", w.hall), 200, "!SL-H2-B05")
	webtest.Want(t, w.post("/organisation/confirm", w.hall, url.Values{"hash": {hash}}), 422, "改动理由")
	webtest.Want(t, w.post("/organisation/confirm", w.city, url.Values{"hash": {hash}, "reason": {"增设窗口"}}), 409, "重新预览")
	if out := w.post("/organisation/confirm", w.hall, url.Values{"hash": {hash}, "reason": {"增设窗口"}}); out.Code != 303 {
		t.Fatalf("the confirmation: %d %s", out.Code, out.Body)
	}
	webtest.Want(t, w.get("/organisation?kind=window", w.hall), 200, "SL-H2-B05", "综合办理1号窗口")
	webtest.Want(t, w.upload(t, w.hall, "x.csv", file), 200, "没有可写入的改动", "!确认写入")

	page = w.upload(t, w.hall, "x.csv", []byte(head+"窗口,SL-H1-A07,改名,2026-02-01,116299003MB003333Y,SL-H1\n"+
		"窗口,SL-H9-A01,改名,2026-02-01,,SL-H9\n"))
	webtest.Want(t, page, 422, "有 2 行不予接受", "不在您的角色范围内", "!户政7号窗口", "!确认写入")
	webtest.Want(t, w.upload(t, w.hall, "x.csv", nil), 422, "文件是空的", "the file is empty")
	webtest.Want(t, w.upload(t, w.hall, "x.csv", make([]byte, directory.MaxFile+1)), 422, "请分成几个文件")
	webtest.Want(t, w.upload(t, w.hall, "x.csv", make([]byte, directory.MaxFile+1<<20)), 413)
	r := webtest.Request("POST", "/organisation/confirm", w.hall, url.Values{"hash": {hash}, "reason": {"增设窗口"}})
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	webtest.Want(t, webtest.Do(w.site, r), 403)
}

// One thing is changed by its form, from a day on, and something new is made.
func TestForms(t *testing.T) {
	w := newWorld(t)
	form := url.Values{"valid_from": {"2026-03-02"}, "name": {"甲区市民大厅"}, "area": {"629901000000"}, "unit": {"116299006MB0066664"}}
	page := w.post("/organisation/of/hall/SL-H2", w.city, form)
	webtest.Want(t, page, 200, "甲区市民大厅", "终止")
	confirmed := w.post("/organisation/confirm", w.city, url.Values{"hash": {hashOf(t, page)}, "reason": {"大厅更名"}})
	if to := confirmed.Header().Get("Location"); confirmed.Code != 303 || to != "/organisation/of/hall/SL-H2" {
		t.Fatalf("the confirmation leads to %q with %d", to, confirmed.Code)
	}
	webtest.Want(t, w.get("/organisation/of/hall/SL-H2", w.hall), 200, "甲区市民大厅", "甲区政务服务大厅")
	webtest.Want(t, w.post("/organisation/of/hall/SL-H1", w.hall, form), 404)
	webtest.Want(t, w.get("/organisation/new/window", w.hall), 200, "新增窗口")
	webtest.Want(t, w.get("/organisation/new/thing", w.hall), 404)
	page = w.post("/organisation/new/window", w.hall, url.Values{"id": {"SL-H2-B09"}, "valid_from": {"2026-03-02"}, "name": {"九号"},
		"hall": {"SL-H2"}})
	webtest.Want(t, page, 200, "SL-H2-B09", "新增")
	webtest.Want(t, w.post("/organisation/new/window", w.hall,
		url.Values{"id": {"SL-H1-B09"}, "valid_from": {"2026-03-02"}, "name": {"九号"}, "hall": {"SL-H1"}}), 422, "不在您的角色范围内")
	webtest.Want(t, w.post("/organisation/new/unit", w.city,
		url.Values{"id": {"116299006MB0066665"}, "valid_from": {"2026-03-02"}, "name": {"单位"}, "area": {"629900000000"}}), 422, "校验位")
	// Rights that were taken away between preview and confirmation count.
	webtest.Want(t, w.get("/", w.city), 200, "!还没有写明")
}

// A hall points its windows and staff to the units that serve there already, and to no other that exists, in the words for one that does
// not.
func TestUnitsOfTheHallAlone(t *testing.T) {
	w := newWorld(t)
	put := func(session, hall, unit string) *httptest.ResponseRecorder {
		return w.post("/organisation/new/window", session,
			url.Values{"id": {hall + "-Z1"}, "valid_from": {"2026-03-02"}, "name": {"一号"}, "hall": {hall}, "unit": {unit}})
	}
	const own, tax, none = "116299006MB0066664", "116299005MB005555P", "91350100M000100Y43"
	webtest.Want(t, put(w.hall, "SL-H2", own), 200, "新增")
	other, missing := put(w.hall, "SL-H2", tax), put(w.hall, "SL-H2", none)
	webtest.Want(t, other, 422, "单位 "+tax+" 不存在，或不在您的角色范围内")
	if strings.ReplaceAll(other.Body.String(), tax, none) != missing.Body.String() {
		t.Errorf("a unit elsewhere is answered with\n%s\nno unit with\n%s", other.Body, missing.Body)
	}
	webtest.Want(t, put(w.city, "SL-H2", tax), 200, "新增")
	// Once the area's office has named it, the hall may go on naming it.
	page := put(w.city, "SL-H2", tax)
	if out := w.post("/organisation/confirm", w.city, url.Values{"hash": {hashOf(t, page)}, "reason": {"进驻"}}); out.Code != 303 {
		t.Fatal(out.Code, out.Body)
	}
	next := url.Values{"id": {"SL-H2-Z2"}, "valid_from": {"2026-03-02"}, "name": {"二号"}, "hall": {"SL-H2"}, "unit": {tax}}
	webtest.Want(t, w.post("/organisation/new/window", w.hall, next), 200, "新增")
	staff := url.Values{"id": {"0999"}, "valid_from": {"2026-03-02"}, "name": {"例示例"}, "unit": {"116299003MB003333Y"}, "window": {"SL-H2-B01"}}
	webtest.Want(t, w.post("/organisation/new/staff", w.hall, staff), 422, "不在您的角色范围内")
}

// TestLinksLeadToWhatOneSees: a hall names its unit and area, and links to them for whoever may look at them.
func TestLinksLeadToWhatOneSees(t *testing.T) {
	w := newWorld(t)
	const page, unit = "/organisation/of/hall/SL-H2", `href="/organisation/of/unit/`
	if body := w.get(page, w.city).Body.String(); !strings.Contains(body, unit) {
		t.Errorf("the city's office is not led to the unit:\n%s", body)
	}
	body := w.get(page, w.hall).Body.String()
	if strings.Contains(body, unit) || strings.Contains(body, `href="/organisation/of/area/`) {
		t.Error("the hall's administrator is led to pages that do not exist for them")
	}
	if !strings.Contains(body, "示例市") {
		t.Errorf("the hall's unit and area are not named:\n%s", body)
	}
}
