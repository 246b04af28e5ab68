package organisation

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
)

// form is a record that somebody writes.
type form struct {
	Record directory.Record
	From   string // as it was written
	To     string
	Fields []input
}

// input is a field of a form.
type input struct {
	Name, Chinese, English string
	Value, Hint            string
	Needed                 bool
	Most                   int
}

// hints say what is written in a field.
func hints() map[string]string {
	return map[string]string{"area": "12 位行政区划代码", "unit": "18 位统一社会信用代码", "hall": "大厅编号", "window": "窗口编号；不固定在一个窗口的留空",
		"office": "承担好差评工作的处室（第七条）",
		"person": "负责好差评工作的人员（第七条）"}
}

// formOf returns the form for a record.
func formOf(r directory.Record, from, to string) form {
	f := form{Record: r, From: from, To: to}
	for _, x := range directory.FieldsOf(r.Kind) {
		hint := hints()[x.Name]
		if r.Kind == directory.Unit && x.Name == "unit" {
			x.Chinese, hint = "上级单位", "上级单位的统一社会信用代码，没有则留空"
		}
		if r.Kind == directory.Staff && x.Name == "office" {
			x.Chinese, hint = "科室", "显示在评价器上；留空则显示单位名称"
		}
		f.Fields = append(f.Fields, input{x.Name, x.Chinese, x.Name, directory.Value(r, x.Name), hint, x.Needed, 200})
	}
	return f
}

// one is what the page about one thing shows.
type one struct {
	Record  directory.Record
	Level   string // of an area
	Holds   bool   // today
	History []directory.Record
	Names   map[string]string
	See     map[string]bool // which of those named the person may look at
	Below   []tab
	Edit    bool
	Form    form
	Today   string
}

func (p *pages) thing(c *web.Call) error {
	all, err := p.records(c)
	if err != nil {
		return err
	}
	a, err := p.directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	today := directory.DayOf(c.Now())
	r := latest(all, today)
	v := one{Record: r, Holds: r.Holds(today), Names: make(map[string]string), See: make(map[string]bool),
		Edit:  may(c, account.EditDirectory)(a, r),
		Today: today.String(), Form: formOf(r, today.String(), r.To.String())}
	visible := may(c, account.SeeDirectory)
	for _, x := range all {
		if visible(a, x) {
			v.History = append(v.History, x)
		}
	}
	slices.Reverse(v.History)
	if r.Kind == directory.Area {
		v.Level = directory.LevelOf(r.ID).Chinese()
	}
	at := max(r.From, min(today, r.To-1))
	for k, id := range map[directory.Kind]string{directory.Area: r.Area, directory.Unit: r.Unit, directory.Hall: r.Hall,
		directory.Window: r.Window} {
		if named, ok := a.At(k, id, at); ok {
			v.Names[id] = named.Name
			v.See[id] = visible(a, named)
		}
	}
	below := map[directory.Kind][]directory.Kind{directory.Area: {directory.Unit, directory.Hall},
		directory.Unit: {directory.Hall, directory.Window, directory.Staff},
		directory.Hall: {directory.Window}, directory.Window: {directory.Staff}}
	for _, k := range below[r.Kind] {
		v.Below = append(v.Below, tab{Kind: k, Words: k.Chinese(), Path: fmt.Sprintf("/organisation?kind=%s&%s=%s", k, r.Kind, r.ID)})
	}
	return c.Show("organisation/thing", v)
}

// fresh shows the form for something new.
func (p *pages) fresh(c *web.Call) error {
	k := directory.Kind(c.R.PathValue("kind"))
	if !slices.Contains(directory.Kinds(), k) {
		return web.ErrNotFound
	}
	return c.Show("organisation/new", formOf(directory.Record{Kind: k}, directory.DayOf(c.Now()).String(), ""))
}

// put previews what a form says.
func (p *pages) put(c *web.Call) error {
	k := directory.Kind(c.R.PathValue("kind"))
	if !slices.Contains(directory.Kinds(), k) {
		return web.ErrNotFound
	}
	id := c.R.PathValue("id")
	if id == "" {
		id = c.R.PostFormValue("id")
	}
	values := map[string]string{"kind": string(k), "id": id}
	for _, name := range []string{"op", "valid_from", "valid_to"} {
		values[name] = c.R.PostFormValue(name)
	}
	for _, f := range directory.FieldsOf(k) {
		values[f.Name] = c.R.PostFormValue(f.Name)
	}
	x, err := p.directory.Preview(c.R.Context(), []directory.Line{directory.LineOf(values)}, may(c, account.EditDirectory))
	if err != nil {
		return err
	}
	return p.show(c, x, "")
}

// file shows the form for a file.
func (p *pages) file(c *web.Call) error { return p.askFile(c, nil) }

func (p *pages) askFile(c *web.Call, wrong error) error {
	v := struct {
		Problem directory.Fault
		Wrong   bool
		Columns []directory.Column
	}{Columns: directory.Columns()}
	status := http.StatusOK
	if v.Wrong = errors.As(wrong, &v.Problem); v.Wrong {
		status = http.StatusUnprocessableEntity
	} else if wrong != nil {
		return wrong
	}
	return c.ShowStatus(status, "organisation/import", v)
}

// fileNow previews what a file says.
func (p *pages) fileNow(c *web.Call) error {
	in, head, err := c.R.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) {
		return p.askFile(c, directory.Fault{Chinese: "请选择一个文件", English: "choose a file"})
	}
	if err != nil {
		return tooLarge(err)
	}
	b, err := io.ReadAll(io.LimitReader(in, directory.MaxFile+1))
	if err = errors.Join(err, in.Close(), c.R.MultipartForm.RemoveAll()); err != nil {
		return tooLarge(err)
	}
	x, err := p.directory.PreviewFile(c.R.Context(), b, may(c, account.EditDirectory))
	if err != nil {
		return p.askFile(c, err)
	}
	return p.show(c, x, head.Filename)
}

// tooLarge makes what a browser has sent wrongly its own fault.
func tooLarge(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return err
	}
	return &web.Refusal{Words: "上传没有完成，请重试。The upload did not arrive whole; try again."}
}

// previewed is what the page of a preview shows.
type previewed struct {
	Hash    string
	File    string
	Rows    []directory.Told
	More    int // rows that are not shown
	Counts  []count
	Refused int
	Nothing bool // no change at all
}

type count struct {
	Step directory.Step
	N    int
}

// listedRows bounds the rows of a preview's page: the refused ones first.
const listedRows = 500

// show keeps a preview and shows it.
func (p *pages) show(c *web.Call, x directory.Preview, file string) error {
	refusePast(c, x)
	v := previewed{Hash: x.Hash, File: file, Refused: x.Refused(), Nothing: len(x.Changes) == 0}
	n := make(map[directory.Step]int)
	for _, wanted := range []bool{true, false} {
		for _, t := range x.Tell() {
			if (t.Step == directory.Refuses) != wanted {
				continue
			}
			n[t.Step]++
			switch {
			case t.Step == directory.Keeps:
			case len(v.Rows) < listedRows:
				v.Rows = append(v.Rows, t)
			default:
				v.More++
			}
		}
	}
	for _, s := range directory.Steps() {
		if n[s] > 0 {
			v.Counts = append(v.Counts, count{s, n[s]})
		}
	}
	status := http.StatusOK
	if v.Refused > 0 {
		status = http.StatusUnprocessableEntity
	} else if err := p.directory.Keep(c.R.Context(), c.Person.Account, x); err != nil {
		return err
	}
	return c.ShowStatus(status, "organisation/preview", v)
}

// apply writes a preview as an act of the person.
func (p *pages) apply(c *web.Call, reason string, x directory.Preview) error {
	a, err := p.directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	act := journal.Act{Object: "organisation", By: c.Person.By, Domain: domain(a, x.Changes)}
	if grants := account.Grants(c.Person, account.EditDirectory); act.Domain == "" && len(grants) > 0 {
		act.Domain = grants[0].Area
	}
	if len(x.Lines) == 1 {
		act.Object = string(x.Lines[0].Record.Kind) + " " + x.Lines[0].Record.ID
	}
	return p.directory.Apply(c.R.Context(), c.Person.Account, reason, act, x)
}

// reasonOf returns why somebody changes something, or a Refusal.
func reasonOf(text string) (string, error) {
	reason := strings.TrimSpace(text)
	if n := utf8.RuneCountInString(reason); n < 2 || n > 200 {
		return "", &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请写明改动理由（2 至 200 字）。Say why."}
	}
	return reason, nil
}

// confirm writes the preview that the person was shown last.
func (p *pages) confirm(c *web.Call) error {
	reason, err := reasonOf(c.R.PostFormValue("reason"))
	if err != nil {
		return err
	}
	allowed := may(c, account.EditDirectory)
	x, err := p.directory.Kept(c.R.Context(), c.Person.Account, c.R.PostFormValue("hash"), allowed)
	if err == nil {
		err = p.apply(c, reason, x)
	}
	var f directory.Fault
	switch {
	case errors.Is(err, directory.ErrMeanwhile), errors.Is(err, directory.ErrRefused), errors.As(err, &f):
		return &web.Refusal{Status: http.StatusConflict, Words: err.Error()}
	case err != nil:
		return err
	}
	if len(x.Lines) == 1 && !x.Lines[0].Remove {
		r := x.Lines[0].Record
		return c.See("/organisation/of/" + string(r.Kind) + "/" + r.ID)
	}
	return c.See("/organisation")
}
