package policy

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	strict "github.com/go-json-experiment/json"

	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/policy"
	"haochaping/internal/central/web"
)

//go:embed *.html *.css
var files embed.FS

// Room is what the pages need of the policies.
type Room interface {
	Issues() bool
	Standing(context.Context, time.Time) (policy.Standing, error)
	Preview(context.Context, policy.Document) (policy.Previewed, error)
	Issue(context.Context, policy.By, policy.Document) (policy.Signed, error)
	Choose(ctx context.Context, by policy.By, n policy.Name, value string, clear bool) error
}

// Config holds what the pages need.
type Config struct {
	Room  Room
	Local map[policy.Name]policy.Local // what this centre's file wants
	// Draft returns the policy that would follow the last one.
	Draft func(context.Context) (policy.Document, error)
	Key   string // that this centre signs by
	Line  bool   // policies come over a line; else as files
	// Areas returns in which areas halls are for which a choice would hold: all of the centre's. Whoever has not all of them chooses nothing.
	// Nil: nobody knows of any.
	Areas func(context.Context) ([]string, error)
	// Boxes returns how far what boxes are to go by has come; nil: the page does not say it.
	Boxes func(context.Context) (Boxes, error)
}

// Boxes is how far what boxes are to go by has come.
type Boxes struct {
	Set  bool // something is set for them
	All  int  `json:"boxes"`
	Sent int  `json:"sent"` // it is in their signed configuration
	Have int  `json:"have"` // they say that they go by it
	Old  int  `json:"old"`  // their programs take none
}

// Shown reports whether there is something to say.
func (b Boxes) Shown() bool { return b.All > 0 && (b.Set || b.Sent < b.All) }

type pages struct{ Config }

// lateAfter is how long the line may be silent before the home page says so.
const lateAfter = 3 * 24 * time.Hour

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg}
	return web.Section{Name: "policy", Files: files, Needs: p.needs, Routes: []web.Route{
		{Method: "GET", Path: "/policy", Action: account.SeePolicy, Nav: "统一规定", Do: p.page},
		{Method: "POST", Path: "/policy/preview", Action: account.IssuePolicy, MaxBody: policy.MaxBytes, Do: p.preview},
		{Method: "POST", Path: "/policy/issue", Action: account.IssuePolicy, MaxBody: 4 * policy.MaxBytes, Do: p.issue},
		{Method: "POST", Path: "/policy/choose", Action: account.ChoosePolicy, Do: p.choose},
		{Method: "GET", Path: "/api/v1/policy", Action: account.SeePolicy, Do: p.tell},
	}}
}

// row is a setting on the page.
type row struct {
	policy.Held
	May         bool // be chosen here
	Options     []string
	Least, Most int
	Chosen      bool
}

// Why says why something does not hold.
func (r row) Why() string {
	if refusal := new(policy.Refusal); errors.As(r.Refused, &refusal) {
		return refusal.ZH
	}
	return r.Refused.Error()
}

// field is a setting in the form of a new policy.
type field struct {
	policy.Kind
	policy.Setting
	In   bool
	From string // bounds, empty: none
	To   string
}

type view struct {
	Standing policy.Standing
	Rows     []row
	Next     []policy.Taken
	Expired  bool
	Issues   bool
	MayIssue bool
	Line     bool
	Since    string
	Key      string
	Draft    policy.Document
	Fields   []field
	Years    string
	Notices  string
	Done     string
	Boxes    Boxes
}

func (p *pages) page(c *web.Call) error {
	s, err := p.Room.Standing(c.R.Context(), c.Now())
	if err != nil {
		return err
	}
	v := view{Standing: s, Next: s.Next(), Issues: p.Room.Issues(), MayIssue: p.Room.Issues() && c.Ever(account.IssuePolicy), Line: p.Line,
		Key:  p.Key,
		Done: map[string]string{"issued": "政策已发布，到生效日起执行。", "chosen": "已保存，几秒内生效。"}[c.R.URL.Query().Get("done")]}
	v.Expired = s.Holding != nil && s.Holding.Document.Expired(c.Now())
	if !s.Line.Failing.IsZero() {
		v.Since = web.Clock(s.Line.Failing.UnixMilli())
	}
	if v.Rows, err = p.rows(c, s); err != nil {
		return err
	}
	if p.Boxes != nil {
		if v.Boxes, err = p.Boxes(c.R.Context()); err != nil {
			return err
		}
	}
	if v.MayIssue {
		if v.Draft, err = p.Draft(c.R.Context()); err != nil {
			return err
		}
		if err := v.form(p.Local); err != nil {
			return err
		}
	}
	return c.Show("policy/page", v)
}

func (p *pages) rows(c *web.Call, s policy.Standing) (all []row, err error) {
	may, err := p.chooses(c)
	for _, h := range policy.Resolve(s.Document(), s.Choices, p.Local) {
		r := row{Held: h}
		if h.Setting != nil {
			r.May = h.Setting.Lower && may
			r.Options = h.Setting.Allowed
			if len(r.Options) == 0 {
				r.Options = map[policy.Sort][]string{policy.Switch: {"true", "false"}, policy.Choice: h.Options}[h.Sort]
			}
			r.Least, r.Most = h.Setting.Range()
			_, r.Chosen = s.Choices[h.Name]
		}
		all = append(all, r)
	}
	return all, err
}

// chooses reports whether the person may choose for the whole centre.
func (p *pages) chooses(c *web.Call) (bool, error) {
	if p.Areas == nil || !c.Ever(account.ChoosePolicy) {
		return c.Ever(account.ChoosePolicy), nil
	}
	areas, err := p.Areas(c.R.Context())
	outside := func(a string) bool { return !c.May(account.ChoosePolicy, account.Object{Area: a}) }
	return err == nil && !slices.ContainsFunc(areas, outside), err
}

// form fills in the form of a new policy.
func (v *view) form(local map[policy.Name]policy.Local) error {
	for _, k := range policy.Kinds() {
		f := field{Kind: k}
		if f.Setting, f.In = v.Draft.Setting(k.Name); !f.In {
			f.Value = local[k.Name].Value
		}
		if f.Setting.Least != nil {
			f.From = strconv.Itoa(*f.Setting.Least)
		}
		if f.Setting.Most != nil {
			f.To = strconv.Itoa(*f.Setting.Most)
		}
		v.Fields = append(v.Fields, f)
	}
	if len(v.Draft.Calendars) == 0 {
		return nil
	}
	b, err := json.MarshalIndent(v.Draft.Calendars, "", " ")
	v.Notices = string(b)
	return err
}

// refused makes what the room refuses an answer for people.
func refused(err error) error {
	var r *policy.Refusal
	switch {
	case errors.As(err, &r):
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: r.ZH + "。" + r.EN + "."}
	case errors.Is(err, policy.ErrMeanwhile), errors.Is(err, policy.ErrExpired):
		return &web.Refusal{Status: http.StatusConflict, Words: err.Error()}
	}
	return err
}

// read reads a document from the form. The catalogue, and which values a lower level may choose among, are those of the policy before, else
// this centre's.
func (p *pages) read(c *web.Call) (policy.Document, error) {
	d, err := p.Draft(c.R.Context())
	if err != nil {
		return d, err
	}
	if err := c.R.ParseForm(); err != nil {
		return d, &web.Refusal{Words: "表单读不懂。The form cannot be read."}
	}
	before := d.Settings
	get := func(name string) string { return strings.TrimSpace(c.R.PostForm.Get(name)) }
	d.Title, d.From, d.Until, d.Settings, d.Calendars = get("title"), get("from"), get("until"), nil, nil
	if text := get("calendars"); text != "" {
		if err := strict.Unmarshal([]byte(text), &d.Calendars, strict.RejectUnknownMembers(true)); err != nil {
			return d, &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "工作日历读不懂：应为 docs 中的格式，外加方括号。The calendars cannot be read."}
		}
	}
	for _, k := range policy.Kinds() {
		name := string(k.Name)
		if !c.R.PostForm.Has(name + ".in") {
			continue
		}
		s := policy.Setting{Name: k.Name, Value: get(name), Lower: c.R.PostForm.Has(name + ".lower")}
		if i := slices.IndexFunc(before, func(b policy.Setting) bool { return b.Name == k.Name }); i >= 0 && s.Lower {
			s.Allowed = before[i].Allowed
		}
		for which, at := range map[string]**int{".min": &s.Least, ".max": &s.Most} {
			text := get(name + which)
			if text == "" {
				continue
			}
			n, err := strconv.Atoi(text)
			if err != nil {
				return d, &web.Refusal{Status: http.StatusUnprocessableEntity, Words: fmt.Sprintf("“%s”的范围应为整数。The bounds are whole numbers.", k.ZH)}
			}
			*at = &n
		}
		d.Settings = append(d.Settings, s)
	}
	return d, nil
}

type previewed struct {
	policy.Previewed
	Document policy.Document
	Text     string
}

func (p *pages) preview(c *web.Call) error {
	d, err := p.read(c)
	if err != nil {
		return err
	}
	seen, err := p.Room.Preview(c.R.Context(), d)
	if err != nil {
		return refused(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return c.Show("policy/preview", previewed{seen, d, string(text)})
}

// issue issues exactly what was previewed.
func (p *pages) issue(c *web.Call) error {
	if err := c.R.ParseForm(); err != nil {
		return &web.Refusal{Words: "表单读不懂。The form cannot be read."}
	}
	d, err := policy.ParseDocument([]byte(c.R.PostForm.Get("policy")))
	if err != nil {
		return refused(err)
	}
	seen, err := p.Room.Preview(c.R.Context(), d)
	if err != nil {
		return refused(err)
	}
	if seen.Hash != c.R.PostForm.Get("hash") {
		return refused(policy.ErrMeanwhile)
	}
	if _, err := p.Room.Issue(c.R.Context(), by(c, account.IssuePolicy), d); err != nil {
		return refused(err)
	}
	return c.See("/policy?done=issued")
}

func by(c *web.Call, a account.Action) policy.By {
	b := policy.By{Account: c.Person.Account, Session: c.Person.By}
	if g := c.Grants(a); len(g) > 0 {
		b.Area = g[0].Area
	}
	return b
}

func (p *pages) choose(c *web.Call) error {
	may, err := p.chooses(c)
	if err == nil && !may {
		err = web.ErrNotFound
	}
	if err != nil {
		return err
	}
	if err := c.R.ParseForm(); err != nil {
		return &web.Refusal{Words: "表单读不懂。The form cannot be read."}
	}
	name := policy.Name(c.R.PostForm.Get("name"))
	if !slices.ContainsFunc(policy.Kinds(), func(k policy.Kind) bool { return k.Name == name }) {
		return web.ErrNotFound
	}
	err = p.Room.Choose(c.R.Context(), by(c, account.ChoosePolicy), name, c.R.PostForm.Get("value"), c.R.PostForm.Has("clear"))
	if err != nil {
		return refused(err)
	}
	return c.See("/policy?done=chosen")
}

// needs says that the policy has expired, or that the level above has not been heard for days.
func (p *pages) needs(c *web.Call) (all []web.Need, err error) {
	if !c.Ever(account.SeePolicy) {
		return nil, nil
	}
	s, err := p.Room.Standing(c.R.Context(), c.Now())
	if err != nil {
		return nil, err
	}
	if s.Holding != nil && s.Holding.Document.Expired(c.Now()) {
		all = append(all, web.Need{Words: "统一规定的有效期已过，新的还没有到", Path: "/policy", Grave: true})
	}
	if p.Line && !s.Line.Failing.IsZero() && c.Now().Sub(s.Line.Failing) > lateAfter {
		all = append(all, web.Need{Words: "自 " + web.Clock(s.Line.Failing.UnixMilli()) + " 起没有从上级取到统一规定", Path: "/policy", Grave: true})
	}
	for _, h := range policy.Resolve(s.Document(), s.Choices, p.Local) {
		if h.Refused != nil && strings.Contains(h.Wanted, policy.Link) {
			all = append(all, web.Need{Words: "上级规定的短信要填入地址，而本中心没有设置 rate.base，暂用本中心的文字", Path: "/policy", Grave: true})
			break
		}
	}
	return all, nil
}

// told is what programs read.
type told struct {
	Number   int64       `json:"number"` // 0: none holds
	Title    string      `json:"title,omitempty"`
	From     string      `json:"valid_from,omitempty"`
	Until    string      `json:"valid_until,omitempty"`
	Expired  bool        `json:"expired"`
	Hash     string      `json:"hash,omitempty"`
	Key      string      `json:"key,omitempty"`
	Settings []toldValue `json:"settings"`
}

type toldValue struct {
	Name    policy.Name  `json:"name"`
	Value   string       `json:"value"`
	Level   policy.Level `json:"level"`
	Lower   bool         `json:"lower_may_set"`
	Refused string       `json:"refused,omitempty"`
}

func (p *pages) tell(c *web.Call) error {
	s, err := p.Room.Standing(c.R.Context(), c.Now())
	if err != nil {
		return err
	}
	var v told
	if h := s.Holding; h != nil {
		d := h.Document
		v = told{Number: d.Number, Title: d.Title, From: d.From, Until: d.Until, Expired: d.Expired(c.Now()), Hash: h.Signed.Hash(),
			Key: h.Signed.Key}
	}
	rows, err := p.rows(c, s)
	if err != nil {
		return err
	}
	for _, r := range rows {
		x := toldValue{Name: r.Name, Value: r.Value, Level: r.Level, Lower: r.Setting != nil && r.Setting.Lower}
		if r.Refused != nil {
			x.Refused = r.Refused.Error()
		}
		v.Settings = append(v.Settings, x)
	}
	return c.JSON(v)
}
