package fleet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/fleet"
)

// whereWords returns the scope of a rollout in words.
func whereWords(a *directory.Atlas, r fleet.Rollout, now time.Time) string {
	kind, id, words := directory.Area, r.Area, "全部大厅"
	if r.Hall != "" {
		kind, id, words = directory.Hall, r.Hall, ""
	}
	if x, ok := a.At(kind, id, directory.DayOf(now)); ok {
		id = x.Name
	}
	return id + words
}

// changeOf returns a change in words.
func changeOf(x fleet.Patch) string {
	if x.Rules != nil {
		return "上级规定和本中心的评价器设置（原因目录、屏幕文字、时间）"
	}
	if x.Programs != "" {
		return "程序更新到 " + x.Programs
	}
	var all []string
	if x.SignIn != nil {
		all = append(all, map[bool]string{true: "须签到才评价", false: "不须签到"}[*x.SignIn])
	}
	switch {
	case x.WaitSec == nil:
	case *x.WaitSec == 0:
		all = append(all, "等待按键的时间按本机设置")
	default:
		all = append(all, fmt.Sprintf("等待按键 %d 秒", *x.WaitSec))
	}
	switch {
	case x.WalkUp == nil:
	case x.WalkUp.PauseSec == 0:
		all = append(all, "不主动请人评价")
	default:
		all = append(all, fmt.Sprintf("主动请人评价，间隔 %d 秒，二维码 %d 秒一换", x.WalkUp.PauseSec, x.WalkUp.LinkSec))
	}
	return strings.Join(all, "；")
}

// rolloutWords returns how far a rollout has come.
func rolloutWords(r fleet.Rollout) string {
	switch r.State {
	case fleet.Running:
		return fmt.Sprintf("进行中：第 %d 步，共 %d 步", r.Stage, r.Last)
	case fleet.Halted:
		return fmt.Sprintf("已停住：第 %d 步", r.Stage)
	case fleet.Undoing:
		return "正在退回"
	case fleet.Undone:
		return "已退回"
	case fleet.Finished:
		return "已完成"
	case fleet.Abandoned:
		return "已放弃"
	}
	return string(r.State)
}

// newStage returns a stage without its windows.
func newStage(r fleet.Rollout, stage int) stageView {
	v := stageView{Words: []string{"", "一个窗口", "同一大厅", "其余大厅"}[stage], State: "past"}
	switch {
	case stage > r.Stage:
		v.State = "coming"
	case stage == r.Stage && r.State.Open():
		v.State = "here"
	}
	return v
}

// boxRow returns a window of a stage in words. Those that need a look come first.
func boxRow(r fleet.Rollout, b fleet.RolloutBox, s fleet.State, now time.Time) rolloutBoxRow {
	v := rolloutBoxRow{Device: string(b.Device), Window: b.Window, Name: b.Name, rank: 3}
	if r.Change.Programs != "" && programsRow(&v, r, b, s, now) {
		return v
	}
	switch b.State {
	case fleet.BoxWaits:
		v.Words, v.Class = "未轮到", ""
		if !r.State.Open() || r.State == fleet.Undoing {
			v.Words = "没有更改"
		}
	case fleet.BoxGone:
		v.Words, v.More = "已不在这个窗口", "没有更改，也不再等它"
	case fleet.BoxOld:
		v.Words, v.More = "没有更改", "它的程序较旧，不报告配置版本；请先升级"
	case fleet.BoxKept:
		v.Words, v.More, v.rank = "未退回", "其间有人另改了它的设置，保持现状", 1
	case fleet.BoxUndone:
		v.Words, v.Class = "已发出原设置", "waiting"
		if has(s, b) {
			v.Words, v.Class = "已恢复原设置", "well"
		}
	case fleet.BoxSent:
		sentRow(&v, b, s, now)
	}
	return v
}

func has(s fleet.State, b fleet.RolloutBox) bool {
	return s.Health != nil && !s.HealthAt.Before(b.Sent) && s.Health.Generation >= b.Generation
}

// sentRow says how a box bears what it was sent.
func sentRow(v *rolloutBoxRow, b fleet.RolloutBox, s fleet.State, now time.Time) {
	switch {
	case b.Why != "":
		v.Words, v.Class, v.rank = rolloutTrouble(b.Why).What.ZH, "ill", 0
		v.More = "已 " + span(now.Sub(b.Ill))
		if b.Why == fleet.CodeUntaken {
			v.Words, v.Class, v.rank = "已发出，等待采用", "waiting", 2
		}
	case b.Applied.IsZero() && slices.Contains(b.Known, "centre.offline"):
		v.Words, v.Class, v.More, v.rank = "离线，上线后采用", "never", "更改前已离线，不等它", 2
	case b.Applied.IsZero():
		v.Words, v.Class, v.rank = "已发出，等待采用", "waiting", 2
	default:
		v.Words, v.Class, v.More = "已采用，正常", "well", "自 "+at(b.Applied)
		if is := s.Standing(now); is.Sick() {
			v.Words, v.Class, v.More = "已采用", "waiting", "评价器"+standingWords(is)+"，更改前已是如此或大厅已关门"
		}
	}
}

// summary says how many windows of a stage are in which state.
func summary(rows []rolloutBoxRow, n map[string]int) string {
	var all []string
	for _, r := range rows {
		if n[r.Words] > 0 {
			all = append(all, fmt.Sprintf("%s %d", r.Words, n[r.Words]))
			delete(n, r.Words)
		}
	}
	return strings.Join(all, "，")
}

// deedButtons returns what can be done with a rollout now.
func deedButtons(r fleet.Rollout) (all []deedButton) {
	for _, d := range r.Deeds() {
		switch d {
		case fleet.Halt:
			all = append(all, deedButton{string(d), "停住", "不再发给更多窗口；已更改的保持现状。", false})
		case fleet.Resume:
			all = append(all, deedButton{string(d), "继续", resumeHelp(r), false})
		case fleet.Undo:
			all = append(all, deedButton{string(d), "退回", "把原来的设置重新发给已更改的全部窗口。", true})
		case fleet.Abandon:
			all = append(all, deedButton{string(d), "放弃", "就此结束：已更改的窗口保持现状，其余窗口不改。", true})
		}
	}
	return all
}
