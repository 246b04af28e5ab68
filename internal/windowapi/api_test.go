package windowapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"haochaping/internal/rating"
)

func TestOpen(t *testing.T) {
	c := newContract(t, nil)
	a := c.want(http.StatusCreated, "POST", "/v1/visits", `{"staff":{"id":"0417"},"cases":[{"project_no":"p1","completed":true}]}`)
	if a.Header.Get("Location") != "/v1/visits/"+a.id(t) {
		t.Errorf("location %q, body %s", a.Header.Get("Location"), a.body)
	}
	want := rating.Visit{ID: 1, Staff: rating.Staff{ID: "0417"}, Cases: []rating.Case{{ProjectNo: "p1", Completed: true}},
		Grouping: rating.Single,
		Subjects: []rating.Subject{rating.StaffSubject, rating.MatterSubject}, Opener: rating.OpenedByPC}
	if diff := cmp.Diff(want, c.terminal.opened[0]); diff != "" {
		t.Errorf("visit (-want +got):\n%s", diff)
	}
}

func TestExamplesOfTheDescription(t *testing.T) {
	c := newContract(t, nil)
	for _, body := range []string{
		`{}`,
		`{"staff":{"id":"0417"},"cases":[{"project_no":"620102202600001","task_code":"11620100MB01","task_name":"居民身份证补领","completed":true}]}`,
		`{"grouping":"batch","cases":[{"project_no":"p1","task_code":"t1","completed":true},{"project_no":"p2","task_code":"t1",` +
			`"completed":true}]}`,
		`{"grouping":"theme","separate":true,"cases":[{"project_no":"p1","task_code":"t1","completed":true},{"project_no":"p2",` +
			`"task_code":"t2","completed":true}]}`,
	} {
		c.want(http.StatusCreated, "POST", "/v1/visits", body)
	}
}

func TestWaitForTheEnd(t *testing.T) {
	c := newContract(t, nil)
	id := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
	if a := c.want(http.StatusOK, "GET", "/v1/visits/"+id, ""); string(a.body) != `{"id":"`+id+`","open":true,"rated_subjects":[]}` {
		t.Errorf("%s", a.body)
	}
	ended := make(chan answer, 1)
	go func() { ended <- c.send("GET", "/v1/visits/"+id+"?wait=25s", "") }()
	time.AfterFunc(20*time.Millisecond, func() { c.terminal.finish(1, rating.Rated) })
	if a := <-ended; string(a.body) != `{"id":"`+id+`","open":false,"outcome":"rated","rated_subjects":["staff"]}` {
		t.Errorf("%s", a.body)
	}
}

func TestCancel(t *testing.T) {
	c := newContract(t, nil)
	id := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
	c.want(http.StatusNoContent, "DELETE", "/v1/visits/"+id, "")
	c.want(http.StatusNoContent, "DELETE", "/v1/visits/"+id, "") // sent twice
	second := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
	c.terminal.finish(2, rating.TimedOut)
	if p := c.refuse(http.StatusConflict, "ended", "DELETE", "/v1/visits/"+second, ""); p.Outcome != rating.TimedOut {
		t.Errorf("outcome %q", p.Outcome)
	}
	c.refuse(http.StatusNotFound, "no-visit", "DELETE", "/v1/visits/00000000000000ff", "")
	c.refuse(http.StatusNotFound, "no-visit", "GET", "/v1/visits/nonsense", "")
}

// TestCancelDuringTheThanks cancels a visit whose questions are all answered: it ends as rated, and nobody hears that it is cancelled.
func TestCancelDuringTheThanks(t *testing.T) {
	c := newContract(t, nil)
	id := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
	c.terminal.answered = true
	if p := c.want(http.StatusConflict, "DELETE", "/v1/visits/"+id, "").problem(t); p.Outcome != rating.Rated {
		t.Errorf("outcome %q", p.Outcome)
	}
}

func TestIdempotencyKey(t *testing.T) {
	c := newContract(t, nil)
	first := c.want(http.StatusCreated, "POST", "/v1/visits", `{"wait_sec":30}`, "Idempotency-Key", "k1")
	again := c.want(http.StatusCreated, "POST", "/v1/visits", `{"wait_sec":30}`, "Idempotency-Key", "k1")
	if first.id(t) != again.id(t) || first.Header.Get("Idempotency-Replayed") != "" || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("first %s, again %s", first.body, again.body)
	}
	c.refuse(http.StatusUnprocessableEntity, "key-reused", "POST", "/v1/visits", `{"wait_sec":31}`, "Idempotency-Key", "k1")
	other, _, err := AddToken(c.tokens, "PC A13", strings.NewReader(strings.Repeat("x", 64)), time.Unix(1_790_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if a := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`, "Idempotency-Key", "k1", "Authorization",
		"Bearer "+other); a.id(t) == first.id(t) {
		t.Error("another PC's key is the same key")
	}
	c.refuse(http.StatusUnprocessableEntity, "invalid", "POST", "/v1/visits", `{}`, "Idempotency-Key", "a b")
}

// TestIdempotencyKeyOfManyAtOnce sends one request over ten connections: one visit is opened.
func TestIdempotencyKeyOfManyAtOnce(t *testing.T) {
	c := newContract(t, nil)
	ids := make(chan string, 10)
	for range cap(ids) {
		go func() { ids <- string(c.send("POST", "/v1/visits", `{}`, "Idempotency-Key", "k1").body) }()
	}
	one := <-ids
	for range cap(ids) - 1 {
		if id := <-ids; id != one {
			t.Errorf("%s and %s", id, one)
		}
	}
	if len(c.terminal.opened) != 1 {
		t.Errorf("%d visits were opened", len(c.terminal.opened))
	}
}

func TestRulesAreNamed(t *testing.T) {
	c := newContract(t, nil)
	p := c.want(http.StatusUnprocessableEntity, "POST", "/v1/visits",
		`{"grouping":"batch","cases":[{"project_no":"p1","task_code":"t1"},{"project_no":"p2","task_code":"t2"}]}`).problem(t)
	if p.Type != "urn:hcp:problem:rule" || p.Article != 14 || p.Rule != rating.RuleBatchMatter || p.Case != "p2" ||
		!strings.Contains(p.Detail, "同一事项") || !strings.Contains(p.EN.Detail, "one matter") {
		t.Errorf("%+v", p)
	}
}

func TestWhatIsInvalidIsNamed(t *testing.T) {
	c := newContract(t, nil)
	for _, test := range []struct{ body, pointer string }{
		{`{"wait_sec":601}`, "/wait_sec"},
		{`{"cases":[{"project_no":"p1"},{"task_code":"t"}]}`, "/cases/1/project_no"},
		{`{"cases":[{"project_no":"a b"}]}`, "/cases/0/project_no"},
		{`{"cases":[{"project_no":"p","completed":"yes"}]}`, "/cases/0/completed"},
		{`{"staff":null}`, "/staff"},
		{`{"level":5}`, "/level"},
		{`{"Staff":{}}`, "/Staff"},
		{`{"staff":{"name":"a\u0007"}}`, "/staff/name"},
		{`{"subjects":["hall"]}`, "/subjects/0"},
		{`{"grouping":"many"}`, "/grouping"},
		{`{"wait_sec":1,"wait_sec":2}`, ""},
		{`{"staff":{"name":"` + "\xff" + `"}}`, ""},
		{`[]`, ""},
		{`{} {}`, ""},
		{`{`, ""},
	} {
		if p := c.refuse(http.StatusUnprocessableEntity, "invalid", "POST", "/v1/visits", test.body); p.Pointer != test.pointer {
			t.Errorf("%s: pointer %q, want %q", test.body, p.Pointer, test.pointer)
		}
	}
	c.refuse(http.StatusUnsupportedMediaType, "media-type", "POST", "/v1/visits", `{}`, "Content-Type", "text/plain")
	c.refuse(http.StatusRequestEntityTooLarge, "too-large", "POST", "/v1/visits", `{"staff":{"name":"`+strings.Repeat("x", maxBody)+`"}}`)
	c.refuse(http.StatusUnprocessableEntity, "invalid", "GET", "/v1/visits/0000000000000001?wait=61s", "")
	c.refuse(http.StatusUnprocessableEntity, "invalid", "PUT", "/v1/staff", `{"name":"王丽"}`)
	if len(c.terminal.opened) > 0 {
		t.Errorf("%d visits were opened all the same", len(c.terminal.opened))
	}
}

// TestLargeVisits holds that a visit which each field allows and the record does not is the client's matter, and says so.
func TestLargeVisits(t *testing.T) {
	c := newContract(t, nil)
	cases := func(n int, name string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"project_no":"p%d","task_code":"t%d","task_name":%q,"completed":true}`, i, i, name))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	c.want(http.StatusCreated, "POST", "/v1/visits", `{"grouping":"theme","separate":true,"cases":`+cases(rating.MaxSeparate, "x")+`}`)
	p := c.want(http.StatusUnprocessableEntity, "POST", "/v1/visits", `{"grouping":"theme","separate":true,"cases":`+
		cases(rating.MaxSeparate+1, "x")+`}`).problem(t)
	if p.Type != "urn:hcp:problem:invalid" || p.Pointer != "/separate" {
		t.Errorf("%+v", p)
	}
	c.want(http.StatusCreated, "POST", "/v1/visits", `{"grouping":"theme","cases":`+cases(rating.MaxCases, "x")+`}`)
	long := strings.Repeat("证", rating.MaxName)
	p = c.want(http.StatusRequestEntityTooLarge, "POST", "/v1/visits", `{"grouping":"theme","cases":`+cases(rating.MaxCases, long)+`}`).
		problem(t)
	if p.Type != "urn:hcp:problem:too-large" {
		t.Errorf("%+v", p)
	}
}

func TestPathsAndMethods(t *testing.T) {
	c := newContract(t, nil)
	c.refuse(http.StatusNotFound, "not-found", "GET", "/v2/visits", "")
	if a := c.send("PATCH", "/v1/staff", ""); a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "DELETE, PUT" {
		t.Errorf("%s, allow %q", a.Status, a.Header.Get("Allow"))
	}
	if a := c.want(http.StatusOK, "GET", "/openapi.yaml", "", "Authorization", ""); string(a.body) != string(Description()) {
		t.Error("the description that is served is another one")
	}
}

func TestProblemsSpeakTheClientsLanguage(t *testing.T) {
	c := newContract(t, nil)
	zh := c.send("GET", "/v1/visits/00000000000000ff", "").problem(t)
	en := c.send("GET", "/v1/visits/00000000000000ff", "", "Accept-Language", "en-GB,en;q=0.9").problem(t)
	if zh.Title != zh.ZH.Title || en.Title != en.EN.Title || zh.Title == en.Title {
		t.Errorf("%+v\n%+v", zh, en)
	}
}

func TestStaffAndPause(t *testing.T) {
	c := newContract(t, nil)
	c.want(http.StatusNoContent, "PUT", "/v1/staff", `{"id":"0417","name":"王丽","department":"户政科"}`)
	if a := c.want(http.StatusOK, "GET", "/v1/status", ""); string(a.body) != `{"state":"idle","offline":true,"staff":{"id":"0417",`+
		`"name":"王丽","department":"户政科"}}` {
		t.Errorf("%s", a.body)
	}
	c.want(http.StatusNoContent, "DELETE", "/v1/staff", "")
	id := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
	if a := c.want(http.StatusOK, "GET", "/v1/status", ""); string(a.body) != `{"state":"asking","offline":true,"visit":"`+id+`"}` {
		t.Errorf("%s", a.body)
	}
	c.want(http.StatusNoContent, "PUT", "/v1/pause", "")
	if p := c.want(http.StatusConflict, "POST", "/v1/visits", `{}`).problem(t); p.State != StatePaused {
		t.Errorf("%+v", p)
	}
	c.want(http.StatusNoContent, "DELETE", "/v1/pause", "")
	c.want(http.StatusCreated, "POST", "/v1/visits", `{}`)
}

func TestPrint(t *testing.T) {
	c := newContract(t, nil)
	id := c.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
	if a := c.want(http.StatusOK, "GET", "/v1/visits/"+id+"/qr.png", ""); a.Header.Get("Content-Type") != "image/png" ||
		c.terminal.prints != 1 {
		t.Errorf("%s, %d prints", a.Header.Get("Content-Type"), c.terminal.prints)
	}
	c.refuse(http.StatusNotFound, "no-visit", "GET", "/v1/visits/00000000000000ff/qr.png", "")
	closed := newContract(t, func(c *Config) { c.PrintQR = false })
	id = closed.want(http.StatusCreated, "POST", "/v1/visits", `{}`).id(t)
	closed.refuse(http.StatusForbidden, "no-print", "GET", "/v1/visits/"+id+"/qr.png", "")
}

// TestFailuresSayNothing holds that what went wrong inside stays in the log.
func TestFailuresSayNothing(t *testing.T) {
	c := newContract(t, nil)
	c.terminal.err = errors.New("visit 5: rated 2 by keypad")
	for _, r := range [][3]string{{"POST", "/v1/visits", `{}`}, {"DELETE", "/v1/visits/0000000000000001", ""},
		{"PUT", "/v1/staff", `{"id":"1"}`}, {"DELETE", "/v1/staff", ""}, {"PUT", "/v1/pause", ""}, {"DELETE", "/v1/pause", ""}} {
		if a := c.want(http.StatusInternalServerError, r[0], r[1], r[2]); strings.Contains(string(a.body), "keypad") {
			t.Errorf("%s %s: %s", r[0], r[1], a.body)
		}
	}
}
