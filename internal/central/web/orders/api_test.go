package orders_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web/webtest"
	"haochaping/internal/proof/descriptions"
	"haochaping/internal/rating"
)

// TestAPI reads by tokens what the pages show, but for what people have written. Each answer is as the description has it.
func TestAPI(t *testing.T) {
	w := newWorld(t)
	var facts []rating.CaseFact
	for range 4 {
		facts = append(facts, rating.CaseFact{Unit: police, TaskName: "身份证补领"}, rating.CaseFact{Unit: labour, TaskName: "社保卡申领"})
	}
	pages := w.rate(t, append(facts, rating.CaseFact{TaskName: "户口迁移"})...)
	unit := w.SignIn(w.Add(webtest.Grant(account.Unit, police, city)))
	if got := w.do(t, pages[0], unit, rectify.Verify, "经办人王某某说明当日排队两小时"); got.Code != 303 {
		t.Fatalf("verified: %d %s", got.Code, got.Body)
	}
	const one, list = "/api/v1/orders/{order}", "/api/v1/orders"
	id := func(page string) string { return strings.TrimPrefix(page, "/orders/of/") }
	type item struct {
		ID   string
		Unit string
		Due  time.Time
	}
	var answers []descriptions.Answer
	for _, x := range []struct {
		grant account.Grant
		bound string
		sees  func(n int) bool // by the number of the page
	}{
		{webtest.Grant(account.Unit, police, city), "", func(n int) bool { return n < 8 && n%2 == 0 }},
		{webtest.Grant(account.Unit, labour, city), "", func(n int) bool { return n < 8 && n%2 == 1 }},
		{webtest.Grant(account.City, city, city), "", func(int) bool { return true }},
		{webtest.Grant(account.Province, "620000000000", "620000000000"), county, func(int) bool { return false }},
		{webtest.Grant(account.Auditor, city, city), "", func(int) bool { return true }},
		{webtest.Grant(account.County, county, county), "", func(int) bool { return false }},
	} {
		p := w.Program(w.site, x.grant, x.bound, account.SeeOrders)
		var want, got []string
		for n, page := range pages {
			answer := p.Get(one, list+"/"+id(page))
			if !x.sees(n) {
				if webtest.Want(t, answer, 404); answer.Body.String() != p.Get(one, list+"/999999-1").Body.String() {
					t.Errorf("%s of %s can tell an order that lies outside from none", x.grant.Role, x.grant.Scope)
				}
				continue
			}
			want = append(want, id(page))
			webtest.Want(t, answer, 200, `"means": "收到差评，开立工单"`, "!王某某", "!evaluation")
		}
		last := time.Time{}
		for _, i := range webtest.All[item](t, p, list, "") {
			got = append(got, i.ID)
			if i.Due.Before(last) {
				t.Errorf("%s: what is due at %s comes after %s", x.grant.Role, i.Due, last)
			}
			last = i.Due
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s of %s within %q has %q, want %q", x.grant.Role, x.grant.Scope, x.bound, got, want)
		}
		answers = append(answers, p.Answers...)
	}
	p := w.Program(w.site, webtest.Grant(account.City, city, city), "", account.SeeOrders, account.SeeEvaluations)
	webtest.Want(t, p.Get(one, list+"/"+id(pages[0])), 200, `"state": "contacted"`, `"do": "verify"`, `"wrote": true`, `"evaluation": `,
		"!王某某")
	for _, bad := range []string{"?cursor=x", "?limit=0", "?unit=x"} {
		webtest.Want(t, p.Get(list, list+bad), 400, `"code": "invalid"`)
	}
	none := w.Program(w.site, webtest.Grant(account.City, city, city), "", account.SeeEvaluations)
	webtest.Want(t, none.Get(list, list), 404)
	descriptions.Want(t, "../api/openapi.yaml", append(append(answers, p.Answers...), none.Answers...))
}

// The home page says when what is in work is due next, and what is due today, to each who sees it.
func TestNeeds(t *testing.T) {
	w := newWorld(t)
	w.rate(t, rating.CaseFact{Unit: police, TaskName: "身份证补领"}, rating.CaseFact{Unit: labour, TaskName: "社保卡申领"})
	unit := webtest.Grant(account.Unit, police, city)
	elsewhere := webtest.Grant(account.County, county, county)
	webtest.Want(t, w.get("/", w.SignIn(w.Add(elsewhere))), 200, "!差评工单")
	due := func() time.Time {
		t.Helper()
		all, err := w.orders.Due(t.Context(), rectify.Filter{Limit: 10})
		if err != nil || len(all) != 2 {
			t.Fatalf("due are %d, %v", len(all), err)
		}
		return time.UnixMilli(all[0].Due)
	}()
	day := due.Add(-time.Second).In(rating.Shanghai()).Format("01-02")
	webtest.Want(t, w.get("/", w.SignIn(w.Add(unit))), 200, fmt.Sprintf("1 份差评工单在办，下一份 %s 到期", day))
	w.Pass(due.Add(-time.Hour).Sub(w.Now()))
	webtest.Want(t, w.get("/", w.SignIn(w.Add(unit))), 200, "1 份差评工单今天到期")
	w.Pass(2 * time.Hour)
	webtest.Want(t, w.get("/", w.SignIn(w.Add(unit))), 200, fmt.Sprintf("1 份差评工单逾期，最早的 %s 到期", day))
}
