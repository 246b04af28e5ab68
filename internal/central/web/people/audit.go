package people

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

const (
	auditPage = 100              // acts on one page
	auditStep = 1000             // acts read at once
	auditLook = 20_000           // acts looked through for one page, unless Config says otherwise
	auditData = 1 << 20          // bytes of one page after which it ends
	auditTime = 10 * time.Minute // of an export
)

// errSlow says that an export has taken too long.
var errSlow = errors.New("the export of the audit was not taken within ten minutes")

// search is what of the audit somebody asks for.
type search struct {
	Words    string // in who, what, to what or why
	From, To string // days
	Do       string // beginning of what was done
	before   int64  // position
}

func searchOf(c *web.Call) search {
	before, err := strconv.ParseInt(c.R.FormValue("before"), 10, 64)
	if err != nil || before < 0 {
		before = 0
	}
	return search{strings.ToLower(strings.TrimSpace(c.R.FormValue("q"))), c.R.FormValue("from"), c.R.FormValue("to"), c.R.FormValue("do"),
		before}
}

// days returns the bounds in milliseconds; 0 and the far future where none was said.
func (s search) days() (from, to int64, err error) {
	to = 1 << 62
	if s.From != "" {
		day, err := time.ParseInLocation("2006-01-02", s.From, web.Zone())
		if err != nil {
			return 0, 0, errDay
		}
		from = day.UnixMilli()
	}
	if s.To != "" {
		day, err := time.ParseInLocation("2006-01-02", s.To, web.Zone())
		if err != nil {
			return 0, 0, errDay
		}
		to = day.AddDate(0, 0, 1).UnixMilli()
	}
	return from, to, nil
}

var errDay = &web.Refusal{Words: "日期请写成 2027-01-31 的样子。Write the day as 2027-01-31."}

// act is a row of the audit.
type act struct {
	Pos    int64
	At     int64
	Who    string
	Did    string // in Chinese
	Do     string
	Object string
	What   string // Object as people read it
	Reason string
	By     string
	Area   string
	Data   string
}

// auditShown is what the page shows.
type auditShown struct {
	Search search
	Acts   []act
	Next   int64 // position to go on before, 0: the end
	Looked int   // so many were looked at, where there is a next position
	Take   bool  // it may be exported
	Words  []word
	Query  string
}

func (p *pages) audit(c *web.Call) error {
	v := auditShown{Search: searchOf(c), Looked: p.look(), Take: c.Ever(account.TakeAudit), Words: words()}
	q := c.R.URL.Query()
	q.Del("before")
	v.Query = q.Encode()
	size := 0
	var err error
	v.Next, err = p.acts(c, v.Search, account.SeeAudit, func(a act) bool {
		v.Acts, size = append(v.Acts, a), size+len(a.Data)
		return len(v.Acts) < auditPage && size < auditData
	})
	if err != nil {
		return err
	}
	return c.Show("people/audit", v)
}

// acts calls take with the acts that the person may see and the search asks for, the last first, until take says false or so many were
// looked at as are for one page. It returns before which position to go on, 0 at the end.
func (p *pages) acts(c *web.Call, s search, as account.Action, take func(act) bool) (int64, error) {
	from, to, err := s.days()
	if err != nil {
		return 0, err
	}
	names, err := p.names(c)
	if err != nil {
		return 0, err
	}
	before := s.before
	for looked := 0; looked < p.look(); {
		some, err := p.Journal.Acts(c.R.Context(), before, min(auditStep, p.look()))
		if err != nil {
			return 0, err
		}
		for _, e := range some {
			before = e.Pos
			if e.Received < from {
				return 0, nil
			}
			a, ok, err := p.act(c, e, as, names)
			if err != nil {
				return 0, err
			}
			if ok && e.Received < to && s.fits(a) && !take(a) {
				return before, nil
			}
		}
		if looked += len(some); len(some) == 0 {
			return 0, nil
		}
	}
	return before, nil
}

// look returns how many acts are looked through for one page; the next page goes on from there.
func (p *pages) look() int { return cmp.Or(p.Look, auditLook) }

// names returns the sign-in names of accounts by their ids.
func (p *pages) names(c *web.Call) (map[string]string, error) {
	all, err := p.Accounts.All(c.R.Context())
	names := make(map[string]string)
	for _, x := range all {
		names[x.ID] = x.Name + " (" + x.Login + ")"
	}
	return names, err
}

// act returns a row as people read it, false if it is none of theirs.
func (p *pages) act(c *web.Call, e journal.Entry, as account.Action, names map[string]string) (act, bool, error) {
	a, err := e.Act()
	if err != nil {
		return act{}, false, err
	}
	if !c.May(as, account.Object{Area: a.Domain}) || a.Few && !c.May(account.SeeClues, account.Object{Area: a.Domain}) {
		return act{}, false, nil
	}
	named := func(id string) string {
		if n, ok := names[id]; ok {
			return n
		}
		return id
	}
	did := a.Do
	for _, w := range words() {
		if w.Do == a.Do {
			did = w.Chinese
		}
	}
	data := ""
	if len(a.Data) > 0 && json.Valid(a.Data) {
		data = string(a.Data)
	}
	who := named(e.Source)
	if who == e.Source {
		who = web.Actor(who)
	}
	return act{e.Pos, e.Received, who, did, a.Do, named(a.Object), inChinese(named(a.Object)), a.Reason, a.By, a.Domain, data}, true, nil
}

// inChinese returns what was done something to, as people read it.
func inChinese(object string) string {
	kind, rest, _ := strings.Cut(object, " ")
	for _, w := range []word{{"organisation", "机构资料"}, {"order", "工单"}, {"evaluation", "评价"}, {"texts", "评价文字"}} {
		if kind == w.Do {
			return strings.TrimSpace(w.Chinese + " " + rest)
		}
	}
	return object
}

func (s search) fits(a act) bool {
	if !strings.HasPrefix(a.Do, s.Do) {
		return false
	}
	return s.Words == "" || strings.Contains(
		strings.ToLower(strings.Join([]string{a.Who, a.Did, a.Do, a.Object, a.What, a.Reason, a.By, a.Area}, "\n")), s.Words)
}

// export writes all that the search finds as CSV. That it was taken is an act too.
func (p *pages) export(c *web.Call) error {
	s := searchOf(c)
	if _, _, err := s.days(); err != nil {
		return err
	}
	leave, ok := p.turns.Take(c, 1) // it may read the whole journal's acts
	if !ok {
		c.W.Header().Set("Retry-After", "30")
		return &web.Refusal{Status: http.StatusServiceUnavailable, Words: "您的上一次导出还没有完成，请等它完成后再试。Your last export is still under way."}
	}
	defer leave()
	if err := c.Taken(account.TakeAudit, "audit.export", c.R.URL.RawQuery); err != nil {
		return err
	}
	sheet, err := c.Sheet("审计.csv")
	if err != nil {
		return err
	}
	wrong := sheet.Row("序号", "时间", "操作人", "操作", "代码", "对象", "理由", "会话", "区划", "内容")
	for end := c.Now().Add(auditTime); wrong == nil; {
		if wrong = sheet.GoOn(); wrong == nil && c.Now().After(end) {
			wrong = errSlow
		}
		if wrong != nil {
			break
		}
		next, err := p.acts(c, s, account.TakeAudit, func(a act) bool {
			wrong = sheet.Row(strconv.FormatInt(a.Pos, 10), web.Clock(a.At), a.Who, a.Did, a.Do, a.Object, a.Reason, a.By, a.Area, a.Data)
			return wrong == nil
		})
		wrong = errors.Join(wrong, err)
		if s.before = next; next == 0 {
			break
		}
	}
	return c.Whole(errors.Join(wrong, sheet.End()))
}

// word is an act in Chinese.
type word struct{ Do, Chinese string }

func words() []word {
	all := []word{
		{"account.signin", "登录"}, {"account.signout", "退出登录"}, {"account.refused", "连续登录失败"}, {"account.add", "开通账号"}, {"account.change", "修改账号"},
		{"account.disable", "停用账号"}, {"account.enable", "启用账号"}, {"account.grant", "授权"}, {"account.revoke", "收回授权"}, {"account.link", "生成一次性链接"},
		{"account.password", "设置密码"}, {"account.second", "绑定动态口令"}, {"account.second.clear", "解除动态口令"}, {"account.recovery", "重新生成恢复码"},
		{"account.token", "生成令牌"}, {"account.token.drop", "作废令牌"}, {"look evaluation.text", "查看评价文字"}, {"look evaluation.identity", "查看评价人身份"},
		{"account.groups", "统一身份认证的角色变化"}, {"audit.export", "导出审计"}, {"evaluation.export", "导出评价"}, {"directory.change", "修改机构资料"},
		{"rectify.open", "开立差评工单"}, {"rectify.part", "增列承办单位"}, {"rectify.person", "登记投诉人联系方式"}, {"rectify.file", "工单：上传附件"},
		{"look clue.work", "查看线索"}, {"orders.rebuild", "重做工单"},
		{"fleet.self_test", "自检"}, {"fleet.test_picture", "测试画面"}, {"fleet.pause", "暂停窗口"},
		{"fleet.send_bundle", "要评价器上传支持包"}, {"fleet.bundle", "下载评价器的支持包"}, {"fleet.check", "登记现场检查"},
		{"fleet.resume", "恢复窗口"}, {"fleet.restart", "重启程序"}, {"fleet.acknowledge", "确认告警"},
		{"fleet.hours", "设置开放时间"}, {"fleet.learn_keys", "学习按键"}, {"fleet.keep_keys", "确认按键"}, {"fleet.erase", "清除评价器"},
		{"fleet.replace", "更换评价器"},
		{"fleet.lost", "登记未送到的记录为丢失"}, {"fleet.move", "移动评价器"}, {"fleet.rollout.begin", "开始分步更改"}, {"fleet.rollout.goes_on", "分步更改有进展"},
		{"fleet.rollout.halt", "停住分步更改"}, {"fleet.rollout.resume", "继续分步更改"}, {"fleet.rollout.undo", "退回分步更改"},
		{"fleet.rollout.abandon", "放弃分步更改"}, {"fleet.update", "更新评价器程序"},
		{"seal.verify", "开始验证封存"}, {"seal.verified", "验证封存的结果"}, {"enrol.accept", "接受评价器"}, {"enrol.issue", "签发评价器证书"},
		{"enrol.enter", "在中心主机上登记评价器"},
		{"enrol.revoke", "吊销评价器证书"}, {"enrol.withdraw", "撤回更换评价器"}, {"enrol.reset", "让等待的评价器恢复出厂"},
		{"enrol.certify", "准许旧评价器取证书"}, {"enrol.window", "签发窗口电脑用的证书"},
		{"fleet.add_token", "发放窗口电脑令牌"}, {"fleet.drop_token", "作废窗口电脑令牌"}, {"enrol.expect", "登记待到货评价器"}, {"enrol.forget", "删除待到货评价器"},
		{"enrol.guess", "评价器一次性口令不对"}, {"enrol.probe", "同一地址试了很多序列号"}, {"enrol.typed", "输入了很多不存在的配对码"},
		{"enrol.ticket", "制作入厅票"}, {"enrol.ticket.file", "下载入厅票"}, {"enrol.ticket.revoke", "作废入厅票"},
		{"deadline.stop", "停发短信"}, {"upward.again", "重新上报"},
		{"policy.issue", "发布统一规定"}, {"policy.take", "采用上级的统一规定"}, {"policy.choose", "在上级范围内选定设置"},
	}
	all = append(all, word{"dossier.open", "立卷"})
	for _, k := range dossier.Kinds() {
		for _, d := range k.Deeds() {
			do := "dossier." + string(d.Do)
			if i := slices.IndexFunc(all, func(w word) bool { return w.Do == do }); i < 0 {
				all = append(all, word{do, "卷宗：" + d.Chinese})
			} else if !strings.Contains(all[i].Chinese, d.Chinese) {
				all[i].Chinese += "／" + d.Chinese
			}
		}
	}
	for _, d := range rectify.Deeds() {
		all = append(all, word{"rectify." + string(d.Do), "工单：" + d.Chinese})
	}
	return all
}
