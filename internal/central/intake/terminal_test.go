package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"haochaping/internal/central/cases"
	"haochaping/internal/central/journal"
	"haochaping/internal/rating"
)

// twoTerminals knows two terminals by their tokens.
type twoTerminals struct{}

func (twoTerminals) Holder(token string) (cases.Holder, bool) {
	return cases.Holder{Name: token, Area: "6201", Doors: []string{"kiosk"}}, token == "zz-1" || token == "zz-2"
}

// TestATerminal opens a visit as the window API has it, shows the page, and learns that it was rated and never how; the posted code leads
// to what was just finished.
func TestATerminal(t *testing.T) {
	o := newOffice(t, "http://127.0.0.1:1")
	room, err := Open(t.Context(), o.journal)
	if err != nil {
		t.Fatal(err)
	}
	l := links(t, "https://rate.example.com")
	l.Now = o.now
	h := Terminals{Door: cases.Door{Tokens: twoTerminals{}, Logger: slog.New(slog.DiscardHandler)}, Room: room, Links: l,
		Books: o.books}.Handler()
	ask := func(token, method, path, key, body string) (int, map[string]any, string) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		said := make(map[string]any)
		if w.Body.Len() > 0 && strings.Contains(w.Header().Get("Content-Type"), "json") {
			if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
				t.Fatal(err)
			}
		}
		return w.Code, said, w.Header().Get("Idempotency-Replayed")
	}
	one := `{"cases":[{"project_no":"P-1","area":"620100","task_name":"公积金查询","completed":true},{"project_no":"P-9","area":"620100",` +
		`"task_code":"","task_name":"","completed":false}]}`
	status, opened, _ := ask("zz-1", "POST", "/v1/visits", "k", one)
	id, _ := opened["id"].(string)
	url, _ := opened["link"].(string)
	c, err := l.Keeper.Read(strings.TrimPrefix(url, "https://rate.example.com/C/"))
	want := rating.CaseKey{Area: "620100000000", Project: "P-1"}
	if status != 201 || err != nil || c.Case != want || c.Channel != rating.Kiosk || !c.Completed {
		t.Fatalf("%d %v %+v %v", status, opened, c, err)
	}
	if status, again, replayed := ask("zz-1", "POST", "/v1/visits", "k", one); status != 201 || again["id"] != id || replayed != "true" {
		t.Errorf("again: %d %v", status, again)
	}
	if status, _, _ := ask("zz-1", "POST", "/v1/visits", "k", strings.Replace(one, "P-1", "P-2", 1)); status != 409 {
		t.Errorf("another under its key: %d", status)
	}
	last := func(terminal string) string {
		t.Helper()
		k, _, err := room.Last(t.Context(), terminal, "phone", o.now())
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(k.Project, k.Project != "")
	}
	if last("zz-1") != "P-1true" || last("zz-2") != "false" {
		t.Errorf("posted codes lead to %s and %s", last("zz-1"), last("zz-2"))
	}
	if status, _, _ := ask("zz-2", "GET", "/v1/visits/"+id, "", ""); status != 404 {
		t.Errorf("another terminal's visit: %d", status)
	}
	state := func(wait string) string {
		t.Helper()
		status, said, _ := ask("zz-1", "GET", "/v1/visits/"+id+wait, "", "")
		return fmt.Sprint(status, said["open"], said["outcome"], said["rated_subjects"])
	}
	if got := state("?wait=1s"); got != "200 true <nil> []" {
		t.Errorf("open: %s", got)
	}
	a := journal.Answer{Case: want, Level: 1, Channel: rating.Kiosk, At: o.now().UnixMilli(), Completed: true}
	if _, err := o.journal.Answer(t.Context(), "page:zz-1", "1", []journal.Answer{a}, nil); err != nil {
		t.Fatal(err)
	}
	o.follow() // and nobody else has said that the case is completed
	if got := state("?wait=60s"); got != "200 falserated_by_phone[matter]" {
		t.Errorf("rated: %s", got)
	}
	if status, _, _ := ask("zz-1", "DELETE", "/v1/visits/"+id, "", ""); status != 409 {
		t.Errorf("cancelled when it was rated: %d", status)
	}
	o.set(o.now().Add(time.Second))
	_, second, _ := ask("zz-1", "POST", "/v1/visits", "", strings.Replace(one, "P-1", "P-3", 1))
	id = second["id"].(string)
	if last("zz-1") != "P-3true" {
		t.Errorf("the next one's: %s", last("zz-1"))
	}
	for range 2 {
		if status, _, _ := ask("zz-1", "DELETE", "/v1/visits/"+id, "", ""); status != 204 {
			t.Errorf("cancel: %d", status)
		}
	}
	if last("zz-1") != "false" || !strings.Contains(state(""), "cancelled") {
		t.Errorf("cancelled: %s, %s", last("zz-1"), state(""))
	}
	o.set(o.now().Add(time.Second))
	_, third, _ := ask("zz-1", "POST", "/v1/visits", "", strings.Replace(one, "P-1", "P-4", 1))
	id = third["id"].(string)
	o.set(o.now().Add(Finished))
	if last("zz-1") != "false" || !strings.Contains(state(""), "timed_out") {
		t.Errorf("five minutes later: %s, %s", last("zz-1"), state(""))
	}
	for body, says := range map[string]string{
		`{"cases":[]}`:                                                     "0 completed",
		strings.Replace(one, "false", "true", 1):                           "2 completed",
		strings.Replace(one, "620100", "620200", 1):                        "no such case",
		strings.Replace(one, `{"cases"`, `{"staff":{"id":"7"},"cases"`, 1): "no staff",
		strings.Replace(one, `"area":"620100",`, "", 1):                    "area",
	} {
		if status, said, _ := ask("zz-1", "POST", "/v1/visits", "", body); status != 422 || !strings.Contains(fmt.Sprint(said), says) {
			t.Errorf("%s: %d %v", body, status, said)
		}
	}
	status, code, _ := ask("zz-2", "POST", "/v1/posted-code", "", "")
	url, _ = code["url"].(string)
	c, err = l.Keeper.Read(strings.TrimPrefix(url, "https://rate.example.com/C/"))
	if status != 200 || err != nil || !c.Terminal || c.Source != "zz-2" || c.Case != (rating.CaseKey{}) ||
		c.Expired(o.now().AddDate(9, 0, 0)) {
		t.Errorf("the posted code: %d %+v %v", status, c, err)
	}
	scans(t, code["qr_png"].(string), url)
}

// TestOneOpenerAtATime: what a terminal has finished is the first phone's that opens it by the posted code, and the next one's a minute
// later.
func TestOneOpenerAtATime(t *testing.T) {
	o := newOffice(t, "http://127.0.0.1:1")
	room, err := Open(t.Context(), o.journal)
	if err != nil {
		t.Fatal(err)
	}
	finish := func(id string) {
		t.Helper()
		v := TerminalVisit{ID: id, Terminal: "zz-1", Case: rating.CaseKey{Area: "620100000000", Project: id}, Opened: o.now().UnixMilli(),
			digest: []byte{1}}
		if _, err := room.opened(t.Context(), v, ""); err != nil {
			t.Fatal(err)
		}
	}
	begin := o.now()
	open := func(after time.Duration, phone, project string, want time.Duration) {
		t.Helper()
		o.set(begin.Add(after))
		if k, wait, err := room.Last(t.Context(), "zz-1", phone, o.now()); err != nil || k.Project != project || wait != want {
			t.Errorf("%s after %s: %s, %s, %v; want %s, %s", phone, after, k.Project, wait, err, project, want)
		}
	}
	finish("P-1")
	open(2*time.Second, "citizen", "P-1", 0)
	open(3*time.Second, "photograph", "P-1", Claimed-time.Second)
	open(40*time.Second, "citizen", "P-1", 0)
	open(2*time.Second+Claimed, "photograph", "P-1", 0)
	open(3*time.Second+Claimed, "citizen", "P-1", Claimed-time.Second)
	o.set(begin.Add(2 * Claimed))
	finish("P-2")
	open(2*Claimed, "citizen", "P-2", 0)
	open(2*Claimed+Finished, "photograph", "", 0)
}

// TestHowLongATerminalWaits: never as long as the server lets an answer take.
func TestHowLongATerminalWaits(t *testing.T) {
	for asked, want := range map[string]string{"": "0s", "0s": "0s", "1500ms": "1.5s", "20s": "20s", "21s": "20s", "60s": "20s", "61s": "",
		"-1s": "", "1": "", "soon": ""} {
		got, err := waitFor(asked)
		if want == "" && err == nil || want != "" && (err != nil || got.String() != want) {
			t.Errorf("%q: %v, %v, want %q", asked, got, err, want)
		}
	}
}

// TestAWaitThatIsCutOff: when a request's time is over while it waits, the answer is the visit as it stands.
func TestAWaitThatIsCutOff(t *testing.T) {
	o := newOffice(t, "http://127.0.0.1:1")
	room, err := Open(t.Context(), o.journal)
	if err != nil {
		t.Fatal(err)
	}
	l := links(t, "https://rate.example.com")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var looked atomic.Int32
	l.Now = func() time.Time {
		if looked.Add(1) == 2 {
			cancel()
		}
		return o.now()
	}
	v := TerminalVisit{ID: "v", Terminal: "zz-1", Case: rating.CaseKey{Area: "620100000000", Project: "P-1"}, Opened: o.now().UnixMilli(),
		digest: []byte{1}}
	if _, err := room.opened(t.Context(), v, ""); err != nil {
		t.Fatal(err)
	}
	h := Terminals{Door: cases.Door{Tokens: twoTerminals{}, Logger: slog.New(slog.DiscardHandler)}, Room: room, Links: l,
		Books: o.books}.Handler()
	r := httptest.NewRequest("GET", "/v1/visits/v?wait=60s", nil).WithContext(ctx)
	r.Header.Set("Authorization", "Bearer zz-1")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"open":true`) || looked.Load() != 2 {
		t.Errorf("%d %q after %d looks", w.Code, w.Body, looked.Load())
	}
}
