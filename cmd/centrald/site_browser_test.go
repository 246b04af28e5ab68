package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/directory/directorytest"
	"haochaping/internal/proof/axe"
	"haochaping/internal/proof/chromium"
)

// look opens a page and asks axe about it at each width.
func look(t *testing.T, ctx context.Context, script, url, name string) {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	axe.Look(t, ctx, script, name)
}

// TestPagesBeforeSignIn looks with axe, at three widths, at what people see who are not signed in.
func TestPagesBeforeSignIn(t *testing.T) {
	script := axe.Script(t)
	x, site := pagesOf(t)
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	ctx := chromium.Start(t)
	look(t, ctx, script, server.URL+"/live", "before-accounts")
	a, err := x.people.Add(t.Context(), operator(), "wang.min", "王敏", "620102000000", grantOf(account.County, 0))
	if err != nil {
		t.Fatal(err)
	}
	look(t, ctx, script, server.URL+"/signin", "signin")
	look(t, ctx, script, server.URL+linkOf(t, x, a, account.ChoosesPassword), "choose")
	look(t, ctx, script, server.URL+"/enter/none", "link-is-over")
	look(t, ctx, script, server.URL+linkOf(t, x, a, account.SignsIn), "enter")
}

// TestTheWayInByACode chooses a password and enrols a second factor in a browser, leaves, and comes back by both, with axe at each page on
// the way.
func TestTheWayInByACode(t *testing.T) {
	const password = "correct horse battery staple"
	script := axe.Script(t)
	x, site := pagesOf(t)
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	ctx := chromium.Start(t)
	a, err := x.people.Add(t.Context(), operator(), "zhao.lei", "赵磊", "620000000000", grantOf(account.Province, 0))
	if err != nil {
		t.Fatal(err)
	}
	do := func(what string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	fill := func(id, text string) chromedp.Action[chromedp.Void] {
		return chromedp.SendKeys(chromedp.CSS("#"+id), text)
	}
	press := func(form string) chromedp.Action[chromedp.Void] {
		return chromedp.Click(chromedp.CSS(`form[action^="` + form + `"] button`))
	}
	do("choose a password", chromedp.Navigate(server.URL+linkOf(t, x, a, account.ChoosesPassword)), fill("password", password),
		fill("again", password), press("/enter/"),
		chromedp.WaitVisible(chromedp.CSS(".who")), chromedp.Navigate(server.URL+"/me/second"), fill("password", password), press("/me/second"),
		chromedp.WaitVisible(chromedp.CSS(".qr")))
	seed, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("code.secret").textContent.replaceAll(" ", "")`))
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(seed, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	do("confirm it", fill("code", code), press("/me/second/confirm"), chromedp.WaitVisible(chromedp.CSS(`a.button[href="/"]`)))
	axe.Look(t, ctx, script, "codes")
	do("leave and come back", chromedp.Navigate(server.URL+"/me"), press("/signout"), chromedp.WaitVisible(chromedp.CSS("#login")),
		fill("login", "zhao.lei"), fill("password", password),
		press("/signin"), chromedp.WaitVisible(chromedp.CSS("#code")))
	axe.Look(t, ctx, script, "signin-code")
	do("a wrong code", fill("code", "ABCD-0000"), press("/signin/code"), chromedp.WaitVisible(chromedp.CSS(".problem")))
	axe.Look(t, ctx, script, "signin-code-wrong")
}

// linkOf returns the path of a new link.
func linkOf(t *testing.T, x *rooms, a account.Account, opens account.Opens) string {
	t.Helper()
	secret, err := x.people.Link(t.Context(), operator(), a, opens)
	if err != nil {
		t.Fatal(err)
	}
	return "/enter/" + secret
}

// TestPagesInABrowser looks at each page with axe, at three widths.
func TestPagesInABrowser(t *testing.T) {
	for _, some := range []map[string]string{
		{"/": "home", "/live": "live", "/audit": "audit", "/audit?q=zzz": "audit-empty"},
		{"/accounts": "accounts", "/accounts/{other}": "account", "/accounts/{hall}": "account-of-a-hall",
			"/accounts?q=nobody": "accounts-empty"},
		{"/organisation": "organisation", "/organisation/import": "organisation-import", "/organisation/new/hall": "organisation-new"},
		{"/me": "me", "/me/second": "second", "/nothing/here": "not-there"},
	} {
		t.Run("", func(t *testing.T) { pagesInABrowser(t, some) })
	}
}

func pagesInABrowser(t *testing.T, some map[string]string) {
	script := axe.Script(t)
	x, site := pagesOf(t)
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	ctx := chromium.Start(t)
	directorytest.Enter(t, x.directory, "../ratingctl/organisation.csv")
	p := &crowd{t, x, 0, make(map[account.Grant]string), make(map[account.Grant]string)}
	_, hall := p.signedIn(grantOf(account.Hall, 0))
	other, err := x.people.Add(t.Context(), operator(), "wang.min", "王敏", "620102000000", grantOf(account.County, 0))
	if err != nil {
		t.Fatal(err)
	}
	me, err := x.people.Add(t.Context(), operator(), "li.qiang", "李强", "620000000000", grantOf(account.Province, 0),
		grantOf(account.Technician, 1))
	if err != nil {
		t.Fatal(err)
	}
	err = chromedp.Do(ctx, chromedp.Navigate(server.URL+linkOf(t, x, me, account.SignsIn)), chromedp.Click(chromedp.CSS("#enter")),
		chromedp.WaitVisible(chromedp.CSS(".needs")))
	if err != nil {
		t.Fatal(err)
	}
	for path, name := range some {
		look(t, ctx, script, server.URL+strings.NewReplacer("{other}", other.ID, "{hall}", hall).Replace(path), name)
		if name != "second" {
			continue
		}
		// The QR code of a second factor that is being enrolled.
		begin := chromedp.Click(chromedp.CSS(`form[action="/me/second"] button`))
		if err := chromedp.Do(ctx, begin, chromedp.WaitVisible(chromedp.CSS(".qr")), chromium.Screenshot("qr")); err != nil {
			t.Fatal(err)
		}
		axe.Check(t, ctx, script, "the QR code")
		first, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("a,button,input,select").className`))
		if err != nil || first != "skip" {
			t.Errorf("the keyboard's first stop is %q, %v; want the way past the navigation", first, err)
		}
	}
}

// TestRolesInABrowser signs each role in, and reads its navigation.
func TestRolesInABrowser(t *testing.T) {
	x, site := pagesOf(t)
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	ctx := chromium.Start(t)
	for role, want := range map[account.Role]string{
		account.Province:   "首页 实时列表 评价 办件 统计 评价器 数据异常 统一规定 工单 疑点 发布 整改与问题 机构 书面评价 账号 审计 封存 我的账号",
		account.City:       "首页 实时列表 评价 办件 统计 评价器 数据异常 统一规定 工单 疑点 发布 整改与问题 机构 书面评价 账号 审计 我的账号",
		account.County:     "首页 实时列表 评价 办件 统计 评价器 数据异常 统一规定 工单 疑点 发布 整改与问题 机构 书面评价 账号 审计 我的账号",
		account.Unit:       "首页 评价 办件 统计 工单 整改与问题 机构 我的账号",
		account.Hall:       "首页 统计 评价器 数据异常 机构 书面评价 我的账号",
		account.Staff:      "首页 我的汇总 我的账号",
		account.Technician: "首页 评价器 数据异常 机构 我的账号",
		account.Inspector:  "首页 线索 我的账号",
		account.Auditor:    "首页 实时列表 评价 办件 统计 评价器 数据异常 统一规定 工单 疑点 发布 整改与问题 机构 账号 审计 封存 我的账号",
	} {
		a, err := x.people.Add(t.Context(), operator(), "who."+string(role), "测试", "620000000000", grantOf(role, 0))
		if err != nil {
			t.Fatal(err)
		}
		secret, err := x.people.Link(t.Context(), operator(), a, account.SignsIn)
		if err != nil {
			t.Fatal(err)
		}
		err = chromedp.Do(ctx, chromedp.Navigate(server.URL+"/enter/"+secret), chromedp.Click(chromedp.CSS("#enter")),
			chromedp.WaitVisible(chromedp.CSS("nav.menu")))
		if err != nil {
			t.Fatalf("%s: %v", role, err)
		}
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("nav.menu a")].map(a => a.textContent).join(" ")`))
		if err != nil || got != want {
			t.Errorf("%s has %q, want %q, %v", role, got, want, err)
		}
		page, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".who").textContent`))
		if err != nil || !strings.Contains(page, role.Chinese()) {
			t.Errorf("%s: the page says %q, %v", role, page, err)
		}
		if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(".who button")), chromedp.WaitVisible(chromedp.CSS("#login"))); err != nil {
			t.Fatalf("%s signs out: %v", role, err)
		}
	}
}
