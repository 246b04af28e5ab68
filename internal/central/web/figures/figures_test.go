package figures_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/integrity"
	"haochaping/internal/central/pdf/pdftest"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/rating"
)

// told is what a program reads.
type told struct {
	From, To, By    string
	Total, Previous map[string]struct {
		N, Of   int64
		Percent float64
	}
	Channels []struct{ Channel string }
	Items    []struct {
		ID, Name          string
		Withheld          bool
		Signs             []string
		Figures, Previous map[string]struct{ N int64 }
	}
	Next string
}

const (
	path    = "/api/v1/figures"
	january = "?from=2026-01-01&to=2026-01-31"
)

func read(t *testing.T, p *webtest.Program, query string) (v told) {
	t.Helper()
	w := p.Get(path, path+query)
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%s: %d %v %s", query, w.Code, err, w.Body)
	}
	return v
}

// count counts by hand what somebody sees of some days.
func (w *world) count(g account.Grant, from, to directory.Day) map[string]int64 {
	n := make(map[string]int64)
	for _, x := range w.given {
		if x.day < from || x.day > to || !sees(g, x) {
			continue
		}
		n["served"]++
		n["asked"]++
		if x.level != 0 {
			n["answered"]++
			n[fmt.Sprintf("level_%d", x.level)]++
		}
	}
	if silent(g) && from <= directory.Date(2026, 1, 6) && to >= directory.Date(2026, 1, 6) {
		n["asked"]++
		n["silent"]++
	}
	return n
}

// TestEachSeesTheirOwn compares what each role reads, of periods of all kinds, with a count by hand. Each answer is as the description has
// it.
func TestEachSeesTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.fill()
	var answers []descriptions.Answer
	province := webtest.Grant(account.Province, "620000000000", "620000000000")
	for _, x := range []struct {
		grant account.Grant
		bound string
		as    account.Grant
	}{
		{province, "", province}, {webtest.Grant(account.City, city, city), "", webtest.Grant(account.City, city, city)},
		{webtest.Grant(account.City, city, city), "629901000000", webtest.Grant(account.County, "629901000000", city)},
		{webtest.Grant(account.County, "629902000000", city), "", webtest.Grant(account.County, "629902000000", city)},
		{webtest.Grant(account.Unit, police, city), "", webtest.Grant(account.Unit, police, city)},
		{webtest.Grant(account.Unit, centre, city), "", webtest.Grant(account.Unit, centre, city)},
		{webtest.Grant(account.Auditor, city, city), "", webtest.Grant(account.Auditor, city, city)},
		{webtest.Grant(account.Unit, "no-such-unit", city), "", webtest.Grant(account.Unit, "no-such-unit", city)},
	} {
		p := w.Program(w.site, x.grant, x.bound, account.SeeFigures)
		for _, days := range [][2]directory.Day{
			{directory.Date(2026, 1, 1), directory.Date(2026, 1, 31)}, {directory.Date(2026, 1, 6), directory.Date(2026, 1, 6)},
			{moved() - 2, directory.Date(2026, 2, 3)}, {directory.Date(2025, 12, 1), directory.Date(2026, 3, 31)},
			{directory.Date(2024, 1, 1), directory.Date(2024, 1, 2)},
		} {
			got := read(t, p, fmt.Sprintf("?from=%s&to=%s&by=window", days[0], days[1]))
			want, is := w.count(x.as, days[0], days[1]), make(map[string]int64)
			for _, code := range []string{"served", "asked", "answered", "silent", "level_5", "level_4", "level_3", "level_2", "level_1"} {
				if n := got.Total[code].N; n != 0 {
					is[code] = n
				}
			}
			if diff := cmp.Diff(want, is); diff != "" {
				t.Errorf("%s of %s within %q, %s to %s (-by hand +read):\n%s", x.grant.Role, x.grant.Scope, x.bound, days[0], days[1], diff)
			}
			var parts int64
			for _, i := range got.Items {
				parts += i.Figures["answered"].N
			}
			if parts != got.Total["answered"].N {
				t.Errorf("the parts have %d answers, the whole %d", parts, got.Total["answered"].N)
			}
		}
		for _, query := range []string{"?from=2026-01-02", "?from=2026-01-02&to=2026-01-01", "?from=x&to=y", "?by=colour", "?area=x",
			"?colour=red", "?staff=S&task=T", "?staff=S&by=matter", "?limit=0",
			"?from=2000-01-01&to=2026-01-01"} {
			webtest.Want(t, p.Get(path, path+query), 400, `"code": "invalid"`)
		}
		answers = append(answers, p.Answers...)
	}
	descriptions.Want(t, "../api/openapi.yaml", answers)
}

// TestParts reads January by each way to part it, narrowed and page by page.
func TestParts(t *testing.T) {
	w := newWorld(t)
	w.fill()
	p := w.Program(w.site, webtest.Grant(account.City, city, city), "", account.SeeFigures)
	parts := func(query string) map[string]int64 {
		out := make(map[string]int64)
		for cursor, n := "", 0; n < 50; n++ {
			v := read(t, p, january+query+"&limit=2&cursor="+cursor)
			for _, i := range v.Items {
				out[i.ID] = i.Figures["served"].N + i.Figures["silent"].N
			}
			if cursor = v.Next; cursor == "" {
				break
			}
		}
		return out
	}
	var b02 int64 // at the second hall
	for _, x := range w.given {
		if x.window == "SL-H2-B02" && x.day < moved() {
			b02++
		}
	}
	for query, want := range map[string]map[string]int64{
		"&by=area":                   {city: 77, "629901000000": 36 + b02, "629902000000": 36 - b02},
		"&by=area&area=629902000000": {"629902100000": 36 - b02},
		"&by=unit":                   {police: 73, "116299004MB004444B": 4, "116299006MB0066664": 36 + b02, "116299007MB007777G": 36 - b02},
		"&by=hall":                   {"SL-H1": 76, "SL-H2": 36 + b02, "SL-H3": 36 - b02, "": 1},
		"&by=window&hall=SL-H2":      {"SL-H2-B01": 36, "SL-H2-B02": b02},
		"&by=staff&hall=SL-H1":       {"SL-0001": 40, "SL-0002": 32, "SL-0003": 4},
		"&by=window&staff=SL-0001":   {"SL-H1-A07": 40, "SL-H2-B02": 30},
		"&by=matter":                 {"T1": 1},
		"&by=unit&task=T1":           {police: 1},
	} {
		if diff := cmp.Diff(want, parts(query)); diff != "" {
			t.Errorf("%s:\n%s", query, diff)
		}
	}
	v := read(t, p, january+"&by=hall")
	if v.Items[1].Name != "市民中心政务服务大厅" || v.Previous["served"].N != 0 || len(v.Channels) != 2 || v.Channels[1].Channel != "default" {
		t.Errorf("%+v", v)
	}
	if good := v.Total["good_rate"]; good.Of != v.Total["answered"].N+1 || good.Percent <= v.Total["active_good_rate"].Percent {
		t.Errorf("the rates with and without defaults: %+v, %+v", good, v.Total["active_good_rate"])
	}
	if v := read(t, p, "?from=2026-02-01&to=2026-02-28"); v.Previous["served"].N != 148 {
		t.Errorf("before February: %+v", v.Previous)
	}
}

// TestAHallCannotTellWhoRatedHow: by hall or window, one closed month, and no levels where few have answered.
func TestAHallCannotTellWhoRatedHow(t *testing.T) {
	w := newWorld(t)
	w.fill()
	hall := webtest.Grant(account.Hall, "SL-H1", city)
	p := w.Program(w.site, hall, "", account.SeeFigures)
	session := w.SignIn(w.Add(hall))
	for _, query := range []string{"?from=2026-01-05&to=2026-01-05", "?from=2026-01-01&to=2026-02-28", "?from=2026-02-01&to=2026-02-28",
		"?from=2026-03-01&to=2026-03-31", "?by=staff", "?by=matter",
		"?by=area", "?by=window&window=SL-H1-A07", "?staff=SL-0001", "?by=window&task=T1", "?unit=" + police, "?by=hall&unit=" + police,
		"?area=" + city} {
		webtest.Want(t, p.Get(path, path+query), 400, "hall")
		webtest.Want(t, w.get("/figures"+query, session), 422, "第四条")
		for _, kind := range []string{"csv", "xlsx"} {
			webtest.Want(t, w.get("/figures/export."+kind+query, session), 400)
		}
	}
	v := read(t, p, "")
	want := w.count(hall, directory.Date(2026, 1, 1), directory.Date(2026, 1, 31))
	if v.From != "2026-01-01" || v.To != "2026-01-31" || v.Total["answered"].N != want["answered"] ||
		v.Total["level_5"].N != want["level_5"] || len(v.Channels) != 0 {
		t.Errorf("%+v, want %v", v, want)
	}
	// One window has few answers, and a second one is withheld with it: else the first would be what is left.
	withheld := make(map[string]bool)
	for _, i := range v.Items {
		withheld[i.ID] = i.Withheld
		if _, said := i.Figures["level_5"]; said == i.Withheld || i.Figures["served"].N == 0 {
			t.Errorf("%s: %+v", i.ID, i)
		}
	}
	if diff := cmp.Diff(map[string]bool{"SL-H1-A07": false, "SL-H1-A08": true, "SL-H1-A09": true}, withheld); diff != "" {
		t.Error(diff)
	}
	page := w.get("/figures", session)
	webtest.Want(t, page, 200, "不显示", "!按人员", "!差评回复率", "!/evaluations")
	small := webtest.Grant(account.Hall, "SL-H3", city)
	if v := read(t, w.Program(w.site, small, "", account.SeeFigures), ""); v.Total["served"].N == 0 ||
		v.Total["level_5"].N+v.Total["bad"].N != 0 {
		t.Errorf("a hall with few answers: %+v", v.Total)
	}
	webtest.Want(t, w.get("/figures", w.SignIn(w.Add(webtest.Grant(account.Staff, "SL-0001", city)))), 404)
	webtest.Want(t, w.get("/figures", w.SignIn(w.Add(webtest.Grant(account.Technician, city, city)))), 404)
}

// TestSigns: a window that nobody rates badly, as its neighbours are, is named to those who see evaluations there, and to nobody else.
func TestSigns(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.praised()
	for _, i := range read(t, w.Program(w.site, webtest.Grant(account.City, city, city), "", account.SeeFigures), january+"&by=window").Items {
		if want := i.ID == "SL-H1-A10"; slices.Contains(i.Signs, "no_bad") != want {
			t.Errorf("%s: %v", i.ID, i.Signs)
		}
	}
	office, hall := w.SignIn(w.Add(webtest.Grant(account.City, city, city))), w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", city)))
	webtest.Want(t, w.get("/figures"+january+"&by=window", office), 200, "值得核查的窗口", "一份差评也没有")
	webtest.Want(t, w.get("/figures"+january+"&by=hall", office), 200, "!值得核查")
	webtest.Want(t, w.get("/figures"+january+"&by=window", hall), 200, "!值得核查", "!差评也没有")
}

// TestFiles reads what is exported as people open it.
func TestFiles(t *testing.T) {
	w := newWorld(t)
	w.fill()
	session := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	got := w.get("/figures/export.csv"+january+"&by=hall", session)
	webtest.Want(t, got, 200)
	text, marked := strings.CutPrefix(got.Body.String(), "\xef\xbb\xbf")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || !marked || len(rows) != 6 {
		t.Fatalf("%d rows, marked %v, %v", len(rows), marked, err)
	}
	at := func(head string) int {
		for i, h := range rows[0] {
			if h == head {
				return i
			}
		}
		t.Fatalf("no column %s in %v", head, rows[0])
		return 0
	}
	city := w.count(webtest.Grant(account.City, city, city), directory.Date(2026, 1, 1), directory.Date(2026, 1, 31))
	if n := rows[1][at("窗口按键 "+rating.VerySatisfied.Chinese())]; n != strconv.FormatInt(city["level_5"], 10) || rows[1][at("名称")] != "全部" ||
		rows[1][at("默认数")] != "1" {
		t.Errorf("the whole is %v, want %v", rows[1], city)
	}
	got = w.get("/figures/export.xlsx"+january+"&by=hall", session)
	webtest.Want(t, got, 200)
	book, err := excelize.OpenReader(bytes.NewReader(got.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	panes, err := book.GetPanes("统计")
	if err != nil || !panes.Freeze || panes.YSplit != 2 {
		t.Errorf("panes %+v, %v", panes, err)
	}
	cell, err := excelize.CoordinatesToCellName(at("好评率（含默认）")+1, 3)
	if err != nil {
		t.Fatal(err)
	}
	kind, err := book.GetCellType("统计", cell)
	raw, err1 := book.GetCellValue("统计", cell, excelize.Options{RawCellValue: true})
	shown, err2 := book.GetCellValue("统计", cell)
	share, err3 := strconv.ParseFloat(raw, 64)
	if err != nil || err1 != nil || err2 != nil || err3 != nil || kind == excelize.CellTypeInlineString || share < 0.5 || share > 1 ||
		!strings.HasSuffix(shown, "%") {
		t.Errorf("a rate is %q, shown as %q, of type %v: %v %v %v %v", raw, shown, kind, err, err1, err2, err3)
	}
	if day, err := book.GetCellValue("统计", "C1", excelize.Options{RawCellValue: true}); err != nil || day != "46023" { // 2026-01-01
		t.Errorf("the first day is %q, %v", day, err)
	}
	if rows, err := book.GetRows("指标定义"); err != nil || len(rows) != 22 {
		t.Errorf("%d definitions, %v", len(rows), err)
	}
}

// TestOnPaper: the report on paper says what the page says to the same person, and no more to whoever runs a hall.
func TestOnPaper(t *testing.T) {
	w := newWorld(t)
	w.fill()
	for name, x := range map[string]struct{ query, session string }{
		"city": {january + "&by=window", w.SignIn(w.Add(webtest.Grant(account.City, city, city)))},
		"hall": {"?by=window", w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", city)))}} {
		page := w.get("/figures"+x.query, x.session)
		webtest.Want(t, page, 200, "print.pdf?")
		got := w.get("/figures/print.pdf"+x.query, x.session)
		webtest.Want(t, got, 200)
		text, _ := pdftest.Text(t, got.Body.Bytes())
		cells := regexp.MustCompile(`<td class="num">([^<]+)</td>`).FindAllStringSubmatch(page.Body.String(), -1)
		if len(cells) < 60 {
			t.Fatalf("%s: the page has %d numbers", name, len(cells))
		}
		for _, m := range cells {
			if !strings.Contains(text, html.UnescapeString(m[1])+"\n") {
				t.Errorf("%s: %q is not on paper", name, m[1])
			}
		}
		if hidden := strings.Count(page.Body.String(), ">不显示<"); strings.Count(text, "不显示\n") != hidden {
			t.Errorf("%s: the page withholds %d numbers, the paper others:\n%s", name, hidden, text)
		}
	}
}

// TestPaces: how fast keys were pressed is told of windows with enough presses, and where one is left out so are others; never to whoever
// runs the hall.
func TestPaces(t *testing.T) {
	w := newWorld(t)
	w.fill()
	w.paced = map[string]integrity.Pace{"SL-H1-A07": {Keys: 30, Fast: 12}, "SL-H1-A08": {Keys: 24, Fast: 1}, "SL-H1-A09": {Keys: 3, Fast: 2}}
	office := w.SignIn(w.Add(webtest.Grant(account.City, city, city)))
	webtest.Want(t, w.get("/figures"+january+"&by=window&hall=SL-H1", office), 200, "提示到按键", ">40.00%<", "!>4.17%<", "!>66.67%<")
	webtest.Want(t, w.get("/api/v1/figures"+january+"&by=window&hall=SL-H1", office), 200, `"fast_percent": 40`, "!4.17", "!66.67")
	webtest.Want(t, w.get("/figures"+january+"&by=staff&hall=SL-H1", office), 200, "!提示到按键")
	webtest.Want(t, w.get("/figures?by=window", w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H1", city)))), 200, "!提示到按键")
}
