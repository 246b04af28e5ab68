package fleet

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/fleet"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
	"haochaping/sync/wire"
)

// standingWords returns a state in a word; a window without a box has none.
func standingWords(s fleet.Standing) string {
	switch s {
	case fleet.Fine:
		return "正常"
	case fleet.Ill:
		return "有故障"
	case fleet.Offline:
		return "离线"
	case fleet.Waiting:
		return "待上传"
	case fleet.Never:
		return "未连接过"
	}
	return "没有评价器"
}

// partNames are the parts of a box in the order in which people look at it.
func partNames() []string {
	return []string{"window", "keys", "screen", "terminal", "store", "disk", "link", "clock", "certificate", "temperature"}
}

// partWords returns a part's name in Chinese, the name itself for one that is not known here.
func partWords(part string) string {
	words := map[string]string{
		"window": "登记", "keys": "按键", "screen": "屏幕", "terminal": "评价程序", "store": "评价存储", "disk": "磁盘空间", "link": "与中心的连接", "clock": "时钟",
		"certificate": "证书", "temperature": "温度", "fonts": "字体", "photos": "照片", "reasons": "原因选项", "sound": "声音", "prompts": "语音提示",
		"lamps":  "按键灯",
		"shared": "共用文件", "screen_files": "屏幕截图", "browser": "浏览器画面", "window_api": "窗口电脑", "window_api_lan": "窗口电脑（局域网）",
		"pressed": "位置", "window_tokens": "窗口电脑令牌", "window_certificate": "窗口电脑证书",
		"webhook": "业务系统通知", "operations": "运维接口", "operations_socket": "运维接口（本机）", "cards": "读卡器", "enrolment": "证书申请", "centre": "与中心的连接",
	}[part]
	if number, ok := strings.CutPrefix(part, wire.KeyPart); ok {
		if n, err := strconv.Atoi(number); err == nil && rating.Level(n).Valid() {
			return rating.Level(n).Chinese()
		}
	}
	if words == "" {
		return part
	}
	return words
}

// call ends the advice that somebody at the window cannot finish alone.
const call = "仍不行，请联系设备运维。"

// plain returns what somebody at the hall can do about a trouble, who is no engineer.
func plain(k condition.Kind) string {
	switch k.Code {
	case "keys.stuck":
		return "松开、擦净卡住的按键；仍卡住，请联系设备运维更换键盘。其余按键照常使用。"
	case "keys.lost":
		return "把键盘的插头拔下再插紧；" + call + "市民仍可扫码评价。"
	case "link.name", "link.unreached", "link.protocol":
		return "检查网线是否插紧、交换机是否通电；" + call + "评价不会丢失。"
	case "window.unenrolled":
		return "请设备运维在中心登记这台评价器。"
	case "temperature.hot":
		return "移开遮挡散热孔的物品，避免阳光直射。"
	case "clock.unsynced", "clock.off":
		return "评价不受影响，不必停用窗口。请告诉设备运维检查对时。"
	case "centre.offline":
		return "看屏幕：不亮，检查电源；亮着，检查网线和交换机。" + call + "通电时按键照常可用，评价不会丢失。"
	case "centre.never":
		return "还没有安装的，不必处理；已安装的，检查电源和网线。" + call
	case "centre.refused":
		return "请联系设备运维核对这台评价器；它送来的评价暂时不被接收。"
	}
	switch k.Part() {
	case "screen":
		return "检查屏幕的电源线和视频线；" + call + "按键仍可评价。"
	case "store", "disk":
		return "请联系设备运维清理或更换存储卡；在此之前请市民扫码评价。"
	case "terminal":
		return "等半分钟，它会自己重启；" + call
	case "certificate":
		return "请联系设备运维更换证书；到期后连不上中心，评价仍保存在本机。"
	case "link":
		return "请联系设备运维，并告诉对方这一行的代码。评价保存在本机，不会丢失。"
	case "sound", "lamps", "cards":
		return "检查插头和连线；" + call + "按键评价不受影响。"
	}
	return "按键评价不受影响。请联系设备运维，并告诉对方这一行的代码。"
}

// waits says what waits on a box.
func waits(s fleet.State) string {
	h := s.Health
	switch {
	case h == nil:
		return "未知"
	case h.Pending == 0:
		return "没有，全部已由中心确认"
	case h.OldestSec < 0:
		return fmt.Sprintf("%d 条待上传，最早的时间未知", h.Pending)
	}
	return fmt.Sprintf("%d 条待上传，最早的已等候 %s", h.Pending, span(time.Duration(h.OldestSec)*time.Second))
}

// span returns a time in its greatest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d 秒", max(0, int(d/time.Second)))
	case d < time.Hour:
		return fmt.Sprintf("%d 分钟", int(d/time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d 小时", int(d/time.Hour))
	}
	return fmt.Sprintf("%d 天", int(d/(24*time.Hour)))
}

// facts returns the figures of a box. What the window is doing at the moment is not among them, but for being closed.
func facts(s fleet.State, now time.Time) []fact {
	all := []fact{{"最后一次通信", orNever(s.Heard())}, {"最后一次确认", orNever(s.AckedAt)}, {"待上传", waits(s)}}
	if p := s.Presence; p != nil && p.Version != "" {
		all = append(all, fact{"版本", p.Version})
	}
	h := s.Health
	if h == nil {
		return all
	}
	all = append(all, fact{"状态报告", at(s.HealthAt) + "（" + span(now.Sub(s.HealthAt)) + "前）"},
		fact{"连续运行", span(time.Duration(h.UptimeSec) * time.Second)})
	if words := map[string]string{"paused": "已暂停", "closed": "已关闭，无人签到", "enrolling": "等待登记", "starting": "启动中"}[h.State]; words != "" {
		all = append(all, fact{"窗口", words})
	}
	all = append(all, programFacts(*h)...)
	if s.Refused > 0 {
		all = append(all, fact{"未被接收的批次", fmt.Sprintf("%d，最近一次 %s", s.Refused, at(s.RefusedAt))})
	}
	return all
}

func orNever(t time.Time) string {
	if t.IsZero() {
		return "从未"
	}
	return at(t)
}

// parts returns the box's parts, each as it has said last. While it is offline they are not known.
func parts(s fleet.State, now time.Time) (rows []partRow) {
	if s.Health == nil {
		return nil
	}
	told := make(map[string]condition.Kind)
	known := partNames()
	for _, k := range s.Troubles(now) {
		if k.Part() == "centre" {
			continue
		}
		if _, ok := told[k.Part()]; !ok || k.Level == condition.Ill {
			told[k.Part()] = k
		}
		if !slices.Contains(known, k.Part()) {
			known = append(known, k.Part())
		}
	}
	offline := s.Standing(now) == fleet.Offline
	for _, name := range known {
		row := partRow{Name: partWords(name), Value: measured(name, *s.Health), State: "well"}
		if name == "certificate" && s.Health.CertDays == nil || name == "temperature" && s.Health.TemperatureC == nil {
			continue
		}
		if k, ok := told[name]; ok {
			row.State, row.Value = string(k.Level), strings.TrimSuffix(k.What.ZH+"；"+row.Value, "；")
		}
		if offline {
			row.State = "unknown"
		}
		rows = append(rows, row)
	}
	return rows
}

// measured returns the figure of a part, empty for one without.
func measured(part string, h wire.Health) string {
	switch part {
	case "disk":
		return fmt.Sprintf("剩余 %d MB", h.FreeBytes>>20)
	case "clock":
		text := fmt.Sprintf("与中心相差 %+.1f 秒", float64(h.OffsetMS)/1000)
		if !h.Synced {
			text += "，未对时"
		}
		return text
	case "certificate":
		if h.CertDays != nil {
			return fmt.Sprintf("剩余 %d 天", *h.CertDays)
		}
	case "temperature":
		if h.TemperatureC != nil {
			return fmt.Sprintf("%d ℃", *h.TemperatureC)
		}
	case "keys":
		if h.StuckKeys > 0 {
			return fmt.Sprintf("启动以来卡键 %d 次", h.StuckKeys)
		}
	}
	return ""
}

// alertWords returns an alert in words.
func alertWords(x fleet.Alert) string {
	what := map[fleet.AlertKind]string{
		fleet.AlertOutage: "整个大厅失去联系", fleet.AlertSilent: "开放时间内失去联系", fleet.AlertService: "窗口不能按键评价", fleet.AlertDisk: "存储空间不足",
		fleet.AlertKey: "按键卡住", fleet.AlertBacklog: "评价超过一天没有上传", fleet.AlertCertificate: "证书即将到期",
	}[x.Kind]
	return x.Name + " " + what
}

// commandWords returns a command's name.
func commandWords(name string) string {
	for _, b := range buttons() {
		if b.Name == name {
			return b.Words
		}
	}
	switch name {
	case wire.CommandKeepKeys:
		return "采用学到的按键"
	case wire.CommandUpdate:
		return "更新程序"
	case wire.CommandErase:
		return "清除"
	case wire.CommandAddToken:
		return "发放窗口电脑令牌"
	case wire.CommandDropToken:
		return "作废窗口电脑令牌"
	}
	return name
}

// buttons returns the commands with what they do.
func buttons() []button {
	return []button{
		{wire.CommandSelfTest, "自检", "评价器检查各个部件并回答，不影响窗口。", false},
		{wire.CommandTestPicture, "测试画面", "没有市民在评价时，屏幕显示测试画面三十秒，按键灯亮，响一声；按任意键结束，来了市民马上让位。", false},
		{wire.CommandSendBundle, "上传支持包", "评价器把运维排查需要的资料（各部件状态、配置、程序日志、记录的条数）传到中心，在这里下载；不含评价内容、姓名、密码和密钥，不影响窗口。", false},
		{wire.CommandPause, "暂停", "窗口显示“暂停服务”，按键不计，直到恢复。正在进行的评价会结束。", true},
		{wire.CommandResume, "恢复", "结束暂停，窗口照常评价。", false},
		{wire.CommandLearnKeys, "学习按键", "窗口暂停，屏幕依次请您按五个键，从非常满意到非常不满意，共两遍；学到的结果在这里核对、确认。", true},
		{wire.CommandRestart, "重启程序", "评价程序重新启动，约十秒内不能评价；已感谢的评价不会丢失。", true},
	}
}

// changeWords returns a change in words, and whether it is for the worse.
func changeWords(x fleet.Change) (words string, bad bool) {
	k, _ := condition.Find(condition.Code(x.Detail))
	if x.Detail == "centre.refused" {
		k.What.ZH = "签名与登记的不符"
	}
	switch x.What {
	case fleet.CameOnline:
		return "上线", false
	case fleet.WentOffline:
		return "离线", true
	case fleet.GotTrouble:
		return "出现：" + k.What.ZH, true
	case fleet.LostTrouble:
		return "恢复：" + k.What.ZH, false
	case fleet.NewVersion:
		return "版本 " + x.Detail, false
	case fleet.NewWindow:
		return "改到 " + x.Detail, false
	case fleet.Booted:
		return "重新启动", false
	}
	return string(x.What) + " " + x.Detail, false
}
