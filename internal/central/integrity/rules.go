package integrity

import (
	"fmt"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/report"
)

// The codes of rules. They stay the same.
const (
	FastPresses  = "fast_presses"
	WindowBurst  = "window_burst"
	PhoneBurst   = "phone_burst"
	NetworkBurst = "network_burst"
	ClosingTime  = "closing_time"
	CutShort     = "cut_short"
	NeverAsks    = "never_asks"
	StuckKeys    = "stuck_keys"
	ClockTurned  = "clock_turned"
	Chain        = "chain"
	Displaced    = "displaced"
)

// Seen is what was seen of a window in a period, or of the other windows of its hall together.
type Seen struct {
	Windows    int64         // how many there are
	Counts     report.Amount // of the persons: what counts
	Visits     int64
	Ended      int64
	Short      int64
	Keys       int64
	Fast       int64
	Best       int64 // answers 非常满意 by key
	Late       int64 // of those, in the last half hour before the hall closes
	Bursts     int64 // days on which burstVisits were answered together
	Largest    int64 // the most that were answered together
	StuckDays  int64
	Turned     int64
	OnePhone   int64 // the most visits of a day that one phone has rated
	PhoneDay   directory.Day
	OneNetwork int64 // the most ratings by phone of a day that came from one network, where most of them did
	OfNetwork  int64 // of so many ratings by phone on that day
	Elsewhere  int64 // of 100 ratings by phone at the other windows of the hall on that day, those from the same network
	Faults     map[books.FindingKind]int64
	Examples   map[string][]int64
}

// Line is a piece of evidence.
type Line struct {
	Words string `json:"words"`
	Value string `json:"value"`
}

// Rule is what a sign is raised by (articles 4 and 21). It proves nothing.
type Rule struct {
	Code    string
	Chinese string
	Means   string // the rule itself
	Source  string
	Else    string // what else may be behind it
	Look    string // what to look at
	// Raised returns the evidence, nil where the rule does not hold for a window among the others of its hall.
	Raised func(window, others Seen) []Line
}

// Numbers of the rules.
const (
	least        = report.LeastRanked // of fewer answers nothing is said
	burstVisits  = 5
	burstDays    = 2
	burstLargest = 8
	onePhone     = 5
	manyPhones   = 10
	mostOfThem   = 80 // percent
	elsewhere    = 40 // percent
	tenth        = 10 // percent
	quarter      = 25 // percent
	fewDisplaced = 5
	twoPercent   = 2
)

func of(n, all int64) string {
	return fmt.Sprintf("%d / %d（%s）", n, all, report.Value{N: n, All: all, Share: true})
}

// surely reports whether a share is surely above some percent, and above twice what it surely is at most at the others.
func surely(n, all, on, oall int64, percent float64) bool {
	if all < least {
		return false
	}
	if oall >= least {
		percent = max(percent, 2*report.Wilson(on, oall).High)
	}
	return report.Wilson(n, all).Low > percent
}

// pressedTooFast holds that surely more than a tenth of the first answers of visits were given before anybody could read.
func pressedTooFast(w, o Seen) []Line {
	if !surely(w.Fast, w.Keys, o.Fast, o.Keys, tenth) {
		return nil
	}
	return []Line{{"提示后 2 秒内的按键", of(w.Fast, w.Keys)}, {"同厅其他窗口", of(o.Fast, o.Keys)}}
}

// answeredTogether holds that more people were served at once than a window can.
func answeredTogether(w, _ Seen) []Line {
	if w.Bursts < burstDays && w.Largest < burstLargest {
		return nil
	}
	return []Line{{"2 分钟内评完 5 次以上服务的天数", fmt.Sprint(w.Bursts)}, {"2 分钟内最多", fmt.Sprintf("%d 次", w.Largest)}}
}

// ratedByOnePhone holds that one phone has rated the visits of several people.
func ratedByOnePhone(w, _ Seen) []Line {
	if w.OnePhone < onePhone {
		return nil
	}
	return []Line{{"同一部手机一天评价的服务", fmt.Sprintf("%d 次（%s）", w.OnePhone, w.PhoneDay)}}
}

// ratedFromOneNetwork holds that nearly all phones at a window were in one network, and few at its neighbours: a hall's own network is at
// all windows.
func ratedFromOneNetwork(w, _ Seen) []Line {
	if w.OfNetwork < manyPhones || w.OneNetwork*100 < mostOfThem*w.OfNetwork || w.Elsewhere >= elsewhere {
		return nil
	}
	return []Line{{"一天里来自同一网络的手机评价", of(w.OneNetwork, w.OfNetwork)}, {"同厅其他窗口来自该网络", fmt.Sprintf("%d%%", w.Elsewhere)}}
}

// goodAtClosingTime holds that surely more than a quarter of the best answers were given in the last half hour.
func goodAtClosingTime(w, o Seen) []Line {
	if !surely(w.Late, w.Best, o.Late, o.Best, quarter) {
		return nil
	}
	return []Line{{"下班前半小时内的“非常满意”", of(w.Late, w.Best)}, {"同厅其他窗口", of(o.Late, o.Best)}}
}

// endedTooSoon holds that surely more than a tenth of the visits were ended before anybody could answer.
func endedTooSoon(w, o Seen) []Line {
	if !surely(w.Short, w.Ended, o.Short, o.Ended, tenth) {
		return nil
	}
	return []Line{{"发起后 5 秒内取消或被顶替、无人评价", of(w.Short, w.Ended)}, {"同厅其他窗口", of(o.Short, o.Ended)}}
}

// nothingAsked holds that a window with a box has opened no visit, where its neighbours have many.
func nothingAsked(w, o Seen) []Line {
	if w.Visits > 0 || o.Windows == 0 || o.Visits/o.Windows < least {
		return nil
	}
	return []Line{{"评价器记录的服务", "0 次"}, {"同厅其他窗口平均", fmt.Sprintf("%d 次", o.Visits/o.Windows)}}
}

// keysStuck holds that a key was stuck on two days or more: one level could not be given.
func keysStuck(w, _ Seen) []Line {
	if w.StuckDays < 2 {
		return nil
	}
	return []Line{{"有按键卡住的天数", fmt.Sprint(w.StuckDays)}}
}

// clockTurned holds that a clock that was right was turned by more than ten minutes.
func clockTurned(w, _ Seen) []Line {
	if w.Turned == 0 {
		return nil
	}
	return []Line{{"已校准的时钟被拨动 10 分钟以上", fmt.Sprintf("%d 次", w.Turned)}}
}

// chainBroken holds that a box's log was changed, or written twice.
func chainBroken(w, _ Seen) (all []Line) {
	for _, k := range []books.FindingKind{books.BrokenChain, books.Fork, books.ForkGap, books.Reopened} {
		if n := w.Faults[k]; n > 0 {
			name, _ := k.Chinese()
			all = append(all, Line{name, fmt.Sprintf("%d 条", n)})
		}
	}
	return all
}

// oftenDisplaced holds that ratings which counted were surely displaced by others more often than backfilling does.
func oftenDisplaced(w, o Seen) []Line {
	n, all := w.Faults[books.Displaced], w.Counts.Answered()
	if n < fewDisplaced || !surely(min(n, all), all, min(o.Faults[books.Displaced], o.Counts.Answered()), o.Counts.Answered(), twoPercent) {
		return nil
	}
	return []Line{{"已计入的评价被后到的取代", of(min(n, all), all)}, {"同厅其他窗口", of(o.Faults[books.Displaced], o.Counts.Answered())}}
}

// Rules returns all rules, those of package report among them.
func Rules() []Rule {
	all := []Rule{
		{FastPresses, "按键快得来不及看", "每次服务的第一次按键中，提示后 2 秒内的占比（95% 区间下限）超过 10%，且超过同厅其他窗口上限的两倍；按键不少于 30 次。", "办法第四、二十一条",
			"常客熟悉键位；提示音早于屏幕。", "调取例证所列评价前后的监控；按键人是不是工作人员。", pressedTooFast},
		{WindowBurst, "同一窗口短时间内连评多次", "2 分钟内 5 次以上不同的服务都按键评价，有 2 天以上；或一次 8 次以上。", "办法第四、二十一条",
			"一人代办多件、逐件发起评价（应按批量评价，第十四条）。", "例证所列评价是否对应真实办件；是否事后集中补按。", answeredTogether},
		{PhoneBurst, "同一部手机评价多次服务", "同一窗口、同一天，一部手机（网络地址与浏览器相同，按当日标记）评价 5 次以上不同的服务。", "办法第四、二十一条",
			"代办人员一天办多件；同型号手机在同一网络出口之后。", "当天该窗口的手机评价是否由工作人员扫码。", ratedByOnePhone},
		{NetworkBurst, "手机评价集中来自一个网络", "同一窗口一天 10 份以上手机评价，80% 以上来自同一网络，而同厅其他窗口来自该网络的不足 40%。", "办法第四、二十一条",
			"该窗口专办某单位的业务，来人都用该单位的网络。", "是否用办公网络或工作人员热点代评。", ratedFromOneNetwork},
		{ClosingTime, "好评集中在下班前", "“非常满意”中，大厅关门前半小时内的占比（95% 区间下限）超过 25%，且超过同厅其他窗口上限的两倍；不少于 30 份。", "办法第四、二十一条",
			"窗口只在下午办理；大厅开放时间设置不对。", "下班前是否真有人办事；是否事后集中补评。", goodAtClosingTime},
		{CutShort, "刚发起就取消，来不及评价", "发起后 5 秒内被取消或顶替且无人评价的占比（95% 区间下限）超过 10%，且超过同厅其他窗口上限的两倍；不少于 30 次。", "办法第四、十三条",
			"业务系统重复发起；工作人员误点。", "业务系统的日志；是否对某些人不让评。", endedTooSoon},
		{NeverAsks, "从不发起评价", "整个时期装有评价器而没有发起过一次服务，同厅其他窗口平均不少于 30 次。", "办法第十三条",
			"窗口停用；评价器没有接好。", "窗口是否在办事；评价器的状态和告警。", nothingAsked},
		{StuckKeys, "按键反复卡住", "有按键卡住（按下或连发 10 秒以上）的天数不少于 2 天。", "办法第四、十三条",
			"按键老化、进水。", "哪个键；“不满意”键是否被人为卡住或遮挡。", keysStuck},
		{ClockTurned, "时钟被拨动", "已由网络校准的时钟又被改动 10 分钟以上。", "办法第二十一条",
			"时间服务器出错。", "谁接触过评价器；当天评价的时间。", clockTurned},
		{Chain, "日志断链、分叉或重复开单", "账本发现断链、分叉、分叉缺号或重复开单。", "办法第二十一条",
			"存储卡损坏；复制了存储卡。", "数据异常页所列记录；保存盒子上的 log.db。", chainBroken},
		{Displaced, "已计入的评价常被取代", "被后到而时间更早的评价取代的不少于 5 份，占比（95% 区间下限）超过 2%，且超过同厅其他窗口上限的两倍。", "办法第十四、二十一条",
			"评价器长期离线后补报。", "数据异常页的“后到改计”；评价器当时是否在线。", oftenDisplaced},
	}
	for _, s := range report.Signs() {
		all = append(all, Rule{s.Code, s.Chinese, s.Rule, "办法第四、十三、二十一条", s.Else, s.Look, func(w, o Seen) []Line {
			if !s.Raised(w.Counts, o.Counts) {
				return nil
			}
			return []Line{counts("本窗口", w), counts("同厅其他窗口", o)}
		}})
	}
	return all
}

func counts(who string, s Seen) Line {
	a := s.Counts
	return Line{who, fmt.Sprintf("服务 %d 次，应评 %d，实评 %d，差评 %d", a.Served, a.Asked, a.Answered(), report.Bad(report.Input{Amount: a}).N)}
}

// RuleOf returns a rule by its code, and whether there is one.
func RuleOf(code string) (Rule, bool) {
	for _, r := range Rules() {
		if r.Code == code {
			return r, true
		}
	}
	return Rule{}, false
}
