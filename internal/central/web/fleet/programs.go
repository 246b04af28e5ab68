package fleet

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// mostWithin is for how long at most an update may begin after it was asked for.
const mostWithin = 12 * time.Hour

// updateBox asks a box for a newer version of its programs, while its hall is closed: an installation may begin until a quarter of an hour
// before it opens.
func (p *pages) updateBox(c *web.Call) error {
	version := strings.TrimSpace(c.R.FormValue("version"))
	if !wire.IsPackageVersion(version) {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请写程序包的版本，如 1.3.0。Write the package's version, as 1.3.0."}
	}
	o, err := p.boxObject(c)
	if err != nil {
		return err
	}
	all, err := p.Fleet.Hours(c.R.Context())
	if err != nil {
		return err
	}
	hours, ok := all[o.Hall]
	if !ok {
		hours = fleet.UsualHours()
	}
	within := closedFor(hours, p.Days, c.Now())
	if within <= 0 {
		return conflict("大厅正在或即将开放，程序只在闭馆后更新（" + hours.String() + " 之外）。The hall is open or about to open; programs are updated when it " +
			"is closed.")
	}
	id := rating.DeviceID(c.R.PathValue("device"))
	x := fleet.NewCommand(p.Random(), id, wire.CommandUpdate, c.Person.Account, c.Now())
	x.Args = map[string]string{"version": version, "within_sec": strconv.Itoa(int(within / time.Second))}
	data, err := json.Marshal(x.Args)
	if err != nil {
		return err
	}
	return p.give(c, x, journal.Act{Do: "fleet.update", Object: string(id), Data: data})
}

// closedFor returns for how long an update may begin from now on: until a quarter of an hour before the hall opens, 0 where it is open.
func closedFor(h fleet.Hours, days rating.Calendar, now time.Time) time.Duration {
	const before = 15 * time.Minute
	for d := time.Duration(0); d <= mostWithin+before; d += time.Minute {
		if h.Open(now.Add(d), days) {
			return max(0, d-before)
		}
	}
	return mostWithin
}

// programFacts returns which package a box has, and how its last update went.
func programFacts(h wire.Health) (all []fact) {
	p := h.Programs
	if p == nil {
		return nil
	}
	all = append(all, fact{"程序包", p.Installed})
	if p.Asked == "" {
		return all
	}
	words := map[string]string{"installing": "正在安装", "trying": "已安装，正在观察", "done": "成功", "refused": "没有安装", "returning": "正在退回",
		"returned": "不正常，已退回原版本"}[p.Outcome]
	if words == "" {
		words = p.Outcome
	}
	text := p.Asked + "：" + words
	if p.Why != "" {
		text += "（" + p.Why + "）"
	}
	return append(all, fact{"上次更新", text})
}
