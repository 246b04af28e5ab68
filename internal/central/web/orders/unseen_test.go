package orders_test

import (
	"fmt"
	"html"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/pdf/pdftest"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/rating"
)

// TestAReferralIsUnseen: what the unit reads by pages and programs is the same before and after something was referred as a clue, and so is
// what is refused to it.
func TestAReferralIsUnseen(t *testing.T) {
	w := newWorld(t)
	page := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"})[0]
	session := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	auditor := w.SignIn(w.Add(webtest.Grant(account.Auditor, city, city)))
	program := w.Program(w.site, webtest.Grant(account.Unit, police, city), "", account.SeeOrders, account.WorkOrders)
	const one, list = "/api/v1/orders/{order}", "/api/v1/orders"
	at := list + "/" + strings.TrimPrefix(page, "/orders/of/")
	look := func() (all []string) {
		for _, who := range []string{session, auditor} {
			for _, path := range []string{page, "/orders", "/orders/board", "/orders/search", "/"} {
				all = append(all, w.get(path, who).Body.String())
			}
		}
		return append(all, program.Get(one, at).Body.String(), program.Get(list, list).Body.String())
	}
	before, form := look(), w.get(page, session).Body.String()
	seen := regexp.MustCompile(`name="seen" value="(\d+)"`).FindStringSubmatch(form)[1]
	if got := w.do(t, page, office, rectify.Refer, "涉嫌收受礼品"); got.Code != 303 {
		t.Fatalf("referred: %d %s", got.Code, got.Body)
	}
	if diff := cmp.Diff(before, look()); diff != "" {
		t.Errorf("the referral shows:\n%s", diff)
	}
	got := w.post(page+"/work", session, url.Values{"deed": {"verify"}, "seen": {seen}, "words": {"已核实"}})
	if got.Code != 303 {
		t.Errorf("the unit is told that somebody was faster: %d %s", got.Code, got.Body)
	}
}

// TestTheNumberOfAComplaintIsUsedOnce: a second complaint of the same number opens nothing; that one is a clue and the other none is
// said, as far as whoever enters them knows it.
func TestTheNumberOfAComplaintIsUsedOnce(t *testing.T) {
	w := newWorld(t)
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	clue := w.complain(t, office, "number", "12345-1", "retaliation", "1")
	webtest.Want(t, clue, 200, "已作为线索登记", "!/orders/of/")
	again := w.complain(t, office, "number", "12345-1", "retaliation", "1")
	webtest.Want(t, again, 200, "早已登记，这一份没有另存", "!/orders/of/")
	webtest.Want(t, w.complain(t, office, "number", "12345-1"), 200, "早已登记，这一份没有另存", "!/orders/of/")
	page := orderOf(t, w.complain(t, office, "number", "12345-2"))
	if second := w.complain(t, office, "number", "12345-2"); orderOf(t, second) != page {
		t.Error("one number opened two orders")
	}
	// Another office's number of the same kind is its own: it opens an order, and says nothing about the clue.
	other := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	webtest.Want(t, w.complain(t, other, "number", "12345-1"), 200, "已登记，开立工单", "!早已登记", "!作为线索登记")
	p := w.Program(w.site, webtest.Grant(account.City, city, city), "", account.SeeOrders, account.Complain)
	const complaints = "/api/v1/complaints"
	say := func(retaliation bool) *httptest.ResponseRecorder {
		return p.Post(complaints, complaints, fmt.Sprintf(`{"way": "hotline", "number": "12345-1", "unit": %q, "words": "被刁难",
			"retaliation": %t}`, police, retaliation))
	}
	webtest.Want(t, say(true), 201)
	webtest.Want(t, say(true), 200)
	webtest.Want(t, say(false), 409, "没有另存")
	descriptions.Want(t, "../api/openapi.yaml", p.Answers)
}

// TestWhatACitizenThinksOfTheWork is on the page, and what they wrote with it is shown for a reason; the office asks by message only
// where the centre can send one.
func TestWhatACitizenThinksOfTheWork(t *testing.T) {
	w := newWorld(t)
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	page := orderOf(t, w.complain(t, office, "number", "12345-1"))
	for _, x := range []struct {
		who  string
		deed rectify.Deed
	}{{unit, rectify.Contact}, {unit, rectify.Plan}, {unit, rectify.Reply}, {office, rectify.Pass}} {
		if got := w.do(t, page, x.who, x.deed, "增开一个窗口"); got.Code != 303 {
			t.Fatalf("%s: %d %s", x.deed, got.Code, got.Body)
		}
	}
	webtest.Want(t, w.get(page, office), 200, "!发送回访短信")
	w.orders = w.open(t, true)
	w.show()
	webtest.Want(t, w.get(page, unit), 200, "!发送回访短信")
	if got := w.do(t, page, office, rectify.Ask, ""); got.Code != 303 {
		t.Fatalf("asked: %d %s", got.Code, got.Body)
	}
	webtest.Want(t, w.get(page, office), 200, "发送回访短信", "!/review\">\n<input type=\"hidden\" name=\"deed\" value=\"ask\"")
	var order int64
	if _, err := fmt.Sscanf(page, "/orders/of/%d-1", &order); err != nil {
		t.Fatal(err)
	}
	x, err := w.orders.Order(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := w.orders.Judge(t.Context(), fmt.Sprintf("%d-1.%d", order, x.Parts[0].Body.Asked), false, "还是要排队")
	if err != nil || !taken {
		t.Fatal(taken, err)
	}
	for _, who := range []string{office, unit} {
		webtest.Want(t, w.get(page, who), 200, "限期整改", "回访：评价人不满意", "市民", "评价人写了话", "!还是要排队")
		webtest.Want(t, w.post(page+"/words", who, url.Values{"reason": {"?"}}), 422, "!还是要排队")
		webtest.Want(t, w.post(page+"/words", who, url.Values{"reason": {"核实不满意的原因"}}), 200, "还是要排队", "排队两小时")
	}
	text, _ := pdftest.Text(t, w.get(page+"/print.pdf", unit).Body.Bytes())
	if strings.Contains(text, "还是要") || !strings.Contains(text, "身份证") {
		t.Errorf("the print shows what the citizen wrote, or nothing:\n%s", text)
	}
}

// TestTheRateSaysWhatIsMissing: 实名差评回访整改率要达到100 (article 18). It stands above each page, counts those with a name alone, leads to what is
// missing, and says 100 only when nothing is.
func TestTheRateSaysWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	w.contact = "13800000001"
	named := w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"}, rating.CaseFact{Unit: police, TaskName: "身份证换领"})
	w.contact = ""
	w.rate(t, rating.CaseFact{Unit: police, TaskName: "户口迁移"})
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	other := w.SignIn(w.Add(webtest.Grant(account.Unit, labour, city)))
	follow := func(page string) {
		t.Helper()
		for _, x := range []struct {
			who  string
			deed rectify.Deed
		}{{unit, rectify.Contact}, {unit, rectify.Plan}, {unit, rectify.Reply}, {office, rectify.Pass}, {office, rectify.Satisfied}} {
			if got := w.do(t, page, x.who, x.deed, "增开一个窗口"); got.Code != 303 {
				t.Fatalf("%s: %d %s", x.deed, got.Code, got.Body)
			}
			w.Pass(time.Minute)
		}
	}
	pages := []string{"/orders", "/orders/board", "/orders/search"}
	for _, path := range pages {
		webtest.Want(t, w.get(path, office), 200, `<strong class="missing">0.0%</strong>（0/2）`)
	}
	follow(named[0])
	for _, path := range pages {
		for _, who := range []string{office, unit} {
			webtest.Want(t, w.get(path, who), 200, `<strong class="missing">50.0%</strong>（1/2）`)
		}
		webtest.Want(t, w.get(path, other), 200, "今年还没有实名差评")
	}
	missing := regexp.MustCompile(`<a href="([^"]+)">待回访整改的工单`).FindStringSubmatch(w.get("/orders", office).Body.String())[1]
	webtest.Want(t, w.get(html.UnescapeString(missing), office), 200, "身份证换领", "!身份证补领", "!户口迁移")
	follow(named[1])
	webtest.Want(t, w.get("/orders", office), 200, `<strong>100.0%</strong>（2/2）`, "!待回访整改")
}
