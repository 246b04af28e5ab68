package openpage

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/journal/journaltest"
	"haochaping/internal/central/pdf/pdftest"
	"haochaping/internal/central/report"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
)

// release is a result with a hall whose levels are withheld, and one of which nothing is said.
func release(version int) report.Release {
	amount := func(good, bad int64) report.Amount { return report.Amount{Levels: [6]int64{0, bad, 0, 0, 0, good}} }
	return report.Release{Area: "629900000000", Name: "示例市", Version: version,
		Days: directory.Period{From: directory.Date(2025, 1, 1), To: directory.Date(2025, 4, 1)},
		Whole: &report.Node{ID: "4 629900000000", Name: "示例市", Amount: amount(777, 44), Shown: report.Levels, Nodes: []*report.Node{
			{ID: "a", Name: "甲区<b>", Amount: amount(700, 40), Shown: report.Levels},
			{ID: "b", Name: "乙县", Amount: amount(71, 3), Shown: report.Total},
			{ID: "c", Name: "=丙县", Amount: amount(6, 1), Shown: report.Nothing}}}}
}

// publish publishes a result as two people do.
func publish(t *testing.T, d *dossier.Dossiers, r report.Release, text string, until dossier.Deed) int64 {
	t.Helper()
	found, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := d.Add(t.Context(), dossier.By{Account: "acc1"},
		dossier.Dossier{Kind: dossier.Publication, Name: r.Key(), Title: r.Title(), Area: r.Area, Found: found})
	if err != nil {
		t.Fatal(err)
	}
	k, err := d.Dossier(t.Context(), id)
	for _, x := range []struct {
		do dossier.Deed
		by string
	}{{dossier.Edit, "acc1"}, {dossier.Submit, "acc1"}, {dossier.Approve, "acc2"}, {dossier.Publish, "acc2"}} {
		if err != nil {
			t.Fatal(err)
		}
		k, err = d.Do(t.Context(), dossier.By{Account: x.by}, k, dossier.Event{Do: x.do, Draft: text}, "")
		if x.do == until {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestWhatWasPublishedIsShown, and nothing else: no draft, no withheld number, in page, CSV and JSON; a version names the other one.
func TestWhatWasPublishedIsShown(t *testing.T) {
	j, _, _ := journaltest.Open(t, "sqlite:"+t.TempDir()+"/journal.db")
	d, err := dossier.Open(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	p, err := New(Config{Dossiers: d, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string, status int, texts ...string) string {
		t.Helper()
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != status {
			t.Errorf("%s: %d, want %d\n%s", path, w.Code, status, w.Body)
		}
		for _, text := range texts {
			if not, ok := strings.CutPrefix(text, "!"); ok == strings.Contains(w.Body.String(), strings.TrimPrefix(text, "!")) {
				t.Errorf("%s: %q, %v\n%s", path, not, ok, w.Body)
			}
		}
		return w.Body.String()
	}
	get("/published", 200, "还没有发布结果")
	first := publish(t, d, release(1), "总体平稳", dossier.Publish)
	draft := publish(t, d, release(2), "更正：单位名称", dossier.Approve)
	now = now.Add(2 * fresh)
	at := func(id int64, rest string) string { return fmt.Sprintf("/published/%d%s", id, rest) }
	get("/published", 200, "2025 年第一季度", "!第 2 版", "!新版")
	get(at(first, ""), 200, "总体平稳", "甲区&lt;b&gt;", ">700<", ">74<", "!>71<", "!>3<", "!>6<", "!甲区<b>", "非常满意 777")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(get(at(first, "/data.csv"), 200), "\xef\xbb\xbf"))).ReadAll()
	if err != nil || len(rows) != 5 || rows[3][2] != "74" || rows[3][3] != "*" || rows[4][1] != "'=丙县" || rows[4][2] != "*" {
		t.Errorf("CSV %q, %v", rows, err)
	}
	var out told
	if err := json.Unmarshal([]byte(get(at(first, "/data.json"), 200)), &out); err != nil || *out.Parts[1].Total != 740 ||
		out.Parts[1].Levels[0] != 700 || out.Parts[2].Levels != nil || out.Parts[3].Total != nil {
		t.Errorf("JSON %+v, %v", out, err)
	}
	paper, pages := pdftest.Text(t, []byte(get(at(first, "/data.pdf"), 200)))
	for _, line := range []string{"2025 年第一季度", "总体平稳", "　甲区<b>", "700", "*", "好评率"} {
		if !strings.Contains(paper, line) || strings.Contains(paper, "\n71\n") || pages != 1 {
			t.Errorf("on %d pages there is no %q, or what is withheld:\n%s", pages, line, paper)
		}
	}
	for _, path := range []string{at(draft, ""), at(draft, "/data.csv"), at(draft, "/data.pdf"), at(first+1000, ""),
		"/published/0" + fmt.Sprint(first),
		"/published/x"} {
		get(path, 404)
	}
	k, err := d.Dossier(t.Context(), draft)
	if err == nil {
		_, err = d.Do(t.Context(), dossier.By{Account: "acc2"}, k, dossier.Event{Do: dossier.Publish}, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * fresh)
	get("/published", 200, "第 2 版", "新版")
	get(at(first, ""), 200, "已有更正", at(draft, ""), "总体平稳")
	get(at(draft, ""), 200, "更正：单位名称", "前一版", at(first, ""))

	script := axe.Script(t)
	ctx := chromium.Start(t)
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	for name, path := range map[string]string{"published-list": "/published", "published": at(draft, "")} {
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+path), chromedp.WaitVisible(chromedp.CSS("h1"))); err != nil {
			t.Fatal(err)
		}
		axe.Look(t, ctx, script, name)
	}
}
