package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"haochaping/internal/central/db"
	"haochaping/internal/central/directory"
	"haochaping/internal/central/directory/account"
	"haochaping/internal/central/enrol"
	"haochaping/internal/central/journal"
	"haochaping/internal/central/web"
	"haochaping/internal/rating"
)

// passes are the routes of boxes that are let in without their codes.
func (p *pages) passes() []web.Route {
	const file = 1 << 20 // of a few hundred boxes
	edit := account.EditBoxes
	return []web.Route{
		{Method: "GET", Path: "/fleet/expected", Action: edit, Do: p.expected},
		{Method: "POST", Path: "/fleet/expected", Action: edit, Do: p.previewDelivery, MaxBody: file},
		{Method: "POST", Path: "/fleet/expected/confirm", Action: edit, Do: p.confirmDelivery},
		{Method: "POST", Path: "/fleet/halls/{hall}/expected/forget", Action: edit, Object: p.hallObject, Do: p.forget},
		{Method: "GET", Path: "/fleet/tickets", Action: edit, Do: p.tickets},
		{Method: "POST", Path: "/fleet/halls/{hall}/tickets", Action: edit, Object: p.hallObject, Do: p.makeTicket},
		{Method: "POST", Path: "/fleet/tickets/{ticket}/file", Action: edit, Object: p.ticketObject, Do: p.ticketFile},
		{Method: "GET", Path: "/fleet/root.crt", Action: account.SeeBoxes, Do: p.root},
		{Method: "POST", Path: "/fleet/boxes/{device}/tokens", Action: edit, Object: p.boxObject, Do: p.addToken},
		{Method: "POST", Path: "/fleet/boxes/{device}/tokens/drop", Action: edit, Object: p.boxObject, Do: p.dropToken},
		{Method: "POST", Path: "/fleet/tickets/{ticket}/revoke", Action: edit, Object: p.ticketObject, Do: p.revokeTicket},
	}
}

// lets reports whether the centre lets boxes in by itself.
func (p *pages) lets() bool { return p.Enrol != nil && p.Enrol.Authority() != nil }

// mostPasses bounds the tickets and expected boxes of a page.
const mostPasses = 300

// expectedView is the page of the boxes that a supplier delivers.
type expectedView struct {
	Ready   bool
	Halls   []hallChoice
	Hall    string
	Rows    []expectedRow
	Days    int
	Wrong   bool
	Problem directory.Fault
	Added   string // how many were expected a moment ago
}

// expectedRow is an expected box.
type expectedRow struct {
	Serial, Window, Name string
	Ends, Used           string
	Device               rating.DeviceID
	Failures             int64
	Open                 bool
}

// usualDays is how long passwords hold unless somebody says otherwise.
const usualDays = 30

func (p *pages) expected(c *web.Call) error { return p.askDelivery(c, nil) }

func (p *pages) askDelivery(c *web.Call, wrong error) error {
	v := expectedView{Ready: p.lets(), Days: usualDays, Added: c.R.URL.Query().Get("added")}
	status := http.StatusOK
	if v.Wrong = errors.As(wrong, &v.Problem); v.Wrong {
		status = http.StatusUnprocessableEntity
	} else if wrong != nil {
		return wrong
	}
	if !v.Ready {
		return c.ShowStatus(status, "fleet/expected", v)
	}
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	v.Halls, v.Hall = p.chosenHall(c, a)
	if v.Hall == "" {
		return c.ShowStatus(status, "fleet/expected", v)
	}
	all, err := p.Enrol.Expecting(c.R.Context(), v.Hall, mostPasses)
	if err != nil {
		return err
	}
	for _, e := range all {
		row := expectedRow{Serial: e.Serial, Window: e.Window, Ends: at(e.Ends), Used: at(e.Used), Device: e.Device, Failures: e.Failures,
			Open: e.Open(c.Now())}
		if w, ok := a.At(directory.Window, e.Window, directory.DayOf(c.Now())); ok {
			row.Name = w.Name
		}
		v.Rows = append(v.Rows, row)
	}
	return c.ShowStatus(status, "fleet/expected", v)
}

// chosenHall returns the halls in which the person may enrol boxes, and the one that the address names, if it is one of them.
func (p *pages) chosenHall(c *web.Call, a *directory.Atlas) (halls []hallChoice, chosen string) {
	halls = p.hallChoices(c, a, c.R.URL.Query().Get("hall"))
	for _, h := range halls {
		if h.Chosen {
			chosen = h.ID
		}
	}
	return halls, chosen
}

// mayEnrol says into which halls the person may let boxes.
func (p *pages) mayEnrol(c *web.Call, a *directory.Atlas) func(directory.Record) bool {
	day := directory.DayOf(c.Now())
	return func(hall directory.Record) bool { return c.May(account.EditBoxes, hallAt(a, hall, day)) }
}

// previewDelivery tells line by line what a supplier's list would have the centre expect.
func (p *pages) previewDelivery(c *web.Call) error {
	if !p.lets() {
		return web.ErrNotFound
	}
	in, head, err := c.R.FormFile("file")
	if errors.Is(err, http.ErrMissingFile) {
		return p.askDelivery(c, directory.Fault{Chinese: "请选择一个文件", English: "choose a file"})
	}
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return err
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(in)
		err = errors.Join(err, in.Close(), c.R.MultipartForm.RemoveAll())
	}
	if err != nil {
		return &web.Refusal{Words: "上传没有完成，请重试。The upload did not arrive whole; try again."}
	}
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	days, _ := strconv.Atoi(c.R.FormValue("days")) // what is no number is refused
	// Each password is hashed slowly.
	err = http.NewResponseController(c.W).SetWriteDeadline(time.Now().Add(deliveryTime))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	x, err := p.Enrol.PreviewDelivery(c.R.Context(), b, days, p.mayEnrol(c, a))
	if err != nil {
		return p.askDelivery(c, err)
	}
	status := http.StatusOK
	if x.Refused() > 0 {
		status = http.StatusUnprocessableEntity
	} else if err := p.Enrol.Keep(c.R.Context(), c.Person.Account, x); err != nil {
		return err
	}
	return c.ShowStatus(status, "fleet/delivery", deliveryView{x, head.Filename, at(x.Ends)})
}

// deliveryTime is how long a preview may take.
const deliveryTime = 2 * time.Minute

// deliveryView is the preview of a supplier's list.
type deliveryView struct {
	enrol.Preview
	File string
	Ends string
}

// expectation is what the journal keeps of an expected box.
type expectation struct {
	Serial string `json:"serial"`
	Hall   string `json:"hall"`
	Window string `json:"window"`
}

// confirmDelivery has the centre expect what the person was shown last.
func (p *pages) confirmDelivery(c *web.Call) error {
	if !p.lets() {
		return web.ErrNotFound
	}
	ctx := c.R.Context()
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	x, err := p.Enrol.Kept(ctx, c.Person.Account, c.R.PostFormValue("hash"), p.mayEnrol(c, a))
	if errors.Is(err, enrol.ErrMeanwhile) {
		return conflict(err.Error())
	}
	if err != nil {
		return err
	}
	var said []expectation
	for _, l := range x.Lines {
		said = append(said, expectation{l.Serial, l.Hall, l.Window})
	}
	data, err := json.Marshal(said)
	if err != nil {
		return err
	}
	act := journal.Act{Do: "enrol.expect", Object: strconv.Itoa(len(said)), Data: data, Domain: p.domainOf(c, a, said)}
	err = c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		return enrol.Expect(ctx, tx, x, c.Person.Account, c.Now())
	})
	if errors.Is(err, enrol.ErrMeanwhile) {
		return conflict(enrol.ErrMeanwhile.Error())
	}
	if err != nil {
		return err
	}
	return c.See("/fleet/expected?" + url.Values{"hall": {said[0].Hall}, "added": {strconv.Itoa(len(said))}}.Encode())
}

// domainOf returns the smallest area that has all halls of a list.
func (p *pages) domainOf(c *web.Call, a *directory.Atlas, all []expectation) string {
	day := directory.DayOf(c.Now())
	var halls []directory.Record
	for _, x := range all {
		if hall, ok := a.At(directory.Hall, x.Hall, day); ok {
			halls = append(halls, hall)
		}
	}
	if len(halls) == 0 {
		return ""
	}
	for _, area := range a.Areas(halls[0].Area, day) {
		within := true
		for _, h := range halls {
			within = within && account.Within(area.ID, h.Area)
		}
		if within {
			return area.ID
		}
	}
	return ""
}

// forget takes an expected box off the list of a hall.
func (p *pages) forget(c *web.Call) error {
	hall, serial := c.R.PathValue("hall"), c.R.PostFormValue("serial")
	if !p.lets() {
		return web.ErrNotFound
	}
	e, err := p.Enrol.ExpectedBox(c.R.Context(), serial)
	if errors.Is(err, enrol.ErrNotExpected) || err == nil && e.Hall != hall {
		return conflict("没有这个序列号。There is no such serial number.")
	}
	if err != nil {
		return err
	}
	where, err := p.hallObject(c)
	if err != nil {
		return err
	}
	err = c.Act(journal.Act{Do: "enrol.forget", Object: serial, Domain: where.Area}, func(ctx context.Context, tx *db.Tx, _ int64) error {
		return enrol.Forget(ctx, tx, serial)
	})
	if err != nil {
		return err
	}
	return c.See("/fleet/expected?hall=" + url.QueryEscape(hall))
}
