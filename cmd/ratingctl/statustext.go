package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/cli"
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

// sayer says what a status has, in one language.
type sayer struct{ cli.Lang }

// span returns a duration in its two greatest units.
func (l sayer) span(d time.Duration) string {
	d = max(0, d)
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case days > 0:
		return fmt.Sprintf(l.Say("%d 天 %d 小时", "%d d %d h"), days, hours)
	case hours > 0:
		return fmt.Sprintf(l.Say("%d 小时 %d 分", "%d h %d min"), hours, minutes)
	case minutes > 0:
		return fmt.Sprintf(l.Say("%d 分 %d 秒", "%d min %d s"), minutes, int(d.Seconds())%60)
	}
	return fmt.Sprintf(l.Say("%d 秒", "%d s"), int(d.Seconds()))
}

// bytesText returns a size with its unit, in powers of 1024 as file systems count.
func bytesText(n uint64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MB", n>>20)
}

func momentText(t time.Time) string { return t.In(beijing()).Format("2006-01-02 15:04:05") }

func (l sayer) state(s opsapi.Status) string {
	switch s.State {
	case "enrolling":
		return l.Say("未登记，指纹 ", "not enrolled, fingerprint ") + s.Fingerprint
	case "idle":
		return l.Say("等待办件", "idle")
	case "asking":
		return l.Say("正在评价", "asking")
	case "paused":
		return l.Say("已暂停", "paused")
	case "closed":
		return l.Say("已关闭，无人签到", "closed: nobody is signed in")
	case "starting":
		return l.Say("启动中", "starting")
	case "fault":
		return l.Say("按键停用", "keys out of service")
	}
	return s.State
}

func (l sayer) centre(s opsapi.Status) string {
	word := l.Say("未连接", "not connected")
	if s.Centre.Connected {
		word = l.Say("已连接", "connected")
	}
	text := fmt.Sprintf(l.Say("%s，自 %s 起（%s），%s", "%s since %s (%s), %s"), word, momentText(s.Centre.Since),
		l.span(s.Clock.Now.Sub(s.Centre.Since)), s.Centre.Broker)
	if p := s.Part("link"); p.Code != "" {
		text += l.Say("；", "; ") + l.Text(p.What)
	}
	if r := s.Centre.TooLarge; r != nil {
		text += fmt.Sprintf(l.Say("（共 %d 条）", " (%d in all)"), r.Count)
	}
	return text
}

// ownLines names the parts of which the screen says more than their finding.
func ownLines() []string {
	return []string{"window", "link", "disk", "clock", "certificate", "temperature"}
}

func (l sayer) queue(q opsapi.Queue) string {
	switch {
	case q.Pending == 0:
		return l.Say("没有，全部已由中心确认", "nothing, the centre has acknowledged all")
	case q.OldestSec < 0:
		return fmt.Sprintf(l.Say("%d 条记录，最早的早于本次开机，时间未知", "%d records, the oldest from before this start, at an unknown time"), q.Pending)
	}
	return fmt.Sprintf(l.Say("%d 条记录，最早的在 %s前", "%d records, the oldest %s old"), q.Pending, l.span(time.Duration(q.OldestSec)*time.Second))
}

func (l sayer) finding(p opsapi.Part, now time.Time) string {
	if p.OK {
		return l.Text(p.What)
	}
	return fmt.Sprintf(l.Say("%s（自 %s 起，%s）", "%s (since %s, %s)"), l.Text(p.What), momentText(p.Since), l.span(now.Sub(p.Since)))
}

func (l sayer) clock(c opsapi.Clock) string {
	text := momentText(c.Now) + l.Say("，未同步", ", not synchronised")
	if c.Synced {
		text = momentText(c.Now) + l.Say("，已同步", ", synchronised")
	}
	if c.OffsetMS != nil {
		text += fmt.Sprintf(l.Say("，与中心相差 %+.2f 秒", ", %+.2f s from the centre's"), float64(*c.OffsetMS)/1000)
	}
	return text
}

func (l sayer) certificate(c opsapi.Certificate) string {
	day := c.NotAfter.In(beijing()).Format(time.DateOnly)
	if c.Days < 0 {
		return fmt.Sprintf(l.Say("已于 %s 过期", "ended on %s"), day)
	}
	return fmt.Sprintf(l.Say("还有 %d 天（到 %s）", "%d days left, to %s"), c.Days, day)
}

// optional reports whether a part is one of those that a window can do without.
func optional(part string) bool {
	return !slices.Contains(append(ownLines(), "keys", "screen", "store", "terminal"), part)
}

// part names a part, in Chinese with four characters at most.
func (l sayer) part(part string) string {
	if l.Lang == cli.English {
		short, ok := map[string]string{"link": "centre", "window_api_lan": "window_lan", "window_tokens": "tokens",
			"operations_socket": "operations"}[part]
		if !ok {
			return part
		}
		return short
	}
	label := map[string]string{"keys": "按键", "screen": "屏幕", "store": "存储", "terminal": "程序", "link": "中心", "window": "登记", "disk": "磁盘",
		"clock": "时钟", "certificate": "证书", "temperature": "温度",
		"reasons": "理由", "shared": "共用文件", "fonts": "字体", "photos": "照片", "sound": "声音", "prompts": "语音", "lamps": "按键灯", "screen_files": "画面文件",
		"browser":    "浏览器",
		"window_api": "窗口接口", "window_api_lan": "局域网", "window_tokens": "令牌", "webhook": "业务通知", "cards": "读卡器",
		"operations": "状态接口", "operations_socket": "状态接口", "enrolment": "证书申请", "rules": "规定", "window_certificate": "窗口证书"}[part]
	if label == "" {
		return part
	}
	return label
}

func (l sayer) fault(f *opsapi.Fault) string {
	if f == nil {
		return l.Say("启动以来没有", "none since the start")
	}
	part, what, since := l.part(f.Part), l.Text(f.What), momentText(f.Since)
	if f.Until == nil {
		return fmt.Sprintf(l.Say("%s：%s，自 %s 起，尚未恢复", "%s: %s, since %s, not over yet"), part, what, since)
	}
	return fmt.Sprintf(l.Say("%s：%s，%s 起，持续 %s，已恢复", "%s: %s, from %s for %s, over"), part, what, since, l.span(f.Until.Sub(f.Since)))
}
