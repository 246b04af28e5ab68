package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
)

const centreAPI = "../../internal/central/web/api/openapi.yaml"

func readAPI(t *testing.T) descriptions.Document {
	t.Helper()
	d, err := descriptions.ReadDocument(centreAPI)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAPIIsDescribed compares the routes for programs with their description.
func TestAPIIsDescribed(t *testing.T) {
	_, site := pagesOf(t)
	var routes []string
	for _, r := range site.Routes() {
		if strings.HasPrefix(r.Path, "/api/v1/") {
			routes = append(routes, r.Method+" "+r.Path)
		}
	}
	described := readAPI(t).Operations()
	slices.Sort(routes)
	slices.Sort(described)
	if len(routes) < 8 || !slices.Equal(routes, described) {
		t.Errorf("the routes are\n%s\nthe description has\n%s", strings.Join(routes, "\n"), strings.Join(described, "\n"))
	}
}

// program asks the API by a token, and remembers the answers for their schemas.
type program struct {
	t       *testing.T
	site    http.Handler
	token   string
	answers *[]descriptions.Answer
}

// ask sends a request to a path of the description whose parts in braces are replaced in turn.
func (p program) ask(method, path string, parts []string, query, body string, headers ...string) *httptest.ResponseRecorder {
	p.t.Helper()
	address := path
	for _, part := range parts {
		i, j := strings.Index(address, "{"), strings.Index(address, "}")
		address = address[:i] + part + address[j+1:]
	}
	r := httptest.NewRequest(method, address+query, strings.NewReader(body))
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:40000"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := webtest.Do(p.site, r)
	if !strings.HasSuffix(path, ".yaml") || w.Code != http.StatusOK {
		*p.answers = append(*p.answers, descriptions.Answer{Method: method, Path: path, Status: w.Code, Kind: w.Header().Get("Content-Type"),
			Body: w.Body.Bytes()})
	}
	return w
}

// tokenOf makes a token for somebody with a grant.
func tokenOf(t *testing.T, p *crowd, g account.Grant, area string, actions ...account.Action) string {
	t.Helper()
	secret, _ := p.signedIn(g)
	person, _, err := p.x.people.Session(t.Context(), secret, false)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := p.x.people.AddToken(t.Context(), person, "program", actions, area, p.x.journal.Now()+time.Hour.Milliseconds())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const (
	things   = "/api/v1/organisation/{kind}"
	oneThing = "/api/v1/organisation/{kind}/{id}"
)

// TestAPI does by programs what the pages do. Each answer is as the description has it.
func TestAPI(t *testing.T) {
	x, site := pagesAt(t, "admin.hosts = ['admin.example.com']", noon())
	crowd := &crowd{t, x, 0, make(map[account.Grant]string), make(map[account.Grant]string)}
	directorytest.Enter(t, x.directory, "../ratingctl/organisation.csv")
	clerk, err := x.people.Add(t.Context(), operator(), "clerk.one", "测试", "629901000000",
		account.Grant{Role: account.Hall, Scope: "SL-H2", Area: "629901000000", From: 1})
	if err != nil {
		t.Fatal(err)
	}
	var answers []descriptions.Answer
	city := account.Grant{Role: account.City, Scope: "629900000000", Area: "629900000000", From: 1}
	p := program{t, site, tokenOf(t, crowd, city, "", account.SeeDirectory, account.EditDirectory, account.SeeAccounts, account.SeeAudit),
		&answers}
	hall := p
	hall.token = tokenOf(t, crowd, account.Grant{Role: account.Hall, Scope: "SL-H2", Area: "629901000000", From: 1}, "", account.SeeDirectory,
		account.EditDirectory)

	t.Run("lists", func(t *testing.T) { lists(t, p, hall) })
	t.Run("changes", func(t *testing.T) { changes(t, p, hall, time.UnixMilli(x.journal.Now())) })
	t.Run("refusals", func(t *testing.T) { refusals(t, p, hall) })
	t.Run("accounts and audit", func(t *testing.T) { accountsAndAudit(t, p, hall, clerk.ID) })
	nobody := p
	nobody.token = ""
	webtest.Want(t, nobody.ask("GET", things, []string{"hall"}, "", ""), 401, `"code": "sign_in"`)
	webtest.Want(t, nobody.ask("GET", "/api/v1/openapi.yaml", nil, "", ""), 200, "openapi: 3.1.0")
	t.Run("each answer is as described", func(t *testing.T) { descriptions.Want(t, centreAPI, answers) })
}

type list[T any] struct {
	Items []T
	Next  string
}

func read[T any](t *testing.T, w *httptest.ResponseRecorder) (v T) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code >= 300 {
		t.Fatalf("%d %v\n%s", w.Code, err, w.Body)
	}
	return v
}

func lists(t *testing.T, p, hall program) {
	var all []string
	for cursor, parts := "", 0; ; parts++ {
		some := read[list[directory.Record]](t, p.ask("GET", things, []string{"staff"}, "?limit=7&cursor="+cursor, ""))
		for _, r := range some.Items {
			all = append(all, r.ID)
		}
		if cursor = some.Next; cursor == "" || parts > 10 {
			break
		}
	}
	if len(all) != 30 || !slices.IsSorted(all) || len(slices.Compact(all)) != 30 {
		t.Errorf("the staff by parts: %q", all)
	}
	if some := read[list[directory.Record]](t, hall.ask("GET", things, []string{"staff"}, "", "")); len(some.Items) != 7 {
		t.Errorf("the hall's staff: %v", some.Items)
	}
	if some := read[list[directory.Record]](t, p.ask("GET", things, []string{"unit"}, "?day=2025-06-01&q=116299002MB002222J",
		"")); some.Items[0].Name != "示例市政务服务中心" {
		t.Errorf("a unit as it was: %v", some.Items)
	}
	one := read[struct {
		directory.Record
		History []directory.Record
	}](t, p.ask("GET", oneThing, []string{"unit", "116299002MB002222J"}, "", ""))
	if one.Name != "示例市政务服务管理局" || len(one.History) != 2 || one.History[0].Name != "示例市政务服务中心" {
		t.Errorf("a unit with its history: %+v", one)
	}
	for _, query := range []string{"?kind=x", "?limit=0", "?limit=501", "?limit=1&limit=2", "?day=yesterday", "?area=62", "?areas=620000"} {
		webtest.Want(t, p.ask("GET", things, []string{"hall"}, query, ""), 400, `"code": "invalid"`)
	}
}

func changes(t *testing.T, p, hall program, now time.Time) {
	today := directory.DayOf(now).String()
	made := hall.ask("POST", things, []string{"window"}, "", `{"id":"SL-H2-B05","name":"综合受理5号窗口","hall":"SL-H2","reason":"增设窗口"}`)
	webtest.Want(t, made, 201, `"综合受理5号窗口"`, today)
	if at := made.Header().Get("Location"); at != "/api/v1/organisation/window/SL-H2-B05" {
		t.Errorf("it is at %q", at)
	}
	webtest.Want(t, hall.ask("POST", things, []string{"window"}, "", `{"id":"SL-H2-B05","name":"又","hall":"SL-H2","reason":"增设窗口"}`), 409,
		`"code": "exists"`)
	read := hall.ask("GET", oneThing, []string{"window", "SL-H2-B05"}, "", "")
	tag := read.Header().Get("ETag")
	if tag == "" || tag != made.Header().Get("ETag") {
		t.Errorf("the tags %q and %q", made.Header().Get("ETag"), tag)
	}
	rename := `{"name":"五号","hall":"SL-H2","reason":"更名"}`
	at := []string{"window", "SL-H2-B05"}
	webtest.Want(t, hall.ask("PUT", oneThing, at, "", rename), 428, `"code": "needs_tag"`)
	webtest.Want(t, hall.ask("PUT", oneThing, at, "", rename, "If-Match", "*"), 412, `"code": "changed"`)
	webtest.Want(t, hall.ask("PUT", oneThing, at, "", rename, "If-Match", `"other", `+tag), 200, "五号")
	webtest.Want(t, hall.ask("PUT", oneThing, at, "", rename, "If-Match", tag), 412, `"code": "changed"`)
	tag = hall.ask("GET", oneThing, at, "", "").Header().Get("ETag")
	webtest.Want(t, hall.ask("POST", oneThing+"/end", at, "", `{"on":"`+today+`","reason":"撤销"}`, "If-Match", tag), 422, "不晚于")
	tomorrow := directory.DayOf(now.Add(24 * time.Hour)).String()
	webtest.Want(t, hall.ask("POST", oneThing+"/end", at, "", `{"on":"`+tomorrow+`","reason":"撤销"}`), 428)
	webtest.Want(t, hall.ask("POST", oneThing+"/end", at, "", `{"on":"`+tomorrow+`","reason":"撤销"}`, "If-Match", tag), 200,
		`"to": "`+tomorrow+`"`)
	// Of two who have read the same, one changes it.
	tag = p.ask("GET", oneThing, []string{"hall", "SL-H1"}, "", "").Header().Get("ETag")
	codes := make(chan int, 2)
	for _, name := range []string{"市民中心甲", "市民中心乙"} {
		go func() {
			one := program{t, p.site, p.token, new([]descriptions.Answer)}
			codes <- one.ask("PUT", oneThing, []string{"hall", "SL-H1"}, "", `{"name":"`+name+
				`","area":"629900000000","unit":"116299002MB002222J","reason":"更名"}`, "If-Match", tag).Code
		}()
	}
	if a, b := <-codes, <-codes; a+b != 200+412 {
		t.Errorf("two at once are answered %d and %d", a, b)
	}
}

func refusals(t *testing.T, p, hall program) {
	post := func(p program, kind, body string, headers ...string) *httptest.ResponseRecorder {
		return p.ask("POST", things, []string{kind}, "", body, headers...)
	}
	const window = `{"id":"SL-H2-B09","name":"九号","hall":"SL-H2","reason":"增设窗口"`
	webtest.Want(t, post(hall, "window", window+`,"unit":"116299003MB003333Y"}`), 422, `"code": "refused"`, "不在您的角色范围内", `"en"`)
	webtest.Want(t, post(hall, "window", window+`,"from":"2020-01-01"}`), 422, "今天以前")
	webtest.Want(t, post(hall, "window", strings.Replace(window, "SL-H2\"", "SL-H1\"", 1)+"}"), 422, "不在您的角色范围内")
	// A window of another hall is refused as one of a hall that is not there.
	webtest.Want(t, post(hall, "window", `{"id":"SL-H1-A07","name":"九号","hall":"SL-H2","reason":"增设窗口"}`), 422, "不在您的角色范围内")
	webtest.Want(t, post(hall, "window", strings.Replace(window, "增设窗口", "x", 1)+"}"), 422, "Say why")
	webtest.Want(t, post(hall, "hall", `{"id":"SL-H9","name":"新厅","area":"629901000000","unit":"116299006MB0066664","reason":"新建"}`), 422)
	webtest.Want(t, post(p, "thing", window+"}"), 404)
	webtest.Want(t, post(p, "window", window+`,"colour":"red"}`), 400, `at \"/colour\"`)
	webtest.Want(t, post(p, "window", window+`,"name":"twice"}`), 400)
	webtest.Want(t, post(p, "window", `[`), 400)
	webtest.Want(t, post(p, "window", window+"}", "Content-Type", "text/plain"), 415, `"code": "kind"`)
	webtest.Want(t, post(p, "window", window+`,"phone":"`+strings.Repeat("9", 70<<10)+`"}`), 413, `"code": "too_large"`)
	webtest.Want(t, hall.ask("GET", oneThing, []string{"hall", "SL-H1"}, "", ""), 404, `"code": "not_found"`)
	webtest.Want(t, hall.ask("PUT", oneThing, []string{"hall", "SL-H1"}, "", `{"name":"x","reason":"更名"}`, "If-Match", `"x"`), 404)
	webtest.Want(t, p.ask("PUT", oneThing, []string{"hall", "SL-H3"}, "", `{"id":"SL-H1","name":"x","reason":"更名"}`, "If-Match", `"x"`), 400)
}

func accountsAndAudit(t *testing.T, p, hall program, clerk string) {
	all := read[list[struct{ ID, Login string }]](t, p.ask("GET", "/api/v1/accounts", nil, "?limit=1", ""))
	if len(all.Items) != 1 || all.Items[0].Login != "clerk.one" || all.Next != "" {
		t.Errorf("the accounts of the city: %+v", all)
	}
	webtest.Want(t, p.ask("GET", "/api/v1/accounts/{account}", []string{clerk}, "", ""), 200, `"role": "hall"`, `"scope": "SL-H2"`)
	webtest.Want(t, p.ask("GET", "/api/v1/accounts/{account}", []string{"a-none"}, "", ""), 404)
	webtest.Want(t, hall.ask("GET", "/api/v1/accounts/{account}", []string{clerk}, "", ""), 404)
	webtest.Want(t, p.ask("GET", "/api/v1/accounts", nil, "?q=nobody", ""), 200, `"items": []`)
	webtest.Want(t, hall.ask("GET", "/api/v1/accounts", nil, "", ""), 404)
	webtest.Want(t, hall.ask("GET", "/api/v1/audit", nil, "", ""), 404)
	acts := read[list[struct {
		Pos             int64
		Do, Area, Means string
	}]](t, p.ask("GET", "/api/v1/audit", nil, "?do=directory.&limit=2", ""))
	if len(acts.Items) != 2 || acts.Next == "" || acts.Items[0].Do != "directory.change" || acts.Items[0].Means != "修改机构资料" {
		t.Errorf("the audit: %+v", acts)
	}
	next := read[list[struct{ Pos int64 }]](t, p.ask("GET", "/api/v1/audit", nil, "?do=directory.&limit=2&cursor="+acts.Next, ""))
	if len(next.Items) == 0 || next.Items[0].Pos >= acts.Items[1].Pos {
		t.Errorf("the audit goes on with %+v after %+v", next.Items, acts.Items)
	}
	webtest.Want(t, p.ask("GET", "/api/v1/audit", nil, "?from=yesterday", ""), 400)
	webtest.Want(t, p.ask("GET", "/api/v1/audit", nil, "?cursor=x", ""), 400)
}

// A token that asks for too much is told when to come back, in the API's own words; people and other tokens are not held up.
func TestTokenAsksTooMuch(t *testing.T) {
	at := time.Now() // which stands still, so that nothing is given back
	x, site := pagesAt(t, "", func() time.Time { return at })
	crowd := &crowd{t, x, 0, make(map[account.Grant]string), make(map[account.Grant]string)}
	city := account.Grant{Role: account.City, Scope: "629900000000", Area: "629900000000", From: 1}
	var answers []descriptions.Answer
	p := program{t, site, tokenOf(t, crowd, city, "", account.SeeOrders), &answers}
	other := program{t, site, tokenOf(t, crowd, city, "", account.SeeOrders), &answers}
	last := p.ask("GET", "/api/v1/orders", nil, "", "")
	for n := 0; last.Code == http.StatusOK && n < 1000; n++ {
		last = p.ask("GET", "/api/v1/orders", nil, "", "")
	}
	webtest.Want(t, last, 429, `"code": "too_soon"`)
	if after := last.Header().Get("Retry-After"); after != "1" {
		t.Errorf("it may come back after %q seconds", after)
	}
	webtest.Want(t, other.ask("GET", "/api/v1/orders", nil, "", ""), 200)
	session, _ := crowd.signedIn(city)
	webtest.Want(t, webtest.Do(site, webtest.Request("GET", "/api/v1/orders", session, nil)), 200)
	at = at.Add(time.Second)
	webtest.Want(t, p.ask("GET", "/api/v1/orders", nil, "", ""), 200)
	descriptions.Want(t, centreAPI, answers[len(answers)-3:])
}
