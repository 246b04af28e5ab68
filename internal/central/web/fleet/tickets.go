package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"haochaping/internal/provision"
)

// ticketsView is the page of the tickets of a hall.
type ticketsView struct {
	Ready bool
	Halls []hallChoice
	Hall  string
	Free  []windowChoice // windows from which a ticket may count
	Hours []int
	Most  int
	Rows  []ticketRow
	Made  string // the ticket that was made a moment ago
}

// ticketRow is a ticket.
type ticketRow struct {
	ID, First, Made, Ends, Revoked string
	Used, Uses                     int64
	Open, New                      bool
}

// ticketObject finds the hall of a ticket.
func (p *pages) ticketObject(c *web.Call) (account.Object, error) {
	t, err := p.ticket(c)
	if err != nil {
		return account.Object{}, err
	}
	a, err := p.atlas(c)
	if err != nil {
		return account.Object{}, err
	}
	day := directory.DayOf(c.Now())
	hall, ok := a.At(directory.Hall, t.Hall, day)
	if !ok {
		return account.Object{}, web.ErrNotFound
	}
	return hallAt(a, hall, day), nil
}

// ticket returns the ticket that an address names.
func (p *pages) ticket(c *web.Call) (enrol.Ticket, error) {
	if !p.lets() {
		return enrol.Ticket{}, web.ErrNotFound
	}
	t, err := p.Enrol.Ticket(c.R.Context(), c.R.PathValue("ticket"))
	if errors.Is(err, enrol.ErrNoTicket) {
		err = web.ErrNotFound
	}
	return t, err
}

func (p *pages) tickets(c *web.Call) error {
	v := ticketsView{Ready: p.lets(), Hours: []int{1, 2, 4, 8, 24}, Most: provision.MaxTicketUses, Made: c.R.URL.Query().Get("made")}
	if !v.Ready {
		return c.Show("fleet/tickets", v)
	}
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	if v.Halls, v.Hall = p.chosenHall(c, a); v.Hall == "" {
		return c.Show("fleet/tickets", v)
	}
	free, _, err := p.windowsOf(c, a, v.Hall, "")
	if err != nil {
		return err
	}
	for _, w := range free {
		v.Free = append(v.Free, windowChoice{ID: w.ID, Name: w.Name})
	}
	all, err := p.Enrol.Tickets(c.R.Context(), v.Hall, mostPasses)
	if err != nil {
		return err
	}
	for _, t := range all {
		v.Rows = append(v.Rows, ticketRow{t.ID, t.First, at(t.Made), at(t.Ends), at(t.Revoked), t.Used, t.Uses, t.Open(c.Now()), t.ID == v.Made})
	}
	return c.Show("fleet/tickets", v)
}

// madeTicket is what the journal keeps of a ticket.
type madeTicket struct {
	Ticket string `json:"ticket"`
	First  string `json:"first,omitempty"`
	Uses   int64  `json:"uses"`
	Ends   string `json:"ends"`
}

// makeTicket makes a ticket for a hall.
func (p *pages) makeTicket(c *web.Call) error {
	if !p.lets() {
		return web.ErrNotFound
	}
	hall, first := c.R.PathValue("hall"), c.R.PostFormValue("first")
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	if place, ok := a.Window(first, directory.DayOf(c.Now())); first != "" && (!ok || place.Hall.ID != hall) {
		return conflict("窗口 " + first + " 不在这个大厅。The window is not of this hall.")
	}
	uses, wrong := strconv.Atoi(c.R.PostFormValue("uses"))
	hours, also := strconv.Atoi(c.R.PostFormValue("hours"))
	var t enrol.Ticket
	if err := errors.Join(wrong, also); err == nil {
		t, wrong = p.Enrol.NewTicket(hall, first, uses, time.Duration(min(hours, 1000))*time.Hour, c.Person.Account)
	}
	if errors.Join(wrong, also) != nil {
		return &web.Refusal{Status: http.StatusUnprocessableEntity,
			Words: fmt.Sprintf("一张票最多用于 %d 台，最长 %d 小时。At most %[1]d boxes and %[2]d hours.", provision.MaxTicketUses,
				provision.MaxTicketLife/time.Hour)}
	}
	where, err := p.hallObject(c)
	if err != nil {
		return err
	}
	data, err := json.Marshal(madeTicket{t.ID, t.First, t.Uses, t.Ends.UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	act := journal.Act{Do: "enrol.ticket", Object: hall, Data: data, Domain: where.Area}
	err = c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error {
		return enrol.MakeTicket(ctx, tx, t)
	})
	if err != nil {
		return err
	}
	return c.See("/fleet/tickets?" + url.Values{"hall": {hall}, "made": {t.ID}}.Encode())
}

// ticketFile hands out a ticket's file. Each time is an act: whoever has the file can use it.
func (p *pages) ticketFile(c *web.Call) error {
	t, err := p.ticket(c)
	if err != nil {
		return err
	}
	if !t.Open(c.Now()) {
		return conflict("这张票已用完、过期或作废。The ticket lets nobody in any more.")
	}
	where, err := p.ticketObject(c)
	if err != nil {
		return err
	}
	if err := c.Act(journal.Act{Do: "enrol.ticket.file", Object: t.Hall, Data: fmt.Appendf(nil, `{"ticket":%q}`, t.ID), Domain: where.Area},
		nil); err != nil {
		return err
	}
	a, err := p.atlas(c)
	if err != nil {
		return err
	}
	hall, _ := a.At(directory.Hall, t.Hall, directory.DayOf(c.Now()))
	words := fmt.Sprintf("%s，最多 %d 台，%s 前有效。文件名 %s，放在 U 盘或启动分区的根目录", hall.Name, t.Uses, at(t.Ends), ticketName)
	h := c.W.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+ticketName+`"`)
	_, err = c.W.Write(p.Enrol.File(t, words))
	return err
}

// ticketName is how boxes find a ticket.
const ticketName = "haochaping.ticket"

// revokeTicket takes a ticket back.
func (p *pages) revokeTicket(c *web.Call) error {
	t, err := p.ticket(c)
	if err != nil {
		return err
	}
	where, err := p.ticketObject(c)
	if err != nil {
		return err
	}
	act := journal.Act{Do: "enrol.ticket.revoke", Object: t.Hall, Data: fmt.Appendf(nil, `{"ticket":%q}`, t.ID), Domain: where.Area}
	err = c.Act(act, func(ctx context.Context, tx *db.Tx, _ int64) error { return enrol.RevokeTicket(ctx, tx, t.ID, c.Now()) })
	if err != nil {
		return err
	}
	return c.See("/fleet/tickets?hall=" + url.QueryEscape(t.Hall))
}
