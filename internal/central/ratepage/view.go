package ratepage

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"haochaping/internal/rating"
)

//go:embed page.html
var pages embed.FS

//go:embed style.css
var styleCSS string

// errNotStored makes the form say that the books could not be written.
var errNotStored = errors.New("the evaluation was not stored")

// templates are the parsed pages.
type templates struct{ set *template.Template }

func parseTemplates() (templates, error) {
	set, err := template.New("").Funcs(template.FuncMap{
		// The style is a constant of the program, which the policy names by its hash.
		"style": func() template.CSS { return template.CSS(styleCSS) },
	}).ParseFS(pages, "*.html")
	return templates{set}, err
}

// policy returns the Content-Security-Policy: the page's own style by its hash, its own form, and nothing else.
func (templates) policy(ancestors []string) string {
	sum := sha256.Sum256([]byte(styleCSS))
	frames := "'none'"
	if len(ancestors) > 0 {
		frames = strings.Join(ancestors, " ")
	}
	return "default-src 'none'; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors " + frames
}

// askView is what the form's page shows.
type askView struct {
	TitleZh, TitleEn string
	Path             string
	Window           rating.Window
	Known            bool // whether the visit's record has arrived
	Staff            rating.Staff
	Matters          string // names of the matters, empty if unknown
	MattersNote      string // how they belong together
	Problem          *problem
	Submission       string
	Questions        []questionView
	Alone            bool   // one question only, so that there is room to show the reasons at once
	Complain         string // where to complain, empty: nowhere
}

// problem is why the form is shown again.
type problem struct{ Zh, En string }

// questionView is one question.
type questionView struct {
	ID      string // of its fields
	Zh, En  string
	Levels  []levelView
	Text    string
	MaxText int
}

type levelView struct {
	Level   rating.Level
	Checked bool
	Ticked  bool // whether a reason is
	Reasons []reasonView
}

type reasonView struct {
	rating.CatalogueReason
	Checked bool
}

// ask answers with the form.
func (p *Page) ask(w http.ResponseWriter, status int, l opened, todo []question, f form, why error) {
	v := askView{Path: l.path(""), Window: l.device.Window, Complain: p.complainAt(l)}
	if visit := l.visit.Visit; visit != nil {
		v.Known, v.Window, v.Staff = true, visit.Window, visit.Staff
		if v.Staff == (rating.Staff{}) {
			v.Staff = visit.Window.Staff
		}
		v.Matters, v.MattersNote = describe(visit)
	}
	p.askWith(w, status, v, todo, f, why)
}

// askWith answers with the form about what v shows.
func (p *Page) askWith(w http.ResponseWriter, status int, v askView, todo []question, f form, why error) {
	v.TitleZh, v.TitleEn, v.Submission = "服务评价", "Rate this service", f.Submission
	switch {
	case errors.Is(why, errNoLevel):
		v.Problem = &problem{"还没有选择。请先点选一个满意程度，再提交。", "Nothing is chosen yet. Please choose a level, then submit."}
	case errors.Is(why, errLongText):
		v.Problem = &problem{
			fmt.Sprintf("文字超过 %d 字，尚未提交。请缩短后再提交。", rating.MaxText),
			fmt.Sprintf("The text is longer than %d characters. Nothing was submitted; please shorten it.", rating.MaxText)}
	case errors.Is(why, errNotStored):
		v.Problem = &problem{"暂时无法保存，您的评价还没有提交成功。请稍等片刻，再按一次“提交评价”。",
			"Your rating could not be stored yet. Please wait a moment and submit again."}
	}
	for _, q := range todo {
		v.Questions = append(v.Questions, p.question(q, f.Answers[q.Field]))
	}
	v.Alone = len(v.Questions) == 1
	p.render(w, status, "ask", v)
}

func (p *Page) question(what question, a answer) questionView {
	q := questionView{ID: what.Field, Zh: what.zh(), En: what.en(), Text: a.Text, MaxText: rating.MaxText}
	for _, level := range rating.Levels() {
		lv := levelView{Level: level, Checked: a.Level == level}
		for _, r := range p.cfg.Reasons.Of(level) {
			ticked := slices.Contains(a.Reasons, r.Code)
			lv.Ticked = lv.Ticked || ticked
			lv.Reasons = append(lv.Reasons, reasonView{r, ticked})
		}
		q.Levels = append(q.Levels, lv)
	}
	return q
}

// describe returns the names of a visit's completed matters and how they belong together. Case numbers stay out of it:
// the page may be read over a shoulder.
func describe(v *rating.Visit) (names, note string) {
	const most = 3
	all, cases := matters(v)
	names = strings.Join(all[:min(most, len(all))], "、")
	if len(all) > most {
		names += fmt.Sprintf(" 等 %d 项", len(all))
	}
	switch {
	case v.Grouping == rating.Batch && cases > 1:
		note = fmt.Sprintf("同一事项共 %d 件，一次评价全部适用", cases)
	case v.Separate && cases > 1:
		note = fmt.Sprintf("共 %d 个事项，可逐个评价，也可只评价其中几个", cases)
	case v.Grouping == rating.Theme && cases > 1:
		note = fmt.Sprintf("“一件事”共 %d 个事项，总体评价适用于全部", cases)
	}
	return names, note
}

// say answers with a notice.
func (p *Page) say(w http.ResponseWriter, n notice) { p.render(w, n.Status, "notice", n) }

// render answers with a page that is complete or not sent at all.
func (p *Page) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := p.tmpl.set.ExecuteTemplate(&b, name, data); err != nil {
		p.cfg.Logger.Error("rating page: render", "page", name, "err", err)
		http.Error(w, "评价服务暂时不可用，请稍后再试。 Please try again later.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// A failing write means that the phone is gone; there is nobody left to tell.
	_, _ = w.Write(b.Bytes())
}
