package fleet

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// updateBox asks a box for a newer version of its programs, while its hall is closed: an installation may begin until a quarter of an hour
// before it opens.
func (p *pages) updateBox(c *web.Call) error {
	version := strings.TrimSpace(c.R.FormValue("version"))
	if !wire.IsPackageVersion(version) {
		return wrongVersion()
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
	within := hours.ClosedFor(c.Now(), p.Days)
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

func wrongVersion() error {
	return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请写程序包的版本，如 1.3.0。Write the package's version, as 1.3.0."}
}

// programsAdvice says what to do about a box for which a rollout of programs stands.
func programsAdvice(code string) string {
	switch code {
	case fleet.CodeRefused:
		return "它仍在用原来的程序。查明原因（更新仓库的地址、签名、版本）后选择继续，会再请它安装；或放弃。"
	case fleet.CodeReturned:
		return "它在用原来的程序，能评价。不要继续：请把原因告诉设备运维，放弃这次更新，等下一个版本。"
	case fleet.CodeUntaken:
		return "一小时内没有装好。请设备运维查看这台评价器（journalctl -u haochaping-update）。"
	}
	return "它已装新程序。程序不能从中心退回：请设备运维处理这台评价器；问题若出在新程序，放弃这次更新，发布修正的版本。"
}

// programsReason returns what a box has said of its update.
func programsReason(b fleet.RolloutBox, s fleet.State) string {
	if b.Why != fleet.CodeRefused && b.Why != fleet.CodeReturned {
		return ""
	}
	if b.Asked.Failed != "" {
		return b.Asked.Failed
	}
	if s.Health != nil && s.Health.Programs != nil {
		return s.Health.Programs.Why
	}
	return ""
}

func resumeHelp(r fleet.Rollout) string {
	if r.Change.Programs != "" {
		return "没有安装的评价器会再请一次；现有的故障视为已知，不再因此停住，出现新的故障仍会停住。"
	}
	return "现有的故障视为已知，不再因此停住；出现新的故障仍会停住。"
}

// programsRow says of a window how far its programs are, and reports whether it has: other states are those of settings.
func programsRow(v *rolloutBoxRow, r fleet.Rollout, b fleet.RolloutBox, s fleet.State, now time.Time) bool {
	has := s.HasPrograms(r.Change.Programs, b.Sent)
	standing := s.Standing(now)
	switch {
	case b.State == fleet.BoxOld:
		v.Words, v.More = "没有更新", "它没有装更新服务，或程序较旧：请手工升级"
	case b.State == fleet.BoxWaits && r.State.Open() && b.Stage <= r.Stage:
		v.Words, v.Class, v.More, v.rank = "等大厅闭馆", "waiting", "闭馆后、开放前一刻钟以前更新", 2
		if standing == fleet.Offline || standing == fleet.Never {
			v.Words, v.Class, v.More = "离线", "never", "在线且大厅闭馆时更新；不等它"
		}
	case b.State != fleet.BoxSent || b.Why == fleet.CodeRefused || b.Why == fleet.CodeReturned:
		return false
	case has && b.Why == "":
		v.Words, v.Class = "已更新，正常", "well"
		if !b.Applied.IsZero() {
			v.More = "自 " + at(b.Applied)
		}
	case has && b.Why != fleet.CodeUntaken:
		return false
	case slices.Contains(b.Known, fleet.CodeReturned):
		v.Words, v.Class, v.More, v.rank = "已退回原版本", "ill", "不再等它", 1
	default:
		v.Words, v.Class, v.rank = "正在更新", "waiting", 2
	}
	return true
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
