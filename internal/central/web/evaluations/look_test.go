package evaluations_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/rating"
)

// acts returns what was done since, the last first, as "what to what, why".
func (w *world) acts() (all []string) {
	w.t.Helper()
	some, err := w.Journal.Acts(w.t.Context(), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range some {
		a, err := e.Act()
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, a.Do+"|"+a.Object+"|"+a.Reason+"|"+a.Domain)
	}
	return all
}

// Each look and each export is an act before anything is shown; without a reason nothing is shown, and nothing is entered.
func TestEachLookIsAnAct(t *testing.T) {
	w := newWorld(t)
	w.fill()
	county := w.SignIn(w.Add(webtest.Grant(account.County, "629901000000", "629901000000")))
	var x given
	for _, g := range w.given {
		if g.window == "SL-H2-B03" && g.text != "" {
			x = g
		}
	}
	path := fmt.Sprintf("/evaluations/of/%d", x.id)
	before := len(w.acts())
	for _, reason := range []string{"", "  ", "看看", strings.Repeat("长", 501)} {
		webtest.Want(t, w.post(path+"/text", county, url.Values{"reason": {reason}}), http.StatusUnprocessableEntity, "请写明查看理由", "!"+x.text)
		webtest.Want(t, w.post("/evaluations/texts", county, url.Values{"from": {"2026-02-05"}, "to": {"2026-03-02"}, "q": {"太久"},
			"reason": {reason}}), http.StatusUnprocessableEntity, "请写明查看理由", "!<blockquote>")
	}
	for _, days := range [][2]string{{"", "2026-03-02"}, {"2026-01-01", "2026-03-02"}, {"2026-03-02", "2026-02-05"}} {
		webtest.Want(t, w.post("/evaluations/texts", county, url.Values{"from": {days[0]}, "to": {days[1]}, "q": {"太久"}, "reason": {"汇总意见"}}),
			http.StatusUnprocessableEntity, "!<blockquote>")
	}
	if n := len(w.acts()); n != before {
		t.Fatalf("%d acts were entered for nothing: %v", n-before, w.acts()[:n-before])
	}
	webtest.Want(t, w.post(path+"/text", county, url.Values{"reason": {" 核对投诉 031 "}}), http.StatusOK, x.text)
	webtest.Want(t, w.post("/evaluations/texts", county,
		url.Values{"from": {"2026-02-05"}, "to": {"2026-03-02"}, "q": {"太久"}, "reason": {"汇总意见"}}), http.StatusOK, x.text)
	webtest.Want(t, w.get("/evaluations/export.csv?level=2", county), http.StatusOK)
	got := w.acts()[:len(w.acts())-before]
	want := []string{"evaluation.export|csv level=2||629901000000", `look evaluation.text|texts "太久" ` +
		`from=2026-02-05&to=2026-03-02|汇总意见|629901000000`,
		fmt.Sprintf("look evaluation.text|evaluation %d|核对投诉 031|629901000000", x.id)}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the acts are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := w.Journal.Erase(t.Context(), x.id>>9, int(x.id&511), "operator test", "市民要求"); err != nil {
		t.Fatal(err)
	}
	webtest.Want(t, w.post(path+"/text", county, url.Values{"reason": {"核对投诉 031"}}), http.StatusOK, "按规定销毁", "!"+x.text)
	auditor := w.SignIn(w.Add(webtest.Grant(account.Auditor, "629900000000", "629900000000")))
	webtest.Want(t, w.get(path, auditor), http.StatusOK, "!why-who")
	webtest.Want(t, w.post(path+"/identity", auditor, url.Values{"reason": {"核对投诉 031"}}), http.StatusNotFound)
}

// What a business system or a box names itself is text in every table.
func TestExportsAreInert(t *testing.T) {
	w := newWorld(t)
	b := newBox("sl-01")
	for n, name := range []string{"=HYPERLINK(1)", "+1", "-1", "@x", "\t=1"} {
		place := rating.Window{ID: "SL-H2-B01", Name: "=1+1", Hall: "@大厅", Area: "629901000000", Generation: 1}
		_, _, bodies := visit(n, place, rating.Stamp{Boot: 1, Mono: int64(n) * 60_000, Wall: w.Now().UnixMilli(), Synced: true}, 2)
		v := *bodies[0].Visit
		v.Staff.Name = strings.TrimSpace(name)
		b.add(t, rating.VisitBody(bodies[0].At, v), bodies[1])
		if n == 0 {
			w.serve(b, place)
		}
	}
	b.send(t, w.Journal)
	w.follow()
	city := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	r := w.get("/evaluations/export.csv", city)
	webtest.Want(t, r, http.StatusOK)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(r.Body.String(), "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 6 || !strings.HasPrefix(r.Body.String(), "\ufeff") {
		t.Fatalf("%d lines, %v", len(rows), err)
	}
	r = w.get("/evaluations/export.xlsx", city)
	webtest.Want(t, r, http.StatusOK)
	book, err := excelize.OpenReader(bytes.NewReader(r.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	sheet, err := book.GetRows("评价")
	if err != nil || len(sheet) != len(rows) {
		t.Fatalf("the workbook has %d rows, want %d, %v", len(sheet), len(rows), err)
	}
	hostile := 0
	for i := range rows {
		for j, cell := range rows[i] {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("the cell %q computes something", cell)
			}
			if strings.HasPrefix(cell, "'") {
				hostile++
			}
			if j < len(sheet[i]) && sheet[i][j] != cell {
				t.Errorf("the workbook has %q where the table has %q", sheet[i][j], cell)
			}
		}
	}
	if hostile < 3*5-1 {
		t.Errorf("%d cells were made inert", hostile)
	}
}

// What is not sealed yet has no proof; after the next head it is the one that centrald prove prints.
func TestTheProof(t *testing.T) {
	w := newWorld(t)
	w.fill()
	city := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	path := fmt.Sprintf("/evaluations/of/%d/proof.json", w.given[0].id)
	webtest.Want(t, w.get(path, city), http.StatusConflict, "还没有封存")
	key := newBox("seal").key
	if _, err := w.Journal.Seal(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	r := w.get(path, city)
	webtest.Want(t, r, http.StatusOK, `"checkpoint"`, `"inclusion"`, `"content"`)
	if got := r.Header().Get("Content-Disposition"); !strings.Contains(got, "attachment") {
		t.Errorf("the proof is shown as %q", got)
	}
}

// Before there is an account, this machine sees evaluations, and neither texts nor exports.
func TestBeforeThereIsAnAccount(t *testing.T) {
	w := newWorld(t)
	w.fill()
	for _, x := range w.given[:3] {
		webtest.Want(t, w.get(fmt.Sprintf("/evaluations/of/%d", x.id), ""), http.StatusOK, x.project, "!why-text")
		webtest.Want(t, w.post(fmt.Sprintf("/evaluations/of/%d/text", x.id), "", url.Values{"reason": {"核对投诉 031"}}), http.StatusNotFound)
	}
	webtest.Want(t, w.get("/evaluations", ""), http.StatusOK, "详情", "!export", "!/evaluations/texts")
	webtest.Want(t, w.get("/evaluations/of/1", ""), http.StatusNotFound)
	webtest.Want(t, w.get("/evaluations/export.csv", ""), http.StatusNotFound)
	w.Add()
	webtest.Want(t, w.get("/evaluations", ""), http.StatusSeeOther)
}

// A page says where it stopped, and what is wrong with what was asked.
func TestWhatIsAskedWrongly(t *testing.T) {
	w := newWorld(t)
	city := w.SignIn(w.Add(webtest.Grant(account.City, "629900000000", "629900000000")))
	webtest.Want(t, w.get("/evaluations", city), http.StatusOK, "还没有收到评价")
	webtest.Want(t, w.get("/evaluations?hall=SL-H1", city), http.StatusOK, "没有符合条件的评价")
	for _, query := range []string{"from=2026-02-30", "to=x", "from=2026-03-02&to=2026-03-01", "level=7", "subject=x", "channel=pigeon",
		"status=x", "area=x", "after=x", "after=1-"} {
		webtest.Want(t, w.get("/evaluations?"+query, city), http.StatusUnprocessableEntity, `role="alert"`)
	}
	for _, id := range []string{"0", "-1", "x", "99999999999999999999", "1"} {
		webtest.Want(t, w.get("/evaluations/of/"+id, city), http.StatusNotFound)
	}
	w.Pass(time.Hour)
	webtest.Want(t, w.get("/evaluations", ""), http.StatusSeeOther)
}

// Who has two areas searches in both, and takes evaluations of both: each area's audit says so.
func TestALookInTwoAreasIsSeenInBoth(t *testing.T) {
	w := newWorld(t)
	w.fill()
	both := w.SignIn(w.Add(webtest.Grant(account.County, "629901000000", "629901000000"),
		webtest.Grant(account.County, "629902000000", "629902000000")))
	before := len(w.acts())
	webtest.Want(t, w.post("/evaluations/texts", both,
		url.Values{"from": {"2026-02-05"}, "to": {"2026-03-02"}, "q": {"太久"}, "reason": {"汇总意见"}}), http.StatusOK, "<blockquote>")
	webtest.Want(t, w.get("/evaluations/export.csv?level=2", both), http.StatusOK)
	got := w.acts()
	domains := make(map[string]int)
	for _, a := range got[:len(got)-before] {
		fields := strings.Split(a, "|")
		domains[fields[0]+" "+fields[len(fields)-1]]++
	}
	want := map[string]int{"look evaluation.text 629901000000": 1, "look evaluation.text 629902000000": 1,
		"evaluation.export 629901000000": 1, "evaluation.export 629902000000": 1}
	if diff := cmp.Diff(want, domains); diff != "" {
		t.Errorf("the acts (-want +got):\n%s", diff)
	}
}
