package people_test

import (
	"encoding/csv"
	"html"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/people"
	"haochaping/internal/central/web/webtest"
)

func world(t *testing.T) (*webtest.World, *web.Site) {
	w := webtest.New(t)
	return w, w.Site(people.Section(people.Config{Accounts: w.Accounts, Journal: w.Journal}))
}

func post(s *web.Site, secret, path string, pairs ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return webtest.Do(s, webtest.Request("POST", path, secret, form))
}

func get(s *web.Site, secret, path string) *httptest.ResponseRecorder {
	return webtest.Do(s, webtest.Request("GET", path, secret, nil))
}

// An office opens accounts in its area, and gains nothing over those that see more than it does.
func TestWhoAppointsWhom(t *testing.T) {
	w, s := world(t)
	province := w.Add(webtest.Grant(account.Province, "620000000000", "620000000000"))
	city := w.Add(webtest.Grant(account.City, "620100000000", "620100000000"))
	county := w.Add(webtest.Grant(account.County, "620102000000", "620102000000"))
	// Somebody of the city's own office whom the province has appointed for more.
	auditor := w.Add(webtest.Grant(account.Technician, "620100000000", "620100000000"),
		webtest.Grant(account.Auditor, "620000000000", "620000000000"))
	other := w.Add(webtest.Grant(account.City, "620200000000", "620200000000"))
	me := w.SignIn(city)
	webtest.Want(t, get(s, me, "/accounts"), 200, county.Login, auditor.Login, "!"+province.Login, "!"+other.Login)
	webtest.Want(t, get(s, me, "/accounts?q="+other.Login), 200, "没有找到")
	page := post(s, me, "/accounts", "login", "hall.east", "name", "王敏", "role", "hall", "scope", "h1", "area", "620102000000", "until",
		"2026-12-31")
	webtest.Want(t, page, 200, "一次性链接", "http://localhost/enter/")
	id := regexp.MustCompile(`/accounts/(a-[a-z0-9]+)/bar`).FindStringSubmatch(page.Body.String())[1]
	webtest.Want(t, get(s, me, "/accounts/"+id), 200, "大厅管理员", "2027-01-01 00:00", "!/enter/")
	for what, w := range map[string]*httptest.ResponseRecorder{
		"a name twice": post(s, me, "/accounts", "login", "hall.east", "name", "x", "role", "hall", "scope", "h1", "area",
			"620102000000"),
		"a role above one's own": post(s, me, "/accounts", "login", "x1", "name", "x", "role", "province", "area", "620000000000"),
		"another city":           post(s, me, "/accounts", "login", "x2", "name", "x", "role", "county", "area", "620202000000"),
		"no area":                post(s, me, "/accounts", "login", "x3", "name", "x", "role", "hall", "scope", "h1", "area", ""),
		"a role in too small":    post(s, me, "/accounts/"+id+"/grants", "role", "city", "area", "620102000000"),
		"a grant elsewhere":      post(s, me, "/accounts/"+id+"/grants", "role", "hall", "scope", "h2", "area", "620200000000"),
		"a move elsewhere":       post(s, me, "/accounts/"+id+"/change", "name", "x", "area", "620200000000", "changed", "1"),
		"an old form":            post(s, me, "/accounts/"+id+"/change", "name", "x", "area", "620100000000", "changed", "1"),
	} {
		if w.Code != 422 {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	// Oneself, somebody who sees more, and somebody elsewhere.
	for _, x := range []account.Account{city, auditor, other, province} {
		for _, do := range []string{"link", "bar", "second", "grants", "change"} {
			if got := post(s, me, "/accounts/"+x.ID+"/"+do, "bar", "1", "role", "hall", "scope", "h1", "area", "620102000000", "name",
				"x"); got.Code != 404 {
				t.Errorf("%s of %s: %d", do, x.Login, got.Code)
			}
		}
	}
	// What it may do takes effect with the next request.
	theirs := w.SignIn(county)
	webtest.Want(t, get(s, theirs, "/accounts"), 200)
	grants, err := w.Accounts.Grants(t.Context(), county.ID)
	if err != nil {
		t.Fatal(err)
	}
	webtest.Want(t, post(s, me, "/accounts/"+county.ID+"/grants/"+grants[0].ID+"/revoke"), 303)
	webtest.Want(t, get(s, theirs, "/accounts"), 404)
	webtest.Want(t, post(s, me, "/accounts/"+county.ID+"/bar", "bar", "1"), 303)
	webtest.Want(t, get(s, theirs, "/"), 303)
}

// Acts with much in them make more pages, none of which is large.
func TestAuditOfLargeActs(t *testing.T) {
	w, s := world(t)
	auditor := w.SignIn(w.Add(webtest.Grant(account.Auditor, "620000000000", "620000000000")))
	data := []byte(`"` + strings.Repeat("x", 700<<10) + `"`)
	for i := range 8 {
		a := journal.Act{Do: "large", Object: "thing " + strconv.Itoa(i), Domain: "620100000000", Data: data}
		if _, err := w.Journal.Do(t.Context(), webtest.Operator, "", a, nil); err != nil {
			t.Fatal(err)
		}
	}
	if some, err := w.Journal.Acts(t.Context(), 0, 100); err != nil || len(some) != 6 {
		t.Errorf("%d acts at once, %v; want 6 of 700 KiB", len(some), err)
	}
	next, seen := "/audit?do=large", 0
	more := regexp.MustCompile(`href="(/audit\?do=large&amp;before=[0-9]+)"`)
	for next != "" && seen < 20 {
		page := get(s, auditor, next)
		webtest.Want(t, page, 200)
		seen += strings.Count(page.Body.String(), "<bdi>thing ")
		if page.Body.Len() > 2<<20 {
			t.Errorf("a page of %d bytes", page.Body.Len())
		}
		m := more.FindStringSubmatch(page.Body.String())
		if next = ""; m != nil {
			next = html.UnescapeString(m[1])
		}
	}
	if seen != 8 {
		t.Errorf("%d acts on all pages, want 8", seen)
	}
}

// The audit shows each what was done in their area, can be searched and taken, and no cell of it computes anything.
func TestAudit(t *testing.T) {
	w, s := world(t)
	city := w.Add(webtest.Grant(account.City, "620100000000", "620100000000"))
	me := w.SignIn(city)
	auditor := w.SignIn(w.Add(webtest.Grant(account.Auditor, "620000000000", "620000000000")))
	formula := `=HYPERLINK("https://evil.example.net";"x")`
	for _, a := range []journal.Act{
		{Do: "look evaluation.text", Object: "evaluation 7", Reason: formula, Domain: "620102000000"},
		{Do: "look evaluation.identity", Object: "evaluation 8", Reason: "回访", Domain: "620200000000"},
	} {
		if _, err := w.Journal.Do(t.Context(), city.ID, "", a, nil); err != nil {
			t.Fatal(err)
		}
	}
	webtest.Want(t, get(s, me, "/audit"), 200, "查看评价文字", "HYPERLINK", city.Login, "评价 7", "!评价 8")
	webtest.Want(t, get(s, auditor, "/audit?q=evaluation&do=look"), 200, "评价 7", "评价 8", "回访", "!开通账号 </td>")
	if _, err := w.Journal.Do(t.Context(), "rectify", "", journal.Act{Do: "rectify.sent", Object: "7/1", Domain: "620102000000"},
		nil); err != nil {
		t.Fatal(err)
	}
	webtest.Want(t, get(s, auditor, "/audit?do=rectify"), 200, "系统（差评整改）", "工单：短信已发出")
	webtest.Want(t, get(s, auditor, "/audit?do=account"), 200, "中心主机操作员（test）", "!operator test")
	webtest.Want(t, get(s, auditor, "/audit?q=nothing-like-it"), 200, "没有符合条件的记录")
	webtest.Want(t, get(s, auditor, "/audit?to=2020-01-01"), 200, "没有符合条件的记录")
	webtest.Want(t, get(s, auditor, "/audit?from=monday"), 400, "日期")
	file := get(s, me, "/audit.csv?q=evaluation")
	text, ok := strings.CutPrefix(file.Body.String(), "\xef\xbb\xbf")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !ok || len(rows) < 2 || file.Header().Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Fatalf("%q, %v", text, err)
	}
	if got := rows[len(rows)-1]; got[6] != "'"+formula {
		t.Errorf("the last row is %q", got)
	}
	if strings.Contains(text, "evaluation 8") {
		t.Error("the export has what the page has not")
	}
	webtest.Want(t, get(s, me, "/audit?do=audit.export"), 200, "导出审计", "q=evaluation")
	for _, cell := range []string{"=1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1"} {
		if got := web.Inert(cell); got != "'"+cell {
			t.Errorf("%q stays %q", cell, got)
		}
	}
	if got := web.Inert("1=2"); got != "1=2" {
		t.Errorf("a harmless cell becomes %q", got)
	}
}

// An export has all that there is, however much that is; a page that has not found anything so far says that it has not looked at all.
func TestAnAuditIsTakenWhole(t *testing.T) {
	w := webtest.New(t)
	s := w.Site(people.Section(people.Config{Accounts: w.Accounts, Journal: w.Journal, Look: 10}))
	auditor := w.SignIn(w.Add(webtest.Grant(account.Auditor, "620000000000", "620000000000")))
	for i := range 33 {
		a := journal.Act{Do: "look evaluation.text", Object: "evaluation " + strconv.Itoa(i), Domain: "620100000000"}
		if i < 3 {
			a.Do = "old.one"
		}
		if _, err := w.Journal.Do(t.Context(), webtest.Operator, "", a, nil); err != nil {
			t.Fatal(err)
		}
	}
	webtest.Want(t, get(s, auditor, "/audit?do=old."), 200, "最近 10 条记录中没有", "before=", "!没有符合条件的记录。")
	file := get(s, auditor, "/audit.csv?do=old.")
	for i := range 3 {
		webtest.Want(t, file, 200, ",evaluation "+strconv.Itoa(i)+",")
	}
	webtest.Want(t, file, 200, "!evaluation 3,")
}
