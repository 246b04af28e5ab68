package fleet_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"mime/multipart"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/identity"
	"haochaping/internal/rating"
)

// uploads sends a supplier's list.
func (w *world) uploads(t *testing.T, who, list, days string) *httptest.ResponseRecorder {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	file, err := m.CreateFormFile("file", "清单.csv")
	if err == nil {
		_, err = file.Write([]byte(list))
	}
	if err := errors.Join(err, m.WriteField("days", days), m.Close()); err != nil {
		t.Fatal(err)
	}
	r := webtest.Request("POST", "/fleet/expected", who, nil)
	r.Body, r.ContentLength = httptest.NewRequest("POST", "/", &b).Body, int64(b.Len())
	r.Header.Set("Content-Type", m.FormDataContentType())
	return webtest.Do(w.site, r)
}

// acted returns what the journal has of the room of enrolments, with the area.
func (w *world) acted(t *testing.T) string {
	t.Helper()
	var acts []string
	entries, err := w.Journal.Read(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if a, err := e.Act(); e.Kind == journal.Acted && err == nil && strings.HasPrefix(a.Do, "enrol.") {
			acts = append(acts, a.Do+" "+a.Object+" "+a.Domain)
			if strings.Contains(string(a.Data), "kV7") {
				t.Errorf("the journal has a password: %s", a.Data)
			}
		}
	}
	return strings.Join(acts, ", ")
}

// shows lets a new box show a pass, and reports why it is not let in.
func shows(t *testing.T, room *enrol.Room, device rating.DeviceID, p enrol.Pass) enrol.Word {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := identity.Keep(t.TempDir()+"/tls.key", rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := identity.NewRequest(device, key, identity.Record(private))
	if err != nil {
		t.Fatal(err)
	}
	q, err := identity.ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	_, x, err := room.Ask(t.Context(), q, enrol.Origin{Address: "192.0.2.7", Pass: p})
	if err != nil && !errors.Is(err, enrol.ErrWaiting) {
		t.Fatal(err)
	}
	if err == nil {
		return ""
	}
	return x.Word
}

func hidden(page, name string) string {
	m := regexp.MustCompile(`name="` + name + `" value="([^"]+)"`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	return m[1]
}

// TestASuppliersList is previewed line by line, confirmed as a whole, and lets its boxes in.
func TestASuppliersList(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	head := "序列号,大厅,窗口,一次性口令\n"
	webtest.Want(t, w.get("/fleet/expected", who), 200, "导入清单", "haochaping.serial")
	webtest.Want(t, w.uploads(t, who, head+"SN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\nSN-2,SL-H1,SL-H1-A07,kV7-mQ2x-9Rw5\n"+
		"SN-3,SL-H2,SL-H2-B01,kV7-mQ2x-9Rw6\n", "30"), 422, "有 2 行不予接受", "不在您的管理范围", "已有评价器 jia-b01", "!确认登记", "!kV7")
	webtest.Want(t, w.uploads(t, who, "a,b\n", "30"), 422, "不认识")
	webtest.Want(t, w.uploads(t, who, head+"SN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\n", "a year"), 422, "有效天数")
	page := w.uploads(t, who, head+"SN-1,SL-H2,SL-H2-B02,kV7-mQ2x-9Rw4\nSN-2,SL-H2,SL-H2-B03,kV7-mQ2x-9Rw5\n", "7")
	webtest.Want(t, page, 200, "确认后登记 2 台", "2026-03-09", "开机后凭口令登记到这个窗口", "!kV7")
	hash := url.Values{"hash": {hidden(page.Body.String(), "hash")}}
	if word := shows(t, room, "bcdf23456789", enrol.Pass{Serial: "SN-1", Password: "kV7-mQ2x-9Rw4"}); word != enrol.Unknown {
		t.Errorf("a box of a list that nobody has confirmed: %q", word)
	}
	if r := w.post("/fleet/expected/confirm", other, hash); r.Code != 409 {
		t.Errorf("another person confirms it: %d", r.Code)
	}
	if r := w.post("/fleet/expected/confirm", who, hash); r.Code != 303 || r.Header().Get("Location") != "/fleet/expected?added=2&hall=SL-H2" {
		t.Fatalf("confirmed: %d %s", r.Code, r.Header().Get("Location"))
	}
	if r := w.post("/fleet/expected/confirm", who, hash); r.Code != 409 {
		t.Errorf("confirmed twice: %d", r.Code)
	}
	if word := shows(t, room, "bcdf23456789", enrol.Pass{Serial: "SN-1", Password: "guess"}); word != enrol.Wrong {
		t.Errorf("a wrong password: %q", word)
	}
	webtest.Want(t, w.get("/fleet/expected?hall=SL-H2&added=2", who), 200, "已登记 2 台", "SN-1", "等待开机", "口令不对 1 次", "!kV7", "!argon2")
	if word := shows(t, room, "bcdf23456789", enrol.Pass{Serial: "SN-1", Password: "kV7-mQ2x-9Rw4"}); word != "" {
		t.Errorf("the right password: %q", word)
	}
	webtest.Want(t, w.get("/fleet/expected?hall=SL-H2", who), 200, "/fleet/boxes/bcdf23456789")
	webtest.Want(t, w.get("/fleet/expected?hall=SL-H2", other), 200, "!SN-1")
	forget := func(as, hall string) int {
		t.Helper()
		return w.post("/fleet/halls/"+hall+"/expected/forget", as, url.Values{"serial": {"SN-2"}}).Code
	}
	if a, b, c, d := forget(other, "SL-H2"), forget(other, "SL-H1"), forget(who, "SL-H2"), forget(who, "SL-H2"); a != 404 || b != 409 ||
		c != 303 || d != 409 {
		t.Errorf("taken off by another: %d, %d, by its hall: %d, twice: %d", a, b, c, d)
	}
	if got, want := w.acted(t), "enrol.expect 2 629901000000, enrol.guess SN-1 629901000000, enrol.accept bcdf23456789 629901000000, "+
		"enrol.issue bcdf23456789 629901000000, enrol.forget SN-2 629901000000"; got != want {
		t.Errorf("the journal has\n%s, want\n%s", got, want)
	}
}

// TestTickets makes, hands out and takes back tickets.
func TestTickets(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	other := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", "629900000000")))
	webtest.Want(t, w.get("/fleet/tickets", who), 200, "制作入厅票", `value="3" required`, `<option value="SL-H2-B02">`, "!SL-H2-B01")
	form := func(uses, hours, first string) url.Values {
		return url.Values{"uses": {uses}, "hours": {hours}, "first": {first}}
	}
	for name, status := range map[string]int{
		"too many boxes":    w.post("/fleet/halls/SL-H2/tickets", who, form("101", "8", "")).Code,
		"no box":            w.post("/fleet/halls/SL-H2/tickets", who, form("0", "8", "")).Code,
		"longer than a day": w.post("/fleet/halls/SL-H2/tickets", who, form("3", "25", "")).Code,
		"no number":         w.post("/fleet/halls/SL-H2/tickets", who, form("three", "8", "")).Code,
		"another's window":  w.post("/fleet/halls/SL-H2/tickets", who, form("3", "8", "SL-H1-A07")).Code,
		"another's hall":    w.post("/fleet/halls/SL-H2/tickets", other, form("3", "8", "")).Code,
	} {
		if status < 400 || status >= 500 {
			t.Errorf("%s: %d", name, status)
		}
	}
	r := w.post("/fleet/halls/SL-H2/tickets", who, form("2", "8", "SL-H2-B03"))
	at, err := url.Parse(r.Header().Get("Location"))
	if err != nil || r.Code != 303 {
		t.Fatalf("made: %d, %v", r.Code, err)
	}
	id := at.Query().Get("made")
	webtest.Want(t, w.get(at.String(), who), 200, "刚刚制作", "0 / 2 台", "/fleet/tickets/"+id+"/file")
	if r := w.post("/fleet/tickets/"+id+"/file", other, nil); r.Code != 404 {
		t.Errorf("another hall's administrator gets %d", r.Code)
	}
	file := w.post("/fleet/tickets/"+id+"/file", who, nil)
	webtest.Want(t, file, 200, "甲区政务服务大厅，最多 2 台", "ticket "+id)
	if got := file.Header().Get("Content-Disposition"); got != `attachment; filename="haochaping.ticket"` {
		t.Errorf("it is handed out as %q", got)
	}
	pass := enrol.Pass{Ticket: file.Body.Bytes()}
	if word := shows(t, room, "bcdf23456789", pass); word != "" {
		t.Errorf("it lets nobody in: %q", word)
	}
	if d, err := w.fleet.Device(t.Context(), "bcdf23456789"); err != nil || d.Window.ID != "SL-H2-B03" {
		t.Errorf("the box stands at %s, %v", d.Window.ID, err)
	}
	webtest.Want(t, w.get("/fleet/tickets?hall=SL-H2", who), 200, "1 / 2 台", "有效")
	if a, b := w.post("/fleet/tickets/"+id+"/revoke", other, nil).Code, w.post("/fleet/tickets/"+id+"/revoke", who, nil).Code; a != 404 ||
		b != 303 {
		t.Errorf("taken back by another: %d, by its hall: %d", a, b)
	}
	if word := shows(t, room, "ghjk23456789", pass); word != enrol.Revoked {
		t.Errorf("taken back, it says %q", word)
	}
	webtest.Want(t, w.get("/fleet/tickets?hall=SL-H2", who), 200, "作废", "!下载")
	if r := w.post("/fleet/tickets/"+id+"/file", who, nil); r.Code != 409 {
		t.Errorf("taken back, it is handed out: %d", r.Code)
	}
	if got, want := w.acted(t), "enrol.ticket SL-H2 629901000000, enrol.ticket.file SL-H2 629901000000, "+
		"enrol.accept bcdf23456789 629901000000, enrol.issue bcdf23456789 629901000000, enrol.ticket.revoke SL-H2 629901000000"; got != want {
		t.Errorf("the journal has\n%s, want\n%s", got, want)
	}
}
