package dossiers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"haochaping/internal/central/assess"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/pdf/pdftest"
	"haochaping/internal/central/web/webtest"
)

// yearly drafts the sheet of one person.
type yearly struct{ dossiers *dossier.Dossiers }

func (y yearly) Draft(ctx context.Context, by dossier.By, unit string, year int) (int, error) {
	if year > 2025 {
		return 0, assess.ErrNotOver
	}
	found, err := json.Marshal(assess.Found{Days: directory.Period{From: 20000, To: 20090}, Source: "办法第二十条",
		Table: &assess.Table{Heads: []string{"指标", "本年", "上年"}, Rows: [][]string{{"实评数", "431", "398"}}}})
	if err != nil {
		return 0, err
	}
	_, _, err = y.dossiers.Add(ctx, by, dossier.Dossier{Kind: dossier.Sheet, Name: fmt.Sprint(unit, " SL-0016 ", year),
		Title: "赵示例（工号 SL-0016） 2025 年度评价表", Area: county, Units: []string{unit}, Staff: "SL-0016", Found: found})
	return 1, err
}

// TestAYearlySheet: an office drafts it and sends it, the unit objects, is answered and signs, and the office files it; on paper it has
// room for signatures.
func TestAYearlySheet(t *testing.T) {
	w := newWorld(t)
	office := w.SignIn(w.Add(webtest.Grant(account.County, county, county)))
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, centre, county)))
	draft := func(unit, year string) *httptest.ResponseRecorder {
		return webtest.Do(w.site, webtest.Request("POST", "/assessment/sheets", office, url.Values{"unit": {unit}, "year": {year}}))
	}
	webtest.Want(t, draft("没有的单位", "2025"), 422, "没有这个单位")
	webtest.Want(t, draft(centre, "2026"), 422, "还没有结束满三十天")
	list := draft(centre, "2025").Header().Get("Location")
	m := regexp.MustCompile(`/assessment/of/\d+`).FindString(w.get(list, office).Body.String())
	if m == "" {
		t.Fatalf("no sheet at %q: %s", list, w.get(list, office).Body)
	}
	due := (directory.DayOf(w.Now()) + 20).String()
	webtest.Want(t, w.get(m, unit), 404)
	webtest.Want(t, w.do(t, m, office, dossier.Issue, "", "due", due), 303)
	webtest.Want(t, w.get(m, unit), 200, "待签认", "实评数", ">431<")
	webtest.Want(t, w.do(t, m, unit, dossier.Object, "三月有代办批量业务，应计一次"), 303)
	webtest.Want(t, w.do(t, m, office, dossier.Return, "已核对：批量按一次计", "due", due), 303)
	webtest.Want(t, w.do(t, m, unit, dossier.Answer, ""), 303)
	webtest.Want(t, w.do(t, m, office, dossier.Accept, "归入年度考核材料"), 303)
	got := w.get(m+"/print.pdf", unit)
	text, _ := pdftest.Text(t, got.Body.Bytes())
	for _, line := range []string{"赵示例（工号 SL-0016） 2025 年度评价表", "431", "本人签字：", "提出异议", "三月有代办批量业务", "归档"} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not on paper:\n%s", line, text)
		}
	}
	webtest.Want(t, w.get(m+"/print.pdf", w.SignIn(w.Add(webtest.Grant(account.Unit, "116299003MB003333Y", city)))), 404)
}
