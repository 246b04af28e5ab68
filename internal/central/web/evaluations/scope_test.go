package evaluations_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
)

// place is where an evaluation lies, written down here once more by hand.
type place struct {
	area, hall string
	units      []string
}

func (g given) place() place {
	const office, centre = "116299001MB0011116", "116299002MB002222J"
	first := func(unit string) place { return place{"629900000000", "SL-H1", []string{unit, office}} }
	second := place{"629901000000", "SL-H2", []string{"116299006MB0066664", centre, office}}
	third := place{"629902100000", "SL-H3", []string{"116299007MB007777G", centre, office}}
	switch g.window {
	case "":
		return place{area: g.area}
	case "SL-H1-A07", "SL-H1-A08":
		return first("116299003MB003333Y")
	case "SL-H1-A09":
		return first("116299004MB004444B")
	case "SL-H1-A10":
		return first("116299005MB005555P")
	case "SL-H1-A11", "SL-H1-A12":
		return first(centre)
	case "SL-H2-B02":
		if g.day >= moved() {
			return third
		}
		return second
	case "SL-H3-C01", "SL-H3-C02":
		return third
	}
	return second
}

// sees says who sees which evaluations, as docs/roles.md has it in words.
func sees(g account.Grant, x given) bool {
	p := x.place()
	switch g.Role {
	case account.Province, account.City, account.County, account.Auditor:
		if p.area == "" {
			return len(strings.TrimRight(g.Scope, "0")) <= 2 // what lies nowhere is the province's
		}
		return strings.HasPrefix(p.area, strings.TrimRight(g.Scope, "0"))
	case account.Unit:
		return slices.Contains(p.units, g.Scope)
	}
	return false
}

// grants returns roles with scopes: those of the city, of other places, and some that reach nothing.
func grants() []account.Grant {
	all := []account.Grant{
		webtest.Grant(account.Province, "620000000000", "620000000000"), webtest.Grant(account.Province, "630000000000", "630000000000"),
		webtest.Grant(account.City, "629900000000", "629900000000"), webtest.Grant(account.City, "620100000000", "620100000000"),
		webtest.Grant(account.County, "629901000000", "629901000000"), webtest.Grant(account.County, "629902000000", "629902000000"),
		webtest.Grant(account.Hall, "SL-H1", "629900000000"), webtest.Grant(account.Staff, "SL-0001", "629900000000"),
		webtest.Grant(account.Technician, "629900000000", "629900000000"),
		webtest.Grant(account.Auditor, "629900000000", "629900000000"), webtest.Grant(account.Auditor, "629902100000", "629902100000"),
	}
	for _, unit := range []string{"116299002MB002222J", "116299003MB003333Y", "116299007MB007777G", "no-such-unit"} {
		all = append(all, webtest.Grant(account.Unit, unit, "629900000000"))
	}
	return all
}

// TestNothingOutsideTheScope asks each page of the section for each role and scope: lists, searches, exports, counts and single
// evaluations.
func TestNothingOutsideTheScope(t *testing.T) {
	w := newWorld(t)
	w.fill()
	for _, g := range grants() {
		session := w.SignIn(w.Add(g))
		ask := asking{w, session, nil, nil}
		for _, x := range w.given {
			if sees(g, x) {
				ask.mine = append(ask.mine, x)
			} else {
				ask.others = append(ask.others, x)
			}
		}
		t.Run(fmt.Sprint(g.Role, " ", g.Scope), func(t *testing.T) {
			if !slices.Contains([]account.Role{account.Province, account.City, account.County, account.Unit, account.Auditor}, g.Role) {
				ask.nothing(t)
				return
			}
			ask.lists(t)
			ask.exports(t)
			ask.texts(t)
			ask.singles(t, g.Role != account.Auditor)
			ask.home(t)
		})
	}
}

// asking is somebody who asks, with what they may see and what they may not.
type asking struct {
	*world
	session      string
	mine, others []given
}

func ids(all []given) (ids []int64) {
	for _, x := range all {
		ids = append(ids, x.id)
	}
	slices.Sort(ids)
	return ids
}

// silent checks that a page says nothing of what the person may not see.
func (a asking) silent(t *testing.T, what, body string) {
	t.Helper()
	for _, x := range a.others {
		if strings.Contains(body, x.project) || strings.Contains(body, "/of/"+strconv.FormatInt(x.id, 10)+`"`) {
			t.Errorf("%s: the page names evaluation %d of %s", what, x.id, x.project)
		}
	}
}

// nothing checks that somebody without a role for evaluations finds no page at all.
func (a asking) nothing(t *testing.T) {
	for _, path := range []string{"/evaluations", "/evaluations/export.csv", "/evaluations/export.xlsx", "/evaluations/export.jsonl",
		"/evaluations/texts", "/evaluations/of/" + strconv.FormatInt(a.given[0].id, 10)} {
		webtest.Want(t, a.get(path, a.session), http.StatusNotFound, "!P0000")
	}
	for _, path := range []string{"/evaluations/texts", fmt.Sprintf("/evaluations/of/%d/text", a.given[0].id),
		fmt.Sprintf("/evaluations/of/%d/identity", a.given[0].id)} {
		webtest.Want(t, a.post(path, a.session, url.Values{"reason": {"核对投诉"}, "q": {"等"}}), http.StatusNotFound, "!P0000")
	}
}

// listed pages through a list and returns which evaluations it has.
func (a asking) listed(t *testing.T, query string) (all []int64) {
	t.Helper()
	link, next := regexp.MustCompile(`href="/evaluations/of/(\d+)"`), regexp.MustCompile(`href="(/evaluations\?after=[^"]*)"`)
	for path := "/evaluations?" + query; path != ""; {
		r := a.get(path, a.session)
		webtest.Want(t, r, http.StatusOK)
		if len(a.others) > 0 && !strings.Contains(query, "case=") { // the form repeats what was asked
			a.silent(t, path, r.Body.String())
		}
		for _, m := range link.FindAllStringSubmatch(r.Body.String(), -1) {
			n, err := strconv.ParseInt(m[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
		}
		path = ""
		if m := next.FindStringSubmatch(r.Body.String()); m != nil {
			path = strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	slices.Sort(all)
	return all
}

func (a asking) some(fits func(given) bool) []int64 {
	return ids(slices.DeleteFunc(slices.Clone(a.mine), func(x given) bool { return !fits(x) }))
}

func (a asking) lists(t *testing.T) {
	for query, fits := range map[string]func(given) bool{
		"":                func(given) bool { return true },
		"level=1&level=2": func(x given) bool { return x.level <= 2 },
		"from=2026-02-15&to=2026-02-20": func(x given) bool {
			return x.day >= directory.Date(2026, 2, 15) && x.day <= directory.Date(2026, 2, 20)
		},
		"hall=SL-H2": func(x given) bool { return x.place().hall == "SL-H2" },
		"hall=" + url.QueryEscape("北川镇便民服务中心"): func(x given) bool { return x.place().hall == "SL-H3" },
		"area=629902":             func(x given) bool { return strings.HasPrefix(x.place().area, "629902") },
		"window=SL-H2-B02&text=1": func(x given) bool { return x.window == "SL-H2-B02" && x.text != "" },
		"unit=116299002MB002222J": func(x given) bool { return slices.Contains(x.place().units, "116299002MB002222J") },
		"channel=voice":           func(x given) bool { return x.area != "" },
		"hall=SL-H1&task=T1":      func(x given) bool { n, _ := strconv.Atoi(x.project[1:]); return x.place().hall == "SL-H1" && n%3 == 1 },
	} {
		if want, got := a.some(fits), a.listed(t, query); !slices.Equal(want, got) {
			t.Errorf("%q lists %d evaluations, want %d: %v, want %v", query, len(got), len(want), got, want)
		}
	}
	for _, x := range a.given {
		if x.id%9 > 0 {
			continue
		}
		if want, got := a.some(func(y given) bool { return y.project == x.project }), a.listed(t, "case="+x.project); !slices.Equal(want, got) {
			t.Errorf("case %s lists %v, want %v", x.project, got, want)
		}
	}
}

func (a asking) exports(t *testing.T) {
	r := a.get("/evaluations/export.jsonl", a.session)
	webtest.Want(t, r, http.StatusOK)
	var got []int64
	for line := range strings.Lines(r.Body.String()) {
		var e struct {
			Cursor int64  `json:"cursor"`
			Text   string `json:"text"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Text != "" {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, e.Cursor)
	}
	slices.Sort(got)
	if want := ids(a.mine); !slices.Equal(want, got) {
		t.Errorf("the export has %d evaluations, want %d", len(got), len(want))
	}
	csv := a.get("/evaluations/export.csv", a.session)
	webtest.Want(t, csv, http.StatusOK, "\xef\xbb\xbf编号", "!等得太久了", "!热线转来")
	if n := strings.Count(csv.Body.String(), "\n"); n != len(a.mine)+1 {
		t.Errorf("the table has %d lines, want %d", n, len(a.mine)+1)
	}
}

func (a asking) texts(t *testing.T) {
	r := a.post("/evaluations/texts", a.session, url.Values{"from": {"2026-02-05"}, "to": {"2026-03-02"}, "q": {"太久"}, "reason": {"汇总意见"}})
	webtest.Want(t, r, http.StatusOK)
	a.silent(t, "texts", r.Body.String())
	want := a.some(func(x given) bool { return strings.Contains(x.text, "太久") })
	if n := strings.Count(r.Body.String(), "<blockquote>"); n != len(want) {
		t.Errorf("%d texts are found, want %d", n, len(want))
	}
}

// singles asks for each evaluation by its address. What lies outside is answered in the very words of what does not exist.
func (a asking) singles(t *testing.T, identity bool) {
	none := a.get("/evaluations/of/987654321", a.session)
	webtest.Want(t, none, http.StatusNotFound)
	reason := url.Values{"reason": {"核对投诉 123"}}
	for i, x := range a.mine {
		if i%4 > 0 {
			continue
		}
		path := fmt.Sprintf("/evaluations/of/%d", x.id)
		r := a.get(path, a.session)
		webtest.Want(t, r, http.StatusOK, x.project, "!太久了", "!热线转来", "!13900000031")
		a.silent(t, path, r.Body.String())
		if x.text != "" {
			webtest.Want(t, a.post(path+"/text", a.session, reason), http.StatusOK, x.text)
		}
		if i%8 == 0 {
			webtest.Want(t, a.post(path+"/identity", a.session, reason), map[bool]int{true: http.StatusOK, false: http.StatusNotFound}[identity])
		}
	}
	for i, x := range a.others {
		if i%3 > 0 {
			continue
		}
		path := fmt.Sprintf("/evaluations/of/%d", x.id)
		if r := a.get(path, a.session); r.Code != none.Code || r.Body.String() != none.Body.String() {
			t.Errorf("%s is answered otherwise than what does not exist, with %d", path, r.Code)
		}
		if i%4 > 0 {
			continue
		}
		for _, more := range []string{"/text", "/identity"} {
			webtest.Want(t, a.post(path+more, a.session, reason), http.StatusNotFound, "!"+x.project)
		}
		webtest.Want(t, a.get(path+"/proof.json", a.session), http.StatusNotFound)
	}
}

// home checks today's counts.
func (a asking) home(t *testing.T) {
	today := a.some(func(x given) bool { return x.day == directory.DayOf(a.Now()) })
	webtest.Want(t, a.get("/", a.session), http.StatusOK, fmt.Sprintf("今天收到 %d 份评价", len(today)))
}
