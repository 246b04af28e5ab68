package orders

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

// single is what the page of one part shows.
type single struct {
	row
	Page     string // its address
	Clue     bool   // by the door of clues
	Looked   bool   // a reason was given
	Area     string
	Had      []string
	Named    bool
	Ends     string // the unit's time
	Days     int
	Others   []row // parts of the same order that the person sees
	Steps    []step
	Deeds    []deed
	Attach   string // where a file is sent to, empty: the person attaches none
	See      string // address of the evaluation, empty if the person may not see it
	Most     int
	MostText int
	Problem  string

	Complaint *complaintShown
	Judged    look // what the citizen wrote when they were asked what they think of the work
}

// complaintShown is what the page says of a complaint.
type complaintShown struct {
	rectify.Complaint
	Way     string
	Against string // name of the unit that a clue is about
	Words   look   // what the citizen has said
	Person  look   // how they are reached
}

// look is a text that is shown for a reason.
type look struct {
	May     bool
	Shown   bool
	Text    string
	Erased  bool
	Problem string
}

// step is an act of the history in words.
type step struct {
	At, What, Who string
	Text          string
	Erased        bool
	Kept          bool   // for those who see clues
	Judged        bool   // the citizen has written something, which is shown for a reason
	File          string // address of what was attached
}

// deed is something that the person may do now.
type deed struct {
	rectify.About
	Path      string
	Article   string
	Extend    bool
	Move      bool
	Methods   []rectify.Method
	Results   []rectify.Result
	Sides     []rectify.Side
	Begun     string // what stands in the words already
	Open      bool
	Templates []template
}

// template is a beginning of an answer, and its number in the address.
type template struct {
	rectify.Template
	Number int
}

func (p *pages) one(c *web.Call) error { return p.show(c, http.StatusOK, "") }

// show answers with the page as things stand now.
func (p *pages) show(c *web.Call, status int, problem string) error {
	f, err := p.part(c)
	if err != nil {
		return err
	}
	v, err := p.single(c, f, rectify.ThatClues)
	v.Problem = problem
	if err != nil {
		return err
	}
	return c.ShowStatus(status, "orders/one", v)
}

// single returns what the page of a part shows, with as much of clues as is said.
func (p *pages) single(c *web.Call, f found, clues rectify.Clues) (v single, err error) {
	k, x, a, today := f.Kept, f.order, f.atlas, directory.DayOf(c.Now())
	o := object(a, k.Body, today)
	v = single{row: p.row(a, rectify.Listed{Kept: k, About: x.About}, c.Now()), Page: f.path, Clue: f.clue, Area: k.Body.Area,
		Named: k.Body.Named, Days: k.Body.Days,
		Most: rectify.MostDays, MostText: rectify.MostWords, Ends: p.Orders.Terms().End(k.Body).At.Add(-time.Second).In(web.Zone()).
			Format("2006-01-02")}
	if r, ok := a.At(directory.Area, k.Body.Area, today); ok {
		v.Area = r.Name
	}
	for _, u := range k.Body.Had {
		v.Had = append(v.Had, nameOf(a, u, today))
	}
	for _, other := range x.Parts {
		if other.Part != k.Part && !f.clue && c.May(account.SeeOrders, object(a, other.Body, today)) {
			v.Others = append(v.Others, p.row(a, rectify.Listed{Kept: other, About: x.About}, c.Now()))
		}
	}
	if c.Ever(account.SeeEvaluations) && x.About.Complaint == nil {
		v.See = fmt.Sprintf("/evaluations/of/%d", x.About.Evaluation)
	}
	if x.About.Complaint != nil {
		v.Complaint = p.complaintOf(c, f, o)
	}
	v.Deeds, v.Attach = p.deeds(c, f, o)
	if clues == rectify.ThatClues && !f.clue && !c.May(account.ReviewOrders, o) {
		clues = rectify.NoClues
	}
	var judged bool
	v.Steps, judged, err = p.steps(c, f, clues)
	v.Judged.May = judged && !f.clue && c.May(account.SeeText, o)
	return v, err
}

// deeds returns what the person may do about a part now, and where they send a file to.
func (p *pages) deeds(c *web.Call, f found, o account.Object) (all []deed, attach string) {
	door := func(h rectify.Hand) (string, bool) {
		switch {
		case f.clue:
			return "/do", f.Body.Secret && c.May(account.SeeClues, o)
		case h == rectify.Office:
			return "/review", c.May(account.ReviewOrders, o)
		}
		return "/work", c.May(account.WorkOrders, o)
	}
	begun, _ := strconv.Atoi(c.R.URL.Query().Get("template")) // 0: by none
	for _, about := range f.Body.Next() {
		way, ok := door(about.By)
		sides := p.sides(f, about, ok)
		if !ok && about.For(rectify.Unit) {
			way, ok = door(rectify.Unit)
			ok = ok && len(sides) > 0
		}
		if !ok || f.clue && about.Do == rectify.Urge || about.Do == rectify.Ask && !p.Orders.Writes() {
			continue
		}
		d := deed{About: about, Path: f.path + way, Article: article(about.Article), Extend: about.Do == rectify.Extend,
			Move: about.Do == rectify.Move || about.Do == rectify.Assign, Methods: about.Do.Methods(), Results: about.Do.Results(), Sides: sides}
		if about.Do == rectify.Reply {
			for i, t := range rectify.Templates() {
				d.Templates = append(d.Templates, template{t, i + 1})
				if begun == i+1 {
					d.Begun, d.Open = t.Text, true
				}
			}
		}
		all = append(all, d)
	}
	for _, h := range []rectify.Hand{rectify.Unit, rectify.Office} {
		if way, ok := door(h); ok && attach == "" {
			attach = f.path + way + "/files"
		}
	}
	if f.clue && attach != "" {
		attach = f.path + "/files"
	}
	return all, attach
}

// sides returns who may appeal by the door of the office, or else by that of the unit, which speaks for its own side alone.
func (p *pages) sides(f found, about rectify.About, office bool) []rectify.Side {
	if about.Do != rectify.Appeal {
		return nil
	}
	return slices.DeleteFunc(f.Body.Sides(), func(s rectify.Side) bool { return !office && s == rectify.OfCitizen })
}

func nameOf(a *directory.Atlas, unit string, today directory.Day) string {
	if r, ok := a.At(directory.Unit, unit, today); ok {
		return r.Name
	}
	return unit
}

// article names an article of the regulation as people read it.
func article(n int) string {
	return map[int]string{6: "第六条", 8: "第八条", 16: "第十六条", 17: "第十七条", 18: "第十八条", 23: "第二十三条"}[n]
}

// steps returns the history of a part, the last first, and whether the citizen has written something in it. Of a part that has a clue, and
// is none, the door of clues shows what was referred.
func (p *pages) steps(c *web.Call, f found, clues rectify.Clues) (all []step, judged bool, err error) {
	history, err := p.Orders.History(c.R.Context(), f.Order, clues)
	if err != nil {
		return nil, false, err
	}
	for _, h := range ofPart(history, f.Part) {
		if f.clue && !f.Body.Secret && h.Do != rectify.Refer {
			continue
		}
		all, judged = append(all, p.step(c, f, h)), judged || h.Judged
	}
	return all, judged, nil
}

// ofPart returns what of an order's history is about one part, the last first.
func ofPart(history []rectify.Step, part int64) (all []rectify.Step) {
	for _, h := range slices.Backward(history) {
		if h.Part == 0 || h.Part == part {
			all = append(all, h)
		}
	}
	return all
}

// step returns an act in words.
func (p *pages) step(c *web.Call, f found, h rectify.Step) step {
	s := step{At: web.Clock(h.At.UnixMilli()), What: "收到差评，开立工单", Who: "系统", Text: h.Text, Erased: h.Erased, Kept: h.Kept,
		Judged: h.Judged}
	switch h.Source {
	case rectify.Source:
	case rectify.Citizen:
		s.Who = "市民"
	default:
		s.Who = p.Name(c.R.Context(), h.Source)
	}
	about, ok := h.Do.About()
	switch {
	case h.File != nil:
		s.What, s.File = fmt.Sprintf("上传附件（%s，%s）", strings.ToUpper(strings.TrimPrefix(h.File.Kind.Extension(), ".")), size(h.File.Size)),
			fmt.Sprintf("%s/files/%d", f.path, h.Pos)
	case ok:
		s.What = about.Chinese
	case h.Part != 0:
		s.What = "增列承办单位"
	case f.order.About.Complaint != nil:
		s.What = "登记投诉，开立工单"
	}
	switch h.Do {
	case rectify.Extend:
		s.What += fmt.Sprintf("，合计 %d 个工作日", h.Event.Days)
	case rectify.Move, rectify.Assign:
		s.What += "：" + nameOf(f.atlas, h.Event.Unit, directory.DayOf(h.At))
	}
	var chosen []string
	for _, words := range []string{h.Event.Method.Chinese(), h.Event.Result.Chinese(), h.Event.Side.Chinese()} {
		if words != "" {
			chosen = append(chosen, words)
		}
	}
	if len(chosen) > 0 {
		s.What += "（" + strings.Join(chosen, "，") + "）"
	}
	return s
}

// does does what a form says, by the door that the route is.
func (p *pages) does(c *web.Call) error {
	f, err := p.part(c)
	if err != nil {
		return err
	}
	seen, err := strconv.ParseInt(c.R.PostFormValue("seen"), 10, 64)
	if err != nil {
		return p.show(c, http.StatusConflict, rectify.ErrMeanwhile.Error())
	}
	said := c.R.PostFormValue
	e := rectify.Event{Do: rectify.Deed(said("deed")), Unit: said("unit"), Method: rectify.Method(said("method")),
		Result: rectify.Result(said("result")), Side: rectify.Side(said("side"))}
	e.Days, _ = strconv.Atoi(c.R.PostFormValue("days")) // 0 is refused where it matters
	_, err = p.do(c, f, seen, e, c.R.PostFormValue("words"))
	var refusal *rectify.Refusal
	switch {
	case errors.As(err, &refusal):
		return p.show(c, http.StatusUnprocessableEntity, refusal.Chinese)
	case errors.Is(err, rectify.ErrMeanwhile):
		return p.show(c, http.StatusConflict, rectify.ErrMeanwhile.Error())
	case err != nil:
		return err
	}
	return c.See(f.path)
}

// do does something about a part as somebody has seen it. The door says for whose hand it is: nobody does by one what is another's.
func (p *pages) do(c *web.Call, f found, seen int64, e rectify.Event, words string) (rectify.Kept, error) {
	about, ok := e.Do.About()
	path := c.R.URL.Path
	work := strings.HasSuffix(path, "/work")
	wrong := work && !about.For(rectify.Unit) || work && e.Side == rectify.OfCitizen && e.Do == rectify.Appeal ||
		strings.HasSuffix(path, "/review") && about.By != rectify.Office ||
		f.clue && (!f.Body.Secret || e.Do == rectify.Urge)
	if !ok || wrong {
		return f.Kept, &rectify.Refusal{Chinese: "没有这一操作，请重新选择。", English: "There is no such deed by this door."}
	}
	if seen != f.Changed {
		return f.Kept, rectify.ErrMeanwhile
	}
	return p.Orders.Do(c.R.Context(), by(c), f.Kept, e, words)
}

func by(c *web.Call) rectify.By { return rectify.By{Account: c.Person.Account, Session: c.Person.By} }

// text reads a text of the journal for a page.
func text(l *look, s string, err error) error {
	if errors.Is(err, journal.ErrErased) {
		l.Erased, err = true, nil
	}
	l.Shown, l.Text = err == nil, s
	return err
}
