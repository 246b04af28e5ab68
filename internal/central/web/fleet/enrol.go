package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/central/web/scope"
	"haochaping/internal/rating"
)

// mostCodes bounds the boxes that are accepted together.
const mostCodes = 60

// enrolView is the page on which boxes are let in.
type enrolView struct {
	Ready   bool // the centre lets boxes in by codes
	Typed   string
	Boxes   []newBox
	Unknown []string // codes that no box shows
	Halls   []hallChoice
	Hall    string
	Full    bool // the hall has fewer windows without a box than boxes wait
	Done    []doneBox
}

// newBox is a box that waits.
type newBox struct {
	Code, Digits string
	Device       rating.DeviceID
	Windows      []windowChoice
	Again        bool // it is enrolled already
}

type hallChoice struct {
	ID, Name string
	Chosen   bool
}

type windowChoice struct {
	ID, Name string
	Chosen   bool
}

// doneBox is a box that was accepted a moment ago.
type doneBox struct {
	Device rating.DeviceID
	Name   string
	Online bool
}

// codesOf returns the codes that were typed or scanned, each once.
func codesOf(values []string) (all []string) {
	for _, v := range values {
		for _, word := range strings.FieldsFunc(v, func(c rune) bool { return strings.ContainsRune(" \t\r\n,;，；、", c) }) {
			if code := enrol.CleanCode(word); !slices.Contains(all, code) && len(all) < mostCodes {
				all = append(all, code)
			}
		}
	}
	return all
}

// enrolling shows the boxes of some codes, and where they may go.
func (p *pages) enrolling(c *web.Call) error {
	v := enrolView{Ready: p.Enrol != nil && p.Enrol.Authority() != nil}
	if !v.Ready {
		return c.Show("fleet/enrol", v)
	}
	ctx, query := c.R.Context(), c.R.URL.Query()
	codes := codesOf(query["code"])
	v.Typed = strings.Join(codes, " ")
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	lastHall, lastWindow, err := p.Enrol.Last(ctx, c.Person.Account)
	if err != nil {
		return err
	}
	v.Halls = p.hallChoices(c, a, cmp.Or(query.Get("hall"), lastHall))
	for _, h := range v.Halls {
		if h.Chosen {
			v.Hall = h.ID
		}
	}
	if v.Done, err = p.doneBoxes(c, query["done"]); err != nil {
		return err
	}
	free, err := p.freeWindows(c, a, v.Hall, lastWindow)
	if err != nil {
		return err
	}
	for _, code := range codes {
		x, err := p.Enrol.Find(ctx, code)
		if errors.Is(err, enrol.ErrNoCode) {
			v.Unknown = append(v.Unknown, code)
			continue
		}
		if err != nil {
			return err
		}
		b := newBox{Code: x.Code, Digits: x.Digits, Device: x.Device}
		d, err := p.Fleet.Device(ctx, x.Device)
		switch {
		case err == nil:
			b.Again = true
			if place, ok := a.Window(d.Window.ID, directory.DayOf(c.Now())); ok && place.Hall.ID == v.Hall {
				b.Windows = append(b.Windows, windowChoice{d.Window.ID, d.Window.Name, true})
			}
		case !errors.Is(err, fleet.ErrNoDevice):
			return err
		}
		at := len(v.Boxes)
		v.Full = v.Full || !b.Again && at >= len(free)
		for i, w := range free {
			b.Windows = append(b.Windows, windowChoice{w.ID, w.Name, !b.Again && i == at})
		}
		v.Boxes = append(v.Boxes, b)
	}
	return c.Show("fleet/enrol", v)
}

// hallChoices returns the halls in which the person may enrol boxes. The only one is chosen.
func (p *pages) hallChoices(c *web.Call, a *directory.Atlas, chosen string) (all []hallChoice) {
	day := directory.DayOf(c.Now())
	for h := range a.Each(directory.Hall, day) {
		if c.May(account.EditBoxes, hallAt(a, h, day)) {
			all = append(all, hallChoice{h.ID, h.Name, h.ID == chosen})
		}
	}
	slices.SortFunc(all, func(x, y hallChoice) int { return cmp.Compare(x.ID, y.ID) })
	if len(all) == 1 {
		all[0].Chosen = true
	}
	return all
}

// freeWindows returns the windows of a hall that have no box, in their order, those behind the last one first.
func (p *pages) freeWindows(c *web.Call, a *directory.Atlas, hall, last string) ([]directory.Record, error) {
	var all []directory.Record
	var ids []string
	for w := range a.Each(directory.Window, directory.DayOf(c.Now())) {
		if hall != "" && w.Hall == hall {
			all = append(all, w)
			ids = append(ids, w.ID)
		}
	}
	taken, err := p.Fleet.At(c.R.Context(), ids)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(w directory.Record) bool {
		return slices.ContainsFunc(taken, func(s fleet.State) bool { return s.Window.ID == w.ID })
	})
	slices.SortFunc(all, func(x, y directory.Record) int {
		return cmp.Or(boolOrder(naturally(x.ID, last) < 0, naturally(y.ID, last) < 0), naturally(x.ID, y.ID))
	})
	return all, nil
}

func boolOrder(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// naturally compares two numbers of windows as people count: A9 before A10.
func naturally(x, y string) int {
	for x != "" && y != "" {
		nx, ny := digits(x), digits(y)
		if nx > 0 && ny > 0 {
			a, b := strings.TrimLeft(x[:nx], "0"), strings.TrimLeft(y[:ny], "0")
			if by := cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)); by != 0 {
				return by
			}
			x, y = x[nx:], y[ny:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Compare(len(x), len(y))
}

// digits returns how many digits a text begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// doneBoxes returns how boxes are that were accepted a moment ago, those that the person may see.
func (p *pages) doneBoxes(c *web.Call, names []string) (all []doneBox, err error) {
	a, err := p.atlas(c)
	if err != nil {
		return nil, err
	}
	for _, name := range names[:min(len(names), mostCodes)] {
		s, err := p.Fleet.State(c.R.Context(), rating.DeviceID(name))
		if errors.Is(err, fleet.ErrNoDevice) {
			continue
		}
		if err != nil {
			return nil, err
		}
		place, ok := a.Window(s.Window.ID, directory.DayOf(c.Now()))
		if !ok || !c.May(account.SeeBoxes, hallAt(a, place.Hall, directory.DayOf(c.Now()))) {
			continue
		}
		all = append(all, doneBox{s.ID, s.Window.Name, reached(s.Standing(c.Now()))})
	}
	return all, nil
}

// accept lets boxes in, each for its window.
func (p *pages) accept(c *web.Call) error {
	if p.Enrol == nil || p.Enrol.Authority() == nil {
		return web.ErrNotFound
	}
	ctx, hall := c.R.Context(), c.R.PathValue("hall")
	if err := c.R.ParseForm(); err != nil {
		return &web.Refusal{Words: "表单不完整，请重试。The form is not complete."}
	}
	codes, windows := c.R.PostForm["code"], c.R.PostForm["window"]
	if len(codes) == 0 || len(codes) != len(windows) || len(codes) > mostCodes {
		return &web.Refusal{Words: "请先输入评价器屏幕上的配对码。Type the code on the box's screen first."}
	}
	for i, w := range windows {
		if w == "" || slices.Contains(windows[:i], w) {
			return conflict("每台评价器须选一个不同的窗口，没有接受任何一台。Choose another window for each box; none was accepted.")
		}
	}
	posts, err := p.Directory.Posts(ctx, directory.DayOf(c.Now()))
	if err != nil {
		return err
	}
	done := url.Values{"hall": {hall}}
	for i, code := range codes {
		d, err := p.acceptOne(c, posts, hall, code, windows[i])
		if err != nil && i > 0 {
			var refusal *web.Refusal
			if errors.As(err, &refusal) {
				refusal.Words = fmt.Sprintf("前 %d 台已接受，第 %d 台没有：%s", i, i+1, refusal.Words)
			}
		}
		if err != nil {
			return err
		}
		done.Add("done", string(d))
	}
	return c.See("/fleet/enrol?" + done.Encode())
}

func (p *pages) acceptOne(c *web.Call, posts *directory.Posts, hall, code, window string) (rating.DeviceID, error) {
	ctx := c.R.Context()
	x, err := p.Enrol.Find(ctx, code)
	if errors.Is(err, enrol.ErrNoCode) {
		return "", conflict("没有评价器正在显示配对码 " + code + "：它已被接受，或配对码已更换，请看屏幕。No box shows this code now.")
	}
	if err != nil {
		return "", err
	}
	a, err := p.atlas(c)
	if err != nil {
		return "", err
	}
	place, ok := a.Window(window, directory.DayOf(c.Now()))
	if !ok || place.Hall.ID != hall {
		return "", conflict("窗口 " + window + " 不在这个大厅。The window is not of this hall.")
	}
	if err := p.vacant(ctx, x, window); err != nil {
		return "", err
	}
	d := fleet.Device{ID: x.Device, Key: x.Record, EnrolledAt: c.Now()}
	before, err := p.Fleet.Device(ctx, x.Device)
	switch {
	case err == nil && !c.May(account.EditBoxes, standsAt(a, before, c.Now())):
		return "", conflict("这台评价器登记在您管理范围以外的窗口，请联系设备运维。The box serves a window that is not within your role.")
	case err == nil:
		d = before
	case !errors.Is(err, fleet.ErrNoDevice):
		return "", err
	}
	w, people, err := posts.Texts(window)
	if err != nil {
		return "", err
	}
	if d.Window.ID != window || !d.Follows {
		d.Window.Generation++
		d = d.Serve(w, people)
	}
	// The enrolment first: who does this twice changes nothing, and a box that is accepted is always one of the fleet.
	if err := p.Fleet.Put(ctx, d); err != nil {
		return "", err
	}
	data, err := json.Marshal(map[string]string{"window": window, "digits": x.Digits, "address": x.Address})
	if err != nil {
		return "", err
	}
	act := journal.Act{Do: "enrol.accept", Object: string(x.Device), Data: data, Domain: place.Hall.Area}
	err = c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		return enrol.Accept(ctx, tx, x, hall, window, c.Person.Account, c.Now())
	})
	if errors.Is(err, enrol.ErrNoCode) {
		return "", conflict("这台评价器刚刚已被接受。The box was accepted a moment ago.")
	}
	return x.Device, err
}

// standsAt returns where an enrolled box stands. One that was entered by hand stands at the organisation's window of that id, else in the area that was said.
func standsAt(a *directory.Atlas, d fleet.Device, now time.Time) account.Object {
	if d.Follows {
		return scope.At(a, d.ID, d.Window, now)
	}
	if p, ok := a.Window(d.Window.ID, directory.DayOf(now)); ok {
		return scope.ObjectOf(p)
	}
	return account.Object{Area: d.Window.Area}
}

// vacant reports why a box cannot be enrolled for a window.
func (p *pages) vacant(ctx context.Context, x enrol.Pending, window string) error {
	there, err := p.Fleet.At(ctx, []string{window})
	if err != nil {
		return err
	}
	for _, s := range there {
		if s.ID != x.Device {
			return conflict("窗口 " + window + " 已有评价器 " + string(s.ID) + "。The window has a box already.")
		}
	}
	other, err := p.Fleet.Holder(ctx, x.Record)
	if err == nil && other != "" && other != x.Device {
		return conflict("这台评价器的密钥已登记为 " + string(other) + "：存储卡可能是复制的，请重新写卡。Its card may be a copy of another box's.")
	}
	return err
}

// revoke says that no certificate of a box opens anything any more.
func (p *pages) revoke(c *web.Call) error {
	id := rating.DeviceID(c.R.PathValue("device"))
	reason := strings.TrimSpace(c.R.FormValue("reason"))
	if reason == "" || len(reason) > 600 {
		return &web.Refusal{Status: http.StatusUnprocessableEntity, Words: "请写明吊销的理由，如“被盗”。Say why."}
	}
	where, err := p.boxObject(c)
	if err != nil {
		return err
	}
	err = c.Act(journal.Act{Do: "enrol.revoke", Object: string(id), Reason: reason, Domain: where.Area}, func(ctx context.Context, tx *db.Tx, _ int64) error {
		_, err := enrol.Revoke(ctx, tx, id, c.Now())
		return err
	})
	if err != nil {
		return err
	}
	return c.See("/fleet/boxes/" + string(id) + "#certificate")
}

// certificateRow is a certificate of a box's page.
type certificateRow struct{ Serial, Issued, Ends, Revoked string }

// certificates returns the certificates of a box for its page.
func (p *pages) certificates(ctx context.Context, id rating.DeviceID) (rows []certificateRow, live bool, err error) {
	if p.Enrol == nil {
		return nil, false, nil
	}
	const shown = 3
	all, err := p.Enrol.Certificates(ctx, id, shown)
	for _, x := range all {
		rows = append(rows, certificateRow{x.Serial, at(x.Issued), at(x.Ends), at(x.Revoked)})
		live = live || x.Revoked.IsZero()
	}
	return rows, live, err
}
