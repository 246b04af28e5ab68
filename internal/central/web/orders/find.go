package orders

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/rectify"
	"haochaping/internal/central/web"
)

// asked is what of the orders somebody asks for, as the form has it.
type asked struct {
	Words, Unit, State, From, To string
	Complaints, Late, Owed       bool
}

func askedOf(c *web.Call) asked {
	f := c.R.FormValue
	return asked{strings.TrimSpace(f("q")), strings.TrimSpace(f("unit")), f("state"), f("from"), f("to"), f("complaints") == "1",
		f("late") == "1", f("owed") == "1"}
}

// query returns the address of the search.
func (s asked) query() string {
	q := url.Values{}
	for name, v := range map[string]string{"q": s.Words, "unit": s.Unit, "state": s.State, "from": s.From, "to": s.To} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, v := range map[string]bool{"complaints": s.Complaints, "late": s.Late, "owed": s.Owed} {
		if v {
			q.Set(name, "1")
		}
	}
	return q.Encode()
}

// What a search asks for besides one state.
const (
	isOpen   = "open"
	isClosed = "ended"
)

// narrow makes a filter one for what is asked.
func (s asked) narrow(f rectify.Filter, now time.Time) (rectify.Filter, error) {
	if len([]rune(s.Words)) > 50 || len(s.Unit) > 64 {
		return f, &web.Refusal{Words: "要找的词太长。What to look for is too long."}
	}
	f.Words, f.Unit, f.Complaints, f.Owed = s.Words, s.Unit, s.Complaints, s.Owed
	var err error
	if f.From, err = day(s.From, 0); err == nil {
		f.To, err = day(s.To, 1)
	}
	if err != nil {
		return f, err
	}
	for _, x := range rectify.States() {
		if s.State == string(x) || s.State == isOpen && x.Open() || s.State == isClosed && !x.Open() {
			f.States = append(f.States, x)
		}
	}
	if s.State != "" && len(f.States) == 0 {
		return f, &web.Refusal{Words: "没有这个环节。There is no such state."}
	}
	if s.Late {
		f.DueBefore = now.UnixMilli()
	}
	return f, nil
}

// day returns when a day begins, or so many days later; 0 if none is said.
func day(s string, later int) (int64, error) {
	if s == "" {
		return 0, nil
	}
	t, err := time.ParseInLocation("2006-01-02", s, web.Zone())
	if err != nil {
		return 0, &web.Refusal{Words: "日期请写成 2027-01-31 的样子。Write the day as 2027-01-31."}
	}
	return t.AddDate(0, 0, later).UnixMilli(), nil
}

// choice is an option of a form.
type choice struct{ Value, Words string }

// searched is what the page of a search shows.
type searched struct {
	header
	Asked  asked
	Rows   []row
	More   string
	States []choice
	Review bool // the person may urge
	Back   string
}

func (p *pages) search(c *web.Call) error {
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	v := searched{Asked: askedOf(c), Review: c.Ever(account.ReviewOrders), States: []choice{{isOpen, "在办"}, {isClosed, "已了结"}}}
	for _, s := range rectify.States() {
		v.States = append(v.States, choice{string(s), s.Chinese()})
	}
	f, err := v.Asked.narrow(within(c, a, account.SeeOrders), c.Now())
	if err != nil {
		return err
	}
	if f.After, err = placeOf(c.R.FormValue("after")); err != nil {
		return err
	}
	read, place := p.Orders.Find, rectify.Listed.Opened
	if v.Asked.Late {
		read, place = p.Orders.Due, rectify.Listed.Place
	}
	some, next, err := p.walk(c, a, account.SeeOrders, f, shown, read, place)
	if err != nil {
		return err
	}
	for _, l := range some {
		v.Rows = append(v.Rows, p.row(a, l, c.Now()))
	}
	v.Back = "/orders/search?" + v.Asked.query()
	if next != (rectify.Place{}) {
		v.More = v.Back + "&after=" + placeText(next)
	}
	if v.header, err = p.header(c, a, "/orders/search"); err != nil {
		return err
	}
	return c.Show("orders/search", v)
}

// urged is what has become of a batch that was urged.
type urged struct {
	header
	Done    int
	Refused []refused
	Back    string
}

// refused is a part that was not urged, and why.
type refused struct{ Name, Words string }

// mostUrged bounds a batch.
const mostUrged = 100

// urge urges the parts that a form names (督促催办, article 8), each as an act of its own. One that has moved on meanwhile is named.
func (p *pages) urge(c *web.Call) error {
	if err := c.R.ParseForm(); err != nil {
		return &web.Refusal{Words: "表单读不懂。The form cannot be read."}
	}
	names := c.R.PostForm["order"]
	if len(names) == 0 || len(names) > mostUrged {
		return &web.Refusal{Status: http.StatusUnprocessableEntity,
			Words: fmt.Sprintf("请勾选 1 至 %d 份工单。Choose 1 to %d orders.", mostUrged, mostUrged)}
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return err
	}
	v := urged{Back: "/orders/search"}
	if back := c.R.PostFormValue("back"); strings.HasPrefix(back, "/orders/search?") {
		v.Back = back
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		words, err := p.urgeOne(c, a, name)
		switch {
		case err != nil:
			return err
		case words != "":
			id, _, _ := strings.Cut(name, ".")
			v.Refused = append(v.Refused, refused{id, words})
		default:
			v.Done++
		}
	}
	if v.header, err = p.header(c, a, "/orders/search"); err != nil {
		return err
	}
	status := http.StatusOK
	if v.Done == 0 {
		status = http.StatusUnprocessableEntity
	}
	return c.ShowStatus(status, "orders/urged", v)
}

// urgeOne urges a part that is named as 412-1.5130, the last number being the row of the journal that somebody has seen. It returns why it
// was not urged.
func (p *pages) urgeOne(c *web.Call, a *directory.Atlas, name string) (string, error) {
	const nothing = "没有这份工单"
	id, seen, _ := strings.Cut(name, ".")
	row, err := strconv.ParseInt(seen, 10, 64)
	if err != nil {
		return nothing, nil
	}
	_, k, err := p.named(c.R.Context(), id)
	if errors.Is(err, web.ErrNotFound) || err == nil && (k.Body.Secret ||
		!c.May(account.ReviewOrders, object(a, k.Body, directory.DayOf(c.Now())))) {
		return nothing, nil
	}
	if err != nil {
		return "", err
	}
	if k.Changed != row {
		return rectify.ErrMeanwhile.Error(), nil
	}
	_, err = p.Orders.Do(c.R.Context(), by(c), k, rectify.Event{Do: rectify.Urge}, c.R.PostFormValue("words"))
	var refusal *rectify.Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal.Chinese, nil
	case errors.Is(err, rectify.ErrMeanwhile):
		return rectify.ErrMeanwhile.Error(), nil
	}
	return "", err
}
