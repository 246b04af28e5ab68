package paper

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/intake"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

//go:embed *.html
var files embed.FS

// Config holds what the pages need.
type Config struct {
	Directory *directory.Directory
	Room      Room
}

// Room takes what is read on forms.
type Room interface {
	Enter(ctx context.Context, w rating.Window, e intake.PaperEntry, who intake.Enterer, replace bool) (intake.Entered, []string, error)
	WaitingPlaces(ctx context.Context) ([]string, error)
	WaitingForms(ctx context.Context, account string, windows []string, n int) ([]intake.Waiting, error)
}

type pages struct{ Config }

// listed bounds the forms that a page lists.
const listed = 500

// Section returns the pages' routes.
func Section(cfg Config) web.Section {
	p := &pages{cfg}
	enter := account.EnterPaper
	return web.Section{Name: "paper", Files: files, Needs: p.needs, Routes: []web.Route{
		{Method: "GET", Path: "/paper", Action: enter, Nav: "书面评价", Do: p.list},
		{Method: "POST", Path: "/paper", Action: enter, Do: p.enter},
		{Method: "POST", Path: "/paper/import", Action: enter, Do: p.file, MaxBody: intake.MaxPaperFile + 64<<10},
		{Method: "GET", Path: "/paper/form/{window}", Action: enter, Object: p.object, Do: p.form},
	}}
}

// place returns a window as the organisation has it today, if the person may enter its forms.
func (p *pages) place(c *web.Call, id string) (rating.Window, bool, error) {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return rating.Window{}, false, err
	}
	at, ok := a.Window(strings.TrimSpace(id), directory.DayOf(c.Now()))
	if !ok || !c.May(account.EnterPaper, objectOf(at)) {
		return rating.Window{}, false, nil
	}
	return rating.Window{ID: at.Window.ID, Name: at.Window.Name, Hall: at.Hall.Name, Area: at.Area().ID, Generation: 1}, true, nil
}

func objectOf(at directory.Place) account.Object {
	o := account.Object{Area: at.Area().ID, Hall: at.Hall.ID}
	for _, u := range at.Units {
		o.Units = append(o.Units, u.ID)
	}
	return o
}

// object finds the window that an address names.
func (p *pages) object(c *web.Call) (account.Object, error) {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return account.Object{}, err
	}
	at, ok := a.Window(c.R.PathValue("window"), directory.DayOf(c.Now()))
	if !ok {
		return account.Object{}, web.ErrNotFound
	}
	return objectOf(at), nil
}

func who(c *web.Call) intake.Enterer {
	return intake.Enterer{Account: c.Person.Account, Name: c.Person.Login}
}

// waiting returns the forms that wait for a second person, of the windows whose forms the person enters.
func (p *pages) waiting(c *web.Call) (all []intake.Waiting, err error) {
	windows, err := p.Room.WaitingPlaces(c.R.Context())
	if err != nil {
		return nil, err
	}
	var mine []string
	for _, id := range windows {
		_, ok, err := p.place(c, id)
		if err != nil {
			return nil, err
		}
		if ok {
			mine = append(mine, id)
		}
	}
	return p.Room.WaitingForms(c.R.Context(), c.Person.Account, mine, listed)
}

func (p *pages) needs(c *web.Call) ([]web.Need, error) {
	if !c.Ever(account.EnterPaper) {
		return nil, nil
	}
	all, err := p.waiting(c)
	n := 0
	for _, f := range all {
		if !f.Mine {
			n++
		}
	}
	if err != nil || n == 0 {
		return nil, err
	}
	return []web.Need{{Words: fmt.Sprintf("%d 张书面评价表等待第二人录入核对", n), Path: "/paper"}}, nil
}

// shown is what the page shows.
type shown struct {
	Window   string
	Entry    intake.PaperEntry
	Levels   [5]rating.Level
	Problem  *intake.Fault
	Done     string   // good news
	Differs  []string // fields
	Waiting  []intake.Waiting
	Clock    func(int64) string
	Columns  []string
	Report   []told
	Imported bool
	Counts   map[string]int
}

func (p *pages) show(c *web.Call, status int, v shown) error {
	var err error
	if v.Waiting, err = p.waiting(c); err != nil {
		return err
	}
	v.Levels, v.Clock, v.Columns = rating.Levels(), web.Clock, intake.PaperColumns()
	return c.ShowStatus(status, "paper/paper", v)
}

func (p *pages) list(c *web.Call) error {
	return p.show(c, http.StatusOK, shown{Window: c.R.URL.Query().Get("window")})
}

// form serves the printable form of a window.
func (p *pages) form(c *web.Call) error {
	w, ok, err := p.place(c, c.R.PathValue("window"))
	if err != nil {
		return err
	}
	if !ok {
		return web.ErrNotFound
	}
	c.W.Header().Set("Content-Type", "application/pdf")
	c.W.Header().Set("Content-Disposition", `inline; filename="form.pdf"`)
	_, _ = c.W.Write(intake.Form(w)) // a failing write means that the reader is gone
	return nil
}

// noWindow is said of a window that is not known, and of one of somebody else.
var noWindow = intake.Fault{Chinese: "没有这个窗口，或不在您的范围内", English: "no such window is known"}

// words says what has become of an entry.
func words(e intake.Entered) string {
	return map[intake.Entered]string{
		intake.EnteredFirst:  "已保存第一次录入，等待另一人录入核对",
		intake.EnteredSaved:  "两人录入一致，已计入",
		intake.EnteredBefore: "这张表此前已经计入，未重复保存",
		intake.EnteredSame:   "您已录入过这张表，须由另一人核对",
	}[e]
}

// enter takes the form that somebody has read.
func (p *pages) enter(c *web.Call) error {
	f := c.R.PostFormValue
	v := shown{Window: strings.TrimSpace(f("window")), Entry: intake.PaperEntry{Number: f("number"), Day: f("day"), StaffID: f("staff_id"),
		Area: f("area"), ProjectNo: f("project_no"), Text: f("text")}}
	fail := func(x intake.Fault) error {
		v.Problem = &x
		return p.show(c, http.StatusUnprocessableEntity, v)
	}
	var err error
	if v.Entry.Staff, err = intake.ParsePaperLevel(f("staff")); err == nil {
		v.Entry.Matter, err = intake.ParsePaperLevel(f("matter"))
	}
	if x, ok := intake.IsFault(err); ok {
		return fail(x)
	}
	w, ok, err := p.place(c, v.Window)
	if err != nil {
		return err
	}
	if !ok {
		return fail(noWindow)
	}
	out, fields, err := p.Room.Enter(c.R.Context(), w, v.Entry, who(c), f("replace") == "1")
	if x, ok := intake.IsFault(err); ok {
		return fail(x)
	}
	if err != nil {
		return err
	}
	if out == intake.EnteredDiffers {
		v.Differs = fields
		return p.show(c, http.StatusConflict, v)
	}
	return p.show(c, http.StatusOK, shown{Window: v.Window, Done: "表号 " + v.Entry.Number + "：" + words(out)})
}

// told is what has become of a line of a file.
type told struct {
	Line    int
	Number  string
	Words   string
	Refused bool
}

// file takes a file of forms, line by line: what cannot be taken is named with its reason, and the rest is taken.
func (p *pages) file(c *web.Call) error {
	fail := func(x intake.Fault) error {
		return p.show(c, http.StatusUnprocessableEntity, shown{Problem: &x})
	}
	in, _, err := c.R.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) {
		return fail(intake.Fault{Chinese: "请选择一个文件", English: "choose a file"})
	}
	if err != nil {
		return broken(err)
	}
	b, err := io.ReadAll(io.LimitReader(in, intake.MaxPaperFile+1))
	if err = errors.Join(err, in.Close(), c.R.MultipartForm.RemoveAll()); err != nil {
		return broken(err)
	}
	if len(b) > intake.MaxPaperFile {
		return fail(intake.Fault{Chinese: "文件超过 1 MB，请分成几个", English: "the file is larger than 1 MB"})
	}
	lines, err := intake.ParsePaper(b)
	if x, ok := intake.IsFault(err); ok {
		return fail(x)
	}
	if err != nil {
		return err
	}
	v := shown{Imported: true, Counts: make(map[string]int)}
	for _, l := range lines {
		t, err := p.take(c, l)
		if err != nil {
			return err
		}
		if t.Refused {
			v.Counts["refused"]++
			v.Report = append(v.Report, t)
		} else {
			v.Counts[t.Words]++
		}
	}
	return p.show(c, http.StatusOK, v)
}

// broken makes what a browser has sent wrongly its own fault.
func broken(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return &web.Refusal{Words: "上传没有完成，请重试。The upload did not arrive whole; try again."}
}

func (p *pages) take(c *web.Call, l intake.PaperLine) (told, error) {
	t := told{Line: l.Line, Number: l.Entry.Number}
	w, ok, err := p.place(c, l.Window)
	if err != nil {
		return t, err
	}
	if l.Fault == nil && !ok {
		l.Fault = noWindow
	}
	var out intake.Entered
	var fields []string
	if err = l.Fault; err == nil {
		out, fields, err = p.Room.Enter(c.R.Context(), w, l.Entry, who(c), false)
	}
	x, fault := intake.IsFault(err)
	switch {
	case fault:
		t.Words, t.Refused = x.Chinese, true
	case err != nil:
		return t, err
	case out == intake.EnteredDiffers:
		t.Words, t.Refused = "与另一人的录入不一致："+strings.Join(fields, "、"), true
	case out == intake.EnteredSame:
		t.Words, t.Refused = words(out), true
	default:
		t.Words = words(out)
	}
	return t, nil
}
