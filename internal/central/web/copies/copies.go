package copies

import (
	"embed"
	"time"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/replica"
	"haochaping/internal/central/web"
)

//go:embed *.html
var files embed.FS

// Copy is a copy that this centre keeps.
type Copy struct {
	Name   string // of the city, as people read it
	Folder string // where its process records how it is
}

// Config holds what the pages need.
type Config struct{ Copies []Copy }

type pages struct{ Config }

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg}
	nav := "市州副本"
	if len(cfg.Copies) == 0 {
		nav = ""
	}
	return web.Section{Name: "copies", Files: files, Needs: p.needs, Routes: []web.Route{
		{Method: "GET", Path: "/copies", Action: account.VerifySeal, Nav: nav, Do: p.show},
		{Method: "GET", Path: "/api/v1/copies", Action: account.VerifySeal, Do: p.tell},
	}}
}

// State is how a copy is.
type State string

// The states.
const (
	Fine     State = "fine"
	Waiting  State = "waiting"  // nothing was copied yet
	Silent   State = "silent"   // its city is not reached, or does not let it in
	Standing State = "standing" // its process does not run
	Stopped  State = "stopped"  // the city shows another journal, and somebody has to look
	Unread   State = "unread"   // what its process records cannot be read
)

// quiet is how long a city may be silent before it is more than a line that breaks.
const quiet = time.Hour

// Row is a copy as pages and programs show it.
type Row struct {
	Name     string                `json:"name"`
	State    State                 `json:"state"`
	Fault    replica.Fault         `json:"fault,omitempty"`
	URL      string                `json:"url,omitempty"`
	Origin   string                `json:"origin,omitempty"`
	Rows     int64                 `json:"rows"`
	Root     string                `json:"root,omitempty"` // of the last head, in hex
	Heard    time.Time             `json:"heard,omitzero"`
	Grown    time.Time             `json:"grown,omitzero"`
	Since    time.Time             `json:"since,omitzero"` // of the fault
	Words    string                `json:"words,omitempty"`
	Verified *replica.Verification `json:"verified,omitempty"`
	What     string                `json:"-"`
	Do       string                `json:"-"`
	Grave    bool                  `json:"-"`
}

// rowOf returns how a copy is by what its folder says.
func rowOf(name string, r replica.Recorded, err error, now time.Time) Row {
	x := Row{Name: name, State: Waiting, Verified: r.Verified}
	if err != nil {
		x.State, x.Words = Unread, err.Error()
		return x.explain()
	}
	s := r.Status
	if s == nil {
		return x.explain()
	}
	x.Fault, x.URL, x.Origin, x.Rows, x.Root = s.Fault, s.URL, s.Origin, s.Rows, s.Root
	x.Heard, x.Grown, x.Since, x.Words = s.Heard, s.Grown, s.Failing, s.Words
	switch {
	case s.Fault.Ends():
		x.State = Stopped
	case s.Stands(now):
		x.State, x.Since = Standing, s.Looked
	case s.Fault != "":
		x.State = Silent
		x.Grave = now.Sub(s.Failing) > quiet
	default:
		x.State = Fine
	}
	return x.explain()
}

// explain says what a state means, and what to do.
func (x Row) explain() Row {
	switch x.State {
	case Fine:
		x.What = "正常"
	case Waiting:
		x.What, x.Do = "还没有开始复制", "请技术人员启动 centrald replica，-folder 与这里配置的文件夹相同。"
	case Standing:
		x.What, x.Do, x.Grave = "复制程序没有运行", "副本还在，没有损坏，只是不再增长。请技术人员查看并重启 centrald replica。", true
	case Unread:
		x.What, x.Do, x.Grave = "复制的情况读不出来", "请技术人员查看文件夹是否存在、本中心的用户能否读取。", true
	case Silent:
		x.What, x.Do = "该市中心联系不上，正在重试", "副本保持原样，恢复后自动接着复制。长期不通的，请与该市核对线路和地址。"
		if x.Fault == replica.Token {
			x.What, x.Do = "该市中心不认这里的令牌", "请该市把令牌的 SHA-256 写入 seal.tokens_file，写入后自动接着复制。"
		}
	case Stopped:
		x.Grave = true
		x.What = "该市出示的日志与已复制的不一致，已停止复制"
		x.Do = "已复制的行没有改动，被拒绝的日志头与行在副本的文件夹中（refused-…），都是该市签过名的证据：请保存，并请该市说明。"
		if x.Fault == replica.Renamed {
			x.What = "该市的日志换了名称（恢复过备份），已停止复制"
			x.Do = "请该市说明为何恢复备份。理由成立时，请技术人员用 centrald replica -accept-restore 新名称 继续；缺少的行只有这里有，请保存。"
		}
	}
	if x.Verified != nil && !x.Verified.Sound {
		x.What, x.Do, x.Grave = x.What+"；上次核对发现问题", "请不要修复，保留现场，与该市和见证方保存的日志头对照。"+x.Do, true
	}
	return x
}

// Seen returns how the state is coloured.
func (x Row) Seen() string {
	switch {
	case x.Grave:
		return "bad"
	case x.State == Fine:
		return "good"
	}
	return "warn"
}

func (p *pages) rows(now time.Time) []Row {
	all := []Row{}
	for _, c := range p.Copies {
		r, err := replica.Read(c.Folder)
		all = append(all, rowOf(c.Name, r, err, now))
	}
	return all
}

func (p *pages) show(c *web.Call) error { return c.Show("copies/copies", p.rows(c.Now())) }

func (p *pages) tell(c *web.Call) error { return web.List(c, p.rows(c.Now()), "") }

// needs says which copies somebody has to look at.
func (p *pages) needs(c *web.Call) (all []web.Need, err error) {
	if !c.Ever(account.VerifySeal) {
		return nil, nil
	}
	for _, x := range p.rows(c.Now()) {
		if x.Grave {
			all = append(all, web.Need{Words: x.Name + "日志的副本：" + x.What, Path: "/copies", Grave: true})
		}
	}
	return all, nil
}
