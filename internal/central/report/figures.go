package report

import (
	"fmt"

	"haochaping/internal/rating"
)

// Input is of what a figure is made.
type Input struct {
	Amount
	Work
}

// Value is a figure: a count, or a share of All.
type Value struct {
	N, All int64
	Share  bool
}

func count(n int64) Value      { return Value{N: n} }
func share(n, all int64) Value { return Value{n, all, true} }

// Known reports whether there is anything to say: a share of nothing is none.
func (v Value) Known() bool { return !v.Share || v.All > 0 }

// Percent returns a share in percent, rounded to two digits. What is not all is never 100, and what is not nothing never 0.
func (v Value) Percent() float64 {
	p := (v.N*20000 + v.All) / (2 * v.All)
	switch {
	case p == 10000 && v.N < v.All:
		p--
	case p == 0 && v.N > 0:
		p++
	}
	return float64(p) / 100
}

// String returns the figure as people read it.
func (v Value) String() string {
	switch {
	case !v.Known():
		return "–"
	case v.Share:
		return fmt.Sprintf("%.2f%%", v.Percent())
	}
	return fmt.Sprint(v.N)
}

// Figure is a figure with its definition.
type Figure struct {
	Code    string // for programs
	Chinese string
	Means   string // how it is made, in Chinese
	Source  string // article or standard
	Of      func(Input) Value
	// Works says that it is about orders: there are none by channel or subject.
	Works bool
}

// Served is 服务次数: visits that boxes have opened (article 14: 每次到窗口办理).
func Served(x Input) Value { return count(x.Served) }

// Asked is 应评: visits that ask about the person, and completed cases, each once (articles 11 and 14).
func Asked(x Input) Value { return count(x.Asked) }

// Answered is 实评: of those, the ones for which somebody's answer counts (articles 4 and 14).
func Answered(x Input) Value { return count(x.Answered()) }

// Silent is 默认: completed cases that silence has made 基本满意 (article 14). They are nobody's answer.
func Silent(x Input) Value { return count(x.Silent) }

// Participation is 参评率: of what was to be rated, what somebody has rated.
func Participation(x Input) Value { return share(x.Answered(), x.Asked) }

// RealShare is 实评占比: of what is published as rated, what somebody has rated.
func RealShare(x Input) Value { return share(x.Answered(), x.Answered()+x.Silent) }

// LevelOf returns the figure of a level: how many have answered so (article 10). What silence has made 基本满意 is not in it.
func LevelOf(l rating.Level) func(Input) Value {
	return func(x Input) Value { return count(x.Levels[l]) }
}

// good returns the answers that are not bad ones: 非常满意, 满意, 基本满意 (article 10).
func good(x Input) int64 { return x.Answered() - bad(x) }

func bad(x Input) int64 {
	return x.Levels[rating.Dissatisfied] + x.Levels[rating.VeryDissatisfied]
}

// GoodRate is 好评率: of all that counts, defaults too, what is not bad (GB/T 39735; articles 10 and 14).
func GoodRate(x Input) Value { return share(good(x)+x.Silent, x.Answered()+x.Silent) }

// ActiveGoodRate is 主动评价好评率: of what somebody has answered, what is not bad (GB/T 39735; article 10).
func ActiveGoodRate(x Input) Value { return share(good(x), x.Answered()) }

// Unrated is 未评率: of what was to be rated, what nobody has answered; defaults are not answers (GB/T 39735; article 4).
func Unrated(x Input) Value { return share(x.Asked-x.Answered(), x.Asked) }

// UnratedWithDefaults is 未评率 where defaults stand for answers (GB/T 39735; article 14).
func UnratedWithDefaults(x Input) Value { return share(x.Asked-x.Answered()-x.Silent, x.Asked) }

// Bad is 差评: 不满意 and 非常不满意 (article 10).
func Bad(x Input) Value { return count(bad(x)) }

// ReplyRate is 差评回复率: of the parts of orders that have to be answered for, those whose unit has replied (GB/T 39735; article 16).
func ReplyRate(x Input) Value { return share(x.Replied, x.Standing) }

// InTimeRate is 按期整改率: of the parts whose unit has replied or is out of time, those with a reply in time (article 16: 5个工作日内办结,
// 最多不超过10个工作日).
func InTimeRate(x Input) Value { return share(x.InTime, x.Due) }

// FollowUpRate is 回访整改率: of the parts whose citizen can be asked, those who were asked what they think of it (GB/T 39735; article 18: 实名差评,
// 100%).
func FollowUpRate(x Input) Value { return share(x.Followed, x.Named) }

// FollowUpSatisfaction is 回访整改满意率: of those who were asked, the satisfied, by their last word (GB/T 39735; article 18).
func FollowUpSatisfaction(x Input) Value { return share(x.Satisfied, x.Heard) }

// Overdue is 超期未办: parts whose next step is too late now (article 8: 督促催办).
func Overdue(x Input) Value { return count(x.Overdue) }

// Figures returns all figures in the order of tables.
func Figures() []Figure {
	all := []Figure{
		{"served", "服务次数", "评价器记录的服务次数，一次到窗口办理计一次；无评价器的渠道不计。", "办法第十四条", Served, false},
		{"asked", "应评数", "请求评价工作人员的服务次数，加上已办结的办件数；每次服务、每个办件各计一次。", "办法第十一、十四条", Asked, false},
		{"answered", "实评数", "应评数中有评价人作出评价且计入的。", "办法第四、十四条", Answered, false},
		{"silent", "默认数", "5 个工作日内未作出评价、默认为基本满意的办件；不是任何人的评价，单独计。", "办法第十四条", Silent, false},
		{"participation", "参评率", "实评数 ÷ 应评数。", "办法第四条", Participation, false},
		{"real_share", "实评占比", "实评数 ÷（实评数 + 默认数）。", "办法第四、十四条", RealShare, false},
	}
	for _, l := range rating.Levels() {
		all = append(all, Figure{fmt.Sprintf("level_%d", l), l.Chinese(), "评价为" + l.Chinese() + "的实评数，不含默认。", "办法第十条", LevelOf(l), false})
	}
	return append(all,
		Figure{"good_rate", "好评率（含默认）", "（非常满意 + 满意 + 基本满意 + 默认）÷（实评数 + 默认数）。", "GB/T 39735；办法第十、十四条", GoodRate, false},
		Figure{"active_good_rate", "主动评价好评率（不含默认）", "（非常满意 + 满意 + 基本满意）÷ 实评数。", "GB/T 39735；办法第十条", ActiveGoodRate, false},
		Figure{"unrated", "未评率（默认视同未评）", "（应评数 − 实评数）÷ 应评数。", "GB/T 39735；办法第四条", Unrated, false},
		Figure{"unrated_with_defaults", "未评率（默认视同已评）", "（应评数 − 实评数 − 默认数）÷ 应评数。", "GB/T 39735；办法第十四条", UnratedWithDefaults, false},
		Figure{"bad", "差评数", "评价为不满意和非常不满意的实评数。", "办法第十条", Bad, false},
		Figure{"reply_rate", "差评回复率", "须整改的差评工单中承办单位已反馈的 ÷ 须整改的差评工单；不再计入和不予采纳的除外。", "GB/T 39735；办法第十六条", ReplyRate, true},
		Figure{"in_time_rate", "按期整改率", "在整改期限内首次反馈的 ÷ 已反馈或期限已过的工单。", "办法第十六条", InTimeRate, true},
		Figure{"follow_up_rate", "回访整改率（实名）", "已回访并得到答复的 ÷ 留有联系方式、须整改的工单；应达到 100%。", "GB/T 39735；办法第十八条", FollowUpRate, true},
		Figure{"follow_up_satisfaction", "回访整改满意率", "最近一次回访满意的 ÷ 已回访并得到答复的工单。", "GB/T 39735；办法第十八条", FollowUpSatisfaction, true},
		Figure{"overdue", "超期未办", "现在已过办理期限的工单。", "办法第八条", Overdue, true},
	)
}

// FigureOf returns a figure by its code, and whether there is one.
func FigureOf(code string) (Figure, bool) {
	for _, f := range Figures() {
		if f.Code == code {
			return f, true
		}
	}
	return Figure{}, false
}
