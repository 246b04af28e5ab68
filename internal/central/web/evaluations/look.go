package evaluations

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/books"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
)

// text shows what the citizen has written, for a reason that is entered first.
func (p *pages) text(c *web.Call) error {
	v, err := p.look(c, account.SeeText)
	if err != nil || v.Problem != "" {
		return p.answer(c, v, err)
	}
	pos, part := v.Pos()
	v.Shown = true
	v.Said, v.Erased, err = p.read(c.R.Context(), pos, part)
	return p.answer(c, v, err)
}

// identity shows how the applicants of the cases are reached, for a reason that is entered first.
func (p *pages) identity(c *web.Call) error {
	v, err := p.look(c, account.SeeIdentity)
	if err != nil || v.Problem != "" {
		return p.answer(c, v, err)
	}
	v.ShownWho = true
	for _, x := range v.Detail.Contests {
		if x.File == nil || x.File.Contact == 0 {
			continue
		}
		pos, part := books.Entry{Cursor: x.File.Contact}.Pos()
		number, erased, err := p.read(c.R.Context(), pos, part)
		if err != nil {
			return err
		}
		v.Contacts = append(v.Contacts, contact{x.Item.Case.Project, number, erased})
	}
	return p.answer(c, v, nil)
}

// look reads the evaluation that the address names and enters that somebody looks. What is wrong with the reason stands on the page.
func (p *pages) look(c *web.Call, do account.Action) (single, error) {
	o, err := p.object(c)
	if err != nil {
		return single{}, err
	}
	v, err := p.single(c)
	if err != nil {
		return v, err
	}
	var refusal *web.Refusal
	err = c.Look(do, o, "evaluation "+strconv.FormatInt(v.Cursor, 10), c.R.FormValue("reason"))
	if errors.As(err, &refusal) {
		v.Problem, v.ProblemOf, err = refusal.Words, string(do), nil
	}
	return v, err
}

func (p *pages) answer(c *web.Call, v single, err error) error {
	switch {
	case err != nil:
		return err
	case v.Problem != "":
		return c.ShowStatus(http.StatusUnprocessableEntity, "evaluations/one", v)
	}
	return c.Show("evaluations/one", v)
}

// read returns a text of the journal, and whether it was erased.
func (p *pages) read(ctx context.Context, pos int64, part int) (string, bool, error) {
	text, err := p.Journal.Text(ctx, pos, part)
	if errors.Is(err, journal.ErrErased) {
		return "", true, nil
	}
	return text, false, err
}

// Bounds of a search in texts.
const (
	mostDays = 31
	mostRead = 500 // texts of one page
)

// searched is what the page of a search in texts shows.
type searched struct {
	Filter  filter
	Words   string
	Reason  string
	Rows    []said
	Read    int
	Problem string
	Done    bool
	After   string // where the rest begins
	Looked  string // how far back was looked
}

// said is an evaluation with its text.
type said struct {
	row
	Text string
}

// Fields returns the filter as the form repeats it.
func (s searched) Fields() url.Values {
	fields := make(url.Values)
	for name, values := range s.Filter.query {
		if name != "from" && name != "to" && name != "text" {
			fields[name] = values
		}
	}
	return fields
}

// askTexts shows the form of a search in texts.
func (p *pages) askTexts(c *web.Call) error {
	v := searched{Filter: filterOf(c.R.URL.Query())}
	if v.Filter.From == "" {
		today := directory.DayOf(c.Now())
		v.Filter.From, v.Filter.To = (today - mostDays + 1).String(), today.String()
	}
	return c.Show("evaluations/texts", v)
}

// texts searches in what citizens have written: one look, for one reason, at no more than 31 days.
func (p *pages) texts(c *web.Call) error {
	if err := c.R.ParseForm(); err != nil {
		return &web.Refusal{Words: "表单读不懂。The form cannot be read."}
	}
	v := searched{Filter: filterOf(c.R.PostForm), Words: strings.TrimSpace(c.R.PostForm.Get("q")), Reason: c.R.PostForm.Get("reason")}
	var refusal *web.Refusal
	err := p.searchTexts(c, &v)
	if errors.As(err, &refusal) {
		v.Problem = refusal.Words
		return c.ShowStatus(http.StatusUnprocessableEntity, "evaluations/texts", v)
	}
	if err != nil {
		return err
	}
	return c.Show("evaluations/texts", v)
}

func (p *pages) searchTexts(c *web.Call, v *searched) error {
	q, err := p.search(c, v.Filter, account.SeeText)
	if err != nil {
		return err
	}
	if q.From.IsZero() || q.To.IsZero() || q.To.Sub(q.From) > mostDays*24*time.Hour {
		return &web.Refusal{Words: "在文字中查找须写明起止日期，且不超过 31 天。A search in texts names its days, 31 at most."}
	}
	if n := len([]rune(v.Words)); n < 1 || n > 50 {
		return &web.Refusal{Words: "请写明要找的词（1 至 50 字）。Say what to look for."}
	}
	after, err := books.ParseCursor(c.R.PostForm.Get("after"))
	if err != nil {
		return &web.Refusal{Words: "这个地址不完整，请重新查找。The form names no place in the list."}
	}
	if err := c.LookThrough(account.SeeText, "texts "+strconv.Quote(v.Words)+" "+v.Filter.Query(), v.Reason); err != nil {
		return err
	}
	q.Text, v.Done = true, true
	found, err := p.Books.Search(c.R.Context(), q, after, mostRead)
	if err != nil {
		return err
	}
	for _, e := range found.Entries {
		pos, part := e.Pos()
		text, _, err := p.read(c.R.Context(), pos, part)
		if err != nil {
			return err
		}
		v.Read++
		if strings.Contains(strings.ToLower(text), strings.ToLower(v.Words)) {
			v.Rows = append(v.Rows, said{p.row(e), text})
		}
	}
	if found.Next != (books.Cursor{}) {
		v.After, v.Looked = found.Next.String(), clock(time.UnixMilli(found.Next.Moment))
	}
	return nil
}
