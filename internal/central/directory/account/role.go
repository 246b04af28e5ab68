package account

import "sync"

// Role is what a person was appointed to (article 4 and the second chapter of the regulation).
type Role string

// The roles.
const (
	Province   Role = "province"   // 省级管理机构
	City       Role = "city"       // 市州管理机构
	County     Role = "county"     // 县区管理机构
	Unit       Role = "unit"       // 单位责任人
	Hall       Role = "hall"       // 大厅管理员
	Staff      Role = "staff"      // 窗口人员
	Technician Role = "technician" // 设备运维
	Auditor    Role = "auditor"    // 审计
	Inspector  Role = "inspector"  // 线索专员, who alone sees clues (article 23)
)

// Roles returns all roles, in the order of docs/roles.md.
func Roles() []Role {
	return []Role{Province, City, County, Unit, Hall, Staff, Technician, Auditor, Inspector}
}

// Chinese returns the role as people read it, empty for one that is unknown.
func (r Role) Chinese() string {
	switch r {
	case Province:
		return "省级管理机构"
	case City:
		return "市州管理机构"
	case County:
		return "县区管理机构"
	case Unit:
		return "单位责任人"
	case Hall:
		return "大厅管理员"
	case Staff:
		return "窗口人员"
	case Technician:
		return "设备运维"
	case Auditor:
		return "审计"
	case Inspector:
		return "线索专员"
	}
	return ""
}

// Scope is what kind of object a role's grants name.
func (r Role) Scope() Reach {
	switch r {
	case Unit:
		return InUnit
	case Hall:
		return InHall
	case Staff:
		return OfStaff
	}
	return InArea
}

// Reach is how far a role's action goes. The zero one goes nowhere.
type Reach string

// The reaches.
const (
	Nowhere Reach = ""
	InArea  Reach = "area"  // what lies in the grant's area, or in one under it
	InUnit  Reach = "unit"  // what is the business of the grant's unit, or of one under it
	InHall  Reach = "hall"  // what is in the grant's hall
	OfStaff Reach = "staff" // counts of the grant's own person, of a closed month with at least LeastCounted evaluations
	OfSelf  Reach = "self"  // what belongs to the account
)

// LeastCounted is how many evaluations a month needs before the person at the window sees counts of it, so that none can be told from them.
const LeastCounted = 20

// Action is what somebody does at the centre.
type Action string

// The actions.
const (
	Start           Action = "start"               // 首页
	UseOwn          Action = "account.own"         // 自己的密码、动态口令、会话、令牌
	SeeLive         Action = "live.read"           // 实时列表
	SeeEvaluations  Action = "evaluation.read"     // 单条评价，不含文字与身份
	TakeEvaluations Action = "evaluation.export"   // 导出评价
	SeeText         Action = "evaluation.text"     // 查看评价文字，须说明理由
	SeeIdentity     Action = "evaluation.identity" // 查看评价人身份与联系方式，须说明理由
	SeeFigures      Action = "figures.read"        // 汇总数字
	SeeOwnFigures   Action = "figures.own"         // 本人已结月份的汇总
	SeeOrders       Action = "order.read"          // 差评工单
	WorkOrders      Action = "order.work"          // 办理工单：联系、整改、反馈
	ReviewOrders    Action = "order.review"        // 督办、复核、回访
	Complain        Action = "complaint.enter"     // 登记投诉
	SeeClues        Action = "clue.work"           // 线索的查看与办理，须说明理由
	EnterPaper      Action = "paper.enter"         // 录入书面评价
	SeeDirectory    Action = "directory.read"      // 区划、单位、大厅、窗口、人员
	EditDirectory   Action = "directory.edit"      // 修改机构资料
	SeeBoxes        Action = "box.read"            // 评价器状态
	EditBoxes       Action = "box.edit"            // 登记、移动评价器
	CommandBoxes    Action = "box.command"         // 评价器命令、告警确认、开放时间
	ConfigureBoxes  Action = "box.configure"       // 分步更改评价器设置和程序
	SeeFindings     Action = "finding.read"        // 数据异常
	SeeIntegrity    Action = "integrity.read"      // 疑点
	WorkIntegrity   Action = "integrity.work"      // 疑点的知悉、交办和办结
	SeeAssessment   Action = "assessment.read"     // 限期整改与集中问题；单位在下达后可见
	WorkAssessment  Action = "assessment.work"     // 下达、交办、验收、撤销
	AnswerOrder     Action = "assessment.answer"   // 报告整改情况
	SeePublished    Action = "publication.read"    // 发布稿
	EditPublished   Action = "publication.edit"    // 起草和修改发布稿
	Publish         Action = "publication.approve" // 审批和发布，不得审批自己参与起草的
	SeeUpward       Action = "upward.read"         // 上报：各条记录、回执、被退回的
	SendUpward      Action = "upward.send"         // 重新上报被退回的
	SeePolicy       Action = "policy.read"         // 统一规定：哪一级规定了什么
	ChoosePolicy    Action = "policy.choose"       // 在上级允许的范围内选定
	IssuePolicy     Action = "policy.issue"        // 发布统一规定
	SeeAccounts     Action = "account.read"        // 账号与授权
	EditAccounts    Action = "account.edit"        // 开通、停用、授权
	SeeAudit        Action = "audit.read"          // 操作审计
	TakeAudit       Action = "audit.export"        // 导出审计
	VerifySeal      Action = "seal.verify"         // 验证封存
)

// Rule says who does an action, and how far.
type Rule struct {
	Action Action
	Means  string // in Chinese, as docs/roles.md has it
	Reach  map[Role]Reach
	// Reason says that each use needs a reason, is an act in the journal, and asks for a second factor.
	Reason bool
}

// ForTokens reports whether programs may do it. The care of accounts is not for them: a token that leaks could open others.
func (r Rule) ForTokens() bool { return !r.Reason && r.Action != UseOwn && r.Action != EditAccounts }

// offices returns what the offices of all three levels have in common.
func offices(r Reach, more map[Role]Reach) map[Role]Reach {
	all := map[Role]Reach{Province: r, City: r, County: r}
	for role, reach := range more {
		all[role] = reach
	}
	return all
}

// everybody returns a reach for all roles.
func everybody(r Reach) map[Role]Reach {
	all := make(map[Role]Reach)
	for _, role := range Roles() {
		all[role] = r
	}
	return all
}

// Rules returns the table of docs/roles.md, in its order. It is the same for all callers, who change nothing of it.
func Rules() []Rule { return table().rules }

// ruled is the table as it is asked for each row of a list, and for each window of a province.
type ruled struct {
	rules  []Rule
	of     map[Action]Rule
	second map[Role]bool // they see text or identity
}

// table is made once, and never changes.
var table = sync.OnceValue(func() ruled {
	t := ruled{rules: rules(), of: make(map[Action]Rule), second: make(map[Role]bool)}
	for _, r := range t.rules {
		t.of[r.Action] = r
		for role, reach := range r.Reach {
			t.second[role] = t.second[role] || r.Reason && reach != Nowhere
		}
	}
	return t
})

func rules() []Rule {
	return []Rule{
		{Start, "首页", everybody(OfSelf), false},
		{UseOwn, "自己的密码、动态口令、会话、令牌", everybody(OfSelf), false},
		{SeeLive, "实时列表", offices(InArea, map[Role]Reach{Auditor: InArea}), false},
		{SeeEvaluations, "单条评价，不含文字与身份", offices(InArea, map[Role]Reach{Unit: InUnit, Auditor: InArea}), false},
		{TakeEvaluations, "导出评价", offices(InArea, map[Role]Reach{Unit: InUnit, Auditor: InArea}), false},
		{SeeText, "评价文字", offices(InArea, map[Role]Reach{Unit: InUnit, Auditor: InArea}), true},
		{SeeIdentity, "评价人身份与联系方式", offices(InArea, map[Role]Reach{Unit: InUnit}), true},
		{SeeFigures, "汇总数字", offices(InArea, map[Role]Reach{Unit: InUnit, Hall: InHall, Auditor: InArea}), false},
		{SeeOwnFigures, "本人已结月份的汇总", map[Role]Reach{Staff: OfStaff}, false},
		{SeeOrders, "差评工单", offices(InArea, map[Role]Reach{Unit: InUnit, Auditor: InArea}), false},
		{WorkOrders, "办理工单：联系、整改、反馈", map[Role]Reach{Unit: InUnit}, false},
		{ReviewOrders, "督办、复核、回访", offices(InArea, nil), false},
		{Complain, "登记投诉", offices(InArea, nil), false},
		{SeeClues, "线索（打击报复、涉嫌违纪违法）的查看与办理", map[Role]Reach{Inspector: InArea}, true},
		{EnterPaper, "录入书面评价", offices(InArea, map[Role]Reach{Hall: InHall}), false},
		{SeeDirectory, "区划、单位、大厅、窗口、人员", offices(InArea, map[Role]Reach{Unit: InUnit, Hall: InHall, Technician: InArea, Auditor: InArea}), false},
		{EditDirectory, "修改机构资料", offices(InArea, map[Role]Reach{Hall: InHall}), false},
		{SeeBoxes, "评价器状态", offices(InArea, map[Role]Reach{Hall: InHall, Technician: InArea, Auditor: InArea}), false},
		{EditBoxes, "登记、移动评价器", map[Role]Reach{Hall: InHall, Technician: InArea}, false},
		{CommandBoxes, "评价器命令、告警确认、开放时间", map[Role]Reach{Hall: InHall, Technician: InArea}, false},
		{ConfigureBoxes, "分步更改评价器设置和程序", map[Role]Reach{Hall: InHall, Technician: InArea}, false},
		{SeeFindings, "数据异常", offices(InArea, map[Role]Reach{Hall: InHall, Technician: InArea, Auditor: InArea}), false},
		{SeeIntegrity, "疑点（评价是否真实自愿）", offices(InArea, map[Role]Reach{Auditor: InArea}), false},
		{WorkIntegrity, "疑点的知悉、交办和办结", offices(InArea, nil), false},
		{SeeAssessment, "限期整改与集中问题；单位在下达后可见", offices(InArea, map[Role]Reach{Unit: InUnit, Auditor: InArea}), false},
		{WorkAssessment, "下达、交办、验收、撤销限期整改与集中问题", offices(InArea, nil), false},
		{AnswerOrder, "报告限期整改与集中问题的整改情况", map[Role]Reach{Unit: InUnit}, false},
		{SeePublished, "发布稿", offices(InArea, map[Role]Reach{Auditor: InArea}), false},
		{EditPublished, "起草和修改发布稿", offices(InArea, nil), false},
		{Publish, "审批和发布（不得审批自己参与起草的）", offices(InArea, nil), false},
		{SeeUpward, "上报的记录、回执和被退回的", offices(InArea, map[Role]Reach{Auditor: InArea}), false},
		{SendUpward, "重新上报被退回的", offices(InArea, nil), false},
		{SeePolicy, "统一规定：哪一级规定了什么", offices(InArea, map[Role]Reach{Auditor: InArea}), false},
		{ChoosePolicy, "在上级允许的范围内选定设置", map[Role]Reach{Province: InArea, City: InArea}, false},
		{IssuePolicy, "发布统一规定", map[Role]Reach{Province: InArea}, false},
		{SeeAccounts, "账号与授权", offices(InArea, map[Role]Reach{Auditor: InArea}), false},
		{EditAccounts, "开通、停用、授权", offices(InArea, nil), false},
		{SeeAudit, "操作审计", offices(InArea, map[Role]Reach{Auditor: InArea}), false},
		{TakeAudit, "导出审计", offices(InArea, map[Role]Reach{Auditor: InArea}), false},
		{VerifySeal, "验证封存", map[Role]Reach{Province: InArea, Auditor: InArea}, false},
	}
}

// RuleOf returns the rule of an action. One that is not in the table has no reach for anybody.
func RuleOf(a Action) (Rule, bool) {
	r, ok := table().of[a]
	return r, ok
}

// NeedsSecond reports whether a role must sign in with a second factor: it sees text or identity.
func (r Role) NeedsSecond() bool { return table().second[r] }
