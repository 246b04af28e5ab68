package fleet

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"haochaping/internal/boxcode"
	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/fleet"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// mostCodes bounds the boxes that are accepted together.
const mostCodes = 60

// enrolView is the page on which boxes are let in.
type enrolView struct {
	Ready   bool // the centre lets boxes in by codes
	Typed   string
	Boxes   []newBox
	Unknown []typedCode // that no box shows
	Halls   []hallChoice
	Hall    string
	Replace string // the window at which a box is replaced, empty for none
	Full    bool   // the hall has fewer windows without a box than boxes wait
	Done    []doneBox
	Reset   string // the box that was told to forget all, empty for none
}

// newBox is a box that waits.
type newBox struct {
	Code, Digits string
	Lamps        string // which tell the digits, of a box whose code was read from lamps
	Device       rating.DeviceID
	Windows      []windowChoice
	Taken        []windowChoice // at which it would take another box's place
	Again        bool           // it is enrolled already
	Moved        bool           // its card has come to another board
}

type hallChoice struct {
	ID, Name string
	Chosen   bool
}

// windowChoice is a window for a box; with another box, one at which that is replaced.
type windowChoice struct {
	ID, Name string
	Box      rating.DeviceID
	Chosen   bool
}

// doneBox is a box that was accepted a moment ago.
type doneBox struct {
	Device rating.DeviceID
	Name   string
	Coming bool // it takes its window when it asks next
	Online bool
}

// typedCode is a code as somebody typed it: in letters, or by the lamps that tell it.
type typedCode struct {
	Text    string
	ByLamps bool
}

// codesOf returns the codes that were typed or scanned, each once.
func codesOf(values []string) (all []typedCode) {
	for _, v := range values {
		for _, text := range boxcode.Split(v) {
			known := func(c typedCode) bool { return boxcode.Clean(c.Text) == boxcode.Clean(text) }
			if !slices.ContainsFunc(all, known) && len(all) < mostCodes {
				all = append(all, typedCode{text, boxcode.ByLamps(text)})
			}
		}
	}
	return all
}

// typedAgain returns codes as one text, of which codesOf makes the same.
func typedAgain(all []typedCode) string {
	var texts []string
	for _, c := range all {
		texts = append(texts, c.Text)
	}
	return strings.Join(texts, ", ")
}

// check returns the lamps that tell the check digits of a box whose code was typed so, empty for one that was typed in letters.
func (c typedCode) check(digits string) string {
	if !c.ByLamps {
		return ""
	}
	all, err := boxcode.DigitFlashes(digits)
	if err != nil {
		return "" // of no box that the door let in
	}
	return boxcode.Grouped(all)
}

// enrolling shows the boxes of some codes, and where they may go.
func (p *pages) enrolling(c *web.Call) error {
	v := enrolView{Ready: p.Enrol != nil && p.Enrol.Authority() != nil}
	if !v.Ready {
		return c.Show("fleet/enrol", v)
	}
	ctx, query := c.R.Context(), c.R.URL.Query()
	codes := codesOf(query["code"])
	v.Typed, v.Replace = typedAgain(codes), query.Get("replace")
	v.Reset = query.Get("reset")
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
	free, taken, err := p.windowsOf(c, a, v.Hall, lastWindow)
	if err != nil {
		return err
	}
	for _, code := range codes {
		x, err := p.Enrol.Look(ctx, c.Person.Account, code.Text)
		if errors.Is(err, enrol.ErrNoCode) {
			v.Unknown = append(v.Unknown, code)
			continue
		}
		if errors.Is(err, enrol.ErrGuessed) {
			return guessed()
		}
		if err != nil {
			return err
		}
		b := newBox{Code: x.Code, Digits: x.Digits, Lamps: code.check(x.Digits), Device: x.Device, Moved: x.Moved}
		d, err := p.Fleet.Device(ctx, x.Device)
		switch {
		case err == nil:
			b.Again = true
			if place, ok := a.Window(d.Window.ID, directory.DayOf(c.Now())); ok && place.Hall.ID == v.Hall {
				b.Windows = append(b.Windows, windowChoice{d.Window.ID, d.Window.Name, "", true})
			}
		case !errors.Is(err, fleet.ErrNoDevice):
			return err
		}
		at := len(v.Boxes)
		v.Full = v.Full || !b.Again && at >= len(free) && v.Replace == ""
		for i, w := range free {
			b.Windows = append(b.Windows, windowChoice{w.ID, w.Name, "", !b.Again && i == at && v.Replace == ""})
		}
		for _, s := range taken {
			if s.ID != x.Device {
				b.Taken = append(b.Taken, windowChoice{s.Window.ID, s.Window.Name, s.ID, at == 0 && s.Window.ID == v.Replace})
			}
		}
		v.Boxes = append(v.Boxes, b)
	}
	return c.Show("fleet/enrol", v)
}

// guessed says to somebody who has typed too many codes that no box shows that they must wait.
func guessed() error {
	return &web.Refusal{Status: http.StatusTooManyRequests,
		Words: "输入了太多没有评价器显示的配对码，请过一会儿再试；已记入审计。Too many codes that no box shows; try again later."}
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

// windowsOf returns the windows of a hall that have no box, in their order, those behind the last one first, and the boxes of the others.
func (p *pages) windowsOf(c *web.Call, a *directory.Atlas, hall, last string) (all []directory.Record, taken []fleet.State, err error) {
	var ids []string
	for w := range a.Each(directory.Window, directory.DayOf(c.Now())) {
		if hall != "" && w.Hall == hall {
			all = append(all, w)
			ids = append(ids, w.ID)
		}
	}
	if taken, err = p.Fleet.At(c.R.Context(), ids); err != nil {
		return nil, nil, err
	}
	slices.SortFunc(taken, func(x, y fleet.State) int { return enrol.Naturally(x.Window.ID, y.Window.ID) })
	all = slices.DeleteFunc(all, func(w directory.Record) bool {
		return slices.ContainsFunc(taken, func(s fleet.State) bool { return s.Window.ID == w.ID })
	})
	slices.SortFunc(all, func(x, y directory.Record) int {
		return cmp.Or(boolOrder(enrol.Naturally(x.ID, last) < 0, enrol.Naturally(y.ID, last) < 0), enrol.Naturally(x.ID, y.ID))
	})
	return all, taken, nil
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

// doneBoxes returns how boxes are that were accepted a moment ago, those that the person may see.
func (p *pages) doneBoxes(c *web.Call, names []string) (all []doneBox, err error) {
	a, err := p.atlas(c)
	if err != nil {
		return nil, err
	}
	for _, name := range names[:min(len(names), mostCodes)] {
		id := rating.DeviceID(name)
		window, err := p.Enrol.Coming(c.R.Context(), id)
		if err != nil {
			return nil, err
		}
		coming, online := window != "", false
		if !coming {
			s, err := p.Fleet.State(c.R.Context(), id)
			if errors.Is(err, fleet.ErrNoDevice) {
				continue
			}
			if err != nil {
				return nil, err
			}
			window, online = s.Window.ID, reached(s.Standing(c.Now()))
		}
		place, ok := a.Window(window, directory.DayOf(c.Now()))
		if !ok || !c.May(account.SeeBoxes, hallAt(a, place.Hall, directory.DayOf(c.Now()))) {
			continue
		}
		all = append(all, doneBox{id, place.Window.Name, coming, online})
	}
	return all, nil
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
	err = c.Act(journal.Act{Do: "enrol.revoke", Object: string(id), Reason: reason, Domain: where.Area},
		func(ctx context.Context, tx *db.Tx, _ int64) error {
			_, err := enrol.Revoke(ctx, tx, id, c.Now())
			return err
		})
	if err != nil {
		return err
	}
	return c.See("/fleet/boxes/" + string(id) + "#certificate")
}

// certificateRow is a certificate of a box's page.
type certificateRow struct {
	Serial, Issued, Ends, Revoked string
	Late                          bool // the one before had ended
}

// certificates fills in the certificates of a box, and reports whether one is not revoked.
func (p *pages) certificates(ctx context.Context, v *boxView) (live bool, err error) {
	if p.Enrol == nil {
		return false, nil
	}
	const shown = 3
	all, err := p.Enrol.Certificates(ctx, v.State.ID, shown+1)
	if err != nil {
		return false, err
	}
	windows, err := p.Enrol.WindowCertificates(ctx, v.State.ID, shown)
	v.Certificates, v.Windows = certificateRows(all), certificateRows(windows)
	for i := range v.Certificates[:max(0, len(all)-1)] {
		before := all[i+1]
		v.Certificates[i].Late = before.Revoked.IsZero() && before.Ends.Before(all[i].Issued) &&
			all[i].Issued.Sub(before.Ends) <= enrol.Grace // else somebody has accepted the box anew
	}
	v.Certificates = v.Certificates[:min(shown, len(all))]
	return slices.ContainsFunc(all, func(c enrol.Certificate) bool { return c.Revoked.IsZero() }), err
}

func certificateRows(all []enrol.Certificate) (rows []certificateRow) {
	for _, x := range all {
		rows = append(rows, certificateRow{Serial: x.Serial, Issued: at(x.Issued), Ends: at(x.Ends), Revoked: at(x.Revoked)})
	}
	return rows
}
