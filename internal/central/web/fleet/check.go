package fleet

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"haochaping/internal/central/db"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// sightRow is a part that somebody before the box looks at, as the form asks for it.
type sightRow struct{ Name, Words, Ask string }

func sights() []sightRow {
	return []sightRow{
		{"picture", "画面", "画面完整、四边有框、颜色分得清"}, {"code", "二维码", "手机能扫出画面上的二维码"}, {"lamps", "按键灯", "五个按键的灯都亮"},
		{"sound", "声音", "听到一声提示音"},
	}
}

// sightWords returns what was found in a word.
func sightWords(s fleet.Sight) string {
	return map[fleet.Sight]string{fleet.SeenWell: "正常", fleet.SeenIll: "有问题", fleet.SeenNone: "没有此部件"}[s]
}

// checks returns when a box tested itself last, when somebody looked at it last, and what was found.
func (p *pages) checks(ctx context.Context, d rating.DeviceID) (facts []fact, err error) {
	test, ok, err := p.Fleet.LastSelfTest(ctx, d)
	if err != nil {
		return nil, err
	}
	words := "没有"
	if ok {
		words = at(test.Answered) + "，" + testWords(test)
	}
	facts = append(facts, fact{"最近自检", words})
	c, err := p.Fleet.LastCheck(ctx, d)
	if err != nil {
		return nil, err
	}
	words = "没有"
	if !c.At.IsZero() {
		var all []string
		for _, s := range sights() {
			all = append(all, s.Words+sightWords(c.Seen[s.Name]))
		}
		words = at(c.At) + "，" + strings.Join(all, "，")
	}
	return append(facts, fact{"最近现场检查", words}), nil
}

// testWords says what a self-test has found.
func testWords(c fleet.Command) string {
	var ill []string
	for _, part := range c.Parts {
		if part.Code != "" {
			ill = append(ill, partWords(part.Name))
		}
	}
	if len(ill) == 0 {
		return "各部件正常"
	}
	return "有问题：" + strings.Join(ill, "、")
}

// check enters what somebody who stands before the box sees and hears of it.
func (p *pages) check(c *web.Call) error {
	x := fleet.Check{Device: rating.DeviceID(c.R.PathValue("device")), At: c.Now(), Account: c.Person.Account, Seen: map[string]fleet.Sight{}}
	for _, s := range sights() {
		found := fleet.Sight(c.R.FormValue(s.Name))
		if sightWords(found) == "" {
			return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请说明“" + s.Words + "”怎样。Say how each part is."}
		}
		x.Seen[s.Name] = found
	}
	where, err := p.boxObject(c)
	if err != nil {
		return err
	}
	data, err := json.Marshal(x.Seen)
	if err != nil {
		return err
	}
	act := journal.Act{Do: "fleet.check", Object: string(x.Device), Data: data, Domain: where.Area}
	if err := c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error { return fleet.KeepCheck(ctx, tx, x) }); err != nil {
		return err
	}
	return c.See("/fleet/boxes/" + string(x.Device))
}
