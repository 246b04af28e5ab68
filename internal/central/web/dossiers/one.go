package dossiers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/dossier"
	"haochaping/internal/central/report"
	"haochaping/internal/central/web"
)

// single is what the page of one dossier shows.
type single struct {
	row
	Door, DoorPath string
	Evidence       evidence
	Steps          []stepShown
	Deeds          []deed
	Problem        string
	MostWords      int
	MostDraft      int
	By             []string // who has approved it
}

// stepShown is an act of the history in words.
type stepShown struct {
	At, What, Who, Text string
	Erased              bool
}

// deed is something that the person may do now.
type deed struct {
	dossier.About
	Path  string
	Owner string // what the field of whoever is to do it is called, empty: there is none
	Soon  string // the first day that may be named
}

// show answers with the page as things stand now.
func (p *pages) show(c *web.Call, d door, status int, problem string) error {
	k, err := p.found(c, d)
	if err != nil {
		return err
	}
	v := single{row: p.row(c, d, k), Door: d.nav, DoorPath: address(d, k.Kind, k.State.Ended()), Problem: problem,
		MostWords: dossier.MostWords, MostDraft: dossier.MostDraft}
	if v.Evidence, err = p.evidence(c, k); err != nil {
		return err
	}
	o := objectOf(k.Dossier)
	for _, a := range k.Next() {
		if action, ok := d.hands[a.By]; ok && c.May(action, o) {
			x := deed{About: a, Path: fmt.Sprintf("%s/%s", v.Path, a.By),
				Soon: (directory.DayOf(c.Now()) + 1).String()}
			if a.Owner {
				x.Owner = ownerField(k.Kind)
			}
			v.Deeds = append(v.Deeds, x)
		}
	}
	for _, a := range k.By {
		v.By = append(v.By, p.Name(c.R.Context(), a))
	}
	if v.Steps, err = p.steps(c, k); err != nil {
		return err
	}
	return c.ShowStatus(status, "dossiers/one", v)
}

// ownerField names the field in which whoever is to do something stands.
func ownerField(k dossier.Kind) string {
	if k == dossier.Sign {
		return "核查人（登录名）"
	}
	return "承办单位（统一社会信用代码）"
}

// steps returns the history, the last act first.
func (p *pages) steps(c *web.Call, k dossier.Kept) (all []stepShown, err error) {
	history, err := p.Dossiers.History(c.R.Context(), k.ID)
	if err != nil {
		return nil, err
	}
	for _, h := range slices.Backward(history) {
		s := stepShown{At: web.Clock(h.At.UnixMilli()), What: "立卷", Who: "系统", Text: h.Text, Erased: h.Erased}
		if h.Source != dossier.Source {
			s.Who = p.Name(c.R.Context(), h.Source)
		}
		if a, ok := k.Kind.About(h.Do); ok {
			s.What = a.Chinese
			if h.Event.Owner != "" {
				s.What += "：" + p.owner(c, dossier.Dossier{Kind: k.Kind, Owner: h.Event.Owner})
			}
			if h.Event.Due != 0 {
				s.What += "，" + lastDay(h.Event.Due) + " 前"
			}
		}
		all = append(all, s)
	}
	return all, nil
}

// does does what a form says, by the door that the route is.
func (p *pages) does(c *web.Call, d door, hand dossier.Hand) error {
	k, err := p.found(c, d)
	if err != nil {
		return err
	}
	seen, err := strconv.ParseInt(c.R.PostFormValue("seen"), 10, 64)
	if err != nil {
		return p.show(c, d, http.StatusConflict, dossier.ErrMeanwhile.Error())
	}
	in := wish{Deed: dossier.Deed(c.R.PostFormValue("deed")), Changed: seen, Words: c.R.PostFormValue("words"),
		Owner: c.R.PostFormValue("owner"), Due: c.R.PostFormValue("due"), Draft: c.R.PostFormValue("draft")}
	_, err = p.do(c, k, hand, in)
	var refusal *dossier.Refusal
	switch {
	case errors.As(err, &refusal):
		return p.show(c, d, http.StatusUnprocessableEntity, refusal.Chinese)
	case errors.Is(err, dossier.ErrMeanwhile):
		return p.show(c, d, http.StatusConflict, dossier.ErrMeanwhile.Error())
	case err != nil:
		return err
	}
	return c.See(fmt.Sprintf("%s/of/%d", d.path, k.ID))
}

// wish is what somebody wants to be done, as forms and programs say it.
type wish struct {
	Deed    dossier.Deed `json:"deed"`
	Changed int64        `json:"changed"`
	Words   string       `json:"words"`
	Owner   string       `json:"owner"`
	Due     string       `json:"due"`
	Draft   string       `json:"draft"`
}

// do does something about a dossier as somebody has seen it. The door says for whose hand it is: nobody does by one what is another's.
func (p *pages) do(c *web.Call, k dossier.Kept, hand dossier.Hand, in wish) (dossier.Kept, error) {
	a, ok := k.Kind.About(in.Deed)
	if !ok || a.By != hand {
		return k, &dossier.Refusal{Chinese: "没有这一操作，请重新选择。", English: "There is no such deed by this door."}
	}
	if in.Changed != k.Changed {
		return k, dossier.ErrMeanwhile
	}
	e := dossier.Event{Do: in.Deed, Draft: strings.ReplaceAll(in.Draft, "\r\n", "\n")}
	var err error
	if a.Owner {
		if e.Owner, err = p.named(c, k, strings.TrimSpace(in.Owner)); err != nil {
			return k, err
		}
	}
	if in.Due != "" {
		day, err := directory.ParseDay(in.Due)
		if err != nil {
			return k, &dossier.Refusal{Chinese: "期限请写成 2027-01-31 的样子。", English: "Write the day as 2027-01-31."}
		}
		e.Due = (day + 1).Start().UnixMilli()
	}
	if in.Deed == dossier.Publish {
		if e.After, err = p.Dossiers.Published(c.R.Context(), k.Kind); err != nil {
			return k, err
		}
		if err := p.Publications.Check(c.R.Context(), k); errors.Is(err, report.ErrStale) {
			chinese, english, _ := strings.Cut(err.Error(), " · ")
			return k, &dossier.Refusal{Chinese: chinese, English: english}
		} else if err != nil {
			return k, err
		}
	}
	return p.Dossiers.Do(c.R.Context(), dossier.By{Account: c.Person.Account, Session: c.Person.By}, k, e, in.Words)
}

// named returns who is to do something: for a sign an account that may work on it, else a unit.
func (p *pages) named(c *web.Call, k dossier.Kept, name string) (string, error) {
	if k.Kind == dossier.Sign {
		x, grants, err := p.Find(c.R.Context(), name)
		who := account.Person{Account: x.ID, Grants: grants, At: c.Now().UnixMilli(), Second: true}
		if errors.Is(err, account.ErrNoAccount) || err == nil && (x.Disabled || !account.May(who, account.WorkIntegrity, objectOf(k.Dossier))) {
			return "", &dossier.Refusal{Chinese: "没有这个账号，或其无权核查这里的疑点。",
				English: "There is no such account, or it may not work on signs of this place."}
		}
		return x.ID, err
	}
	a, err := p.Directory.Atlas(c.R.Context())
	if err != nil {
		return "", err
	}
	if _, ok := a.At(directory.Unit, name, directory.DayOf(c.Now())); !ok {
		return "", &dossier.Refusal{Chinese: "机构信息中没有这个单位，请填写统一社会信用代码。", English: "The organisation has no such unit; write its credit code."}
	}
	return name, nil
}

// told is a dossier as programs read it.
type told struct {
	ID       int64         `json:"id"`
	Kind     dossier.Kind  `json:"kind"`
	Title    string        `json:"title"`
	State    dossier.State `json:"state"`
	Means    string        `json:"means"` // in Chinese
	Area     string        `json:"area,omitempty"`
	Hall     string        `json:"hall,omitempty"`
	Unit     string        `json:"unit,omitempty"`
	Opened   time.Time     `json:"opened_at"`
	Since    time.Time     `json:"since"`
	Owner    string        `json:"owner,omitempty"`
	Due      *time.Time    `json:"due,omitempty"`
	Late     bool          `json:"late"`
	Changed  int64         `json:"changed"`
	Ended    dossier.Deed  `json:"ended_by,omitempty"`
	Evidence *evidence     `json:"evidence,omitempty"`
	History  []toldStep    `json:"history,omitempty"`
}

type toldStep struct {
	At    time.Time    `json:"at"`
	Do    dossier.Deed `json:"do,omitempty"` // nothing where it was opened
	By    string       `json:"by"`
	Wrote bool         `json:"wrote"` // somebody has written something, which the pages show
}

func toldOf(c *web.Call, k dossier.Kept) told {
	t := told{ID: k.ID, Kind: k.Kind, Title: k.Title, State: k.State, Means: k.State.Chinese(k.Kind), Area: k.Area,
		Hall:   k.Hall,
		Opened: time.UnixMilli(k.Opened).In(web.Zone()), Since: time.UnixMilli(k.Since).In(web.Zone()), Owner: k.Owner,
		Late: k.Late(c.Now()), Changed: k.Changed, Ended: k.Ended}
	if len(k.Units) > 0 {
		t.Unit = k.Units[0]
	}
	if k.Due > 0 {
		due := time.UnixMilli(k.Due).In(web.Zone())
		t.Due = &due
	}
	return t
}

// listForPrograms answers with the dossiers that the person may see, the newest first.
func (p *pages) listForPrograms(c *web.Call, d door) error {
	if err := c.Query("kind", "state", "cursor", "limit"); err != nil {
		return err
	}
	most, err := c.Limit()
	if err != nil {
		return err
	}
	f, err := asked(c, d, "cursor")
	if err != nil {
		return err
	}
	some, next, err := p.find(c, d, f, most)
	if err != nil {
		return err
	}
	var items []told
	for _, k := range some {
		items = append(items, toldOf(c, k))
	}
	if next == 0 {
		return web.List(c, items, "")
	}
	return web.List(c, items, strconv.FormatInt(next, 10))
}

// tell answers with one dossier, what was found, and its history, the last act first.
func (p *pages) tell(c *web.Call, d door) error {
	k, err := p.found(c, d)
	if err != nil {
		return err
	}
	t := toldOf(c, k)
	e, err := p.evidence(c, k)
	if err != nil {
		return err
	}
	t.Evidence = &e
	history, err := p.Dossiers.History(c.R.Context(), k.ID)
	if err != nil {
		return err
	}
	for _, h := range slices.Backward(history) {
		t.History = append(t.History, toldStep{h.At.In(web.Zone()), h.Do, h.Source, h.Text != "" || h.Erased})
	}
	return c.JSON(t)
}

// doesForPrograms does what a program says about a dossier as it has seen it, and answers with the dossier.
func (p *pages) doesForPrograms(c *web.Call, d door, hand dossier.Hand) error {
	var in wish
	if err := c.Body(&in); err != nil {
		return err
	}
	k, err := p.found(c, d)
	if err != nil {
		return err
	}
	k, err = p.do(c, k, hand, in)
	var refusal *dossier.Refusal
	switch {
	case errors.As(err, &refusal):
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: refusal.Error()}
	case errors.Is(err, dossier.ErrMeanwhile):
		return &web.Refusal{Status: http.StatusConflict, Words: err.Error()}
	case err != nil:
		return err
	}
	return c.JSON(toldOf(c, k))
}

// Accounts is what Find is made from.
type Accounts interface {
	ByLogin(context.Context, string) (account.Account, error)
	Grants(context.Context, string) ([]account.Grant, error)
}

// FindIn returns the function Find of some accounts.
func FindIn(a Accounts) func(context.Context, string) (account.Account, []account.Grant, error) {
	return func(ctx context.Context, login string) (account.Account, []account.Grant, error) {
		x, err := a.ByLogin(ctx, login)
		if err != nil {
			return x, nil, err
		}
		grants, err := a.Grants(ctx, x.ID)
		return x, grants, err
	}
}
