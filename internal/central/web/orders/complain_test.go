package orders_test

import (
	"bytes"
	"image"
	"image/png"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/pdf/pdftest"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/rating"
)

func (w *world) post(path, session string, form url.Values) *httptest.ResponseRecorder {
	return webtest.Do(w.site, webtest.Request("POST", path, session, form))
}

// complain enters a complaint as the form of the page does, and returns the answer.
func (w *world) complain(t testing.TB, session string, more ...string) *httptest.ResponseRecorder {
	t.Helper()
	m := regexp.MustCompile(`name="once" value="(\w+)"`).FindStringSubmatch(w.get("/complaints", session).Body.String())
	if m == nil {
		t.Fatal("the form has no name of its own")
	}
	form := url.Values{"once": {m[1]}, "way": {"hotline"}, "day": {w.Now().Format("2006-01-02")}, "unit": {police}, "matter": {"身份证补领"},
		"place": {"3号窗口"},
		"words": {"排队两小时无人理会"}, "contact": {"王先生 13900000031"}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return w.post("/complaints", session, form)
}

// orderOf returns the address that an answer names.
func orderOf(t testing.TB, answer *httptest.ResponseRecorder) string {
	t.Helper()
	page := regexp.MustCompile(`/orders/of/\d+-1`).FindString(answer.Body.String())
	if answer.Code != 200 || page == "" {
		t.Fatalf("no order was opened: %d %s", answer.Code, answer.Body)
	}
	return page
}

// TestComplaints: the office enters one, which the unit rectifies. What was said and by whom is shown for a reason, each time.
func TestComplaints(t *testing.T) {
	w := newWorld(t)
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	unit, other := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city))), w.SignIn(w.Add(webtest.Grant(account.Unit, labour, city)))
	for _, who := range []string{unit, w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", city)))} {
		webtest.Want(t, w.get("/complaints", who), 404)
		webtest.Want(t, w.post("/complaints", who, url.Values{"words": {"排队两小时"}}), 404)
	}
	elsewhere := w.SignIn(w.Add(webtest.Grant(account.County, county, county)))
	webtest.Want(t, w.complain(t, elsewhere), 422, "不在您的范围内", "排队两小时无人理会")
	webtest.Want(t, w.complain(t, office, "words", ""), 422, "请写明投诉内容")
	webtest.Want(t, w.complain(t, office, "unit", "x"), 422, "没有这个单位")
	webtest.Want(t, w.complain(t, office, "day", "yesterday"), 422, "2027-01-31")
	page := orderOf(t, w.complain(t, office, "number", "12345-<7>"))
	if again := w.complain(t, office, "number", "12345-<7>"); orderOf(t, again) != page || !strings.Contains(again.Body.String(), "没有重复开立") {
		t.Errorf("entered twice: %s", again.Body)
	}
	webtest.Want(t, w.get("/orders", unit), 200, "身份证补领", "投诉", "还有 1 个工作日")
	webtest.Want(t, w.get(page, other), 404)
	for _, who := range []string{unit, office} {
		webtest.Want(t, w.get(page, who), 200, "12345-&lt;7&gt;", "登记投诉，开立工单", "!排队两小时", "!13900000031", "查看投诉内容", "!/evaluations/of/0")
		webtest.Want(t, w.post(page+"/words", who, url.Values{"reason": {" "}}), 422, "请写明查看理由", "!排队两小时")
		webtest.Want(t, w.post(page+"/words", who, url.Values{"reason": {"核实投诉 031"}}), 200, "排队两小时", "!13900000031")
		webtest.Want(t, w.post(page+"/person", who, url.Values{"reason": {"联系投诉人"}}), 200, "13900000031", "!排队两小时")
	}
	auditor := w.SignIn(w.Add(webtest.Grant(account.Auditor, city, city)))
	webtest.Want(t, w.post(page+"/person", auditor, url.Values{"reason": {"联系投诉人"}}), 404)
	webtest.Want(t, w.post(page+"/words", other, url.Values{"reason": {"联系投诉人"}}), 404)
	for _, x := range []struct {
		who   string
		deed  rectify.Deed
		words string
	}{{unit, rectify.Contact, "已电话道歉"}, {unit, rectify.Plan, ""}, {unit, rectify.Reply, "增开一个窗口"}, {office, rectify.Pass, ""},
		{office, rectify.Satisfied, "回访满意"}} {
		if got := w.do(t, page, x.who, x.deed, x.words); got.Code != 303 {
			t.Fatalf("%s: %d %s", x.deed, got.Code, got.Body)
		}
		w.Pass(time.Minute)
	}
	webtest.Want(t, w.get("/orders/search?state=ended&complaints=1", office), 200, "身份证补领", "已办结", "已了结")
	webtest.Want(t, w.get("/orders", unit), 200, "没有待办的差评工单")
}

// TestClues: what is retaliation is found by those alone who were appointed for clues, and so is what an office has referred.
func TestClues(t *testing.T) {
	w := newWorld(t)
	page := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"})[0]
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	auditor := w.SignIn(w.Add(webtest.Grant(account.Auditor, city, city)))
	named, elsewhere := w.SignIn(w.Add(webtest.Grant(account.Inspector, city, city))),
		w.SignIn(w.Add(webtest.Grant(account.Inspector, county, county)))
	answer := w.complain(t, office, "retaliation", "1", "words", "投诉后被拖延办理", "matter", "户籍迁移")
	webtest.Want(t, answer, 200, "已作为线索登记", "!/orders/of/")
	clue := "/clues/of/" + regexp.MustCompile(`编号 (\d+)`).FindStringSubmatch(answer.Body.String())[1] + "-1"
	if got := w.do(t, page, office, rectify.Refer, "评价人反映有人收受礼品"); got.Code != 303 {
		t.Fatalf("referred: %d %s", got.Code, got.Body)
	}
	hidden := strings.Replace(clue, "/clues/", "/orders/", 1)
	for who, session := range map[string]string{"the office": office, "the unit": unit, "the auditor": auditor,
		"another county's": elsewhere} {
		for _, path := range []string{clue, hidden, hidden + "/print.pdf"} {
			if got := w.get(path, session); got.Code != 404 {
				t.Errorf("%s is answered %d for %s", who, got.Code, path)
			}
		}
		for _, path := range []string{"/orders", "/orders/board", "/orders/search", "/orders/search?q=" + url.QueryEscape("户籍"), "/"} {
			if got := w.get(path, session); strings.Contains(got.Body.String(), "户籍迁移") || strings.Contains(got.Body.String(), clue) {
				t.Errorf("%s finds the clue at %s", who, path)
			}
		}
		webtest.Want(t, w.post(clue+"/look", session, url.Values{"reason": {"想看一看"}}), 404)
		webtest.Want(t, w.post(hidden+"/words", session, url.Values{"reason": {"想看一看"}}), 404)
	}
	webtest.Want(t, w.post("/orders/urge", office, url.Values{"order": {strings.TrimPrefix(hidden, "/orders/of/") + ".1"}, "words": {"请尽快"}}),
		422, "没有这份工单")
	webtest.Want(t, w.get("/", named), 200, "1 件线索在办")
	webtest.Want(t, w.get("/clues", named), 200, "户籍迁移", "身份证补领")
	webtest.Want(t, w.get("/clues", elsewhere), 200, "没有线索")
	webtest.Want(t, w.get(clue, named), 200, "!被拖延办理", "!13900000031", "示例市公安局", "联系评价人", "!转办")
	webtest.Want(t, w.post(clue+"/look", named, url.Values{"reason": {"?"}}), 422, "!被拖延办理")
	webtest.Want(t, w.post(clue+"/look", named, url.Values{"reason": {"核实线索"}}), 200, "被拖延办理", "13900000031")
	referred := strings.Replace(page, "/orders/", "/clues/", 1)
	webtest.Want(t, w.get(referred, named), 200, "线索移送", "!收受礼品", "!name=\"deed\"")
	webtest.Want(t, w.post(referred+"/look", named, url.Values{"reason": {"核实线索"}}), 200, "收受礼品")
	acts, err := w.Journal.Acts(t.Context(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	for _, e := range acts {
		if act, err := e.Act(); err != nil || act.Do == "look "+string(account.SeeClues) && !act.Few {
			t.Errorf("the audit shows everybody that a clue was looked at: %+v, %v", act, err)
		} else if act.Do == "look "+string(account.SeeClues) {
			looks++
		}
	}
	if looks != 2 {
		t.Errorf("%d looks at clues are in the audit, want 2", looks)
	}
	webtest.Want(t, w.post(referred+"/do", named, url.Values{"deed": {"verify"}, "seen": {"1"}, "words": {"已核实"}}), 422)
	if got := w.do(t, clue, named, rectify.Contact, "已与投诉人见面"); got.Code != 303 || got.Header().Get("Location") != clue {
		t.Fatalf("worked on: %d %s", got.Code, got.Body)
	}
	webtest.Want(t, w.get(clue, named), 200, "已联系", "说明理由后可见", "!见面")
	w.Pass(30 * 24 * time.Hour)
	named = w.SignIn(w.Add(webtest.Grant(account.Inspector, city, city)))
	office = w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	webtest.Want(t, w.get("/", named), 200, "1 件线索逾期")
	webtest.Want(t, w.get("/", office), 200, "1 件线索逾期未办，请督促线索专员", "!/clues")
}

// TestBoard: what is late is counted by unit, found, and urged in a batch; each is an act of its own. The rate is always there with what is
// missing.
func TestBoard(t *testing.T) {
	w := newWorld(t)
	pages := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"}, rating.CaseFact{Unit: police, TaskName: "身份证换领"},
		rating.CaseFact{Unit: labour, TaskName: "社保卡申领"})
	w.Pass(4 * 24 * time.Hour)
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, labour, city)))
	board := w.get("/orders/board", office)
	webtest.Want(t, board, 200, "示例市公安局", "实名差评回访整改率", "今年还没有实名差评")
	webtest.Want(t, w.get("/orders/board", unit), 200, "!示例市公安局")
	late := w.get("/orders/search?late=1&unit="+police, office)
	webtest.Want(t, late, 200, "身份证补领", "身份证换领", "!社保卡申领", "催办勾选的工单")
	webtest.Want(t, w.get("/orders/search", unit), 200, "社保卡申领", "!身份证", "!催办勾选的工单")
	webtest.Want(t, w.get("/orders/search?q="+url.QueryEscape("换领"), office), 200, "身份证换领", "!身份证补领")
	for _, bad := range []string{"?state=x", "?from=x", "?after=x", "?q=" + strings.Repeat("x", 51)} {
		webtest.Want(t, w.get("/orders/search"+bad, office), 400)
	}
	form := url.Values{"words": {"请今天联系评价人"}, "back": {"//evil.example"}}
	for _, m := range regexp.MustCompile(`name="order" value="([0-9.-]+)"`).FindAllStringSubmatch(late.Body.String(), -1) {
		form.Add("order", m[1])
	}
	webtest.Want(t, w.post("/orders/urge", unit, form), 404)
	webtest.Want(t, w.post("/orders/urge", office, url.Values{"words": {"请尽快"}}), 422, "请勾选")
	webtest.Want(t, w.post("/orders/urge", office, url.Values{"order": form["order"], "words": {""}}), 422, "请写明情况", "2 份没有催办")
	webtest.Want(t, w.post("/orders/urge", office, form), 200, "已催办 2 份", "!evil")
	webtest.Want(t, w.post("/orders/urge", office, form), 422, "刚被别人办理过")
	webtest.Want(t, w.get(pages[0], office), 200, "督促催办", "请今天联系评价人")
	webtest.Want(t, w.get(pages[2], office), 200, "!请今天联系评价人")
}

// upload sends a file as a form does.
func (w *world) upload(path, session, name string, b []byte) *httptest.ResponseRecorder {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(b)
	}
	if err != nil || form.Close() != nil {
		panic("a form in memory")
	}
	r := httptest.NewRequest("POST", path, &body)
	blank := webtest.Request("POST", path, session, url.Values{})
	r.Host, r.RemoteAddr, r.Header = blank.Host, blank.RemoteAddr, blank.Header
	r.Header.Set("Content-Type", form.FormDataContentType())
	return webtest.Do(w.site, r)
}

// TestAttachments are saved and never shown inline, to those who see the order; and the order is printed.
func TestAttachments(t *testing.T) {
	w := newWorld(t)
	page := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"})[0]
	unit, other := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city))), w.SignIn(w.Add(webtest.Grant(account.Unit, labour, city)))
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 9, 9))); err != nil {
		t.Fatal(err)
	}
	if got := w.upload(page+"/work/files", unit, "王某某.pdf", picture.Bytes()); got.Code != 303 {
		t.Fatalf("attached: %d %s", got.Code, got.Body)
	}
	webtest.Want(t, w.upload(page+"/work/files", unit, "x.png", []byte("<script>alert(1)</script>")), 422, "JPEG、PNG 和 PDF")
	webtest.Want(t, w.upload(page+"/work/files", unit, "x.pdf", make([]byte, rectify.MostBytes+1)), 422, "10 MB")
	webtest.Want(t, w.upload(page+"/work/files", unit, "x.pdf", make([]byte, rectify.MostBytes+1<<20)), 413)
	webtest.Want(t, w.upload(page+"/work/files", office, "x.png", picture.Bytes()), 404)
	webtest.Want(t, w.post(page+"/work/files", unit, url.Values{"x": {"y"}}), 400, "没有收到文件")
	text := w.get(page, office)
	webtest.Want(t, text, 200, "上传附件（PNG，1 KB）", "!王某某")
	file := regexp.MustCompile(page + `/files/\d+`).FindString(text.Body.String())
	for _, who := range []string{unit, office} {
		got := w.get(file, who)
		h := got.Header()
		if got.Code != 200 || h.Get("Content-Type") != "image/png" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") ||
			h.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || !bytes.HasPrefix(got.Body.Bytes(), []byte("\x89PNG")) {
			t.Errorf("the attachment: %d %v", got.Code, h)
		}
	}
	webtest.Want(t, w.get(file, other), 404)
	webtest.Want(t, w.get(page+"/files/1", unit), 404)
	for _, deed := range []rectify.Deed{rectify.Verify, rectify.Miss, rectify.Miss} {
		w.do(t, page, unit, deed, strings.Repeat("窗口取号记录显示等候两小时。", 60))
		w.Pass(time.Minute)
	}
	got := w.get(page+"/print.pdf", unit)
	said, sheets := pdftest.Text(t, got.Body.Bytes())
	if got.Code != 200 || got.Header().Get("Content-Type") != "application/pdf" || sheets != 2 {
		t.Errorf("printed: %d %v, %d pages", got.Code, got.Header(), sheets)
	}
	if !strings.Contains(said, "身份证") {
		t.Errorf("it does not say what it is about:\n%s", said)
	}
	webtest.Want(t, w.get(page+"/print.pdf", other), 404)
}

// TestTemplates begin an answer, and are none.
func TestTemplates(t *testing.T) {
	w := newWorld(t)
	page := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"})[0]
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	w.do(t, page, unit, rectify.Verify, "已核实")
	w.do(t, page, unit, rectify.Plan, "")
	text := rectify.Templates()[1].Text
	webtest.Want(t, w.get(page, unit), 200, page+"?template=2", "!"+text)
	webtest.Want(t, w.get(page+"?template=2", unit), 200, text)
	webtest.Want(t, w.get(page+"?template=99", unit), 200, "!"+text)
	webtest.Want(t, w.do(t, page, unit, rectify.Reply, text), 422, "还没有改写")
}

// TestProgramsWork: a province's own system works on orders by the same states and refusals, and the hotline enters complaints once.
func TestProgramsWork(t *testing.T) {
	w := newWorld(t)
	page := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"})[0]
	id := strings.TrimPrefix(page, "/orders/of/")
	const work, review, one, complaints = "/api/v1/orders/{order}/work", "/api/v1/orders/{order}/review", "/api/v1/orders/{order}",
		"/api/v1/complaints"
	unit := w.Program(w.site, webtest.Grant(account.Unit, police, city), "", account.SeeOrders, account.WorkOrders)
	office := w.Program(w.site, webtest.Grant(account.City, city, city), "", account.SeeOrders, account.ReviewOrders, account.Complain)
	reader := w.Program(w.site, webtest.Grant(account.Unit, police, city), "", account.SeeOrders)
	changed := func() string {
		t.Helper()
		return regexp.MustCompile(`"changed": (\d+)`).FindStringSubmatch(unit.Get(one, "/api/v1/orders/"+id).Body.String())[1]
	}
	first := changed()
	say := func(deed, seen, more string) string {
		return `{"deed": "` + deed + `", "changed": ` + seen + more + `}`
	}
	at := "/api/v1/orders/" + id
	webtest.Want(t, reader.Post(work, at+"/work", say("verify", first, `, "words": "已核实"`)), 404)
	webtest.Want(t, office.Post(work, at+"/work", say("verify", first, `, "words": "已核实"`)), 404)
	webtest.Want(t, unit.Post(review, at+"/review", say("urge", first, `, "words": "请尽快"`)), 404)
	webtest.Want(t, unit.Post(work, at+"/work", say("verify", first, "")), 422, `"code": "refused"`, "请写明情况")
	webtest.Want(t, unit.Post(work, at+"/work", say("pass", first, "")), 422)
	webtest.Want(t, unit.Post(work, at+"/work", say("reply", first, `, "words": "已整改"`)), 422, "现在可以")
	webtest.Want(t, unit.Post(work, at+"/work", `{"deed": 1}`), 400, `"code": "invalid"`)
	webtest.Want(t, unit.Post(work, at+"/work", say("verify", first, `, "words": "已核实"`)), 200, `"state": "contacted"`)
	webtest.Want(t, unit.Post(work, at+"/work", say("plan", first, "")), 409, `"code": "changed"`)
	for _, x := range []struct {
		by              *webtest.Program
		path, way, deed string
		more, state     string
	}{{unit, work, "/work", "plan", "", "limited"}, {unit, work, "/work", "extend", `, "days": 8, "words": "等待设备"`, "limited"},
		{unit, work, "/work", "reply", `, "words": "增开窗口"`, "replied"}, {office, review, "/review", "pass", "", "following_up"},
		{office, review, "/review", "skip", `, "words": "匿名"`, "closed"}} {
		webtest.Want(t, x.by.Post(x.path, at+x.way, say(x.deed, changed(), x.more)), 200, `"state": "`+x.state+`"`, "!等待设备")
	}
	said := `{"way": "hotline", "number": "12345-7", "unit": "` + police + `", "matter": "身份证补领", "words": "排队两小时", "contact": "13900000031"`
	created := office.Post(complaints, complaints, said+`, "at": "`+w.Now().Add(-time.Hour).Format(time.RFC3339)+`"}`)
	webtest.Want(t, created, 201, `"id": "`)
	webtest.Want(t, unit.Get(one, created.Header().Get("Location")), 200, `"complaint": "hotline"`, `"number": "12345-7"`, "!排队两小时", "!139",
		`!"level"`, `!"evaluation"`)
	webtest.Want(t, office.Post(complaints, complaints, said+`}`), 200, `"id": "`)
	webtest.Want(t, office.Post(complaints, complaints, `{"way": "hotline", "number": "", "unit": "`+police+`", "words": "排队两小时"}`), 422)
	webtest.Want(t, office.Post(complaints, complaints, `{"way": "letter", "number": "8", "unit": "`+police+`", "words": "排队两小时"}`), 422)
	webtest.Want(t, office.Post(complaints, complaints, `{"way": "hotline", "number": "8", "unit": "NOBODY", "words": "排队两小时"}`), 422)
	clue := office.Post(complaints, complaints, `{"way": "hotline", "number": "9", "retaliation": true, "unit": "`+police+`", "words": "被报复"}`)
	webtest.Want(t, clue, 201)
	webtest.Want(t, office.Get(one, clue.Header().Get("Location")), 404)
	webtest.Want(t, unit.Post(complaints, complaints, said+`}`), 404)
	descriptions.Want(t, "../api/openapi.yaml", append(append(unit.Answers, office.Answers...), reader.Answers...))
}
