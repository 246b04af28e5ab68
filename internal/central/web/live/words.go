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

// kindWords returns the name of a kind of finding, and what it means and asks for.
func kindWords(kind string) (name, advice string) {
	switch kind {
	case "gap":
		return "缺号", "盒子已不再保存这些记录，账本里也没有。若账本是从备份恢复的，请找回被替换的文件；否则请保存盒子上的 log.db。"
	case "fork":
		return "分叉", "同一序号有两条不同的记录，很可能有两台盒子用了同一名称和密钥（例如复制了存储卡）。账本以先到者为准，后到者另存。请停用复制品并重新登记。"
	case "fork_gap":
		return "分叉缺号", "后到的那份日志缺这一条。请先处理同一设备的分叉。"
	case "broken_chain":
		return "断链", "这条记录接不上前一条：日志被改动、损坏，或来自复制品。请检查存储卡并保存盒子上的 log.db。"
	case "reopened":
		return "重复开单", "同一次服务被再次记录，且内容不同。账本以先开者为准，后者另存。盒子自己不会这样做，请查明谁动过盒子或其密钥。"
	case "quarantine":
		return "隔离", "这条记录读不懂，不计入；原文已保存。请核对 ratingd 与 centrald 的版本。"
	case "displaced":
		return "后到改计", "一份后到的评价时间更早，取代了先前计入的一份；两份都保存着。盒子断网后补报时属正常；若其时间不可信，请查明谁动过盒子或其时钟。"
	case "contradiction":
		return "说法不一", "业务系统前后两次报送不一致，以先到者为准。请核对业务系统；确需改正的，按更正报送（corrects）。"
	case "crowded":
		return "评价过多", "同一设备对同一办件或同一次服务的评价过多，超出部分另存，不计入。正常的盒子不会这样，请查明谁动过盒子或其密钥。"
	case "damage":
		return "损坏", "盒子有一个文件损坏，已另存并尽量找回。请稍后查看同一设备是否缺号；再次发生时更换存储卡。"
	}
	return kind, ""
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
