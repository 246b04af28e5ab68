package live

import (
	"fmt"
	"time"

	"haochaping/internal/central/web"
	"haochaping/internal/condition"
	"haochaping/internal/rating"
)

// Waits says what waits on the box, empty if nothing does.
func (d Device) Waits() string {
	if d.Pending == 0 {
		return ""
	}
	words := fmt.Sprintf("待上传 %d 条，最早 %s", d.Pending, span(d.OldestSec))
	if d.AckedAt != nil {
		words += "，上次确认 " + d.AckedAt.In(web.Zone()).Format("01-02 15:04")
	}
	return words
}

// Ails returns what the box says is not well with it, in words.
func (d Device) Ails() []condition.Kind {
	var out []condition.Kind
	for _, code := range d.Troubles {
		k, _ := condition.Find(condition.Code(code))
		out = append(out, k)
	}
	return out
}

// span returns seconds in words, -1 for a time that no clock tells.
func span(seconds int64) string {
	switch {
	case seconds < 0:
		return "时间未知"
	case seconds < 60:
		return fmt.Sprintf("%d 秒前", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%d 分钟前", seconds/60)
	case seconds < 2*24*3600:
		return fmt.Sprintf("%d 小时前", seconds/3600)
	}
	return fmt.Sprintf("%d 天前", seconds/(24*3600))
}

func channelWords(c rating.Channel) string {
	switch c {
	case rating.Keypad:
		return "按键"
	case rating.Phone:
		return "手机扫码"
	}
	return string(c)
}

// openerWords says who asked where it was not a business system, so that an answer without a case can be weighed. It is
// empty else.
func openerWords(o rating.Opener) string {
	switch o {
	case rating.OpenedByStaffKey:
		return "工作人员发起"
	case rating.OpenedByWalkUp:
		return "窗口常开，未关联办件"
	}
	return ""
}

// statusWords returns the words for an entry's status and the class that the style sheet knows.
func statusWords(status string) (words, kind string) {
	switch status {
	case "counted":
		return "计入", "counted"
	case "replaced":
		return "被更正", "replaced"
	case "later":
		return "已有在先", "later"
	case "unasked":
		return "未办结，不计", "later"
	case "late":
		return "逾期，不计", "later"
	case "crowded":
		return "过多，不计", "later"
	}
	return status, "other"
}

// since says shortly how much earlier than its latest moment something may have been.
func since(earliest, latest time.Time) string {
	switch {
	case earliest.Format(time.DateOnly) == latest.Format(time.DateOnly):
		return "最早 " + earliest.Format("15:04")
	case earliest.Year() == latest.Year():
		return "最早 " + earliest.Format("01-02 15:04")
	}
	return "最早 " + earliest.Format(time.DateOnly)
}
