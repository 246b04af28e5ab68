package fleet_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"haochaping/internal/boxcode"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/web/webtest"
)

// TestACodeReadFromLamps types what lamps have told, beside a code in letters as a screen shows it: the page shows both boxes, the check
// digits of the one as its lamps tell them, and accepts it.
func TestACodeReadFromLamps(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	room := w.lets(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	dark, _ := asks(t, room, "bcdf23456789")
	bright, _ := asks(t, room, "ghjk23456789")
	flashes := func(all []int, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return boxcode.Grouped(all)
	}
	told, check := flashes(boxcode.Flashes(dark.Code)), flashes(boxcode.DigitFlashes(dark.Digits))
	typed := told + "，" + bright.Code[:4] + " " + bright.Code[4:]
	page := w.get("/fleet/enrol?hall=SL-H2&code="+url.QueryEscape(typed), who)
	webtest.Want(t, page, 200, `<b class="digits">`+check+"</b>", dark.Digits, bright.Digits, "全部接受（2 台）", "与屏幕上的四位核对码一致才接受",
		`value="`+told+", "+bright.Code[:4]+" "+bright.Code[4:]+`"`)
	if text := page.Body.String(); strings.Contains(text, "没有评价器正在显示") || strings.Count(text, "快闪两次之后的八下与这八个数字一致") != 1 {
		t.Errorf("the page of two boxes:\n%s", text)
	}
	webtest.Want(t, w.get("/fleet/enrol?hall=SL-H2&code="+strings.ReplaceAll(told, " ", ""), who), 200, check)
	if text := w.get("/fleet/enrol?hall=SL-H2&code="+dark.Code, who).Body.String(); strings.Contains(text, check) {
		t.Error("lamps are spoken of where the code was typed in letters")
	}
	webtest.Want(t, w.get("/fleet/enrol?code=5111111111111111", who), 200, "没有评价器正在显示 <code>5111111111111111</code>：请从五灯长亮之后再抄一遍")
	form := url.Values{"code": {told}, "window": {"SL-H2-B02"}}
	webtest.Want(t, webtest.Do(w.site, webtest.Request("POST", "/fleet/halls/SL-H2/enrol", who, form)), 303)
	if d, err := w.fleet.Device(t.Context(), dark.Device); err != nil || d.Window.ID != "SL-H2-B02" {
		t.Errorf("it is enrolled as %+v, %v", d, err)
	}
}

// TestLampsAreNotGuessed: numbers of lamps that no box tells are counted as letters are.
func TestLampsAreNotGuessed(t *testing.T) {
	w := newWorldOf(t, box{"jia-b01", "SL-H2-B01"})
	w.lets(t)
	who := w.SignIn(w.Add(webtest.Grant(account.Hall, "SL-H2", "629901000000")))
	guess := func(from, n int) string {
		var all []string
		for i := from; i < from+n; i++ {
			all = append(all, fmt.Sprintf("1111 1111 111%d %d%d%d%d", i%5+1, i/5%4+1, i/20%5+1, i/100%4+1, i/400%5+1))
		}
		return "/fleet/enrol?code=" + url.QueryEscape(strings.Join(all, ","))
	}
	webtest.Want(t, w.get(guess(0, 60), who), 200)
	webtest.Want(t, w.get(guess(60, 60), who), 200)
	webtest.Want(t, w.get(guess(120, 2), who), 429, "已记入审计")
}
