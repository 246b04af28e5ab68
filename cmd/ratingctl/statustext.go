package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/opsapi"
)

// beijing is the time zone of every hall.
func beijing() *time.Location { return time.FixedZone("CST", 8*60*60) }

// wide fills a label up to a number of columns, of which a Chinese character takes two.
func wide(label string, columns int) string {
	for _, r := range label {
		columns--
		if r >= 0x1100 {
			columns--
		}
	}
	return label + strings.Repeat(" ", max(0, columns))
}

// spanText returns a duration in its two greatest units.
func spanText(d time.Duration) string {
	d = max(0, d)
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d 天 %d 小时", days, hours)
	case hours > 0:
		return fmt.Sprintf("%d 小时 %d 分", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d 分 %d 秒", minutes, int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d 秒", int(d.Seconds()))
}

// bytesText returns a size with its unit, in powers of 1024 as file systems count.
func bytesText(n uint64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MB", n>>20)
}

func momentText(t time.Time) string { return t.In(beijing()).Format("2006-01-02 15:04:05") }

func stateText(s opsapi.Status) string {
	switch s.State {
	case "enrolling":
		return "未登记，指纹 " + s.Fingerprint
	case "idle":
		return "等待办件"
	case "asking":
		return "正在评价"
	case "paused":
		return "已暂停"
	case "closed":
		return "已关闭，无人签到"
	case "starting":
		return "启动中"
	case "fault":
		return "按键停用"
	}
	return s.State
}

func centreText(s opsapi.Status) string {
	word := "未连接"
	if s.Centre.Connected {
		word = "已连接"
	}
	text := fmt.Sprintf("%s，自 %s 起（%s），%s", word, momentText(s.Centre.Since), spanText(s.Clock.Now.Sub(s.Centre.Since)), s.Centre.Broker)
	if p := s.Part("link"); p.Code != "" {
		text += "；" + p.What.ZH
	}
	if r := s.Centre.TooLarge; r != nil {
		text += fmt.Sprintf("（共 %d 条）", r.Count)
	}
	return text
}

// ownLines names the parts of which the screen says more than their finding.
func ownLines() []string {
	return []string{"window", "link", "disk", "clock", "certificate", "temperature"}
}

func queueText(q opsapi.Queue) string {
	switch {
	case q.Pending == 0:
		return "没有，全部已由中心确认"
	case q.OldestSec < 0:
		return fmt.Sprintf("%d 条记录，最早的早于本次开机，时间未知", q.Pending)
	}
	return fmt.Sprintf("%d 条记录，最早的在 %s前", q.Pending, spanText(time.Duration(q.OldestSec)*time.Second))
}

func partText(p opsapi.Part, now time.Time) string {
	if p.OK {
		return p.What.ZH
	}
	return fmt.Sprintf("%s（自 %s 起，%s）", p.What.ZH, momentText(p.Since), spanText(now.Sub(p.Since)))
}

func clockText(c opsapi.Clock) string {
	text := momentText(c.Now) + "，未同步"
	if c.Synced {
		text = momentText(c.Now) + "，已同步"
	}
	if c.OffsetMS != nil {
		text += fmt.Sprintf("，与中心相差 %+.2f 秒", float64(*c.OffsetMS)/1000)
	}
	return text
}

// optional reports whether a part is one of those that a window can do without.
func optional(part string) bool {
	return !slices.Contains(append(ownLines(), "keys", "screen", "store", "terminal"), part)
}

// partLabel names a part in Chinese, in four characters at most.
func partLabel(part string) string {
	label := map[string]string{"keys": "按键", "screen": "屏幕", "store": "存储", "terminal": "程序", "link": "中心", "window": "登记", "disk": "磁盘", "clock": "时钟", "certificate": "证书", "temperature": "温度",
		"reasons": "理由", "shared": "共用文件", "fonts": "字体", "photos": "照片", "sound": "声音", "prompts": "语音", "lamps": "按键灯", "screen_files": "画面文件", "browser": "浏览器",
		"window_api": "窗口接口", "window_api_lan": "局域网", "window_tokens": "令牌", "webhook": "业务通知", "cards": "读卡器",
		"operations": "状态接口", "operations_socket": "状态接口"}[part]
	if label == "" {
		return part
	}
	return label
}

func faultText(f *opsapi.Fault) string {
	if f == nil {
		return "启动以来没有"
	}
	part := partLabel(f.Part)
	if f.Until == nil {
		return fmt.Sprintf("%s：%s，自 %s 起，尚未恢复", part, f.What.ZH, momentText(f.Since))
	}
	return fmt.Sprintf("%s：%s，%s 起，持续 %s，已恢复", part, f.What.ZH, momentText(f.Since), spanText(f.Until.Sub(f.Since)))
}
